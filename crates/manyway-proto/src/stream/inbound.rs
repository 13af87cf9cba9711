//! Delivery of whole messages in the order of their streams.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use manyway_wire::{Ssn, StreamId};

use crate::event::Message;
use crate::stream::reassembly::{BadFragments, Fragment, Reassembly};

/// What a held message costs besides its payload, so that tiny ones cannot fill memory.
const MESSAGE_OVERHEAD: usize = 96;

#[derive(Debug, Default)]
struct Stream {
    next: Ssn,
    /// Messages that came too early, by how much.
    early: BTreeMap<u16, Message>,
}

/// The receiving side of all streams.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    reassembly: Reassembly,
    streams: BTreeMap<StreamId, Stream>,
    ready: VecDeque<Message>,
    bytes: usize,
    /// Whole messages held, ready or early.
    messages: usize,
}

impl Inbound {
    /// Payload bytes held for the application.
    pub(crate) fn buffered(&self) -> usize {
        self.bytes
    }

    /// Memory held, roughly.
    pub(crate) fn cost(&self) -> usize {
        self.bytes + (self.messages + self.reassembly.fragments()) * MESSAGE_OVERHEAD
    }

    /// Whether an ordered message with this number would be delivered at once.
    pub(crate) fn is_next(&self, stream: StreamId, ssn: Ssn) -> bool {
        self.streams
            .get(&stream)
            .map_or(ssn.0 == 0, |s| s.next == ssn)
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a chunk that was not seen before; `span` is how many TSNs lie between the first that
    /// is missing and the highest received.
    pub(crate) fn insert(
        &mut self,
        index: u64,
        fragment: Fragment,
        max_message: usize,
        span: u64,
    ) -> Result<(), BadFragments> {
        self.bytes += fragment.payload.len();
        if let Some(whole) = self.reassembly.insert(index, fragment, max_message)? {
            self.deliver(whole, span)?;
        }
        Ok(())
    }

    fn deliver(&mut self, whole: Fragment, span: u64) -> Result<(), BadFragments> {
        self.messages += 1;
        let unordered = whole.flags.unordered;
        let message = Message {
            stream: whole.stream,
            ppid: whole.ppid,
            unordered,
            payload: whole.payload,
        };
        if unordered {
            self.ready.push_back(message);
            return Ok(());
        }
        let stream = self.streams.entry(message.stream).or_default();
        if whole.ssn != stream.next {
            let early = whole.ssn.0.wrapping_sub(stream.next.0);
            // Each message that is awaited before this one has a TSN between them. A number further
            // away was used before: a second message under the number of another is a lie of the
            // peer.
            if u64::from(early) > span || stream.early.contains_key(&whole.ssn.0) {
                return Err(BadFragments("stream sequence number used twice"));
            }
            stream.early.insert(whole.ssn.0, message);
            return Ok(());
        }
        stream.next = stream.next.next();
        self.ready.push_back(message);
        release(stream, &mut self.ready);
        Ok(())
    }

    /// The peer gives up everything below `bound`: drops what was begun and will not be completed.
    pub(crate) fn skip_to(&mut self, bound: u64) {
        self.bytes -= self.reassembly.skip_to(bound);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN
    /// No ordered message up to and with `last` will come any more on the stream. Each message
    /// that is given up has a TSN among the `advance` ones that were passed by; a number further
    /// away was skipped before.
    pub(crate) fn skip_messages(&mut self, id: StreamId, last: Ssn, advance: u64) {
        let next = self.streams.get(&id).map_or(Ssn(0), |s| s.next);
        if u64::from(last.distance_from(next)) >= advance {
            return;
        }
        let stream = self.streams.entry(id).or_default();
        stream.next = last.next();
        if last.0 < next.0 {
            self.ready
                .extend(take_range(&mut stream.early, next.0..=u16::MAX));
            self.ready.extend(take_range(&mut stream.early, 0..=last.0));
        } else {
            self.ready
                .extend(take_range(&mut stream.early, next.0..=last.0));
        }
        release(stream, &mut self.ready);
    }

    /// The next message for the application.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.bytes -= message.payload.len();
        self.messages -= 1;
        Some(message)
    }
}

/// What came early and is next now.
fn release(stream: &mut Stream, ready: &mut VecDeque<Message>) {
    while let Some(message) = stream.early.remove(&stream.next.0) {
        stream.next = stream.next.next();
        ready.push_back(message);
    }
}

/// Takes the messages with these numbers out, in their order.
fn take_range(
    early: &mut BTreeMap<u16, Message>,
    range: RangeInclusive<u16>,
) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let (&number, _) = early.range(range.clone()).next()?;
        early.remove(&number)
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use manyway_wire::{DataFlags, Ppid};

    use super::*;

    fn whole(stream: u16, ssn: u16, unordered: bool) -> Fragment {
        Fragment {
            stream: StreamId(stream),
            ssn: Ssn(ssn),
            ppid: Ppid(u32::from(ssn)),
            flags: DataFlags {
                immediate: false,
                unordered,
                begin: true,
                end: true,
            },
            payload: Bytes::from_static(b"x"),
        }
    }

    fn drain(inbound: &mut Inbound) -> Vec<(u16, u32)> {
        std::iter::from_fn(|| inbound.pop())
            .map(|m| (m.stream.0, m.ppid.0))
            .collect()
    }

    #[test]
    fn a_late_message_holds_only_its_own_stream() {
        let mut inbound = Inbound::default();
        inbound.insert(1, whole(0, 1, false), 10, 1).unwrap();
        inbound.insert(2, whole(1, 0, false), 10, 2).unwrap();
        inbound.insert(3, whole(0, 9, true), 10, 3).unwrap();
        assert_eq!(drain(&mut inbound), [(1, 0), (0, 9)]);
        inbound.insert(0, whole(0, 0, false), 10, 0).unwrap();
        assert_eq!(drain(&mut inbound), [(0, 0), (0, 1)]);
        assert_eq!((inbound.buffered(), inbound.cost()), (0, 0));
    }

    #[test]
    fn a_sequence_number_used_twice_is_refused() {
        let mut inbound = Inbound::default();
        inbound.insert(0, whole(0, 0, false), 10, 0).unwrap();
        assert!(inbound.insert(1, whole(0, 0, false), 10, 0).is_err());
    }

    #[test]
    fn skipping_delivers_what_waited_for_the_skipped() {
        let mut inbound = Inbound::default();
        for (index, ssn) in [(1, 1), (3, 3), (4, 4), (6, 6)] {
            inbound.insert(index, whole(0, ssn, false), 10, 6).unwrap();
        }
        inbound.skip_messages(StreamId(0), Ssn(2), 3);
        assert_eq!(drain(&mut inbound), [(0, 1), (0, 3), (0, 4)]);
        // Once more, as a repeated FORWARD-TSN says it.
        inbound.skip_messages(StreamId(0), Ssn(2), 3);
        inbound.insert(5, whole(0, 5, false), 10, 1).unwrap();
        assert_eq!(drain(&mut inbound), [(0, 5), (0, 6)]);
        assert_eq!((inbound.buffered(), inbound.cost()), (0, 0));
    }

    #[test]
    fn skipping_goes_on_across_the_wrap_of_the_numbers() {
        let mut inbound = Inbound::default();
        inbound.skip_messages(StreamId(0), Ssn(u16::MAX - 2), 1 << 16);
        for (index, ssn) in [(1, u16::MAX), (3, 1), (4, 2)] {
            inbound.insert(index, whole(0, ssn, false), 10, 5).unwrap();
        }
        inbound.skip_messages(StreamId(0), Ssn(1), 4);
        let numbers: Vec<_> = drain(&mut inbound).iter().map(|m| m.1).collect();
        assert_eq!(numbers, [u32::from(u16::MAX), 1, 2]);
    }

    #[test]
    fn no_more_messages_are_skipped_than_there_were_chunks() {
        let mut inbound = Inbound::default();
        inbound.skip_messages(StreamId(0), Ssn(5), 5);
        assert!(inbound.is_next(StreamId(0), Ssn(0)));
        inbound.skip_messages(StreamId(0), Ssn(5), 6);
        assert!(inbound.is_next(StreamId(0), Ssn(6)));
    }

    #[test]
    fn a_window_of_more_messages_than_half_the_number_space_is_legal() {
        let mut inbound = Inbound::default();
        for number in 1..=u16::MAX {
            let index = u64::from(number);
            inbound
                .insert(index, whole(0, number, false), 10, index)
                .unwrap();
        }
        inbound.insert(0, whole(0, 0, false), 10, 0).unwrap();
        assert_eq!(drain(&mut inbound).len(), 1 << 16);
    }
}
