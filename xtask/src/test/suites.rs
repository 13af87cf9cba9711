//! The test runners.

use std::process::Command;
use std::{fs, io};

use crate::process;
use crate::test::junit;
use crate::test::outcome::{Counts, Outcome, of_libtest, of_nextest};
use crate::workspace::{Failure, Workspace};

/// Runs unit and integration tests, with nextest when it is installed.
pub(crate) fn tests(workspace: &Workspace, quick: bool) -> Outcome {
    let counts = if process::succeeds(workspace.cargo().args(["nextest", "--version"])) {
        nextest(workspace, quick)
    } else {
        eprintln!(
            "cargo-nextest is not installed; `cargo test` counts tests that skip themselves as passed"
        );
        let mut command = workspace.cargo();
        command.args(["test", "--workspace", "--lib", "--bins", "--no-fail-fast"]);
        if !quick {
            command.arg("--tests");
        }
        // Tests of real networks, of which nextest runs one at a time, would disturb each other.
        command.env("RUST_TEST_THREADS", "1");
        libtest(command)
    };
    counts.unwrap_or_else(|failure| Outcome::Failed(failure.to_string()))
}

/// Runs the examples in the documentation.
pub(crate) fn doctests(workspace: &Workspace) -> Outcome {
    let mut command = workspace.cargo();
    command.args(["test", "--doc", "--workspace", "--no-fail-fast"]);
    libtest(command).unwrap_or_else(|failure| Outcome::Failed(failure.to_string()))
}

fn libtest(command: Command) -> Result<Outcome, Failure> {
    let ran = process::run(command)?;
    Ok(Outcome::of_tests(
        of_libtest(&ran.output),
        ran.status.success(),
    ))
}

fn nextest(workspace: &Workspace, quick: bool) -> Result<Outcome, Failure> {
    let profile = if quick { "quick" } else { "default" };
    // Wherever cargo builds, nextest keeps its reports here.
    let report = workspace
        .root
        .join("target/nextest")
        .join(profile)
        .join("junit.xml");
    match fs::remove_file(&report) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut command = workspace.cargo();
    command.args([
        "nextest",
        "run",
        "--workspace",
        "--no-fail-fast",
        "--profile",
        profile,
    ]);
    let ran = process::run(command)?;
    let mut counts = of_nextest(&ran.output);
    // Without a test that ran there is no report.
    let report = fs::read_to_string(&report).unwrap_or_default();
    take_self_skipped(&mut counts, &report);
    Ok(Outcome::of_tests(counts, ran.status.success()))
}

fn take_self_skipped(counts: &mut Counts, report: &str) {
    for (reason, number) in junit::self_skipped(report) {
        eprintln!("{number} skipped: {reason}");
        counts.passed = counts.passed.saturating_sub(number);
        counts.skipped += number;
    }
}
