//! The notification descriptor: receiving calls and answering them.
#![expect(unsafe_code, reason = "seccomp notification is spoken by ioctl")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// Wakes the supervisor on the caller's CPU (kernel 6.6 and later).
const SYNC_WAKE_UP: u64 = 1;
/// The kernel's own "restart the call after the signal was handled"; never seen by the program
/// when a signal is pending for its thread.
const ERESTARTSYS: i32 = 512;

/// One system call of a program, waiting for its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) id: u64,
    /// Thread id in the supervisor's pid namespace; 0 when not visible from here.
    pub(crate) tid: u32,
    pub(crate) number: libc::c_long,
    pub(crate) args: [u64; 6],
}

/// The supervisor's end of the filter.
#[derive(Debug)]
pub(crate) struct Notifier(OwnedFd);

impl Notifier {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let flags = SYNC_WAKE_UP;
        // SAFETY: the descriptor is open. This request takes its argument by value, and a kernel
        // that does not know it answers EINVAL, which costs speed only.
        unsafe {
            libc::ioctl(fd.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
        }
        Self(fd)
    }

    /// Takes the next call; `None` when its task was gone or a signal came first.
    pub(crate) fn receive(&self) -> io::Result<Option<Call>> {
        // SAFETY: all-zero is a valid value of this plain C struct, and the kernel demands it.
        let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request writes one `seccomp_notif`, which outlives the call.
        let result = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_RECV,
                &raw mut notification,
            )
        };
        if result == 0 {
            return Ok(Some(Call {
                id: notification.id,
                tid: notification.pid,
                number: libc::c_long::from(notification.data.nr),
                args: notification.data.args,
            }));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::EINTR | libc::EAGAIN) => Ok(None),
            _ => Err(error),
        }
    }

    /// Whether the task still waits in this very call. Checked after every look at its memory or
    /// descriptors, because a dead task's id may by then belong to another one.
    pub(crate) fn is_waiting(&self, id: u64) -> bool {
        // SAFETY: the request reads one `u64`, which outlives the call.
        let result = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_ID_VALID,
                &raw const id,
            )
        };
        result == 0
    }

    fn send(&self, id: u64, val: i64, error: i32, flags: u32) {
        let response = libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        // SAFETY: the request reads one `seccomp_notif_resp`, which outlives the call. An error
        // means that the task is gone, which leaves nothing to do.
        unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SEND,
                &raw const response,
            );
        }
    }
}

impl Notifier {
    /// Puts a duplicate of `socket` among the task's descriptors; returns its number there.
    fn install(&self, id: u64, socket: BorrowedFd<'_>, cloexec: bool) -> io::Result<i32> {
        let request = libc::seccomp_notif_addfd {
            id,
            flags: 0,
            srcfd: socket.as_raw_fd() as u32,
            newfd: 0,
            newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        loop {
            // SAFETY: the request reads one `seccomp_notif_addfd`, which outlives the call.
            let result = unsafe {
                libc::ioctl(
                    self.0.as_raw_fd(),
                    libc::SECCOMP_IOCTL_NOTIF_ADDFD,
                    &raw const request,
                )
            };
            if result >= 0 {
                return Ok(result);
            }
            let error = io::Error::last_os_error();
            // A signal of this process came before the task took the descriptor.
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The duty to answer one call. Dropped unanswered, it fails the call with `ECONNABORTED`, so
/// that no program hangs on a lost decision.
#[derive(Debug)]
pub(crate) struct Reply {
    notifier: Arc<Notifier>,
    id: u64,
    answered: bool,
}

impl Reply {
    pub(crate) fn new(notifier: Arc<Notifier>, id: u64) -> Self {
        Self {
            notifier,
            id,
            answered: false,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.notifier.is_waiting(self.id)
    }

    fn finish(&mut self, val: i64, errno: i32, flags: u32) {
        self.answered = true;
        self.notifier.send(self.id, val, -errno, flags);
    }

    /// Lets the call return 0.
    pub(crate) fn succeed(mut self) {
        self.finish(0, 0, 0);
    }

    /// Lets the call fail with `errno`.
    pub(crate) fn fail(mut self, errno: i32) {
        self.finish(0, errno, 0);
    }

    /// Lets the call return what a call performed for it returned.
    pub(crate) fn result(self, result: io::Result<()>) {
        match result {
            Ok(()) => self.succeed(),
            Err(error) => self.fail(error.raw_os_error().unwrap_or(libc::EIO)),
        }
    }

    /// Puts `socket` among the program's descriptors and lets the call return its number; gives
    /// both back when that fails.
    ///
    /// `SECCOMP_ADDFD_FLAG_SEND` would do both at once, and leave `socket` open here when the
    /// program goes on: it could not close the connection.
    pub(crate) fn install(
        mut self,
        socket: OwnedFd,
        cloexec: bool,
    ) -> Result<(), (Self, OwnedFd, io::Error)> {
        match self.notifier.install(self.id, socket.as_fd(), cloexec) {
            Ok(number) => {
                drop(socket);
                self.finish(number.into(), 0, 0);
                Ok(())
            }
            Err(error) => Err((self, socket, error)),
        }
    }

    /// Lets the kernel perform the call as if it had never been notified.
    pub(crate) fn carry_on(mut self) {
        self.finish(0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Ends the call so that a signal pending *for this thread* is handled, then restarts it
    /// where the program's handler asks for that.
    pub(crate) fn restart(mut self) {
        self.finish(0, ERESTARTSYS, 0);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.finish(0, libc::ECONNABORTED, 0);
        }
    }
}
