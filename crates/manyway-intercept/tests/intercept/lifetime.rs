//! Processes come and go: children, daemons, signals, timeouts, programs that cannot start.

use std::sync::Arc;
use std::time::Duration;

use manyway_intercept::{Handler, Program, SpawnError, Supervisor};

use crate::common::{
    Plan, REMOTE, TestHandler, compiled, echo_service, eventually, intercepted, native, serve,
};

const SOON: Duration = Duration::from_millis(50);

fn nowhere(plan: Plan) -> Arc<TestHandler> {
    TestHandler::new(plan, "127.0.0.1:1".parse().unwrap())
}

fn start(handler: &Arc<TestHandler>, argv: &[&str]) -> Supervisor {
    Supervisor::spawn(Program::new(argv), Arc::clone(handler) as Arc<dyn Handler>).unwrap()
}

fn signal(pid: u32, name: &str) {
    let arguments = [format!("-{name}"), pid.to_string()];
    let status = std::process::Command::new("kill")
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn a_daemonised_child_keeps_its_connection_and_the_first_status_is_reported() {
    let server = serve("127.0.0.1:0", echo_service);
    let script = r"
import os, socket, sys, time
client = socket.create_connection((sys.argv[1], 80))
if os.fork():
    os._exit(3)
os.setsid()
time.sleep(0.3)
client.sendall(b'ping')
print(client.recv(4).decode(), flush=True)
late = socket.create_connection((sys.argv[1], 81))
late.sendall(b'late')
print(late.recv(4).decode())
";
    let handler = TestHandler::new(Plan::Succeed(SOON), server);
    let run = intercepted(&handler, &["python3", "-c", script, REMOTE]);
    assert_eq!((run.output.trim(), run.status), ("ping\nlate", Some(3)));
    assert_eq!(handler.count(), 2);
}

#[test]
fn ctrl_c_ends_a_program_in_a_held_connect_at_once() {
    for name in ["INT", "TERM", "KILL"] {
        let handler = nowhere(Plan::Never);
        let script = format!(
            "import signal, socket; signal.signal(signal.SIGINT, signal.SIG_DFL); \
             socket.create_connection(('{REMOTE}', 80))"
        );
        let supervisor = start(&handler, &["python3", "-c", &script]);
        eventually("the connect is held", || {
            !handler.kept.lock().unwrap().is_empty()
        });
        signal(supervisor.child_pid(), name);
        assert_eq!(supervisor.wait().unwrap().code(), None);
    }
}

#[test]
fn a_killed_program_cancels_its_held_connect() {
    for blocking in ["True", "False"] {
        let handler = nowhere(Plan::Never);
        let script = format!(
            "import socket, subprocess, sys, time\n\
             child = subprocess.Popen([sys.executable, '-c', '''\n\
             import socket, time\n\
             s = socket.socket(); s.setblocking({blocking}); s.connect_ex((\"{REMOTE}\", 80))\n\
             time.sleep(60)'''])\n\
             time.sleep(1.5); child.kill(); time.sleep(60)"
        );
        let supervisor = start(&handler, &["python3", "-c", &script]);
        eventually("the cancellation", || {
            !handler.cancelled.lock().unwrap().is_empty()
        });
        assert!(handler.kept.lock().unwrap()[0].is_cancelled());
        signal(supervisor.child_pid(), "KILL");
        supervisor.wait().unwrap();
    }
}

#[test]
fn a_program_that_closes_its_socket_cancels_the_held_connect() {
    let handler = nowhere(Plan::Never);
    let script = format!(
        "import os, socket, time\n\
         s = socket.socket(); s.setblocking(False); s.connect_ex(('{REMOTE}', 80))\n\
         t = os.dup(s.fileno()); s.close(); time.sleep(0.3); print('kept', flush=True)\n\
         os.close(t); time.sleep(60)"
    );
    let supervisor = start(&handler, &["python3", "-c", &script]);
    eventually("the cancellation", || {
        !handler.cancelled.lock().unwrap().is_empty()
    });
    signal(supervisor.child_pid(), "KILL");
    supervisor.wait().unwrap();
}

/// Bounds connect by an alarm, as wget does, with and without restarting calls.
const ALARM: &str = r#"
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
static volatile int rings;
static void ring(int s) { rings++; }
int main(int argc, char **argv) {
    struct sigaction h = {.sa_handler = ring, .sa_flags = atoi(argv[2]) ? SA_RESTART : 0};
    sigaction(SIGALRM, &h, 0);
    struct itimerval t = {.it_interval = {0, 0}, .it_value = {0, 200000}};
    if (h.sa_flags) t.it_interval.tv_usec = 100000;
    setitimer(ITIMER_REAL, &t, 0);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, argv[1], &a.sin_addr);
    int e = connect(s, (void *)&a, sizeof a) ? errno : 0;
    printf("connect %d rings %d", e, rings > 0);
    return 0;
}
"#;

#[test]
fn a_caught_signal_interrupts_or_restarts_a_blocking_connect_as_natively() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = compiled(directory.path(), ALARM, &["-static"]) else {
        return;
    };
    let program = program.to_str().unwrap();
    let handler = nowhere(Plan::Never);
    let run = intercepted(&handler, &[program, REMOTE, "0"]);
    assert_eq!(run.output, format!("connect {} rings 1", libc::EINTR));

    let server = serve("127.0.0.1:0", echo_service);
    let handler = TestHandler::new(Plan::Succeed(Duration::from_secs(1)), server);
    let run = intercepted(&handler, &[program, REMOTE, "1"]);
    assert_eq!(
        (run.output.as_str(), handler.count()),
        ("connect 0 rings 1", 1)
    );
}

#[test]
fn a_send_timeout_bounds_a_blocking_connect() {
    let script = "import errno, socket, struct, sys\n\
                  s = socket.socket()\n\
                  s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 200000))\n\
                  print(errno.errorcode[s.connect_ex((sys.argv[1], 80))])";
    let run = intercepted(&nowhere(Plan::Never), &["python3", "-c", script, REMOTE]);
    assert_eq!(run.output.trim(), "EINPROGRESS");
}

#[test]
fn loopback_unix_and_datagram_sockets_are_left_alone() {
    let server = serve("127.0.0.1:0", echo_service);
    let script = "import socket, sys, os\n\
                  a = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n\
                  a.sendall(b'x'); print(a.recv(1), a.getpeername()[1] == int(sys.argv[1]))\n\
                  u = socket.socket(socket.AF_UNIX); u.bind('\\0mw%d' % os.getpid()); u.listen()\n\
                  v = socket.socket(socket.AF_UNIX); v.connect(u.getsockname())\n\
                  d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  print(d.connect_ex(('192.0.2.1', 9)), d.connect_ex(('127.0.0.1', 9)))";
    let port = server.port().to_string();
    let handler = nowhere(Plan::Fail(SOON, libc::EPROTO));
    let run = intercepted(&handler, &["python3", "-c", script, &port]);
    assert_eq!(run, native(&["python3", "-c", script, &port]));
    assert_eq!(handler.count(), 0);
    assert!(handler.listening.lock().unwrap().is_empty());
}

#[test]
fn a_program_that_cannot_start_is_told_apart() {
    let handler = nowhere(Plan::Direct);
    let spawn = |argv: &[&str]| {
        Supervisor::spawn(Program::new(argv), Arc::clone(&handler) as Arc<dyn Handler>)
            .expect_err("cannot start")
    };
    let missing = spawn(&["/no/such/program"]);
    assert!(matches!(missing, SpawnError::NotFound { .. }), "{missing}");
    assert_eq!(missing.exit_code(), 127);
    let data = spawn(&["/etc/passwd"]);
    assert!(matches!(data, SpawnError::NotExecutable { .. }), "{data}");
    assert_eq!(data.exit_code(), 126);
    assert!(matches!(spawn(&[]), SpawnError::Empty));
}

#[test]
fn an_intercepted_program_gets_its_signals_and_environment() {
    let handler = nowhere(Plan::Direct);
    let program = Program::new(["sh", "-c", "test \"$COLOUR\" = blue && kill -9 $$"])
        .with_env("COLOUR", "blue");
    let supervisor = Supervisor::spawn(program, handler as Arc<dyn Handler>).unwrap();
    let status = supervisor.wait().unwrap();
    assert_eq!(
        std::os::unix::process::ExitStatusExt::signal(&status),
        Some(libc::SIGKILL)
    );
}

/// Set in the run of a test below another supervisor.
const NESTED: &str = "MANYWAY_TEST_NESTED";

#[test]
fn a_second_supervisor_in_the_same_tree_is_refused_with_the_way_out() {
    let handler = nowhere(Plan::Direct);
    if std::env::var_os(NESTED).is_some() {
        let error = Supervisor::spawn(Program::new(["true"]), handler as Arc<dyn Handler>)
            .expect_err("the kernel allows one");
        assert!(matches!(error, SpawnError::Busy), "{error}");
        assert_eq!(error.exit_code(), 125);
        return;
    }
    let test = "lifetime::a_second_supervisor_in_the_same_tree_is_refused_with_the_way_out";
    let program = Program::new([std::env::current_exe().unwrap()])
        .with_arguments(["--exact", test, "--nocapture"])
        .with_env(NESTED, "1");
    let supervisor = Supervisor::spawn(program, handler as Arc<dyn Handler>).unwrap();
    assert!(supervisor.wait().unwrap().success());
}
