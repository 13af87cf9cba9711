//! One outgoing stream.

use std::num::{NonZeroU16, NonZeroU64};

use manyway_wire::{Fsn, Mid, Ssn};

use super::messages::List;
use crate::stream::Place;

/// A stream that was used: its messages, numbers and settings. A stream that was never used has
/// none.
#[derive(Debug)]
pub(super) struct OutStream {
    pub(super) messages: List,
    next_ssn: Ssn,
    /// No ordered message before this one is in the send window.
    pub(super) window_start: Ssn,
    next_mid: Mid,
    next_unordered_mid: Mid,
    pub(super) priority: u16,
    pub(super) weight: NonZeroU16,
    /// Messages with this number or a later one must wait.
    pub(super) held_from: Option<u64>,
    /// The stream scheduler was told that there is something to send.
    pub(super) ready: bool,
    /// It was not told, because the front message must not begin yet.
    pub(super) stalled: bool,
    /// The front message must wait for room: its number and one.
    pub(super) waits_at: Option<NonZeroU64>,
}

impl Default for OutStream {
    fn default() -> Self {
        Self {
            messages: List::default(),
            next_ssn: Ssn(0),
            window_start: Ssn(0),
            next_mid: Mid(0),
            next_unordered_mid: Mid(0),
            priority: 0,
            weight: NonZeroU16::MIN,
            held_from: None,
            ready: false,
            stalled: false,
            waits_at: None,
        }
    }
}

impl OutStream {
    /// The place of a message's first piece. The message's number is used up.
    pub(super) fn begin_message(&mut self, unordered: bool, interleaving: bool) -> Place {
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
        //# The sender uses two counters for each outgoing stream: one for ordered messages and one for unordered messages. All of these counters are independent and initially 0. They are incremented by 1 for each user message.
        if interleaving {
            let next = match unordered {
                true => &mut self.next_unordered_mid,
                false => &mut self.next_mid,
            };
            let mid = std::mem::replace(next, next.next());
            return Place::Interleaved { mid, fsn: Fsn(0) };
        }
        if unordered {
            return Place::Plain(Ssn(0));
        }
        let ssn = self.next_ssn;
        self.next_ssn = ssn.next();
        Place::Plain(ssn)
    }

    /// The next messages are numbered from 0 again.
    pub(super) fn reset_numbers(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.2
        //# When an association resets the SSN using the SCTP extension defined in [RFC6525], the two counters (one for the ordered messages, one for the unordered messages) used for the MIDs MUST be reset to 0.
        self.next_ssn = Ssn(0);
        self.window_start = Ssn(0);
        self.next_mid = Mid(0);
        self.next_unordered_mid = Mid(0);
    }

    /// Ordered messages in DATA chunks that are in the send window.
    pub(super) fn in_window(&self) -> u16 {
        self.next_ssn.distance_from(self.window_start)
    }

    /// Whether the next messages are numbered from 0.
    pub(super) fn is_at_zero(&self) -> bool {
        let mids = (self.next_mid, self.next_unordered_mid);
        self.next_ssn == Ssn(0) && mids == (Mid(0), Mid(0))
    }
}
