//! Accepting for programs, so that they see who really connects.
//!
//! The kernel fills in the address of an accepted connection while the call runs, so the call is
//! performed here, on a duplicate of the listener. The new socket is then put among the program's
//! descriptors, with the true client's address beside it if the call asks for one. Calls that do
//! not ask come here as well: a listener's takers must not see what is done to it for others.
//!
//! A call that has to wait is kept by the [acceptor](crate::acceptor). The kernel defers every
//! signal that is not fatal while a notified call is being answered, so the acceptor looks for
//! them and ends the call with `ERESTARTSYS`, which the kernel treats as its own: the handler
//! runs, and the call restarts or fails with `EINTR` as `SA_RESTART` says. That code reaches the
//! program unless a signal is pending for the very thread; a process-wide signal in a process of
//! several threads therefore ends the call with `EINTR`, whatever `SA_RESTART` says.
//!
//! A blocking listener is set non-blocking for the microsecond of an accept, because another
//! taker may be faster, and no thread here may be left waiting in the kernel. Only a taker outside
//! the tree, who got the listener handed over, could notice. The alternative, a short
//! `SO_RCVTIMEO`, would be inherited by every connection whose handshake completes in that moment.
//!
//! A connection that cannot be given to its call, because the task died or named an address that
//! cannot be written, is kept for the next call on the same listener. The kernel does not know
//! that it is there, so it makes no listener readable.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::net::SocketFlags;
use socket2::SockRef;

use crate::notify::{Call, Reply};
use crate::sockets::{self, Kind};
use crate::supervisor::Shared;
use crate::{calls, memory};

/// The most connections kept for the next call on one listener.
const LEFTOVERS: usize = 64;

/// A call that is to accept.
#[derive(Debug)]
pub(crate) struct Accept {
    pub(crate) reply: Reply,
    pub(crate) tid: u32,
    /// The listener's cookie.
    pub(crate) cookie: u64,
    address: u64,
    length: u64,
    flags: SocketFlags,
}

/// An accepted connection that no program has yet.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    /// The peer as the kernel knows it.
    peer: SocketAddr,
}

impl Connection {
    /// Closes it so that the peer sees a reset, not an orderly end.
    fn reset(self) {
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

/// Connections that were taken for calls which ended before they could be given to them.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    queues: Mutex<HashMap<u64, VecDeque<Connection>>>,
    /// Held while a listener is switched to non-blocking and back.
    switching: Mutex<()>,
}

impl Leftovers {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, VecDeque<Connection>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has(&self, listener: u64) -> bool {
        self.lock().contains_key(&listener)
    }

    fn pop(&self, listener: u64) -> Option<Connection> {
        let mut queues = self.lock();
        let queue = queues.get_mut(&listener)?;
        let first = queue.pop_front();
        if queue.is_empty() {
            queues.remove(&listener);
        }
        first
    }

    fn push(&self, listener: u64, connection: Connection) {
        let mut queues = self.lock();
        let queue = queues.entry(listener).or_default();
        if queue.len() < LEFTOVERS {
            queue.push_back(connection);
        } else {
            tracing::warn!("too many connections were not taken; one is reset");
            connection.reset();
        }
    }

    /// Resets what was kept for a listener that is gone.
    pub(crate) fn forget(&self, listener: u64) {
        let queue = self.lock().remove(&listener);
        queue
            .into_iter()
            .flatten()
            .for_each(|connection| connection.reset());
    }

    /// Resets everything, once the tree has ended.
    pub(crate) fn clear(&self) {
        let queues = std::mem::take(&mut *self.lock());
        queues
            .into_values()
            .flatten()
            .for_each(|connection| connection.reset());
    }

    /// Whether the program has made the listener non-blocking.
    fn is_nonblocking(&self, listener: BorrowedFd<'_>) -> io::Result<bool> {
        // While it is switched for an accept, its mode is not the program's.
        let _switching = self
            .switching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sockets::is_nonblocking(listener)
    }

    /// Takes a connection for a call on this listener, without ever waiting for one.
    ///
    /// # Errors
    /// `EAGAIN` when there is none, otherwise what the kernel said.
    pub(crate) fn take(
        &self,
        cookie: u64,
        listener: BorrowedFd<'_>,
        flags: SocketFlags,
    ) -> io::Result<Connection> {
        if let Some(connection) = self.pop(cookie) {
            let wanted = flags.contains(SocketFlags::NONBLOCK);
            rustix::io::ioctl_fionbio(&connection.socket, wanted)?;
            return Ok(connection);
        }
        let _switching = self
            .switching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mode = rustix::fs::fcntl_getfl(listener)?;
        if mode.contains(OFlags::NONBLOCK) {
            return accept_now(listener, flags);
        }
        if !is_ready(listener)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        rustix::fs::fcntl_setfl(listener, mode | OFlags::NONBLOCK)?;
        let accepted = accept_now(listener, flags);
        rustix::fs::fcntl_setfl(listener, mode)?;
        accepted
    }
}

fn is_ready(listener: BorrowedFd<'_>) -> io::Result<bool> {
    let mut waiting = [PollFd::from_borrowed_fd(listener, PollFlags::IN)];
    Ok(rustix::event::poll(&mut waiting, Some(&Timespec::default()))? > 0)
}

fn accept_now(listener: BorrowedFd<'_>, flags: SocketFlags) -> io::Result<Connection> {
    let flags = SocketFlags::CLOEXEC | (flags & SocketFlags::NONBLOCK);
    let (socket, peer) = rustix::net::acceptfrom_with(listener, flags)?;
    let foreign = || io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
    let peer = peer.and_then(|peer| peer.try_into().ok());
    Ok(Connection {
        socket,
        peer: peer.ok_or_else(foreign)?,
    })
}

/// Whether the supervisor is short of something, which is not the program's affair.
fn is_own_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// Answers an accept, or lets it wait for a connection.
pub(crate) fn handle_accept(shared: &Shared, call: &Call, reply: Reply) {
    let flags = match call.number {
        libc::SYS_accept4 => SocketFlags::from_bits(call.args[3] as u32),
        _ => Some(SocketFlags::empty()),
    };
    let flags = flags.filter(|f| (SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).contains(*f));
    let (Some(flags), Ok(listener)) = (flags, calls::socket_of(call)) else {
        return reply.carry_on();
    };
    let known = (
        is_listener(listener.as_fd()),
        sockets::cookie(listener.as_fd()),
    );
    let (true, Ok(cookie)) = known else {
        return reply.carry_on();
    };
    // What was found may belong to another task if this one is gone by now.
    if !reply.is_waiting() {
        return;
    }
    if !has_room(call.tid) {
        return reply.fail(libc::EMFILE);
    }
    let accept = Accept {
        reply,
        tid: call.tid,
        cookie,
        address: call.args[1],
        length: call.args[2],
        flags,
    };
    match shared.leftovers.take(cookie, listener.as_fd(), flags) {
        Ok(connection) => {
            // The program may close the listener, and expect it closed, as soon as it is told.
            drop(listener);
            accept.deliver(shared, connection);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            accept.wait(shared, listener);
        }
        Err(error) => accept.fail(&error),
    }
}

fn is_listener(socket: BorrowedFd<'_>) -> bool {
    sockets::kind(socket).is_ok_and(|kind| kind != Kind::Other)
        && rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// Whether the task may have another descriptor. The kernel refuses before it takes a connection,
/// so that a program which runs out of descriptors loses none.
fn has_room(tid: u32) -> bool {
    let limit = sockets::descriptor_limit(tid);
    // The size of this directory is the number of descriptors (kernel 6.2 and later).
    let open = std::fs::metadata(format!("/proc/{tid}/fd")).map_or(0, |fds| fds.len());
    limit.is_none_or(|limit| open < limit)
}

impl Accept {
    fn wait(self, shared: &Shared, listener: OwnedFd) {
        match shared.leftovers.is_nonblocking(listener.as_fd()) {
            Ok(false) => shared.acceptor.wait(self, listener),
            _ => self.reply.fail(libc::EAGAIN),
        }
    }

    /// Takes a connection for this call, without waiting.
    pub(crate) fn take(
        &self,
        leftovers: &Leftovers,
        listener: BorrowedFd<'_>,
    ) -> io::Result<Connection> {
        leftovers.take(self.cookie, listener, self.flags)
    }

    /// Answers with the error of an attempt.
    pub(crate) fn fail(self, error: &io::Error) {
        if is_own_shortage(error) {
            tracing::warn!(%error, "an accept is left to the kernel; it shows no true client");
            self.reply.carry_on();
        } else {
            self.reply.result(Err(io::Error::from_raw_os_error(
                error.raw_os_error().unwrap_or(libc::EIO),
            )));
        }
    }

    /// Gives the connection to the program; one that cannot be given is kept for the next call.
    pub(crate) fn deliver(self, shared: &Shared, connection: Connection) {
        let Self {
            reply,
            tid,
            cookie,
            address,
            length,
            flags,
        } = self;
        let Connection { socket, peer } = connection;
        let client = shared
            .names
            .accepted(sockets::normalised(peer), socket.as_fd());
        let client = client.and_then(|c| sockets::in_family(c.peer, peer.is_ipv6()));
        let bytes = sockets::encode(client.unwrap_or(peer));
        // A call that does not ask for the address has none written, and no length read.
        let written = match address {
            0 => Ok(()),
            _ => memory::write_bounded(tid, address, length, &bytes, true),
        };
        let given = match written {
            Ok(()) => reply.install(socket, flags.contains(SocketFlags::CLOEXEC)),
            Err(error) => Err((reply, socket, error)),
        };
        if let Err((reply, socket, error)) = given {
            tracing::debug!(%error, "a connection could not be given to its program");
            shared.leftovers.push(cookie, Connection { socket, peer });
            shared.acceptor.look();
            reply.result(Err(error));
        }
    }
}
