//! What handles and driver share.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant as Clock;

use manyway_proto::{AssocId, CloseReason, Endpoint, Instant};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::association::Association;
use crate::error::BindError;
use crate::events::Subscribers;
use crate::stats::SocketCounters;

/// Associations that wait for `accept` per port; more are aborted.
pub(crate) const ACCEPT_BACKLOG: usize = 1024;

/// Wakes the tasks that wait for something of one association.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) readable: Notify,
    pub(crate) writable: Notify,
    /// Connected or closed.
    pub(crate) settled: Notify,
    pub(crate) closed: Notify,
}

impl Signals {
    pub(crate) fn wake_all(&self) {
        for notify in [&self.readable, &self.writable, &self.settled, &self.closed] {
            notify.notify_waiters();
        }
    }
}

/// One association as the handles see it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) signals: Arc<Signals>,
    pub(crate) subscribers: Subscribers,
    /// The handshake has ended, well or not.
    pub(crate) settled: bool,
    /// The handshake has ended well, whatever came after.
    pub(crate) established: bool,
    pub(crate) closed: Option<CloseReason>,
    /// The peer will send nothing more.
    pub(crate) peer_done: bool,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) proto: Endpoint,
    pub(crate) entries: HashMap<AssocId, Entry>,
    pub(crate) listeners: HashMap<u16, mpsc::Sender<Association>>,
    /// Addresses of the sockets, wildcards resolved.
    pub(crate) locals: Vec<SocketAddr>,
    /// Loopback addresses that a socket is wanted for, and who waits for it.
    pub(crate) wanted_loopback: Vec<(IpAddr, oneshot::Sender<Result<(), BindError>>)>,
    /// Closed associations without handles; released when their last words are sent.
    pub(crate) orphans: Vec<AssocId>,
    pub(crate) driver: Option<Waker>,
    /// The endpoint was closed: no new associations, and it ends with the last one.
    pub(crate) closing: bool,
    /// No handle of the endpoint itself is left.
    pub(crate) abandoned: bool,
}

/// Shared by an endpoint's handles, its associations' handles, and its driver.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) sockets: SocketCounters,
    epoch: Clock,
}

impl Shared {
    pub(crate) fn new(proto: Endpoint, locals: Vec<SocketAddr>) -> Self {
        let state = State {
            proto,
            entries: HashMap::new(),
            listeners: HashMap::new(),
            locals,
            wanted_loopback: Vec::new(),
            orphans: Vec::new(),
            driver: None,
            closing: false,
            abandoned: false,
        };
        Self {
            state: Mutex::new(state),
            sockets: SocketCounters::default(),
            epoch: Clock::now(),
        }
    }

    /// A panic while the lock was held leaves the engine in a valid state: it has no invariants
    /// that span calls.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        // The engine's own epoch stays in the past, so that ages can be taken at once.
        let nanos = 1_000_000_000 + self.epoch.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The wall clock's time of an engine's point in time.
    pub(crate) fn clock(&self, at: Instant) -> Clock {
        let since = at.as_nanos().saturating_sub(1_000_000_000);
        self.epoch + std::time::Duration::from_nanos(since)
    }
}

impl State {
    /// A handshake ended, well or not.
    pub(crate) fn on_settled(&mut self, id: AssocId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.settled = true;
        }
    }

    /// The engine has something to do.
    pub(crate) fn wake_driver(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    pub(crate) fn add_entry(&mut self, id: AssocId, established: bool) -> Arc<Signals> {
        let signals = Arc::new(Signals::default());
        let entry = Entry {
            signals: Arc::clone(&signals),
            subscribers: Subscribers::default(),
            settled: established,
            established,
            closed: None,
            peer_done: false,
        };
        self.entries.insert(id, entry);
        signals
    }
}
