//! Developer tasks, run as `cargo xtask TASK`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool talks on the terminal"
)]

mod bench;
mod conformance;
mod documents;
mod layers;
mod licences;
mod lines;
mod process;
mod rfc;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::{Failure, Workspace};

/// Developer tasks of this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Everything that has to hold before a change is taken; ends with `N passed, N failed`
    Test(test::Args),
    /// Which crate may use which, and whether the paths that the documents name exist
    Layers,
    /// Files and functions that have outgrown their room
    Lines,
    /// Whether every dependency's licence is one that we accept
    Licences,
    /// What the conformance tests show, by families of test purposes
    Conformance(conformance::Args),
    /// The requirements of RFCs that code and tests cite
    Rfc(rfc::Args),
    /// What the engine costs: time, instructions, allocations, memory
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all is well.
fn run(cli: &Cli) -> Result<bool, Failure> {
    let workspace = Workspace::find()?;
    match &cli.task {
        Task::Test(args) => test::run(&workspace, args),
        Task::Layers => layers::run(&workspace),
        Task::Lines => lines::run(&workspace),
        Task::Licences => licences::run(&workspace),
        Task::Conformance(args) => conformance::run(&workspace, args),
        Task::Rfc(args) => rfc::run(&workspace, args),
        Task::Bench(args) => bench::run(&workspace, args),
    }
}

/// Prints the problems and returns whether there are none.
fn report(check: &str, problems: &[String]) -> bool {
    for problem in problems {
        println!("{check}: {problem}");
    }
    if problems.is_empty() {
        println!("{check}: all is well");
    }
    problems.is_empty()
}
