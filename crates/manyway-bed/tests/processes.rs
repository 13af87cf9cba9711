//! What needs processes of its own: beds of users who are not root, and beds whose process dies.
//!
//! Without the usual harness, because a user namespace can be entered by a single thread only.
//! This program calls itself with the name of what the child has to do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use manyway_bed::{Bed, BedConfig};
use manyway_net::namespace::{Privileges, become_root_in_user_namespace, privileges};

const PATIENCE: Duration = Duration::from_secs(10);
/// The exit code of a child that cannot do here what it should.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("build-as-user") => return build_as_user(),
        Some("hold") => return hold(),
        // Arguments of the usual harness.
        Some("--list") => return ExitCode::SUCCESS,
        _ => {}
    }
    if privileges() != Privileges::Root {
        println!("skipped: needs root to become another user");
        return ExitCode::SUCCESS;
    }
    run(
        "a_user_builds_a_bed_in_a_user_namespace",
        a_user_builds_a_bed_in_a_user_namespace,
    );
    run(
        "nothing_survives_a_killed_process",
        nothing_survives_a_killed_process,
    );
    ExitCode::SUCCESS
}

fn run(name: &str, test: fn()) {
    println!("test {name} ...");
    test();
    println!("test {name} ... done");
}

fn a_user_builds_a_bed_in_a_user_namespace() {
    // /dev/net/tun is everybody's on most systems, but not on all: a private copy is.
    let script = "mount --make-rprivate / && mount -t tmpfs none /mnt && \
        mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun && \
        cp \"$0\" /mnt/program && chmod 755 /mnt /mnt/program && \
        exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/program build-as-user";
    let program = std::env::current_exe().unwrap();
    let unshare = Command::new("unshare")
        .args(["-m", "sh", "-c", script])
        .arg(program)
        .status();
    match unshare.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(code)) if code == i32::from(SKIPPED) => println!("skipped: see above"),
        Ok(code) => panic!("the user's process ended with {code:?}"),
        Err(error) => println!("skipped: cannot run unshare: {error}"),
    }
}

fn build_as_user() -> ExitCode {
    if let Privileges::None { reason } = privileges() {
        println!("{reason}");
        return ExitCode::from(SKIPPED);
    }
    assert_eq!(privileges(), Privileges::UserNamespaces);
    if let Err(error) = become_root_in_user_namespace() {
        println!("{error}");
        return ExitCode::from(SKIPPED);
    }
    let bed = Bed::build(&BedConfig::default()).unwrap();
    let server = bed
        .server()
        .enter(|| UdpSocket::bind("192.0.2.2:9899"))
        .unwrap()
        .unwrap();
    let client = bed
        .client()
        .enter(|| UdpSocket::bind("10.1.0.2:9899"))
        .unwrap()
        .unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"hello", "192.0.2.2:9899").unwrap();
    let (len, from) = server.recv_from(&mut [0; 9]).unwrap();
    assert_eq!((len, from.ip()), (5, bed.path(0).public_address()));
    ExitCode::SUCCESS
}

fn nothing_survives_a_killed_process() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("hold")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let program = Path::new("/proc").join(line.trim());
    assert!(program.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let start = Instant::now();
    // A program that nobody has waited for yet is still listed, but no longer runs.
    while runs(&program) {
        assert!(start.elapsed() < PATIENCE, "{} survives", program.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn runs(program: &Path) -> bool {
    let status = std::fs::read_to_string(program.join("status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Builds a bed, starts a program in it, prints its process id, and waits to be killed.
fn hold() -> ExitCode {
    let bed = Bed::build(&BedConfig::default()).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let mut sleep = bed.client().spawn(sleep).unwrap();
    println!("{}", sleep.id());
    sleep.wait().unwrap();
    ExitCode::FAILURE
}
