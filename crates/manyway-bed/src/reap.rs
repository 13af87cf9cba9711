//! Ending what still runs in a namespace.
//!
//! The programs a namespace has started die with it, but not the programs that those started in
//! turn. They would keep the namespace alive.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use manyway_net::namespace::Namespace;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

/// Kills every process whose network namespace is `namespace`, except this one.
pub(crate) fn kill_all_in(namespace: &Namespace) {
    // Again, as long as there is something, because processes may have forked meanwhile.
    for _ in 0..8 {
        match kill_once(namespace) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot look for programs left in the test network");
                return;
            }
        }
    }
}

/// How many processes it killed.
fn kill_once(namespace: &Namespace) -> io::Result<usize> {
    let stat = rustix::fs::fstat(namespace.as_fd())?;
    let mut killed = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid.filter(|pid| *pid != getpid()) else {
            continue;
        };
        // The handle comes first: what it refers to cannot be replaced by another process.
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        // A process that is gone, or another user's, has none to show.
        let Ok(its) = fs::metadata(format!("/proc/{pid}/ns/net")) else {
            continue;
        };
        if (its.dev(), its.ino()) == (stat.st_dev, stat.st_ino)
            && pidfd_send_signal(handle, Signal::KILL).is_ok()
        {
            killed += 1;
        }
    }
    Ok(killed)
}
