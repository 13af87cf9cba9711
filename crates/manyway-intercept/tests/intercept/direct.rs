//! Connects that go straight to their destination, in a network namespace that has one.

use std::process::Command;
use std::time::Duration;

use crate::common::{
    Plan, REMOTE, Run, TestHandler, http_service, intercepted, native, probe, serve,
};

/// Set in the run of a test inside its own network.
const INSIDE: &str = "MANYWAY_TEST_INSIDE";

/// Runs the test of this name again in a network where `REMOTE` is this host and 198.51.100.0/24
/// is unreachable. Returns whether this is that run.
fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: a network namespace needs root");
        return false;
    }
    let script = format!(
        "ip link set lo up && ip address add {REMOTE}/32 dev lo && \
         ip route add unreachable 198.51.100.0/24 && exec \"$@\""
    );
    let output = Command::new("unshare")
        .args(["-n", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{errors}"
    );
    false
}

fn plans() -> [Plan; 3] {
    [
        Plan::Direct,
        Plan::HoldThenDirect(Duration::ZERO),
        Plan::HoldThenDirect(Duration::from_millis(100)),
    ]
}

#[test]
fn direct_connects_look_native() {
    if !in_own_network("direct::direct_connects_look_native") {
        return;
    }
    let server = serve(&format!("{REMOTE}:80"), http_service);
    for (host, port) in [(REMOTE, "80"), (REMOTE, "81"), ("198.51.100.1", "80")] {
        for order in ["epcc", "ccp", "re"] {
            let line = ["python3", &probe("nonblocking.py"), host, port, order];
            let natively = native(&line);
            let immediate = !natively.output.starts_with("connect EINPROGRESS");
            for plan in plans() {
                // An unreachable network is known at once natively, but not to a held connect.
                // Reading at once from a held socket that is being made to fail may show a reset.
                let is_held = matches!(plan, Plan::HoldThenDirect(_));
                if is_held && (immediate || order == "re") {
                    continue;
                }
                let handler = TestHandler::new(plan.clone(), server);
                let run = intercepted(&handler, &line);
                // Held again after a failure, a socket starts anew at once; the kernel first says
                // once more that the last attempt ended.
                let told = if port == "80" { usize::MAX } else { 4 };
                let seen = |run: &Run| run.output.lines().take(told).map(str::to_owned).collect();
                let (seen, native): (Vec<_>, Vec<_>) = (seen(&run), seen(&natively));
                assert_eq!(seen, native, "{plan:?} {host} {port} {order}");
                assert!(handler.count() >= 1);
            }
        }
        let line = ["python3", &probe("blocking.py"), host, "81"];
        let natively = native(&line);
        for plan in plans() {
            let handler = TestHandler::new(plan, server);
            assert_eq!(intercepted(&handler, &line), natively);
        }
    }
}

#[test]
fn fetchers_go_direct() {
    if !in_own_network("direct::fetchers_go_direct") {
        return;
    }
    let server = serve(&format!("{REMOTE}:80"), http_service);
    let url = format!("http://{REMOTE}/");
    let node = format!("require('http').get('{url}', r => r.pipe(process.stdout))");
    for line in [
        &["curl", "-sS", &url][..],
        &["wget", "-q", "-O", "-", &url],
        &["busybox", "wget", "-q", "-O", "-", &url],
        &["node", "-e", &node],
    ] {
        for plan in plans() {
            let handler = TestHandler::new(plan.clone(), server);
            let run = intercepted(&handler, line);
            assert_eq!(
                (run.output.trim(), run.status),
                ("hello", Some(0)),
                "{line:?} {plan:?}"
            );
            assert_eq!(handler.count(), 1);
        }
    }
}

#[test]
fn a_held_connect_that_goes_nowhere_fails_with_the_kernels_errno() {
    if !in_own_network("direct::a_held_connect_that_goes_nowhere_fails_with_the_kernels_errno") {
        return;
    }
    let handler = TestHandler::new(
        Plan::HoldThenDirect(Duration::from_millis(50)),
        "127.0.0.1:1".parse().unwrap(),
    );
    let line = [
        "python3",
        &probe("nonblocking.py"),
        "198.51.100.1",
        "80",
        "ee",
    ];
    let run = intercepted(&handler, &line);
    assert!(
        run.output.contains("SO_ERROR EHOSTUNREACH\nSO_ERROR 0"),
        "{}",
        run.output
    );
}
