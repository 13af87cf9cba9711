//! A program's connect that waits for a decision.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::error::HoldError;
use crate::held::{Held, HeldConnect};
use crate::loopback::LoopbackListener;
use crate::notify::Reply;
use crate::supervisor::Shared;
use crate::{direct, sockets};

/// The program's socket and where it wants to go.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) shared: Arc<Shared>,
    pub(crate) destination: SocketAddr,
    pub(crate) tid: u32,
    /// The program's descriptor number at the time of the call.
    pub(crate) number: i32,
    pub(crate) socket: OwnedFd,
    pub(crate) cookie: u64,
    pub(crate) nonblocking: bool,
}

/// An answer that needs nothing held: see [`PendingConnect::answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Connect the program's own socket straight to where it wanted.
    Direct,
    /// Fail the program's connect with this errno.
    Refuse(i32),
}

/// A TCP connect of a program, waiting for its answer. Owned: answer it from any thread, at any
/// time. Dropped unanswered, it fails with `ECONNABORTED`.
///
/// The program's thread waits until the answer, also when its socket is non-blocking: for those
/// call one of the methods within a few milliseconds, [`hold`](Self::hold) if nothing is known.
#[derive(Debug)]
pub struct PendingConnect {
    reply: Reply,
    target: Target,
}

impl PendingConnect {
    pub(crate) fn new(reply: Reply, target: Target) -> Self {
        Self { reply, target }
    }

    /// Where the program wants to connect to; an IPv4-mapped IPv6 address is given as IPv4.
    pub fn destination(&self) -> SocketAddr {
        self.target.destination
    }

    /// The calling process.
    pub fn pid(&self) -> u32 {
        let tid = self.target.tid;
        sockets::status_field(tid, "Tgid:")
            .and_then(|pid| pid.parse().ok())
            .unwrap_or(tid)
    }

    /// The calling process's name as `/proc` has it; empty when the process is gone.
    pub fn program_name(&self) -> String {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.pid()));
        name.map(|name| name.trim_end().to_owned())
            .unwrap_or_default()
    }

    /// Whether the program goes on before the outcome is known.
    pub fn is_nonblocking(&self) -> bool {
        self.target.nonblocking
    }

    /// The socket's cookie, which names it for the life of the network namespace.
    pub fn cookie(&self) -> u64 {
        self.target.cookie
    }

    /// Whether the program gave the call up, because it was killed.
    pub fn is_cancelled(&self) -> bool {
        !self.reply.is_waiting()
    }

    /// Gives the answer a [`Verdict`] stands for.
    pub fn answer(self, verdict: Verdict) {
        match verdict {
            Verdict::Direct => self.direct(),
            Verdict::Refuse(errno) => self.refuse(errno),
        }
    }

    /// Takes the connect over while the outcome is unknown.
    ///
    /// A non-blocking socket is re-aimed to `listener` at once and its program goes on with
    /// `EINPROGRESS`; the socket stays unwritable until the outcome, or until the kernel's own
    /// limit on a handshake (`net.ipv4.tcp_syn_retries`, about two minutes). A blocking program
    /// waits. Takes microseconds.
    ///
    /// # Errors
    /// When the socket cannot reach loopback, for instance because it is bound to a device. The
    /// connect is handed back undecided.
    pub fn hold(self, listener: &LoopbackListener) -> Result<HeldConnect, HoldError> {
        let loopback = Arc::clone(&listener.0);
        if self.target.nonblocking {
            HeldConnect::nonblocking(self.reply, self.target, loopback).map_err(
                |(reply, target, source)| {
                    let connect = Box::new(Self { reply, target });
                    HoldError { connect, source }
                },
            )
        } else {
            Ok(HeldConnect::blocking(self.reply, self.target, loopback))
        }
    }

    /// Connects the program's own socket straight to its destination. A blocking one is connected
    /// by a thread of its own.
    pub fn direct(self) {
        let Self { reply, target } = self;
        if target.nonblocking {
            let result = sockets::connect(target.socket.as_fd(), target.destination);
            drop(target);
            reply.result(result);
        } else {
            let held = Held::new(reply, &target, None);
            target.shared.hold(target.cookie, &held);
            direct::connect_blocking(held, target);
        }
    }

    /// Fails the program's connect with `errno`.
    pub fn refuse(self, errno: i32) {
        self.reply.fail(errno);
    }
}

/// The address the program would have had as its own on the way to `destination`.
/// Given `own`, its address on the way to the broker.
pub(crate) fn local_name(own: SocketAddr, destination: SocketAddr) -> Option<SocketAddr> {
    if !own.ip().is_loopback() {
        return Some(own);
    }
    let route = || -> io::Result<SocketAddr> {
        let wildcard: SocketAddr = if destination.is_ipv4() {
            (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        // Connecting a datagram socket sends nothing; it only looks up the route.
        let probe = std::net::UdpSocket::bind(wildcard)?;
        probe.connect(destination)?;
        probe.local_addr()
    };
    let mut address = route().ok()?;
    address.set_port(own.port());
    Some(address)
}
