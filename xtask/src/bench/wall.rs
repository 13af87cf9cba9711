//! Time, measured by criterion.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use crate::process;
use crate::workspace::{Failure, Workspace};

/// The part of criterion's estimates that is of use.
#[derive(Debug, Deserialize)]
struct Estimates {
    mean: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// What is said of one benchmark.
#[derive(Debug, Deserialize)]
struct Benchmark {
    full_id: String,
    throughput: Option<Throughput>,
}

#[derive(Debug, Deserialize)]
enum Throughput {
    Elements(u64),
    #[serde(other)]
    Other,
}

/// Runs the benchmarks, with few samples if it must be `quick`; nanoseconds per packet, or per run where nothing else is said, by name.
pub(super) fn measure(
    workspace: &Workspace,
    quick: bool,
) -> Result<BTreeMap<String, f64>, Failure> {
    let mut command = workspace.cargo();
    command.args(["bench", "--package", "manyway-proto", "--bench", "engine"]);
    if quick {
        command
            .args(["--", "--quick"])
            .env("MANYWAY_BENCH_CROWD", "2000");
    }
    // What an earlier run measured may have had other names.
    let folder = workspace.target_folder()?.join("criterion").join("engine");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    eprintln!("time, by criterion");
    if !process::run(command)?.status.success() {
        return Err("the benchmark engine failed; see above".into());
    }
    let mut times = BTreeMap::new();
    for entry in fs::read_dir(&folder)? {
        let new = entry?.path().join("new");
        if !new.is_dir() {
            continue;
        }
        let estimates: Estimates = serde_json::from_slice(&fs::read(new.join("estimates.json"))?)?;
        let benchmark: Benchmark = serde_json::from_slice(&fs::read(new.join("benchmark.json"))?)?;
        let packets = match benchmark.throughput {
            Some(Throughput::Elements(count)) => count as f64,
            _ => 1.0,
        };
        times.insert(benchmark.full_id, estimates.mean.point_estimate / packets);
    }
    Ok(times)
}
