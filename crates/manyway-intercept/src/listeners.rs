//! The listeners of the program tree, and noticing when one is closed.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{program_fds, sockets};

/// How often listeners are looked for: no duplicate is kept, because it would keep them open.
const INTERVAL: Duration = Duration::from_secs(1);
/// More than any server opens.
const CAPACITY: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Listener {
    cookie: u64,
    inode: u64,
}

/// Listeners that are open as far as is known.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Mutex<Vec<Listener>>);

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, Vec<Listener>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, socket: BorrowedFd<'_>, cookie: u64) {
        let Ok(inode) = sockets::inode(socket) else {
            return;
        };
        let mut list = self.lock();
        if list.len() < CAPACITY && list.iter().all(|listener| listener.cookie != cookie) {
            list.push(Listener { cookie, inode });
        }
    }

    /// When [`sweep`](Self::sweep) is due next; `None` with nothing to look for.
    pub(crate) fn next_sweep(&self, last: Instant) -> Option<Duration> {
        let due = last + INTERVAL;
        (!self.lock().is_empty()).then(|| due.saturating_duration_since(Instant::now()))
    }

    /// Forgets the listeners that are gone, or all when the tree has `ended`; returns their cookies.
    pub(crate) fn sweep(&self, ended: bool) -> Vec<u64> {
        let list = self.lock().clone();
        let gone: Vec<_> = list
            .iter()
            .filter(|l| ended || !program_fds::listed(l.inode))
            .map(|listener| listener.cookie)
            .collect();
        self.lock()
            .retain(|listener| !gone.contains(&listener.cookie));
        gone
    }
}
