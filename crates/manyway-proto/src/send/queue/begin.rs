//! Which messages may begin: as many as stream sequence numbers tell apart, and, if messages are
//! interleaved, as many as the peer has room for.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use manyway_wire::{Ssn, StreamId};

use super::SendQueue;

/// Interleaved messages up to this size, in bytes, begin at any time: they fit one packet or
/// nearly so.
const SMALL: usize = 1024;

/// How far a sender may go with beginning messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BeginLimits {
    /// Ordered messages of a stream that may be in the send window in DATA chunks.
    pub(crate) ordered: u16,
    /// Bytes of interleaved messages that may be begun and not finished, counted whole.
    pub(crate) interleaved: usize,
}

impl BeginLimits {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
    //# For each stream, the data sender MUST NOT have more than 2^16 - 1 ordered user messages in the current send window
    /// Towards an engine of this kind, which tells all stream sequence numbers apart.
    pub(crate) const WIDE: Self = Self {
        ordered: u16::MAX,
        interleaved: usize::MAX,
    };

    //= https://www.rfc-editor.org/rfc/rfc9260#section-1.6
    //# Any arithmetic done on Stream Sequence Numbers SHOULD use Serial Number Arithmetic, as defined in [RFC1982], where SERIAL_BITS = 16.
    /// Towards others: what serial number arithmetic can compare.
    pub(crate) const SERIAL: Self = Self {
        ordered: (1 << 15) - 1,
        ..Self::WIDE
    };
}

/// The interleaved messages that were begun, and the streams that wait for beginning one.
#[derive(Debug)]
pub(super) struct Begins {
    pub(super) limits: BeginLimits,
    /// Bytes of the messages that were begun and not finished, whole. A message that fits one
    /// packet never counts.
    pub(super) bytes: usize,
    /// Streams whose message must wait for room: by priority, then by the message's age.
    waiting: BTreeSet<(u16, NonZeroU64, StreamId)>,
}

impl Default for Begins {
    fn default() -> Self {
        Self {
            limits: BeginLimits::WIDE,
            bytes: 0,
            waiting: BTreeSet::new(),
        }
    }
}

/// Whether a message of `len` bytes may begin when `begun` bytes are.
fn fits(begun: usize, len: usize, limit: usize) -> bool {
    begun == 0 || len <= SMALL || begun + len <= limit
}

impl SendQueue {
    /// How far this side may go is known from the peer's INIT or INIT-ACK.
    pub(crate) fn set_begin_limits(&mut self, limits: BeginLimits) {
        self.begins.limits = limits;
    }

    /// The peer advertised a window of `bytes`. Interleaved messages are begun up to half of the
    /// largest: a peer whose buffer is full of beginnings can complete none, and what is complete
    /// and waits to be read takes room as well.
    pub(crate) fn on_peer_window(&mut self, bytes: usize) {
        let limits = &mut self.begins.limits;
        if limits.interleaved == usize::MAX || bytes / 2 > limits.interleaved {
            limits.interleaved = bytes / 2;
            self.begin_waiting();
        }
    }

    /// An ordered message in DATA chunks left the send window, and with it all that were before it
    /// on its stream.
    pub(crate) fn on_passed(&mut self, id: StreamId, ssn: Ssn) {
        let limit = self.begins.limits.ordered;
        if let Some(stream) = self.streams.get_mut(&id) {
            let was_full = stream.in_window() >= limit;
            stream.window_start = ssn.next();
            if was_full {
                self.on_change(id);
            }
        }
    }

    /// The stream that the next piece comes from. One that the stream scheduler chose and whose
    /// message must not begin yet is hidden from the scheduler until it may.
    pub(super) fn next_stream(&mut self) -> Option<StreamId> {
        loop {
            let id = self.chosen_stream()?;
            if self.begins.bytes == 0 || self.may_begin(id) {
                return Some(id);
            }
            self.make_wait(id);
        }
    }

    fn may_begin(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        let front = stream.and_then(|stream| self.messages.front(&stream.messages));
        front.is_none_or(|front| {
            let (len, limit) = (front.message.payload.len(), self.begins.limits.interleaved);
            front.next_place.is_some() || fits(self.begins.bytes, len, limit)
        })
    }

    fn make_wait(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let Some(front) = self.messages.front(&stream.messages) else {
            return;
        };
        let number = NonZeroU64::MIN.saturating_add(front.number);
        stream.waits_at = Some(number);
        self.begins.waiting.insert((stream.priority, number, id));
        self.on_change(id);
    }

    /// The stream need not wait any more, whether its message may begin or is another one.
    pub(super) fn stop_waiting(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && let Some(number) = stream.waits_at.take()
        {
            let place = (stream.priority, number, id);
            self.begins.waiting.remove(&place);
        }
    }

    /// A piece was sent or a message dropped, whereby `begun_bytes` do not count as begun any more.
    /// That may be none: a message that was shown to the scheduler and fits one packet never
    /// counted, and those that wait must not wait for it.
    pub(super) fn on_left(&mut self, begun_bytes: usize) {
        self.begins.bytes -= begun_bytes;
        if begun_bytes > 0 || self.begins.bytes == 0 {
            self.begin_waiting();
        }
    }

    /// There may be room: shows the scheduler as many of the streams that wait as it suffices for.
    /// Each of them has more than [`SMALL`] bytes of what was freed.
    pub(super) fn begin_waiting(&mut self) {
        let mut bytes = self.begins.bytes;
        while let Some(&(_, _, id)) = self.begins.waiting.first() {
            let stream = self.streams.get(&id);
            let front = stream.and_then(|stream| self.messages.front(&stream.messages));
            let len = front.map_or(0, |front| front.message.payload.len());
            if !fits(bytes, len, self.begins.limits.interleaved) {
                break;
            }
            bytes += len;
            self.stop_waiting(id);
            self.on_change(id);
        }
    }
}
