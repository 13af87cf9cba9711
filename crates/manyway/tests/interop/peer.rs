//! The peer: a program on usrsctp that does what it is told, a line at a time.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use manyway_net::namespace::Namespace;
use tokio::sync::mpsc;

use crate::network::{SCTP_PORT, soon};

/// A stack that others wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Usrsctp,
    /// The kernel of a virtual machine.
    Linux,
}

impl Stack {
    /// The compiled peer, or what is missing to compile it.
    pub(crate) fn program(self) -> Result<&'static Path, &'static str> {
        static PROGRAMS: [OnceLock<Result<PathBuf, &'static str>>; 2] =
            [OnceLock::new(), OnceLock::new()];
        let program = match self {
            Self::Usrsctp => PROGRAMS[0].get_or_init(|| {
                let options = ["-DPEER_USRSCTP", "-lusrsctp", "-lpthread"];
                compile(
                    "usrsctp_peer",
                    "usrsctp.h (Debian: libusrsctp-dev)",
                    &options,
                )
            }),
            Self::Linux => PROGRAMS[1].get_or_init(|| {
                let options = ["-static", "-lpthread"];
                compile(
                    "linux_peer",
                    "linux/sctp.h (Debian: linux-libc-dev)",
                    &options,
                )
            }),
        };
        program.as_deref().map_err(|missing| *missing)
    }
}

/// Compiles a peer, unless the compiler or its stack's header (the first word of `header`) is
/// missing.
fn compile(name: &str, header: &'static str, options: &[&str]) -> Result<PathBuf, &'static str> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/peer");
    let file = header.split(' ').next().unwrap_or_default();
    let present = Command::new("gcc")
        .args(["-E", "-include", file, "-x", "c", "/dev/null"])
        .output();
    match present {
        Err(_) => return Err("gcc"),
        Ok(output) if !output.status.success() => return Err(header),
        Ok(_) => {}
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let files = [name, "dialogue", "events", "features", "sha256"];
    let status = Command::new("gcc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&program)
        .args(files.map(|file| sources.join(file).with_extension("c")))
        .args(options)
        .status();
    assert!(status.unwrap().success(), "{name} does not compile");
    Ok(program)
}

/// A running peer; it is killed when this is dropped.
pub(crate) struct Peer {
    child: Child,
    commands: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
    /// What it said that nobody has asked for yet.
    said: VecDeque<String>,
}

impl Peer {
    /// Starts a program, whose standard input and output are a peer's, in a namespace.
    pub(crate) fn start(namespace: &Namespace, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = namespace.spawn(command).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            commands: child.stdin.take().unwrap(),
            child,
            lines,
            said: VecDeque::new(),
        }
    }

    /// Tells it to do something, without waiting until it has.
    pub(crate) fn begin(&mut self, line: &str) {
        writeln!(self.commands, "{line}").unwrap();
    }

    /// Tells it to do something.
    pub(crate) async fn command(&mut self, line: &str) {
        self.begin(line);
        self.done(line).await;
    }

    /// Tells it to do something as often as it says that it is busy: its data are not acknowledged.
    pub(crate) async fn insist(&mut self, line: &str) {
        loop {
            self.begin(line);
            let answer = self.answer(line).await;
            let busy = [
                "Device or resource busy",
                "Resource temporarily unavailable",
            ];
            if !busy.iter().any(|why| answer.ends_with(why)) {
                assert_eq!(answer, "ok", "the peer's answer to {line}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answer(&mut self, line: &str) -> String {
        self.find(line, |said| said == "ok" || said.starts_with("failed "))
            .await
    }

    /// Waits until it has done what it was told.
    pub(crate) async fn done(&mut self, line: &str) {
        let answer = self.answer(line).await;
        assert_eq!(answer, "ok", "the peer's answer to {line}");
    }

    /// Tells it to open an association with the listening port at `addresses`.
    pub(crate) async fn connect(&mut self, udp_port: u16, addresses: &[&str]) {
        let line = format!("connect {udp_port} {SCTP_PORT} {}", addresses.join(" "));
        self.command(&line).await;
    }

    /// Waits for the next line whose first words are `wanted`; gives the rest of it.
    pub(crate) async fn event(&mut self, wanted: &str) -> String {
        let rest = |said: &str| {
            let rest = said.strip_prefix(wanted)?;
            (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start().to_owned())
        };
        let line = self.find(wanted, |said| rest(said).is_some()).await;
        rest(&line).unwrap_or_default()
    }

    /// Waits until it has a path to this address: confirmed, or up again where an ICMP message took
    /// it down before.
    pub(crate) async fn path_to(&mut self, address: &str) {
        let lines = ["confirmed", "up"].map(|state| format!("path {address} {state}"));
        let found = |said: &str| lines.iter().any(|line| line == said);
        self.find(&lines[0], found).await;
    }

    /// The next message it received.
    pub(crate) async fn message(&mut self) -> Arrived {
        let line = self.event("message").await;
        let words: Vec<&str> = line.split(' ').collect();
        let [stream, order, length, digest, ppid] = words[..] else {
            panic!("the peer said {line:?}");
        };
        Arrived {
            stream: stream.parse().unwrap(),
            unordered: order == "u",
            length: length.parse().unwrap(),
            digest: digest.to_owned(),
            ppid: ppid.parse().unwrap(),
        }
    }

    /// Takes no notice of what it said so far.
    pub(crate) fn forget(&mut self) {
        while self.lines.try_recv().is_ok() {}
        self.said.clear();
    }

    /// Whether it has said a line with these first words that nobody asked for.
    pub(crate) fn has_said(&mut self, wanted: &str) -> bool {
        while let Ok(line) = self.lines.try_recv() {
            self.said.push_back(line);
        }
        self.said.iter().any(|said| said.starts_with(wanted))
    }

    async fn find(&mut self, why: &str, is_it: impl Fn(&str) -> bool) -> String {
        if let Some(at) = self.said.iter().position(|said| is_it(said)) {
            return self.said.remove(at).unwrap_or_default();
        }
        loop {
            let line = soon(why, self.lines.recv()).await;
            let line = line.unwrap_or_else(|| panic!("the peer ended before: {why}"));
            if is_it(&line) {
                return line;
            }
            self.said.push_back(line);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A test may have let it end before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message as the peer received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) stream: u16,
    pub(crate) unordered: bool,
    pub(crate) length: usize,
    pub(crate) digest: String,
    pub(crate) ppid: u32,
}
