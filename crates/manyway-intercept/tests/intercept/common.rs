//! A handler that maps one foreign address onto a local server, and helpers to run programs.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use manyway_intercept::{
    Handler, HeldConnect, ListenerInfo, LoopbackListener, PendingConnect, Program, Supervisor,
};

/// A documentation address that no host has (RFC 5737).
pub(crate) const REMOTE: &str = "203.0.113.7";
/// Its IPv6 counterpart (RFC 3849).
pub(crate) const REMOTE6: &str = "2001:db8::7";

/// What the handler does with every connect.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Hold, and after the delay connect to the local server and succeed.
    Succeed(Duration),
    /// Hold, and succeed once the file exists, so that a program decides when.
    SucceedOnceThereIs(PathBuf),
    /// Hold, and after the delay fail with the errno.
    Fail(Duration, i32),
    /// Hold, and after the delay go direct.
    HoldThenDirect(Duration),
    /// Go direct at once.
    Direct,
    /// Hold and never decide, until cancelled.
    Never,
}

#[derive(Debug)]
pub(crate) struct TestHandler {
    plan: Plan,
    server: SocketAddr,
    listener: LoopbackListener,
    pub(crate) connects: AtomicUsize,
    pub(crate) listening: Mutex<Vec<ListenerInfo>>,
    pub(crate) closed: Mutex<Vec<u64>>,
    pub(crate) cancelled: Mutex<Vec<u64>>,
    pub(crate) seen: Mutex<Vec<(SocketAddr, bool, String)>>,
    pub(crate) kept: Mutex<Vec<HeldConnect>>,
}

impl TestHandler {
    pub(crate) fn new(plan: Plan, server: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            plan,
            server,
            listener: LoopbackListener::bind().expect("loopback listeners open"),
            connects: AtomicUsize::new(0),
            listening: Mutex::default(),
            closed: Mutex::default(),
            cancelled: Mutex::default(),
            seen: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }
}

impl Handler for TestHandler {
    fn on_connect(&self, connect: PendingConnect) {
        self.connects.fetch_add(1, Ordering::SeqCst);
        let seen = (
            connect.destination(),
            connect.is_nonblocking(),
            connect.program_name(),
        );
        self.seen.lock().unwrap().push(seen);
        if matches!(self.plan, Plan::Direct) {
            return connect.direct();
        }
        let held = match connect.hold(&self.listener) {
            Ok(held) => held,
            Err(error) => panic!("hold: {error}"),
        };
        if matches!(self.plan, Plan::Never) {
            self.kept.lock().unwrap().push(held);
            return;
        }
        let (plan, server) = (self.plan.clone(), self.server);
        std::thread::spawn(move || match plan {
            Plan::Succeed(delay) => {
                std::thread::sleep(delay);
                succeed(held, server);
            }
            Plan::SucceedOnceThereIs(file) => {
                while !file.exists() && !held.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                succeed(held, server);
            }
            Plan::Fail(delay, errno) => {
                std::thread::sleep(delay);
                held.fail(errno);
            }
            Plan::HoldThenDirect(delay) => {
                std::thread::sleep(delay);
                held.direct();
            }
            Plan::Direct | Plan::Never => unreachable!("decided above"),
        });
    }

    fn on_listen(&self, listener: ListenerInfo) {
        self.listening.lock().unwrap().push(listener);
    }

    fn on_listener_closed(&self, cookie: u64) {
        self.closed.lock().unwrap().push(cookie);
    }

    fn on_cancelled(&self, cookie: u64) {
        self.cancelled.lock().unwrap().push(cookie);
    }
}

fn succeed(held: HeldConnect, server: SocketAddr) {
    let remote = TcpStream::connect(server).unwrap();
    let (local, names) = held.succeed_named(None).unwrap();
    local.set_nonblocking(false).unwrap();
    relay(local, remote);
    drop(names);
}

/// Copies both ways until both directions have ended.
pub(crate) fn relay(local: TcpStream, remote: TcpStream) {
    let pump = |mut from: TcpStream, mut to: TcpStream| {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(read) => {
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    let (back_from, back_to) = (remote.try_clone().unwrap(), local.try_clone().unwrap());
    let back = std::thread::spawn(move || pump(back_from, back_to));
    pump(local, remote);
    let _ = back.join();
}

/// Serves every connection on a thread until the test ends.
pub(crate) fn serve(address: &str, service: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || service(stream));
        }
    });
    address
}

/// Answers one HTTP request with `hello`.
pub(crate) fn http_service(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&buffer[..read]),
        }
    }
    let _ = stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\
          Connection: close\r\n\r\nhello\n",
    );
}

/// Sends back what it gets.
pub(crate) fn echo_service(stream: TcpStream) {
    let mut from = &stream;
    let mut to = &stream;
    let _ = io::copy(&mut from, &mut to);
    let _ = stream.shutdown(Shutdown::Write);
}

/// What a program printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) output: String,
    pub(crate) status: Option<i32>,
}

/// The file a program's output goes to; the supervisor passes descriptors on unchanged.
fn output_file() -> tempfile::NamedTempFile {
    tempfile::NamedTempFile::new().unwrap()
}

/// A shell line that runs `argv` with its output in `file` and without proxies.
fn shell(file: &Path, argv: &[&str]) -> Vec<OsString> {
    let script = format!(
        "unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy; \
         exec \"$@\" >'{}' 2>&1",
        file.display()
    );
    let mut line: Vec<OsString> = vec!["sh".into(), "-c".into(), script.into(), "sh".into()];
    line.extend(argv.iter().map(OsString::from));
    line
}

/// Runs a program under the handler and waits for its whole tree.
pub(crate) fn intercepted(handler: &Arc<TestHandler>, argv: &[&str]) -> Run {
    let file = output_file();
    let program = Program::new(shell(file.path(), argv));
    let supervisor = Supervisor::spawn(program, Arc::clone(handler) as Arc<dyn Handler>).unwrap();
    let status = supervisor.wait().unwrap().code();
    Run {
        output: std::fs::read_to_string(file.path()).unwrap(),
        status,
    }
}

/// Runs a program with nothing in between.
pub(crate) fn native(argv: &[&str]) -> Run {
    let file = output_file();
    let line = shell(file.path(), argv);
    let status = Command::new(&line[0])
        .args(&line[1..])
        .status()
        .unwrap()
        .code();
    Run {
        output: std::fs::read_to_string(file.path()).unwrap(),
        status,
    }
}

/// A probe in `tests/intercept/probes`, run by Python.
pub(crate) fn probe(name: &str) -> String {
    format!(
        "{}/tests/intercept/probes/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// Waits for something that must happen; panics after a time no machine needs.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the program is installed; says so when a test is skipped.
pub(crate) fn installed(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Compiles a C program; `None` without a compiler.
pub(crate) fn compiled(directory: &Path, source: &str, flags: &[&str]) -> Option<PathBuf> {
    if !installed("gcc") {
        return None;
    }
    let (input, program) = (directory.join("program.c"), directory.join("program"));
    std::fs::write(&input, source).unwrap();
    let Output { status, stderr, .. } = Command::new("gcc")
        .args(["-O1", "-o"])
        .args([&program, &input])
        .args(flags)
        .output()
        .unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    Some(program)
}
