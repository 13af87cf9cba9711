//! Chunks in flight on one path that were sent on a second one as well, before anything was lost.

use std::collections::VecDeque;

use crate::path::PathId;

/// One chunk's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Index of the chunk in [`crate::send::Outstanding`].
    pub(crate) index: u64,
    pub(crate) path: PathId,
    /// Bytes in flight, header and payload.
    pub(crate) bytes: u64,
}

/// The most that is allowed in advance, bytes: after a pause nothing old is to be copied.
const MAX_ALLOWANCE: f64 = 65_536.0;

/// The copies in flight, in the order of their chunks, of which each is copied once at most. A
/// chunk still belongs to the path it was sent on first; copies count in the window of theirs.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    list: VecDeque<Copied>,
    /// Chunks before this index were looked at.
    next: u64,
    /// Bytes of user data that may be copied.
    allowance: f64,
}

impl Copies {
    /// `payload` bytes of new data were sent, for each of which `share` bytes may be copied.
    pub(crate) fn allow(&mut self, payload: u64, share: f64) {
        if share > 0.0 {
            self.allowance = (self.allowance + payload as f64 * share).min(MAX_ALLOWANCE);
        } else {
            self.allowance = 0.0;
        }
    }

    /// Whether a chunk with `payload` bytes may be copied.
    pub(crate) fn may_copy(&self, payload: u64) -> bool {
        self.allowance >= payload.max(1) as f64
    }

    /// Where to look for the next chunk to be copied.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// What is before `index` was looked at.
    pub(crate) fn advance(&mut self, index: u64) {
        self.next = index;
    }

    /// A copy of the chunk that is next leaves.
    pub(crate) fn push(&mut self, copied: Copied, payload: u64) {
        self.allowance -= payload as f64;
        self.next = copied.index + 1;
        self.list.push_back(copied);
    }

    /// The chunk is no more in flight: its copy, if there is one.
    pub(crate) fn take(&mut self, index: u64) -> Option<Copied> {
        let at = self.list.binary_search_by_key(&index, |c| c.index).ok()?;
        match at {
            0 => self.list.pop_front(),
            _ => self.list.remove(at),
        }
    }

    pub(crate) fn contains(&self, index: u64) -> bool {
        self.list.binary_search_by_key(&index, |c| c.index).is_ok()
    }

    pub(crate) fn first(&self) -> Option<Copied> {
        self.list.front().copied()
    }

    /// All that was in flight on the path is given up.
    pub(crate) fn forget(&mut self, path: PathId) {
        self.list.retain(|c| c.path != path);
    }

    /// Sum of the bytes on a path, counted anew: for checking the path's own sum.
    pub(crate) fn bytes_on(&self, path: PathId) -> u64 {
        let on_path = self.list.iter().filter(|c| c.path == path);
        on_path.map(|c| c.bytes).sum()
    }
}
