//! What the supervisor knows about taken-over sockets, keyed by socket cookie.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::held::Held;

/// The most sockets remembered at once; beyond it the oldest names are forgotten.
const CAPACITY: usize = 65_536;

/// What a program is told about one socket.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// The connect is undecided.
    Held(Weak<Held>),
    /// Connected through the broker; `local` replaces the loopback address. `untold` when the
    /// call that waited for it was interrupted, and the next one is to return 0.
    Connected {
        remote: SocketAddr,
        local: Option<SocketAddr>,
        untold: bool,
    },
    /// Connected straight to its destination, after its call was interrupted.
    Opened,
    /// A failure the program has not been told yet.
    Failed(i32),
}

#[derive(Debug, Default)]
struct Table {
    sockets: HashMap<u64, Entry>,
    /// Insertion order, with leftovers of removed entries; compacted when it outgrows the table.
    order: VecDeque<u64>,
    /// Broker's local address of a loopback connection → the true client.
    accepted: HashMap<SocketAddr, SocketAddr>,
}

/// The table of names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    table: Mutex<Table>,
    /// Entries of any kind: with none, every name is the kernel's own.
    known: AtomicUsize,
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recount(&self, table: &Table) {
        self.known.store(
            table.sockets.len() + table.accepted.len(),
            Ordering::Release,
        );
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.load(Ordering::Acquire) == 0
    }

    pub(crate) fn get(&self, cookie: u64) -> Option<Entry> {
        self.lock().sockets.get(&cookie).cloned()
    }

    pub(crate) fn insert(&self, cookie: u64, entry: Entry) {
        let mut guard = self.lock();
        let table = &mut *guard;
        if table.sockets.insert(cookie, entry).is_none() {
            table.order.push_back(cookie);
        }
        if table.order.len() > 2 * CAPACITY {
            table
                .order
                .retain(|cookie| table.sockets.contains_key(cookie));
        }
        while table.sockets.len() > CAPACITY {
            let Some(oldest) = table.order.pop_front() else {
                break;
            };
            table.sockets.remove(&oldest);
        }
        self.recount(&guard);
    }

    pub(crate) fn set_untold(&self, cookie: u64) {
        if let Some(Entry::Connected { untold, .. }) = self.lock().sockets.get_mut(&cookie) {
            *untold = true;
        }
    }

    /// Whether the next connect on a connected socket is to return 0; asked once.
    pub(crate) fn take_untold(&self, cookie: u64) -> bool {
        match self.lock().sockets.get_mut(&cookie) {
            Some(Entry::Connected { untold, .. }) => std::mem::take(untold),
            _ => false,
        }
    }

    pub(crate) fn remove(&self, cookie: u64) {
        let mut table = self.lock();
        table.sockets.remove(&cookie);
        self.recount(&table);
    }

    pub(crate) fn accepted(&self, broker: SocketAddr) -> Option<SocketAddr> {
        self.lock().accepted.get(&broker).copied()
    }

    fn set_accepted(&self, broker: SocketAddr, peer: Option<SocketAddr>) {
        let mut table = self.lock();
        match peer {
            Some(peer) if table.accepted.len() < CAPACITY => {
                table.accepted.insert(broker, peer);
            }
            Some(_) => tracing::warn!("too many accepted connections; a true peer is not shown"),
            None => {
                table.accepted.remove(&broker);
            }
        }
        self.recount(&table);
    }
}

/// Keeps the names of one taken-over socket; dropping it forgets them. Drop it together with the
/// broker's end of the connection.
#[derive(Debug)]
#[must_use = "dropping the guard forgets the socket's names at once"]
pub struct NameGuard {
    names: Arc<Names>,
    cookie: u64,
    left: bool,
}

impl NameGuard {
    pub(crate) fn new(names: Arc<Names>, cookie: u64) -> Self {
        Self {
            names,
            cookie,
            left: false,
        }
    }

    /// Leaves the names to the table, which forgets the oldest when it is full.
    pub(crate) fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for NameGuard {
    fn drop(&mut self) {
        if !self.left {
            self.names.remove(self.cookie);
        }
    }
}

/// Tells programs the true client of connections that the broker opened to their listeners.
/// Cheap to clone; usable from any thread.
#[derive(Debug, Clone)]
pub struct PeerNames(pub(crate) Arc<Names>);

impl PeerNames {
    /// Shows `true_peer` to the program wherever it asks for the peer of the connection that
    /// comes from `broker_socket_local_addr`, until the returned guard is dropped. Call it after
    /// `bind` and before `connect`, so that the name is there when the connection is accepted.
    pub fn register(
        &self,
        broker_socket_local_addr: SocketAddr,
        true_peer: SocketAddr,
    ) -> PeerNameGuard {
        self.0
            .set_accepted(broker_socket_local_addr, Some(true_peer));
        PeerNameGuard {
            names: Arc::clone(&self.0),
            broker: broker_socket_local_addr,
            left: false,
        }
    }
}

/// Keeps the true client of one connection known; dropping it forgets it.
#[derive(Debug)]
#[must_use = "dropping the guard forgets the client at once"]
pub struct PeerNameGuard {
    names: Arc<Names>,
    broker: SocketAddr,
    left: bool,
}

impl PeerNameGuard {
    /// Keeps the name for as long as the supervisor lives.
    pub fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for PeerNameGuard {
    fn drop(&mut self) {
        if !self.left {
            self.names.set_accepted(self.broker, None);
        }
    }
}
