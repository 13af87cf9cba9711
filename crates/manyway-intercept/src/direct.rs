//! Connecting a program's own socket straight to its destination.

use std::os::fd::AsFd;
use std::sync::Arc;

use crate::connect::Target;
use crate::held::Held;
use crate::names::Entry;
use crate::sockets;

/// The worker does nothing but one system call.
const WORKER_STACK: usize = 128 << 10;

/// Connects a blocking socket on a thread of its own, because the mode is shared with the program
/// and cannot be changed for this one call.
pub(crate) fn connect_blocking(held: Arc<Held>, target: Target) {
    // A killed program must not leave this attempt behind: the watch shuts it down by this copy.
    held.set_abort(target.socket.try_clone().ok());
    let waiter = Arc::clone(&held);
    let work = move || {
        let outcome = connect(&target);
        let Target { socket, shared, cookie, .. } = target;
        let entry = if outcome == 0 { Entry::Opened } else { Entry::Failed(outcome) };
        shared.names.insert(cookie, entry);
        // The program may close the socket the moment it is told: no duplicate may outlive that.
        held.set_abort(None);
        drop(socket);
        if held.settle(outcome) {
            shared.names.remove(cookie);
        }
    };
    let worker = std::thread::Builder::new()
        .name("direct-connect".to_owned())
        .stack_size(WORKER_STACK)
        .spawn(work);
    if let Err(error) = worker {
        tracing::warn!(%error, "no thread for a direct connect");
        waiter.settle(libc::EAGAIN);
    }
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
