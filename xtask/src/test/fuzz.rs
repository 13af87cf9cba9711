//! Fuzz targets: run for a while where a fuzzer is installed, else fed what earlier runs kept.

use std::fs;
use std::process::Command;

use crate::process;
use crate::workspace::{Failure, Workspace};

/// How long each target runs, in seconds.
const SECONDS: u32 = 20;

/// How long one input may take, in seconds.
const INPUT_SECONDS: u32 = 10;

/// Runs every target and returns whether none found a fault.
pub(crate) fn run(workspace: &Workspace) -> Result<bool, Failure> {
    let nightly = || {
        let mut command = workspace.command("rustup");
        command.args(["run", "nightly", "cargo", "fuzz"]);
        command
    };
    let has_fuzzer = process::succeeds(nightly().arg("--version"));
    eprintln!(
        "{}",
        if has_fuzzer {
            format!("{SECONDS} s for each target")
        } else {
            "no cargo-fuzz with a nightly toolchain: replaying the corpora".to_owned()
        }
    );
    let mut well = true;
    for target in targets(workspace)? {
        let command = if has_fuzzer {
            explore(workspace, nightly(), &target)?
        } else {
            replay(workspace, &target)?
        };
        if !process::run(command)?.status.success() {
            eprintln!("fuzz target {target} failed");
            well = false;
        }
    }
    Ok(well)
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
fn explore(workspace: &Workspace, mut fuzz: Command, target: &str) -> Result<Command, Failure> {
    let found = workspace.target_folder()?.join("fuzz-found").join(target);
    fs::create_dir_all(&found)?;
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

/// Feeds the corpus once. Without the fuzzer's instrumentation, any toolchain can build the target.
fn replay(workspace: &Workspace, target: &str) -> Result<Command, Failure> {
    let mut command = workspace.cargo();
    command
        .args([
            "run",
            "--quiet",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--bin",
            target,
        ])
        .arg("--target-dir")
        .arg(workspace.target_folder()?.join("fuzz-replay"))
        .args(["--", "-runs=0"])
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(corpus(workspace, target)?);
    Ok(command)
}

fn corpus(workspace: &Workspace, target: &str) -> Result<std::path::PathBuf, Failure> {
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
