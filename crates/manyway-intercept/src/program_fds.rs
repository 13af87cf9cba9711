//! Finding a socket in the programs again, without keeping a duplicate of it.
//!
//! A duplicate would keep the socket open after the program closed it, and the broker would never
//! learn that the program gave up.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::connect::Target;
use crate::sockets;

/// Where a program has a socket.
#[derive(Debug)]
pub(crate) struct Place {
    tid: u32,
    number: i32,
    inode: u64,
    cookie: u64,
}

impl Place {
    pub(crate) fn of(target: &Target) -> io::Result<Self> {
        let inode = sockets::inode(target.socket.as_fd())?;
        let Target {
            tid,
            number,
            cookie,
            ..
        } = *target;
        Ok(Self {
            tid,
            number,
            inode,
            cookie,
        })
    }

    fn link(&self) -> PathBuf {
        format!("socket:[{}]", self.inode).into()
    }

    /// Whether any program still has the socket: looked up where it was, then by the kernel's
    /// own list, because descriptors are moved, inherited and passed on.
    pub(crate) fn is_open(&self) -> bool {
        let known = format!("/proc/{}/fd/{}", self.tid, self.number);
        fs::read_link(known).is_ok_and(|link| link == self.link()) || listed(self.inode)
    }

    /// A duplicate of the socket, wherever a program has it now.
    pub(crate) fn reacquire(&self) -> Option<OwnedFd> {
        self.try_take(self.tid, self.number)
            .or_else(|| self.search(self.tid))
            .or_else(|| numeric_entries(Path::new("/proc")).find_map(|tid| self.search(tid)))
    }

    fn try_take(&self, tid: u32, number: i32) -> Option<OwnedFd> {
        let task = sockets::open_task(tid).ok()?;
        let socket = sockets::take(task.as_fd(), number).ok()?;
        (sockets::cookie(socket.as_fd()).ok()? == self.cookie).then_some(socket)
    }

    fn search(&self, tid: u32) -> Option<OwnedFd> {
        let directory = PathBuf::from(format!("/proc/{tid}/fd"));
        let link = self.link();
        numeric_entries(&directory)
            .filter(|number| {
                fs::read_link(directory.join(number.to_string())).is_ok_and(|l| l == link)
            })
            .find_map(|number| self.try_take(tid, number as i32))
    }
}

fn numeric_entries(directory: &Path) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether the kernel lists a TCP socket with this inode; a closed one has inode 0 there.
pub(crate) fn listed(inode: u64) -> bool {
    let inode = inode.to_string();
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        fs::read_to_string(table).is_ok_and(|text| {
            text.lines()
                .any(|l| l.split_whitespace().nth(9) == Some(&inode))
        })
    })
}

/// Clears what the kernel remembers of a failed connect, once the program has been told.
pub(crate) fn forget_failure(socket: BorrowedFd<'_>) {
    let _ = sockets::int(socket, libc::SOL_SOCKET, libc::SO_ERROR);
    let _ = sockets::disconnect(socket);
}
