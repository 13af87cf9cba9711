//! What was sent on one path, in the order it was sent there.

use std::collections::VecDeque;

use crate::time::Instant;

/// One DATA chunk's journey. `number` counts the packets of the path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) number: u64,
    /// Index of the chunk in [`crate::send::Outstanding`].
    pub(crate) index: u64,
    pub(crate) at: Instant,
}

/// Entries whose chunk was acknowledged or sent elsewhere are stale and are skipped when they
/// reach the front, so each entry costs O(1) in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentLog {
    entries: VecDeque<Entry>,
    next_number: u64,
    largest_acked: Option<u64>,
    /// What retransmission timeouts gave up since the path last answered, in case they were in
    /// error.
    given_up: VecDeque<Entry>,
}

impl SentLog {
    /// The number of the packet being built.
    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// A packet with data is complete.
    pub(crate) fn finish_packet(&mut self) {
        self.next_number += 1;
    }

    pub(crate) fn push(&mut self, index: u64, at: Instant) {
        self.entries.push_back(Entry {
            number: self.next_number,
            index,
            at,
        });
    }

    pub(crate) fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    pub(crate) fn on_acked(&mut self, number: u64) {
        self.largest_acked = self.largest_acked.max(Some(number));
    }

    pub(crate) fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    /// Drops stale entries at the front; the first one left is the pseudo-cumulative
    /// acknowledgement point of the path.
    pub(crate) fn skip_stale(&mut self, mut is_current: impl FnMut(&Entry) -> bool) {
        while self.entries.front().is_some_and(|e| !is_current(e)) {
            self.entries.pop_front();
        }
    }

    /// The entry sent last among those for which `is_current` holds; later ones are dropped.
    pub(crate) fn last_current(
        &mut self,
        mut is_current: impl FnMut(&Entry) -> bool,
    ) -> Option<Entry> {
        while self.entries.back().is_some_and(|e| !is_current(e)) {
            self.entries.pop_back();
        }
        self.entries.back().copied()
    }

    pub(crate) fn pop_last(&mut self) -> Option<Entry> {
        self.entries.pop_back()
    }

    /// Takes all entries out and shows each to `given_up`. They are kept for
    /// [`SentLog::restore`] if `keep`.
    pub(crate) fn give_up(&mut self, keep: bool, mut given_up: impl FnMut(&Entry)) {
        self.entries.iter().for_each(&mut given_up);
        if keep {
            self.given_up.append(&mut self.entries);
        }
        self.entries.clear();
    }

    /// The path answered: what is given up from now on has nothing to do with what was before.
    pub(crate) fn forget_given_up(&mut self) {
        self.given_up.clear();
    }

    /// Takes back what timeouts gave up, as far as `revive` agrees.
    pub(crate) fn restore(&mut self, mut revive: impl FnMut(&Entry) -> bool) {
        self.given_up.retain(&mut revive);
        // What was given up was sent before all that is in the log.
        self.given_up.append(&mut self.entries);
        std::mem::swap(&mut self.entries, &mut self.given_up);
    }
}
