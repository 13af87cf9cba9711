//! `cargo xtask bench engine`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::scenario::{self, Costs};
use super::{build, callgrind, wall};
use crate::workspace::{Failure, Workspace};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Fewer associations and less data: minutes become seconds
    #[arg(long)]
    quick: bool,
    /// Count no instructions, for which valgrind is needed
    #[arg(long)]
    no_instructions: bool,
    /// Measure no time, for which the machine must be quiet
    #[arg(long)]
    no_time: bool,
    /// Only this scenario
    #[arg(long)]
    only: Option<String>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Results {
    scenarios: Vec<Costs>,
    /// Nanoseconds, by benchmark.
    nanoseconds: BTreeMap<String, f64>,
}

pub(super) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    if !args.no_instructions {
        callgrind::require()?;
    }
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| only == name);
    if !scenario::ALL.iter().any(|s| wanted(s.name)) {
        let names: Vec<_> = scenario::ALL.iter().map(|s| s.name).collect();
        return Err(format!("there is no such scenario; there are {}", names.join(", ")).into());
    }
    let program = build::benchmark(workspace, "instructions")?;
    let mut scenarios = Vec::new();
    for scenario in scenario::ALL.iter().filter(|s| wanted(s.name)) {
        let arguments = scenario.args(args.quick);
        eprintln!("{}", arguments.join(" "));
        let mut costs = scenario::run(&program, &arguments)?;
        if !args.no_instructions {
            let folder = workspace.target_folder()?.join("callgrind");
            let folder = folder.join(scenario.name);
            for (door, count) in callgrind::count(&program, &arguments, &folder)? {
                costs
                    .instructions
                    .insert(door, count as f64 / costs.packets as f64);
            }
        }
        scenarios.push(costs);
    }
    let nanoseconds = match args.no_time {
        true => BTreeMap::new(),
        false => wall::measure(workspace, args.quick)?,
    };
    let results = Results {
        scenarios,
        nanoseconds,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", table(&results));
    }
    Ok(true)
}

/// The sender's doors, then the receiver's.
const DOORS: [&str; 6] = [
    "submit",
    "send_data",
    "receive_sack",
    "receive_data",
    "fetch",
    "send_sack",
];

fn table(results: &Results) -> String {
    let mut text = String::from("per packet with data: instructions (allocations)\n\n");
    text += &format!("{:<13} {:>8}", "scenario", "packets");
    for door in DOORS {
        text += &format!(" {door:>16}");
    }
    text += &format!(" {:>9} {:>9}\n", "sender", "receiver");
    for costs in &results.scenarios {
        text += &format!("{:<13} {:>8}", costs.scenario, costs.packets);
        for door in DOORS {
            let allocations = costs.allocations.get(door).copied().unwrap_or_default();
            let cell = match costs.instructions.get(door) {
                Some(count) => format!("{count:.0} ({allocations:.2})"),
                None => format!("({allocations:.2})"),
            };
            text += &format!(" {cell:>16}");
        }
        let sum = |doors: &[&str]| -> f64 {
            let counts = doors
                .iter()
                .filter_map(|door| costs.instructions.get(*door));
            counts.sum()
        };
        text += &format!(" {:>9.0} {:>9.0}\n", sum(&DOORS[..3]), sum(&DOORS[3..]));
    }
    for costs in &results.scenarios {
        if let Some(bytes) = costs.bytes_per_association {
            text += &format!("\n{}: {bytes} bytes per association\n", costs.scenario);
        }
        if let Some(bytes) = costs.left {
            text += &format!("\n{}: {bytes} bytes left behind\n", costs.scenario);
        }
        if let Some(bytes) = costs.outstanding {
            text += &format!("\n{}: {bytes} bytes in flight\n", costs.scenario);
        }
    }
    if !results.nanoseconds.is_empty() {
        text += "\nnanoseconds, both ends together\n\n";
    }
    for (name, time) in &results.nanoseconds {
        text += &format!("{name:<40} {time:>12.1}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_sums_what_each_side_pays() {
        let costs = Costs {
            scenario: "bulk".to_owned(),
            packets: 10,
            instructions: DOORS.iter().map(|d| ((*d).to_owned(), 100.0)).collect(),
            ..Costs::default()
        };
        let results = Results {
            scenarios: vec![costs],
            nanoseconds: [("engine/bulk".to_owned(), 812.5)].into(),
        };
        let table = table(&results);
        let line = table.lines().find(|line| line.starts_with("bulk")).unwrap();
        assert!(line.ends_with("300       300"), "{line}");
        assert!(table.contains("812.5"));
    }
}
