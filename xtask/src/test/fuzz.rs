//! Fuzz targets: run for a while where a fuzzer is installed, else only what earlier runs kept.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{fs, thread};

use crate::process;
use crate::workspace::{Failure, Workspace};

/// How long each target runs, in seconds.
const SECONDS: u32 = 20;

/// The test that replays every corpus.
const REPLAY: &str = "corpora";

/// How long one input may take, in seconds.
const INPUT_SECONDS: u32 = 10;

/// Runs every target and returns whether none found a fault.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, Failure> {
    if !process::succeeds(fuzzer(workspace).arg("--version")) {
        eprintln!("no cargo-fuzz with a nightly toolchain: an ordinary test replays the corpora");
        let mut command = workspace.cargo();
        command.args(["test", "--workspace", "--test", REPLAY]);
        return Ok(process::run(command)?.status.success());
    }
    let mut build = fuzzer(workspace);
    build.arg("build");
    if !process::run(build)?.status.success() {
        return Ok(false);
    }
    let runs = targets(workspace)?
        .into_iter()
        .map(|target| explore(workspace, &target).map(|command| (target, command)))
        .collect::<Result<Vec<_>, _>>()?;
    eprintln!("{SECONDS} s for each of {} targets", runs.len());
    Ok(all_succeed(runs))
}

/// Runs the targets, as many at once as there are cores.
fn all_succeed(runs: Vec<(String, Command)>) -> bool {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(runs.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        let mut well = true;
        while let Some((target, command)) = next() {
            let succeeded = process::run(command).is_ok_and(|ran| ran.status.success());
            eprintln!(
                "fuzz target {target}: {}",
                if succeeded { "no fault" } else { "FAILED" }
            );
            well &= succeeded;
        }
        well
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .all(|worker| worker.join().unwrap_or(false))
    })
}

fn fuzzer(workspace: &Workspace) -> Command {
    let mut command = workspace.command("rustup");
    command.args(["run", "nightly", "cargo", "fuzz"]);
    command
}

fn targets(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace.root.join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Looks for new inputs. They go to a folder of their own, since the committed corpus is chosen by hand.
fn explore(workspace: &Workspace, target: &str) -> Result<Command, Failure> {
    let found = workspace.target_folder()?.join("fuzz-found").join(target);
    fs::create_dir_all(&found)?;
    let mut fuzz = fuzzer(workspace);
    fuzz.args(["run", target])
        .arg(found)
        .arg(corpus(workspace, target)?);
    fuzz.arg("--");
    fuzz.arg(format!("-max_total_time={SECONDS}"));
    fuzz.arg(format!("-timeout={INPUT_SECONDS}"));
    // Each new input would be a line.
    fuzz.args(["-verbosity=0", "-print_final_stats=1"]);
    Ok(fuzz)
}

fn corpus(workspace: &Workspace, target: &str) -> Result<PathBuf, Failure> {
    let corpus = workspace.root.join("fuzz/corpus").join(target);
    if corpus.is_dir() {
        Ok(corpus)
    } else {
        Err(
            format!("fuzz target {target} has no corpus; keep some inputs in fuzz/corpus/{target}")
                .into(),
        )
    }
}
