//! TUN devices: IP packets read and written by this process.
#![expect(unsafe_code, reason = "attaching to a device is an ioctl")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};

use crate::link::{self, LinkError};

const DEVICE: &str = "/dev/net/tun";

/// How to set up a [`Tun`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunOptions {
    /// The link's MTU in bytes; `None` leaves the kernel's 1500.
    pub mtu: Option<u32>,
    /// Bring the link up at once.
    pub up: bool,
}

/// Why a TUN device could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TunError {
    /// The kernel has no TUN driver, or the device node is missing.
    #[error(
        "{DEVICE} does not exist; load the driver (modprobe tun), or in a container pass the \
         device in (--device {DEVICE})"
    )]
    NoDriver,
    /// The device node may not be opened.
    #[error("no permission to open {DEVICE}; run as root or let this user read and write it")]
    NoAccess,
    /// A device may not be created in this network namespace.
    #[error(
        "no permission to create the TUN device {name}; it needs CAP_NET_ADMIN in this network \
         namespace"
    )]
    NoPrivilege {
        /// The name that was wanted.
        name: String,
    },
    /// Somebody else uses the device.
    #[error("the TUN device {name} is in use; choose another name")]
    InUse {
        /// The name that was wanted.
        name: String,
    },
    /// The name is empty, too long, or has a forbidden character.
    #[error("{name:?} is no interface name; it has to have 1 to 15 bytes, without '/' or spaces")]
    BadName {
        /// The name that was wanted.
        name: String,
    },
    /// The link could not be set up.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Anything else.
    #[error("cannot create the TUN device {name}: {source}")]
    Io {
        /// The name that was wanted.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A TUN device; it goes away when this is dropped.
///
/// The descriptor is non-blocking: use it with `poll(2)` or tokio's `AsyncFd`.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
}

impl Tun {
    /// Creates a device in the network namespace of the calling thread.
    ///
    /// # Errors
    /// See [`TunError`].
    pub fn open(name: &str, options: &TunOptions) -> Result<Self, TunError> {
        if !is_interface_name(name) {
            return Err(TunError::BadName {
                name: name.to_owned(),
            });
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open(DEVICE, flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::NOENT | rustix::io::Errno::NODEV | rustix::io::Errno::NXIO => {
                TunError::NoDriver
            }
            rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => TunError::NoAccess,
            _ => TunError::Io {
                name: name.to_owned(),
                source: error.into(),
            },
        })?;
        attach(&fd, name).map_err(|source| match source.raw_os_error() {
            Some(libc::EPERM) => TunError::NoPrivilege {
                name: name.to_owned(),
            },
            Some(libc::EBUSY) => TunError::InUse {
                name: name.to_owned(),
            },
            _ => TunError::Io {
                name: name.to_owned(),
                source,
            },
        })?;
        if let Some(mtu) = options.mtu {
            link::set_mtu(name, mtu)?;
        }
        if options.up {
            link::set_up(name)?;
        }
        Ok(Self {
            fd,
            name: name.to_owned(),
        })
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads one IP packet and returns its length; what does not fit is cut off.
    ///
    /// # Errors
    /// `WouldBlock` when none is waiting.
    pub fn read(&self, packet: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::io::read(&self.fd, &mut *packet)
        })?)
    }

    /// Hands one IP packet to the kernel, as if it had arrived on the device.
    ///
    /// # Errors
    /// `EIO` while the link is down; `EINVAL` when it is no IP packet.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        rustix::io::retry_on_intr(|| rustix::io::write(&self.fd, packet))?;
        Ok(())
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Tun {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn is_interface_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < libc::IFNAMSIZ
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':' | b'%'))
}

fn attach(fd: &OwnedFd, name: &str) -> io::Result<()> {
    // SAFETY: `ifreq` consists of integers and a union of plain data; all zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request
        .ifr_name
        .iter_mut()
        .zip(name.bytes().take(libc::IFNAMSIZ - 1))
    {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which `request` is and outlives the call.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_checked_before_the_kernel_sees_them() {
        for good in ["tun0", "mw-a.1"] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", "..", "a/b", "a b", "tun%d", "sixteen-bytes-xx"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
    }
}
