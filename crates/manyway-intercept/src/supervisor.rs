//! The supervisor of one program tree.

use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use crate::accept::Leftovers;
use crate::acceptor::Acceptor;
use crate::calls;
use crate::error::SpawnError;
use crate::handler::Handler;
use crate::held::Held;
use crate::listeners::Listeners;
use crate::names::{Entry, Names, PeerNames};
use crate::notify::Notifier;
use crate::spawn::{self, Program};
use crate::watch::Watch;

/// What the threads of a supervisor share.
pub(crate) struct Shared {
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) names: Arc<Names>,
    pub(crate) listeners: Listeners,
    pub(crate) acceptor: Acceptor,
    pub(crate) leftovers: Leftovers,
    pub(crate) handler: Arc<dyn Handler>,
    watch: Watch,
    /// Held while a socket that a program may be looking at is between two connections.
    changeover: Mutex<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("notifier", &self.notifier)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Makes a held connect known to further calls of the program and to the watch.
    pub(crate) fn hold(&self, cookie: u64, held: &Arc<Held>) {
        self.names.insert(cookie, Entry::Held(Arc::downgrade(held)));
        self.watch.add(held);
    }

    /// Notices listeners that are gone, or takes all for gone when the tree has `ended`.
    fn sweep(&self, ended: bool) {
        for cookie in self.listeners.sweep(ended) {
            self.leftovers.forget(cookie);
            self.handler.on_listener_closed(cookie);
        }
    }

    /// Waits for a changeover to end, or keeps others waiting for this one: microseconds.
    pub(crate) fn changeover(&self) -> MutexGuard<'_, ()> {
        self.changeover
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a program, and every process it starts, under interception.
///
/// The tree ends when its last process has ended, which may be long after the first one. Dropping
/// a supervisor does not end the tree; its threads go on serving it as long as this process lives.
#[derive(Debug)]
pub struct Supervisor {
    child_pid: u32,
    names: Arc<Names>,
    first: JoinHandle<io::Result<ExitStatus>>,
    tree: JoinHandle<io::Result<()>>,
}

impl Supervisor {
    /// Starts `program`; every connect in its tree is given to `handler`.
    ///
    /// # Errors
    /// See [`SpawnError`]; nothing is left running then.
    pub fn spawn(program: Program, handler: Arc<dyn Handler>) -> Result<Self, SpawnError> {
        let (mut child, notifier) = spawn::spawn(&program)?;
        let child_pid = child.id();
        let names = Arc::new(Names::default());
        let shared = Arc::new(Shared {
            notifier: Arc::new(notifier),
            names: Arc::clone(&names),
            listeners: Listeners::default(),
            acceptor: Acceptor::new()?,
            leftovers: Leftovers::default(),
            handler,
            watch: Watch::default(),
            changeover: Mutex::default(),
        });
        let watched = Arc::clone(&shared);
        thread("intercept-watch", move || {
            watched.watch.run(watched.handler.as_ref());
        })?;
        let accepting = Arc::clone(&shared);
        thread("intercept-accept", move || {
            accepting.acceptor.run(&accepting);
        })?;
        let tree = thread("intercept", move || {
            let result = serve(&shared);
            shared.watch.stop();
            shared.acceptor.stop();
            shared.sweep(true);
            shared.leftovers.clear();
            result
        })?;
        // Reaped at once: until then, older kernels count it as a living part of the tree.
        let first = thread("intercept-child", move || child.wait())?;
        Ok(Self {
            child_pid,
            names,
            first,
            tree,
        })
    }

    /// The first process of the tree.
    pub fn child_pid(&self) -> u32 {
        self.child_pid
    }

    /// The names of connections that the broker opens to the tree's listeners.
    pub fn peer_names(&self) -> PeerNames {
        PeerNames(Arc::clone(&self.names))
    }

    /// Blocks until the whole tree has ended, and returns how its first process ended.
    ///
    /// # Errors
    /// When waiting for the child or receiving notifications failed.
    pub fn wait(self) -> io::Result<ExitStatus> {
        let died = |_| io::Error::other("a supervisor thread panicked");
        let status = self.first.join().map_err(died)?;
        self.tree.join().map_err(died)??;
        status
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
}

/// Receives calls until no task is left under the filter.
fn serve(shared: &Arc<Shared>) -> io::Result<()> {
    let mut swept = Instant::now();
    loop {
        let timeout = shared.listeners.next_sweep(swept);
        let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
        let mut waiting = [PollFd::from_borrowed_fd(
            shared.notifier.as_fd(),
            PollFlags::IN,
        )];
        match rustix::event::poll(&mut waiting, timeout.as_ref()) {
            Ok(0) => {
                shared.sweep(false);
                swept = Instant::now();
            }
            Ok(_) if waiting[0].revents().contains(PollFlags::IN) => {
                if let Some(call) = shared.notifier.receive()? {
                    // A handler's panic fails one call, never the whole tree.
                    let answered = AssertUnwindSafe(|| calls::handle(shared, &call));
                    if catch_unwind(answered).is_err() {
                        tracing::error!(call = call.number, "a handler panicked");
                    }
                }
            }
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
