//! The thread that starts a namespace's programs.
//!
//! The parent-death signal follows the *thread* that forked, so that thread has to live as long as
//! the programs may; it ends with the last handle on the namespace, and takes them along.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::{Descriptors, NamespaceError};

struct Request {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

/// A thread inside a namespace that starts programs.
#[derive(Debug)]
pub(super) struct Spawner {
    /// `None` only while this is dropped.
    requests: Mutex<Option<SyncSender<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl Spawner {
    pub(super) fn start(descriptors: Arc<Descriptors>) -> Result<Self, NamespaceError> {
        let (requests, received) = sync_channel(0);
        let (entered_sender, entered) = sync_channel(1);
        let thread = thread::Builder::new()
            .name("namespace-spawn".to_owned())
            .spawn(move || {
                let result = descriptors.enter_for_good();
                let inside = result.is_ok();
                // The other end waits for this message and nothing else.
                let _ = entered_sender.send(result);
                if inside {
                    serve(&received);
                }
            })
            .map_err(|source| NamespaceError::Thread { source })?;
        let spawner = Self {
            requests: Mutex::new(Some(requests)),
            thread: Some(thread),
        };
        entered.recv().map_err(|_| gone())??;
        Ok(spawner)
    }

    pub(super) fn spawn(&self, command: Command) -> Result<Child, NamespaceError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let (answer, answered) = sync_channel(1);
        let request = Request { command, answer };
        requests
            .ok_or_else(gone)?
            .send(request)
            .map_err(|_| gone())?;
        let result = answered.recv().map_err(|_| gone())?;
        result.map_err(|source| NamespaceError::Spawn { program, source })
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.requests
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = self.thread.take() {
            // Its programs are being killed once it is gone. It does not panic.
            let _ = thread.join();
        }
    }
}

fn gone() -> NamespaceError {
    NamespaceError::Thread {
        source: io::Error::other("the namespace's thread has ended"),
    }
}

fn serve(requests: &Receiver<Request>) {
    for Request {
        mut command,
        answer,
    } in requests
    {
        die_with_parent(&mut command);
        let _ = answer.send(command.spawn());
    }
}

#[expect(unsafe_code, reason = "code between fork and exec")]
fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the signal was asked for.
        if getppid() != Some(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        Ok(())
    };
    // SAFETY: `prepare` makes two system calls and neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
}
