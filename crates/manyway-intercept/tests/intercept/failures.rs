//! A failure on the remote side looks as if the kernel itself had seen it.

use std::net::TcpListener;
use std::time::Duration;

use crate::common::{Plan, REMOTE, TestHandler, echo_service, intercepted, native, probe, serve};

const SOON: Duration = Duration::from_millis(50);

/// A loopback port where nobody listens; the listener keeps others from taking it.
fn refused_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

fn handler(errno: i32) -> std::sync::Arc<TestHandler> {
    TestHandler::new(Plan::Fail(SOON, errno), "127.0.0.1:1".parse().unwrap())
}

#[test]
fn a_refused_nonblocking_connect_shows_every_sign_of_a_native_one() {
    let script = probe("nonblocking.py");
    for order in ["eec", "ccc", "pe", "er"] {
        for early in ["", "early"] {
            let port = refused_port();
            let natively = native(&["python3", &script, "127.0.0.1", &port, order, early]);
            let handler = handler(libc::ECONNREFUSED);
            let run = intercepted(&handler, &["python3", &script, REMOTE, "80", order, early]);
            assert!(handler.count() >= 1);
            // The looks after that differ by whether a new attempt is refused at once.
            let first = |run: &str| run.lines().take(4).map(str::to_owned).collect::<Vec<_>>();
            let (natively, run) = (first(&natively.output), first(&run.output));
            let told = |lines: &[String]| {
                lines
                    .iter()
                    .map(|l| l.replace("EINPROGRESS", "ECONNREFUSED"))
                    .collect::<Vec<_>>()
            };
            assert_eq!(told(&run), told(&natively), "order {order} {early}");
        }
    }
}

#[test]
fn the_errno_of_a_failed_connect_is_exact() {
    for errno in [
        libc::ECONNREFUSED,
        libc::ETIMEDOUT,
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
    ] {
        let name = match errno {
            libc::ECONNREFUSED => "ECONNREFUSED",
            libc::ETIMEDOUT => "ETIMEDOUT",
            libc::EHOSTUNREACH => "EHOSTUNREACH",
            _ => "ENETUNREACH",
        };
        for mapped in ["", "mapped"] {
            let script = probe("blocking.py");
            let run = intercepted(&handler(errno), &["python3", &script, REMOTE, "80", mapped]);
            assert_eq!(run.output.trim(), format!("connect {name}"));
        }
        let script = probe("nonblocking.py");
        let run = intercepted(&handler(errno), &["python3", &script, REMOTE, "80", "ee"]);
        assert!(
            run.output.contains(&format!("SO_ERROR {name}\nSO_ERROR 0")),
            "{}",
            run.output
        );
        let run = intercepted(&handler(errno), &["python3", &script, REMOTE, "80", "c"]);
        assert!(
            run.output.ends_with(&format!("connect {name}\n")),
            "{}",
            run.output
        );
    }
}

#[test]
fn a_blocking_connect_behaves_as_a_native_one() {
    let server = serve("127.0.0.1:0", echo_service);
    let script = probe("blocking.py");
    let port = server.port().to_string();
    for mapped in ["", "mapped"] {
        let natively = native(&["python3", &script, "127.0.0.1", &port, mapped]);
        let handler = TestHandler::new(Plan::Succeed(SOON), server);
        let run = intercepted(&handler, &["python3", &script, REMOTE, "80", mapped]);
        assert_eq!(run, natively, "{mapped}");
        assert!(natively.output.contains("ping"), "{natively:?}");
        assert_eq!(handler.count(), 1);
        let (destination, nonblocking, _) = handler.seen.lock().unwrap()[0].clone();
        assert_eq!(destination.to_string(), format!("{REMOTE}:80"));
        assert!(!nonblocking);
    }
}

#[test]
fn fetchers_report_refusal_and_try_no_other_way() {
    let url = format!("http://{REMOTE}/");
    for errno in [libc::ECONNREFUSED, libc::EHOSTUNREACH] {
        let run = intercepted(&handler(errno), &["curl", "-sS", "--max-time", "20", &url]);
        assert_eq!(run.status, Some(7), "{}", run.output);
        let node = format!("require('http').get('{url}').on('error', e => console.log(e.code))");
        let run = intercepted(&handler(errno), &["node", "-e", &node]);
        let name = if errno == libc::ECONNREFUSED {
            "ECONNREFUSED"
        } else {
            "EHOSTUNREACH"
        };
        assert_eq!(run.output.trim(), name);
        let run = intercepted(
            &handler(errno),
            &["wget", "-q", "--tries=1", "-O", "-", &url],
        );
        assert_eq!(run.status, Some(4), "{}", run.output);
    }
}
