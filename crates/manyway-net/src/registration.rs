//! Registering descriptors with the runtime.
#![expect(
    unsafe_code,
    reason = "registering needs a descriptor that stays open, which types here prove"
)]

use std::io;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

mod sealed {
    /// Types which own their descriptor: it is the same and open as long as the value exists.
    pub(crate) trait Owned: std::os::fd::AsRawFd {}
    impl Owned for std::os::fd::OwnedFd {}
    impl Owned for socket2::Socket {}
    impl Owned for netlink_sys::Socket {}
}

/// Registers `inner` with the tokio runtime of the calling task.
///
/// # Errors
/// Outside a tokio runtime, or when the kernel refuses.
pub(crate) fn register<T: sealed::Owned>(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(io::Error::other(
            "this has to be called inside a tokio runtime",
        ));
    }
    // SAFETY: `Owned` is sealed and implemented only for types that keep one descriptor open from
    // their making to their drop; `AsyncFd` deregisters it before it drops the value.
    unsafe { AsyncFd::register_with_interest(inner, interest) }.map_err(io::Error::from)
}
