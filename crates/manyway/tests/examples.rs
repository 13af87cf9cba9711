//! The examples say what they print; here they run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// Cargo builds the examples beside the tests' folder.
fn output(example: &str) -> String {
    let deps = std::env::current_exe().unwrap();
    let program = deps
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples")
        .join(example);
    let output = Command::new(&program).output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{example}: {talk}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_message_arrives() {
    assert_eq!(output("hello"), "hello, many ways");
}

#[test]
fn the_urgent_stream_overtakes() {
    assert!(output("streams").starts_with("stream 0: 6 bytes\n"));
}

#[test]
fn a_large_message_comes_in_parts() {
    assert_eq!(output("parts"), "900000 bytes, more than one part: true\n");
}

#[test]
fn data_are_authentic() {
    assert_eq!(output("authenticated"), "authentic\n");
}

#[test]
fn paths_come_and_go() {
    assert_eq!(output("paths"), "a path is up\na path was removed\n");
}

#[test]
fn a_stream_serves_one_conversation_after_the_other() {
    assert_eq!(
        output("reset"),
        "stream 3 begins anew\n8 streams were added\n"
    );
}

#[test]
fn events_tell_what_happens() {
    assert_eq!(
        output("events"),
        "a path is up\nit is the primary\nthe peer has everything\nshut down by both sides\n"
    );
}

#[test]
fn a_late_message_is_given_up() {
    assert_eq!(
        output("lifetime"),
        "message 42 was given up; begun: false\n"
    );
}

#[test]
fn congestion_control_changes_while_data_flow() {
    assert_eq!(
        output("congestion"),
        "cubic reno bbr lia olia balia gentle\n"
    );
}
