//! One program, run by plain TCP and run by an association, sees the same in every call.
//!
//! What the probe leaves out, because it differs:
//!
//! - The server sees the client's address with another port than the client's own `getsockname`, and so may the
//!   client's `getsockname` show another port than an observer of the network sees.
//! - After `connect(AF_UNSPEC)` the kernel leaves an error on the socket, and its next connection is plain TCP.
//! - What the kernel measures (`TCP_INFO`, `TCP_MAXSEG`, `SIOCOUTQ`, buffer sizes) is that of the loopback connection.
//!   So are options that act on the network: `SO_BINDTODEVICE`, `IP_TOS`, `TCP_CONGESTION`, `TCP_USER_TIMEOUT`.
//! - Urgent data (`MSG_OOB`) is not carried.
//! - How many bytes a blocked peer lets a program send before `send` blocks: there are more buffers on the way.
//! - One `send` to a peer that has closed, with nothing sent after it, brings no reset.
//! - A connection that is reset before the server accepts it may still look open to the server's first calls.
//! - A process-wide signal caught in a process of several threads interrupts a blocked `accept` or `connect` even
//!   where `SA_RESTART` asks for more patience.
//! - `accept` with an address that cannot be written fails as ever, but the connection is kept for the next call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::installed;
use crate::world::{SERVER, World};

/// How many connections the client makes that the server accepts.
const CONNECTIONS: &str = "10";
/// How many of them come by an association: all but that on a socket whose first connection was dissolved.
const FLOWS: usize = 9;

/// Compiles the probe without shared libraries, which interception must not need.
fn compile(world: &World) -> Option<PathBuf> {
    if !installed(&["gcc"]) {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/probes/calls.c");
    let program = world.path("calls");
    let status = Command::new("gcc")
        .args(["-O1", "-static", "-o"])
        .args([&program, &source])
        .status()
        .unwrap();
    assert!(status.success());
    Some(program)
}

/// What the server and the client print, each run by `command`.
fn observe(world: &World, run: &str, command: impl Fn(&[&str]) -> Command) -> [String; 2] {
    let server = world.start(
        &world.server,
        &format!("{run}-server"),
        command(&["serve", CONNECTIONS]),
    );
    server.await_stdout("listen: 0");
    if run == "manyway" {
        server.await_stderr("peers can reach a program");
    }
    let client = world.start(
        &world.client,
        &format!("{run}-client"),
        command(&[SERVER[0]]),
    );
    let client = client.wait();
    client.assert_success();
    let flows = client.stderr.matches("a flow is open").count();
    assert_eq!(
        flows,
        if run == "manyway" { FLOWS } else { 0 },
        "{client:#?}"
    );
    let server = server.wait();
    server.assert_success();
    [server.stdout, client.stdout]
}

#[test]
fn every_call_returns_what_it_returns_on_one_path() {
    let Some(world) = World::build() else { return };
    let Some(program) = compile(&world) else {
        return;
    };
    let program = program.to_str().unwrap();
    let natively = observe(&world, "plain", |args| {
        let mut command = Command::new(program);
        command.args(args);
        command
    });
    let intercepted = observe(&world, "manyway", |args| {
        world.manyway(&[&["-v", "run", "--", program], args].concat())
    });
    for (plain, manyway) in natively.iter().zip(&intercepted) {
        assert!(plain == manyway, "{}", difference(&world, plain, manyway));
    }
}

/// The two texts as `diff` shows them.
fn difference(world: &World, plain: &str, manyway: &str) -> String {
    let files = [world.path("plain.txt"), world.path("manyway.txt")];
    fs::write(&files[0], plain).unwrap();
    fs::write(&files[1], manyway).unwrap();
    let output = Command::new("diff")
        .args(["-a", "-U1"])
        .args(&files)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
