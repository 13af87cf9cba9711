//! Waiting for a socket without being fooled by its error queue.
//!
//! While the error queue holds something, `epoll` reports an error beside every other event, and
//! mio reads "writable and error" as "the writing side is closed", a state that tokio never takes
//! back. Waiting for writability through the same registration would then spin for ever. So
//! reading and errors share one registration, which never asks for writability, and writing gets
//! another one over a duplicated descriptor, made when it is first needed, replaced when it has
//! become stale, and never believed without asking `poll(2)`.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::registration::register;

/// Registrations made in one call before the task is put to the end of the queue.
const MAX_REGISTRATIONS: usize = 2;

type ErrorFuture = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A registered socket.
pub(super) struct Readiness {
    socket: Arc<AsyncFd<Socket>>,
    writer: Mutex<Option<AsyncFd<OwnedFd>>>,
    errors: Mutex<Option<ErrorFuture>>,
}

impl Readiness {
    /// Registers the socket with the runtime of the calling task.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        let socket = register(socket, Interest::READABLE | Interest::ERROR)?;
        Ok(Self {
            socket: Arc::new(socket),
            writer: Mutex::new(None),
            errors: Mutex::new(None),
        })
    }

    pub(super) fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }

    /// Runs `receive` when the socket is readable, until it no longer would block.
    pub(super) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(&Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            if let Ok(result) = guard.try_io(|socket| receive(socket.get_ref())) {
                return Poll::Ready(result);
            }
        }
    }

    /// Ready when the socket's send buffer has room.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut writer = lock(&self.writer);
        for _ in 0..MAX_REGISTRATIONS {
            if writer.is_none() {
                let duplicate = self.socket().as_fd().try_clone_to_owned()?;
                *writer = Some(register(duplicate, Interest::WRITABLE)?);
            }
            let Some(registered) = writer.as_ref() else {
                continue;
            };
            loop {
                let mut guard = ready!(registered.poll_write_ready(cx))?;
                if has_room(self.socket())? {
                    return Poll::Ready(Ok(()));
                }
                let stale = guard.ready().is_write_closed();
                guard.clear_ready();
                if stale {
                    break;
                }
            }
            *writer = None;
        }
        // Only a steady stream of ICMP errors brings a task here; let others run in between.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ready once the error queue has received something since the last call that was ready.
    pub(super) fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut errors = lock(&self.errors);
        let future = errors.get_or_insert_with(|| {
            let socket = Arc::clone(&self.socket);
            Box::pin(async move {
                let mut guard = socket.ready(Interest::ERROR).await?;
                guard.clear_ready();
                Ok(())
            })
        });
        let result = ready!(future.as_mut().poll(cx));
        *errors = None;
        Poll::Ready(result)
    }
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readiness")
            .field("socket", self.socket())
            .finish_non_exhaustive()
    }
}

fn has_room(socket: &Socket) -> io::Result<bool> {
    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match poll(&mut fds, Some(&now)) {
        Ok(_) => Ok(fds[0].revents().contains(PollFlags::OUT)),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Locks; a panic of another holder leaves nothing half done here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
