//! Delivery of whole messages in the order of their streams.

use std::collections::{BTreeMap, VecDeque};

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
        while let Some(message) = stream.early.remove(&stream.next.0) {
            stream.next = stream.next.next();
            self.ready.push_back(message);
        }
        Ok(())
    }

    /// The next message for the application.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.ready.pop_front()?;
        self.bytes -= message.payload.len();
        self.messages -= 1;
        Some(message)
    }
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
