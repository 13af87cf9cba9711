//! The order of one incoming stream.

use std::collections::BTreeMap;

use manyway_wire::{Mid, Ssn};

use super::Place;
use crate::event::Message;

/// Which message of a stream is next, and those that came before their turn. Messages are counted
/// without wrapping.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The ordered message to deliver next.
    next: u64,
    /// Those that came before their turn; `None` for one that will not come.
    early: BTreeMap<u64, Option<Message>>,
    /// The message that is next is being given out in parts.
    in_parts: bool,
    /// Unordered messages up to this one were given up.
    skipped: Option<Mid>,
    /// Chunks with lower indices had numbers from before the last reset.
    since: u64,
}

impl Order {
    /// The place of an ordered message in the stream; `None` if its turn is over.
    pub(super) fn position(&self, place: Place) -> Option<u64> {
        let ahead = match place {
            // Every number is ahead: the window may have more messages than half the numbers.
            Place::Plain(ssn) => u32::from(ssn.distance_from(Ssn(self.next as u16))),
            //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
            //# Please note that the serial number arithmetic defined in [RFC1982] using SERIAL_BITS = 32 applies.
            Place::Interleaved { mid, .. } => mid.distance_from(Mid(self.next as u32)),
        };
        (ahead < 1 << 31).then(|| self.next + u64::from(ahead))
    }

    /// How far ahead of its turn a message is.
    pub(super) fn ahead(&self, position: u64) -> u64 {
        position - self.next
    }

    /// Whether a message with this number would be delivered at once.
    pub(super) fn is_next(&self, place: Place) -> bool {
        self.position(place) == Some(self.next) && !self.in_parts
    }

    /// The message that is next is given out in parts from now on.
    pub(super) fn begin_parts(&mut self) {
        self.in_parts = true;
    }

    /// The message that was given out in parts will not be completed.
    pub(super) fn abort_parts(&mut self) {
        self.in_parts = false;
    }

    /// The message that was next was delivered.
    pub(super) fn advance(&mut self) {
        self.in_parts = false;
        self.next += 1;
    }

    /// Keeps a message until its turn; false if there is one at its place.
    pub(super) fn keep(&mut self, position: u64, message: Message) -> bool {
        let taken = position == self.next || self.early.contains_key(&position);
        if !taken {
            self.early.insert(position, Some(message));
        }
        !taken
    }

    /// The message at `position` will not come; false if one came there, or that was said before.
    pub(super) fn give_up(&mut self, position: u64) -> bool {
        let new = !self.early.contains_key(&position);
        if new {
            self.early.insert(position, None);
        }
        new
    }

    /// The next message, if it came early; the inner value is `None` if it was given up.
    pub(super) fn pop(&mut self) -> Option<Option<Message>> {
        if self.in_parts {
            return None;
        }
        let message = self.early.remove(&self.next)?;
        self.next += 1;
        Some(message)
    }

    /// No ordered message up to and with `position` will come any more. Those that came already
    /// are named to `deliver`, as by [`Order::pop`].
    pub(super) fn skip_to(&mut self, position: u64, deliver: impl FnMut(Option<Message>)) {
        let later = self.early.split_off(&(position + 1));
        let released = std::mem::replace(&mut self.early, later);
        released.into_values().for_each(deliver);
        self.next = position + 1;
        self.in_parts = false;
    }

    /// The peer numbers its messages from 0 again, those in chunks from the index `since` on. What
    /// came early is named to `deliver`, as by [`Order::pop`].
    pub(super) fn reset(&mut self, since: u64, deliver: impl FnMut(Option<Message>)) {
        let before = Self {
            since,
            ..Self::default()
        };
        let early = std::mem::replace(self, before).early;
        early.into_values().for_each(deliver);
    }

    /// Whether what was said of the chunks below `bound` is about numbers of now.
    pub(super) fn is_current(&self, bound: u64) -> bool {
        bound > self.since
    }

    /// Unordered messages up to and with `last` were given up.
    pub(super) fn skip_unordered(&mut self, last: Mid) {
        if self.skipped.is_none_or(|skipped| skipped.is_before(last)) {
            self.skipped = Some(last);
        }
    }

    /// Whether a fragment is what is left of an unordered message that was given up.
    pub(super) fn was_skipped(&self, mid: Mid) -> bool {
        self.skipped
            .is_some_and(|skipped| mid.is_at_or_before(skipped))
    }

    /// An unordered message was delivered: what was skipped long ago must not look like the
    /// future once the numbers have wrapped.
    pub(super) fn on_unordered(&mut self, mid: Mid) {
        if let Some(skipped) = &mut self.skipped
            && mid.is_after(*skipped)
            && mid.distance_from(*skipped) > 1 << 30
        {
            *skipped = mid.sub(1 << 30);
        }
    }
}
