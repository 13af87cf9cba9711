//! What the command says and how it exits when used alone.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests are no tests to the linter"
)]

use std::process::{Command, Output};

use tempfile::TempDir;

fn manyway(args: &[&str]) -> Output {
    let runtime_dir = TempDir::new().unwrap();
    Command::new(env!("CARGO_BIN_EXE_manyway"))
        .args(args)
        .env("MANYWAY_RUNTIME_DIR", runtime_dir.path())
        .env_remove("MANYWAY_LOG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_fails(args: &[&str], status: i32, says: &str) {
    let output = manyway(args);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{args:?}: {}",
        text(&output.stderr)
    );
    assert!(
        text(&output.stderr).contains(says),
        "{args:?}: {}",
        text(&output.stderr)
    );
    assert!(
        output.stdout.is_empty(),
        "{args:?}: {}",
        text(&output.stdout)
    );
}

#[test]
fn wrong_usage_exits_with_2() {
    assert_fails(&[], 2, "Usage:");
    assert_fails(&["frobnicate"], 2, "frobnicate");
    assert_fails(&["run"], 2, "PROGRAM");
    assert_fails(
        &["run", "--direct", "nowhere", "true"],
        2,
        "is not an address prefix",
    );
    assert_fails(&["run", "--head-start", "0", "true"], 2, "--head-start");
    assert_fails(&["expose", "0"], 2, "PORT");
    assert_fails(&["paths", "first"], 2, "does not name a flow");
    assert_fails(&["set"], 2, "FLOW");
    assert_fails(&["set", "1"], 2, "--primary");
    assert_fails(&["set", "1", "--backup"], 2, "PATH");
    assert_fails(&["set", "1", "2"], 2, "--backup");
    assert_fails(
        &["set", "1", "2", "--backup", "--active"],
        2,
        "cannot be used with",
    );
    assert_fails(
        &["set", "1", "2", "--primary", "c1"],
        2,
        "hint: add --backup or --active",
    );
    assert_fails(&["perf"], 2, "--server");
    assert_fails(&["perf", "-s", "-c", "localhost"], 2, "cannot be used with");
    assert_fails(&["perf", "-c", "localhost", "-t", "0"], 2, "--time");
    let tuning = [
        (
            "--scheduler",
            "fastest",
            "is no scheduler; there are lowest-rtt",
        ),
        ("--cc", "vegas", "cubic, reno, bbr"),
        (
            "--paths",
            "all",
            "is no path manager; there are primary-only",
        ),
        ("--rcvbuf", "1K", "a buffer has 8K to 1G"),
        ("--sndbuf", "much", "not a number of bytes"),
        ("--messages", "200,0", "messages have 8 to 1M bytes"),
    ];
    for (option, value, says) in tuning {
        assert_fails(&["perf", "-c", "localhost", option, value], 2, says);
    }
    assert_fails(
        &["perf", "-s", "--messages", "200"],
        2,
        "cannot be used with",
    );
}

#[test]
fn without_brokers_the_lists_are_empty_and_that_is_no_failure() {
    for command in ["flows", "paths"] {
        let output = manyway(&[command]);
        assert!(output.status.success());
        assert!(output.stdout.is_empty());
        assert_eq!(text(&output.stderr), "no flows\n");
        let output = manyway(&[command, "--json"]);
        assert!(output.status.success());
        assert_eq!(text(&output.stdout), "[]\n");
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn an_unknown_flow_is_a_failure_with_a_hint() {
    for args in [&["set", "7", "--primary", "c1"][..], &["paths", "7"]] {
        assert_fails(
            args,
            1,
            "error: there is no flow 7\nhint: `manyway flows` lists them all\n",
        );
    }
}

#[test]
fn a_program_that_does_not_exist_is_127_and_one_that_is_no_program_126() {
    assert_fails(
        &["run", "--", "/nonexistent/program"],
        127,
        "error: /nonexistent/program: not found",
    );
    assert_fails(
        &["run", "--", "/etc/passwd"],
        126,
        "error: /etc/passwd: cannot be executed",
    );
}

#[test]
fn the_programs_own_status_is_passed_on() {
    for (script, status) in [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143)] {
        let output = manyway(&["run", "--", "sh", "-c", script]);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{script}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn the_programs_output_is_its_own_and_options_after_it_are_its_own() {
    let output = manyway(&[
        "run",
        "sh",
        "-c",
        "echo out; echo err >&2; echo $1",
        "-",
        "--json",
    ]);
    assert_eq!(text(&output.stdout), "out\n--json\n");
    assert_eq!(text(&output.stderr), "err\n");
}

#[test]
fn a_runtime_directory_that_others_can_write_to_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_manyway"))
        .args(["run", "true"])
        .env("MANYWAY_RUNTIME_DIR", "/tmp")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("error: /tmp is not a directory that only this user"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: set MANYWAY_RUNTIME_DIR"), "{stderr}");
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let status = Command::new("sh")
        .args([
            "-c",
            "\"$1\" flows --json --watch 1 | head -c 1 >/dev/null; exit ${PIPESTATUS:-0}",
            "-",
        ])
        .arg(env!("CARGO_BIN_EXE_manyway"))
        .env("MANYWAY_RUNTIME_DIR", TempDir::new().unwrap().path())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn help_documents_the_exit_statuses() {
    let output = manyway(&["--help"]);
    assert!(output.status.success());
    for line in [
        "Exit status:",
        "128+N",
        "126, 127",
        "MANYWAY_RUNTIME_DIR",
        "NO_COLOR",
    ] {
        assert!(text(&output.stdout).contains(line), "{line}");
    }
}

#[test]
fn perf_against_a_host_that_is_not_there_says_what_to_check() {
    assert_fails(&["perf", "-c", "host.invalid"], 1, "hint: name a host");
}
