//! `cargo xtask test`: everything that has to hold before a change is taken.

mod fuzz;
mod install;
mod junit;
pub(crate) mod outcome;
mod steps;
mod suites;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::test::outcome::{Counts, Outcome};
use crate::test::steps::STEPS;
use crate::workspace::{Failure, Workspace};

/// How to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what needs neither real networks nor an optimised build
    #[arg(long)]
    quick: bool,
    /// Only this step; may be given several times
    #[arg(long, value_name = "NAME", value_parser = step_names())]
    only: Vec<String>,
}

fn step_names() -> clap::builder::PossibleValuesParser {
    STEPS
        .iter()
        .map(|step| step.name)
        .collect::<Vec<_>>()
        .into()
}

/// Runs the steps, all of them even when one fails, and prints the counts on the last line.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    let only: BTreeSet<_> = args.only.iter().map(String::as_str).collect();
    let steps = STEPS.iter().filter(|step| {
        let wanted = only.is_empty() && (step.quick || !args.quick);
        wanted || only.contains(step.name)
    });
    let mut told = Vec::new();
    let mut build_failed = false;
    for step in steps {
        eprintln!("\n── {} ── {}", step.name, step.purpose);
        let start = Instant::now();
        let outcome = if build_failed && step.needs_build {
            Outcome::Skipped("the build failed".to_owned())
        } else {
            (step.run)(workspace, args.quick)
        };
        build_failed |= step.is_build && outcome.counts().failed > 0;
        let line = format!(
            "{:<9} {:>5.1} s  {outcome}",
            step.name,
            start.elapsed().as_secs_f64()
        );
        eprintln!("── {line}");
        told.push((line, outcome));
    }
    Ok(close(&told))
}

/// Prints what came out, and returns whether nothing failed.
fn close(told: &[(String, Outcome)]) -> bool {
    eprintln!();
    let mut total = Counts::default();
    for (line, outcome) in told {
        eprintln!("{line}");
        total += outcome.counts();
    }
    println!("{total}");
    total.failed == 0
}
