//! Commands that run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take here before a test fails: far longer than on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs. Ended by SIGTERM when dropped, so that it takes its program with it.
pub(crate) struct Running {
    pub(crate) child: Option<Child>,
    pub(crate) log: PathBuf,
}

impl Running {
    /// Waits until it says something.
    #[track_caller]
    pub(crate) fn await_log(&self, text: &str) {
        let said = eventually(|| read(&self.log).contains(text).then_some(()));
        assert!(said.is_some(), "no {text:?} in: {}", read(&self.log));
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("present until waited for");
        let id = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait_for_success(mut self) {
        let status = self.end();
        assert!(
            status.is_some_and(|status| status.success()),
            "{status:?}: {}",
            read(&self.log)
        );
    }

    /// How it ended, unless it did not.
    fn end(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let status = eventually(|| child.try_wait().unwrap())?;
        self.child = None;
        Some(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.signal(Signal::TERM);
            if self.end().is_none() {
                self.signal(Signal::KILL);
            }
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// Asks until there is an answer, or patience ends.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        sleep(Duration::from_millis(20));
    }
    None
}

/// Runs a command to its end and returns what it prints.
#[track_caller]
pub(crate) fn execute(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
