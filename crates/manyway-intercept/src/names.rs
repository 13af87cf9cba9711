//! What the supervisor knows about taken-over sockets, keyed by socket cookie.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::held::Held;
use crate::sockets;

/// The most sockets remembered at once; beyond it the oldest names are forgotten.
const CAPACITY: usize = 65_536;
/// The most sockets remembered whose connection the broker has ended. Their programs may still
/// ask for their own address.
const RETIRED: usize = 1024;

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

/// The true ends of a connection that the broker opened to a program's listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    pub(crate) peer: SocketAddr,
    /// The program's own end; the kernel's when absent.
    pub(crate) local: Option<SocketAddr>,
    /// The program's socket, once it is known.
    cookie: Option<u64>,
}

impl Table {
    fn insert(&mut self, cookie: u64, entry: Entry) {
        if self.sockets.insert(cookie, entry).is_none() {
            self.order.push_back(cookie);
        }
        // A socket may be connected anew.
        self.retired.retain(|retired| *retired != cookie);
        if self.order.len() > 2 * CAPACITY {
            let known = &self.sockets;
            self.order.retain(|cookie| known.contains_key(cookie));
        }
        while self.sockets.len() > CAPACITY {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.sockets.remove(&oldest);
        }
    }

    fn retire(&mut self, cookie: u64) {
        if self.sockets.contains_key(&cookie) {
            self.retired.push_back(cookie);
        }
        if self.retired.len() > RETIRED
            && let Some(oldest) = self.retired.pop_front()
        {
            self.sockets.remove(&oldest);
        }
    }
}

#[derive(Debug, Default)]
struct Table {
    sockets: HashMap<u64, Entry>,
    /// Insertion order, with leftovers of removed entries; compacted when it outgrows the table.
    order: VecDeque<u64>,
    /// Sockets whose connection has ended, oldest first.
    retired: VecDeque<u64>,
    /// Broker's local address of a loopback connection → who is behind it.
    accepted: HashMap<SocketAddr, Client>,
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
        let mut table = self.lock();
        table.insert(cookie, entry);
        self.recount(&table);
    }

    /// Forgets a socket whose connection has ended, after a while.
    fn retire(&self, cookie: u64) {
        let mut table = self.lock();
        table.retire(cookie);
        self.recount(&table);
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

    /// Who is behind the connection that `socket` has with the broker's address. From then on the
    /// socket itself is known, because a connection that was reset has no peer to be known by.
    pub(crate) fn accepted(&self, broker: SocketAddr, socket: BorrowedFd<'_>) -> Option<Client> {
        let mut table = self.lock();
        let client = table.accepted.get_mut(&broker)?;
        if client.cookie.is_none() {
            client.cookie = sockets::cookie(socket).ok();
        }
        let client = *client;
        if let Some(cookie) = client.cookie {
            let entry = Entry::Connected {
                remote: client.peer,
                local: client.local,
                untold: false,
            };
            table.insert(cookie, entry);
            self.recount(&table);
        }
        Some(client)
    }

    fn set_accepted(&self, broker: SocketAddr, client: Client) {
        let mut table = self.lock();
        if table.accepted.len() < CAPACITY {
            table.accepted.insert(broker, client);
        } else {
            tracing::warn!("too many accepted connections; a true peer is not shown");
        }
        self.recount(&table);
    }

    fn remove_accepted(&self, broker: SocketAddr) {
        let mut table = self.lock();
        let client = table.accepted.remove(&broker);
        if let Some(cookie) = client.and_then(|client| client.cookie) {
            table.retire(cookie);
        }
        self.recount(&table);
    }
}

/// Keeps the names of one taken-over socket; dropping it lets them be forgotten. Drop it together
/// with the broker's end of the connection.
#[derive(Debug)]
#[must_use = "dropping the guard lets the socket's names be forgotten"]
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
            self.names.retire(self.cookie);
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
        self.insert(broker_socket_local_addr, true_peer, None)
    }

    /// As [`register`](Self::register), and shows `true_local` to the program wherever it asks
    /// for its own address of that connection.
    pub fn register_both(
        &self,
        broker_socket_local_addr: SocketAddr,
        true_peer: SocketAddr,
        true_local: SocketAddr,
    ) -> PeerNameGuard {
        self.insert(broker_socket_local_addr, true_peer, Some(true_local))
    }

    fn insert(
        &self,
        broker: SocketAddr,
        peer: SocketAddr,
        local: Option<SocketAddr>,
    ) -> PeerNameGuard {
        let client = Client {
            peer,
            local,
            cookie: None,
        };
        self.0.set_accepted(broker, client);
        PeerNameGuard {
            names: Arc::clone(&self.0),
            broker,
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
            self.names.remove_accepted(self.broker);
        }
    }
}
