//! What is done about each notified call.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::accept::handle_accept;
use crate::connect::{PendingConnect, Target};
use crate::handler::ListenerInfo;
use crate::memory;
use crate::names::Entry;
use crate::notify::{Call, Reply};
use crate::program_fds::forget_failure;
use crate::sockets::{self, Kind, Phase};
use crate::supervisor::Shared;

/// The longest address the kernel takes.
const SOCKADDR_STORAGE: usize = 128;

/// What a call is to return. Given only when no duplicate of the program's socket is left here:
/// the program may close its own the moment it is told, and expect it closed.
enum Answer {
    /// What the kernel's own call returns.
    CarryOn,
    /// What a call performed for it returned.
    Result(io::Result<()>),
}

impl Answer {
    fn errno(errno: i32) -> Self {
        Self::Result(Err(io::Error::from_raw_os_error(errno)))
    }
}

/// Answers one call, or gives it to the handler to answer later.
pub(crate) fn handle(shared: &Arc<Shared>, call: &Call) {
    let reply = Reply::new(Arc::clone(&shared.notifier), call.id);
    let answer = match call.number {
        libc::SYS_connect => return handle_connect(shared, call, reply),
        libc::SYS_accept | libc::SYS_accept4 => return handle_accept(shared, call, reply),
        libc::SYS_listen => listen(shared, call, &reply),
        // With no name known, every answer is the kernel's.
        _ if shared.names.is_empty() => Answer::CarryOn,
        libc::SYS_getpeername => peer_name(shared, call, &reply),
        libc::SYS_getsockname => own_name(shared, call, &reply),
        libc::SYS_getsockopt => socket_error(shared, call, &reply),
        _ => Answer::CarryOn,
    };
    match answer {
        Answer::CarryOn => reply.carry_on(),
        Answer::Result(result) => reply.result(result),
    }
}

/// A duplicate of the socket that the call's first argument names.
pub(crate) fn socket_of(call: &Call) -> io::Result<OwnedFd> {
    let task = sockets::open_task(call.tid)?;
    sockets::take(task.as_fd(), call.args[0] as i32)
}

/// The address the call's second and third arguments describe.
fn address_of(call: &Call) -> io::Result<Vec<u8>> {
    let length = call.args[2] as u32 as usize;
    let mut bytes = vec![0; length.min(SOCKADDR_STORAGE)];
    memory::read(call.tid, call.args[1], &mut bytes)?;
    Ok(bytes)
}

fn family(bytes: &[u8]) -> Option<i32> {
    Some(i32::from(u16::from_ne_bytes(*bytes.first_chunk()?)))
}

fn handle_connect(shared: &Arc<Shared>, call: &Call, reply: Reply) {
    let (bytes, socket) = match address_of(call).and_then(|bytes| {
        // Neither Unix sockets nor malformed addresses are worth a duplicate.
        let inet = [
            Some(libc::AF_INET),
            Some(libc::AF_INET6),
            Some(libc::AF_UNSPEC),
        ];
        let socket = inet
            .contains(&family(&bytes))
            .then(|| socket_of(call))
            .transpose()?;
        Ok((bytes, socket))
    }) {
        Ok((bytes, Some(socket))) => (bytes, socket),
        Ok((_, None)) => return reply.carry_on(),
        Err(error) => return handle_unreadable(shared, call, reply, &error),
    };
    // What was read may belong to another task if this one is gone by now.
    if !reply.is_waiting() {
        return;
    }
    let is_tcp = sockets::kind(socket.as_fd()).is_ok_and(|kind| kind == Kind::Tcp);
    let cookie = match sockets::cookie(socket.as_fd()) {
        Ok(cookie) if is_tcp => cookie,
        _ => return reply.carry_on(),
    };
    let Some(reply) = again(shared, cookie, &bytes, socket.as_fd(), reply) else {
        return;
    };
    // Connected, connecting, or failed without the program knowing yet: the kernel says which.
    let is_fresh = sockets::phase(socket.as_fd()).is_ok_and(|phase| phase == Phase::Closed)
        && !sockets::has_error(socket.as_fd());
    if !is_fresh {
        return reply.carry_on();
    }
    let destination = sockets::decode(&bytes)
        .map(sockets::normalised)
        .filter(|d| is_remote(*d));
    // The kernel alone knows what an IPv4 address on an IPv6 socket is worth.
    let fits = (family(&bytes) == Some(libc::AF_INET6)) == sockets::is_ipv6(socket.as_fd());
    let (Some(destination), true) = (destination, fits) else {
        return reply.carry_on();
    };
    if destination.is_ipv4() && sockets::is_ipv6_only(socket.as_fd()) {
        return reply.carry_on();
    }
    let Ok(nonblocking) = sockets::is_nonblocking(socket.as_fd()) else {
        return reply.carry_on();
    };
    let target = Target {
        shared: Arc::clone(shared),
        destination,
        tid: call.tid,
        number: call.args[0] as i32,
        socket,
        cookie,
        nonblocking,
    };
    shared
        .handler
        .on_connect(PendingConnect::new(reply, target));
}

fn is_remote(destination: SocketAddr) -> bool {
    let ip = destination.ip();
    let is_broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_broadcast)
}

/// Answers a further connect on a socket that is known; gives `reply` back for a new attempt.
fn again(
    shared: &Shared,
    cookie: u64,
    address: &[u8],
    socket: BorrowedFd<'_>,
    reply: Reply,
) -> Option<Reply> {
    let Some(entry) = shared.names.get(cookie) else {
        return Some(reply);
    };
    if family(address) == Some(libc::AF_UNSPEC) {
        // The program dissolves the connection or the attempt; the socket starts anew.
        shared.names.remove(cookie);
        return Some(reply);
    }
    match entry {
        Entry::Held(held) => {
            let Some(held) = held.upgrade() else {
                return Some(reply);
            };
            if sockets::is_nonblocking(socket).unwrap_or(true) {
                reply.fail(libc::EALREADY);
            } else if let Err(reply) = held.attach(reply) {
                reply.fail(libc::EALREADY);
            }
        }
        // The kernel answers 0 once, then EISCONN.
        Entry::Connected { .. } => {
            if sockets::peer_address(socket).is_err() {
                shared.names.remove(cookie);
                return Some(reply);
            }
            if shared.names.take_untold(cookie) {
                reply.succeed();
            } else {
                reply.carry_on();
            }
        }
        Entry::Opened => {
            shared.names.remove(cookie);
            reply.succeed();
        }
        Entry::Failed(_) => {
            let _changeover = shared.changeover();
            let Some(Entry::Failed(errno)) = shared.names.get(cookie) else {
                return Some(reply);
            };
            forget_failure(socket);
            shared.names.remove(cookie);
            reply.fail(errno);
        }
    }
    None
}

fn handle_unreadable(shared: &Shared, call: &Call, reply: Reply, error: &io::Error) {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ESRCH) => {
            if shared.handler.allows_unreadable(call.tid) {
                reply.carry_on();
            } else {
                reply.fail(libc::EACCES);
            }
        }
        // A bad descriptor or pointer: the kernel says it best.
        _ => reply.carry_on(),
    }
}

fn listen(shared: &Shared, call: &Call, reply: &Reply) -> Answer {
    let Ok(socket) = socket_of(call) else {
        return Answer::CarryOn;
    };
    // The kernel notes who listens on a Unix socket, so that only the program itself may do it.
    let is_stream = sockets::kind(socket.as_fd()).is_ok_and(|kind| kind != Kind::Other);
    if !reply.is_waiting() || !is_stream {
        return Answer::CarryOn;
    }
    if let Err(error) = rustix::net::listen(&socket, call.args[1] as i32) {
        return Answer::Result(Err(error.into()));
    }
    let known = sockets::local_address(socket.as_fd())
        .and_then(|address| Ok((address, sockets::cookie(socket.as_fd())?)));
    match known {
        Ok((address, cookie)) => {
            let pid = sockets::status_field(call.tid, "Tgid:").and_then(|pid| pid.parse().ok());
            let listener = ListenerInfo {
                local_addr: sockets::normalised(address),
                pid: pid.unwrap_or(call.tid),
                cookie,
            };
            shared.listeners.add(socket.as_fd(), cookie);
            shared.handler.on_listen(listener);
        }
        Err(error) => tracing::warn!(%error, "a listener's address cannot be read"),
    }
    Answer::Result(Ok(()))
}

/// Shows `address` to the program in its socket's family, as far as that can say it.
fn show(call: &Call, reply: &Reply, socket: BorrowedFd<'_>, address: Option<SocketAddr>) -> Answer {
    let shown = address.and_then(|a| sockets::in_family(a, sockets::is_ipv6(socket)));
    let Some(shown) = shown else {
        return Answer::CarryOn;
    };
    if !reply.is_waiting() {
        return Answer::CarryOn;
    }
    let bytes = sockets::encode(shown);
    Answer::Result(memory::write_bounded(
        call.tid,
        call.args[1],
        call.args[2],
        &bytes,
        true,
    ))
}

fn known(shared: &Shared, call: &Call) -> Option<(OwnedFd, u64, Option<Entry>)> {
    let socket = socket_of(call).ok()?;
    let cookie = sockets::cookie(socket.as_fd()).ok()?;
    let entry = shared.names.get(cookie);
    Some((socket, cookie, entry))
}

fn peer_name(shared: &Shared, call: &Call, reply: &Reply) -> Answer {
    let Some((socket, _, entry)) = known(shared, call) else {
        return Answer::CarryOn;
    };
    // A disconnected socket has no peer, whatever it once was.
    let Ok(peer) = sockets::peer_address(socket.as_fd()) else {
        return Answer::CarryOn;
    };
    match entry {
        Some(Entry::Connected { remote, .. }) => show(call, reply, socket.as_fd(), Some(remote)),
        Some(Entry::Held(_) | Entry::Failed(_)) => Answer::errno(libc::ENOTCONN),
        Some(Entry::Opened) => Answer::CarryOn,
        None => {
            let client = shared
                .names
                .accepted(sockets::normalised(peer), socket.as_fd());
            show(call, reply, socket.as_fd(), client.map(|c| c.peer))
        }
    }
}

fn own_name(shared: &Shared, call: &Call, reply: &Reply) -> Answer {
    let Some((socket, _, entry)) = known(shared, call) else {
        return Answer::CarryOn;
    };
    match entry {
        // Also when the connection has ended: the kernel forgets only the peer.
        Some(Entry::Connected { local, .. }) => show(call, reply, socket.as_fd(), local),
        None => {
            let peer = sockets::peer_address(socket.as_fd()).ok();
            let client = peer.and_then(|p| {
                shared
                    .names
                    .accepted(sockets::normalised(p), socket.as_fd())
            });
            show(call, reply, socket.as_fd(), client.and_then(|c| c.local))
        }
        _ => Answer::CarryOn,
    }
}

fn socket_error(shared: &Shared, call: &Call, reply: &Reply) -> Answer {
    let Some((socket, cookie, Some(Entry::Failed(_)))) = known(shared, call) else {
        return Answer::CarryOn;
    };
    // A socket that is being made to fail is looked at once that is complete.
    let _changeover = shared.changeover();
    let Some(Entry::Failed(errno)) = shared.names.get(cookie) else {
        return Answer::CarryOn;
    };
    if !reply.is_waiting() {
        return Answer::CarryOn;
    }
    let value = errno.to_ne_bytes();
    let told = memory::write_bounded(call.tid, call.args[3], call.args[4], &value, false);
    if told.is_ok() {
        // Reading the error takes it, as it does in the kernel.
        let _ = sockets::int(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR);
        shared.names.remove(cookie);
    }
    Answer::Result(told)
}
