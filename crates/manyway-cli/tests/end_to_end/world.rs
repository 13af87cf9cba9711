//! Two hosts with two links between them, made of network namespaces.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use manyway_net::link::{self, Network};
use manyway_net::namespace::Namespace;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take here before a test fails: far longer than on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's addresses, one on each link.
pub(crate) const SERVER: [&str; 2] = ["10.1.0.2", "10.2.0.2"];

/// The hosts `client` (interfaces c1, c2) and `server` (s1, s2).
pub(crate) struct World {
    pub(crate) client: Namespace,
    pub(crate) server: Namespace,
    directory: TempDir,
}

impl World {
    /// Builds the network; `None`, and a line that says so, when this user may not.
    pub(crate) fn build() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root to make network namespaces");
            return None;
        }
        let (client, server) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        for n in 1..=2u8 {
            client
                .enter(|| {
                    link::create_veth(&format!("c{n}"), &format!("s{n}"), Some(server.as_fd()))
                        .unwrap();
                })
                .unwrap();
            for (host, letter, last) in [(&client, 'c', 1), (&server, 's', 2)] {
                let name = format!("{letter}{n}");
                let address = IpAddr::from([10, n, 0, last]);
                host.enter(|| {
                    link::add_address(&name, Network::new(address, 24)).unwrap();
                    link::set_up(&name).unwrap();
                })
                .unwrap();
            }
        }
        Some(Self {
            client,
            server,
            directory: TempDir::new().unwrap(),
        })
    }

    /// A directory for the test's files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of random bytes.
    pub(crate) fn random_file(&self, name: &str, length: u64) -> PathBuf {
        let path = self.path(name);
        let random = File::open("/dev/urandom").unwrap();
        std::io::copy(&mut random.take(length), &mut File::create(&path).unwrap()).unwrap();
        path
    }

    /// The manyway command with these arguments.
    pub(crate) fn manyway(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manyway"));
        let runtime_dir = self.path("run");
        let _ = std::fs::create_dir(&runtime_dir);
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("MANYWAY_RUNTIME_DIR", runtime_dir)
            .env_remove("MANYWAY_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Starts a command on a host; its stderr goes to the file `NAME.err`.
    pub(crate) fn start(&self, host: &Namespace, name: &str, mut command: Command) -> Running {
        let stderr = self.path(&format!("{name}.err"));
        let stdout = self.path(&format!("{name}.out"));
        command
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        Running {
            child: Some(host.spawn(command).unwrap()),
            stdout,
            stderr,
        }
    }

    /// Runs `manyway` with these arguments on a host to its end.
    pub(crate) fn run(&self, host: &Namespace, name: &str, args: &[&str]) -> Finished {
        self.start(host, name, self.manyway(args)).wait()
    }

    /// What `manyway ... --json` prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let Output {
            status,
            stdout,
            stderr,
        } = self.manyway(args).arg("--json").output().unwrap();
        assert!(
            status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&stderr)
        );
        serde_json::from_slice(&stdout).unwrap()
    }

    /// The flow of the program with this name, once `ready` says it is as awaited.
    pub(crate) fn flow(&self, program: &str, ready: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        eventually(&format!("a flow of {program}"), || {
            let flows = self.json(&["flows"]);
            last = flows.clone();
            flows
                .as_array()
                .unwrap()
                .iter()
                .find(|f| f["program"] == program && ready(f))
                .cloned()
        })
        .unwrap_or_else(|| panic!("no such flow of {program}: {last:#}"))
    }

    /// A web server of Debian's Python under `manyway run` on the server host, serving the test's files.
    pub(crate) fn web_server(&self, options: &[&str]) -> Running {
        let program = [
            "--",
            "python3",
            "-m",
            "http.server",
            "--protocol",
            "HTTP/1.1",
            "8080",
        ];
        let args = [&["-v", "run"], options, &program].concat();
        let server = self.start(&self.server, "server", self.manyway(&args));
        self.await_port(8080);
        if !options.contains(&"--no-server") {
            server.await_stderr("peers can reach a program");
        }
        server
    }

    /// Waits until something listens on a TCP port of the server host.
    pub(crate) fn await_port(&self, port: u16) {
        let address = SocketAddr::new(SERVER[0].parse().unwrap(), port);
        let found = eventually("a listener", || {
            self.client
                .enter(|| std::net::TcpStream::connect(address).ok())
                .unwrap()
        });
        assert!(found.is_some(), "nothing listens on port {port}");
    }
}

/// Asks until there is an answer, or patience ends.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        sleep(Duration::from_millis(20));
    }
    println!("waited in vain for {what}");
    None
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.status.success(), "{self:#?}");
    }
}

/// A command that runs. Ended by SIGTERM when dropped, so that it takes its program with it.
pub(crate) struct Running {
    child: Option<Child>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// What it has said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until it prints something on stdout.
    #[track_caller]
    pub(crate) fn await_stdout(&self, text: &str) {
        let said = eventually(text, || read(&self.stdout).contains(text).then_some(()));
        assert!(said.is_some(), "{}", read(&self.stdout));
    }

    /// Waits until it says something on stderr.
    #[track_caller]
    pub(crate) fn await_stderr(&self, text: &str) {
        let said = eventually(text, || self.stderr().contains(text).then_some(()));
        assert!(said.is_some(), "{}", self.stderr());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, which: Signal) {
        signal(
            self.child.as_ref().expect("present until waited for"),
            which,
        );
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Finished {
        let mut child = self.child.take().expect("present until waited for");
        let status = eventually("the end of a command", || child.try_wait().unwrap());
        let Some(status) = status else {
            let _ = child.kill();
            panic!("a command did not end: {}", self.stderr());
        };
        Finished {
            status,
            stdout: read(&self.stdout),
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, Signal::TERM);
            let _ = eventually("the end of a command", || child.try_wait().unwrap());
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
