//! Connecting a program's own socket straight to its destination.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec};
use socket2::{Domain, Socket, Type};

use crate::connect::Target;
use crate::held::{Held, HeldConnect};
use crate::names::Entry;
use crate::{relay, sockets};

/// The worker does nothing but one system call.
const WORKER_STACK: usize = 128 << 10;
/// How often it is looked whether the program gave up.
const INTERVAL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// Connects a blocking socket on a thread of its own, because the mode is shared with the program
/// and cannot be changed for this one call.
pub(crate) fn connect_blocking(held: Arc<Held>, target: Target) {
    // A killed program must not leave this attempt behind: the watch shuts it down by this copy.
    held.set_abort(target.socket.try_clone().ok());
    let waiter = Arc::clone(&held);
    let work = move || {
        let outcome = connect(&target);
        let Target {
            socket,
            shared,
            cookie,
            ..
        } = target;
        let entry = if outcome == 0 {
            Entry::Opened
        } else {
            Entry::Failed(outcome)
        };
        shared.names.insert(cookie, entry);
        // The program may close the socket the moment it is told: no duplicate may outlive that.
        held.set_abort(None);
        drop(socket);
        held.settle_after(outcome, || shared.names.remove(cookie));
    };
    if let Err(error) = worker(work) {
        tracing::warn!(%error, "no thread for a direct connect");
        waiter.settle(libc::EAGAIN);
    }
}

/// Connects a program that went on with `EINPROGRESS` to its destination through a plain relay.
///
/// Its socket cannot be taken back from the broker unseen: a disconnect wakes the program with an
/// error, and clients such as curl give up on that without asking which error it is.
pub(crate) fn relay(held: HeldConnect) {
    let work = move || match open(&held) {
        Ok(remote) => {
            let local = remote.local_addr().ok();
            match held.succeed_named(local) {
                Ok((program, names)) => {
                    relay::run(program, remote);
                    drop(names);
                }
                Err(error) => tracing::debug!(%error, "the program's end was lost"),
            }
        }
        Err(error) => held.fail(error.raw_os_error().unwrap_or(libc::EIO)),
    };
    // Without a thread the held connect is lost with the closure, and fails.
    if let Err(error) = worker(work) {
        tracing::warn!(%error, "no thread for a relayed connect");
    }
}

/// Connects to the destination for as long as the program waits.
fn open(held: &HeldConnect) -> io::Result<TcpStream> {
    let address = held.destination();
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        other => other?,
    }
    loop {
        let mut waiting = [PollFd::new(&socket, PollFlags::OUT)];
        match rustix::event::poll(&mut waiting, Some(&INTERVAL)) {
            Ok(0) if held.is_cancelled() => {
                return Err(io::Error::from_raw_os_error(libc::ECONNABORTED));
            }
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => break,
            Err(error) => return Err(error.into()),
        }
    }
    socket.take_error()?.map_or(Ok(()), Err)?;
    Ok(socket.into())
}

fn worker(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = std::thread::Builder::new().name("direct-connect".to_owned());
    builder.stack_size(WORKER_STACK).spawn(work).map(drop)
}

/// Connects and returns 0 or an errno.
fn connect(target: &Target) -> i32 {
    loop {
        let Err(error) = sockets::connect(target.socket.as_fd(), target.destination) else {
            return 0;
        };
        match error.raw_os_error() {
            // A signal of this process, not of the program: the attempt goes on.
            Some(libc::EINTR) => {}
            errno => return errno.unwrap_or(libc::EIO),
        }
    }
}
