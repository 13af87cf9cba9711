//! What the supervisor asks and tells its owner.

use std::net::SocketAddr;

use crate::connect::PendingConnect;

/// A program's TCP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerInfo {
    /// The address it listens on; an IPv4-mapped one is given as IPv4.
    pub local_addr: SocketAddr,
    /// The listening process.
    pub pid: u32,
    /// The socket's cookie.
    pub cookie: u64,
}

impl ListenerInfo {
    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.local_addr.port()
    }
}

/// Decides about the connects of a program tree. Every method is called on a thread of the
/// supervisor and must not block: the whole tree waits for it.
pub trait Handler: Send + Sync + 'static {
    /// A program connects a TCP socket, blocking or not, to [`PendingConnect::destination`]. Not
    /// called for loopback, multicast and unspecified destinations, which stay the kernel's.
    fn on_connect(&self, connect: PendingConnect);

    /// A program's TCP socket began to listen. The program waits until this returns.
    fn on_listen(&self, listener: ListenerInfo);

    /// The listener with this cookie was closed. Best effort, within seconds, and for every
    /// listener when the tree has ended.
    fn on_listener_closed(&self, cookie: u64) {
        let _ = cookie;
    }

    /// The program of an undecided connect was killed or closed its socket.
    fn on_cancelled(&self, cookie: u64) {
        let _ = cookie;
    }

    /// Whether a connect may go on unseen when neither the program's memory nor its descriptors
    /// can be read, because it made itself undumpable. If not, it fails with `EACCES`.
    fn allows_unreadable(&self, pid: u32) -> bool {
        tracing::warn!(
            pid,
            "the process is undumpable: its connect is not intercepted"
        );
        true
    }
}
