//! Messages that wait for their first transmission.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use manyway_wire::{DATA_HEADER_LEN, DataFlags, Ppid, Ssn, StreamId};

use crate::event::Message;

/// A piece of a message, ready for a DATA chunk.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) stream: StreamId,
    pub(crate) ssn: Ssn,
    pub(crate) ppid: Ppid,
    pub(crate) flags: DataFlags,
    pub(crate) payload: Bytes,
}

/// First come, first served over all streams; the message at the front may be partly sent.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    messages: VecDeque<Message>,
    /// The front message's sequence number once its first piece was taken.
    started: Option<Ssn>,
    bytes: usize,
    next_ssn: BTreeMap<StreamId, Ssn>,
}

impl SendQueue {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes left of the message at the front.
    pub(crate) fn front_len(&self) -> Option<usize> {
        self.messages.front().map(|m| m.payload.len())
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.bytes += message.payload.len();
        self.messages.push_back(message);
    }

    /// Takes the next piece that fits into `space` bytes of packet. A message is split only where
    /// it does not fit into an empty packet (`packet_empty`), so that small ones stay whole.
    pub(crate) fn next_piece(&mut self, space: usize, packet_empty: bool) -> Option<Piece> {
        let room = space.checked_sub(DATA_HEADER_LEN)?;
        let message = self.messages.front_mut()?;
        if message.payload.len() > room && (!packet_empty || room < 4) {
            return None;
        }
        let begin = self.started.is_none();
        let ssn = match self.started {
            Some(ssn) => ssn,
            None if message.unordered => Ssn(0),
            None => {
                let next = self.next_ssn.entry(message.stream).or_default();
                std::mem::replace(next, next.next())
            }
        };
        let end = message.payload.len() <= room;
        let (stream, ppid, unordered) = (message.stream, message.ppid, message.unordered);
        let payload = if end {
            self.started = None;
            self.messages.pop_front()?.payload
        } else {
            self.started = Some(ssn);
            // Whole words, so that pieces need no padding.
            message.payload.split_to(room & !3)
        };
        self.bytes -= payload.len();
        let flags = DataFlags {
            immediate: false,
            unordered,
            begin,
            end,
        };
        Some(Piece {
            stream,
            ssn,
            ppid,
            flags,
            payload,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stream: u16, len: usize) -> Message {
        let payload = Bytes::from(vec![7; len]);
        Message {
            stream: StreamId(stream),
            ppid: Ppid(0),
            unordered: false,
            payload,
        }
    }

    #[test]
    fn a_large_message_is_split_and_keeps_its_sequence_number() {
        let mut queue = SendQueue::default();
        queue.push(message(1, 250));
        queue.push(message(1, 10));
        let pieces: Vec<_> = std::iter::from_fn(|| queue.next_piece(116, true)).collect();
        let shape: Vec<_> = pieces
            .iter()
            .map(|p| (p.payload.len(), p.ssn.0, p.flags.begin, p.flags.end))
            .collect();
        assert_eq!(
            shape,
            [
                (100, 0, true, false),
                (100, 0, false, false),
                (50, 0, false, true),
                (10, 1, true, true)
            ]
        );
        assert!(queue.is_empty());
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn a_message_that_fits_an_empty_packet_is_not_split_into_the_rest_of_another() {
        let mut queue = SendQueue::default();
        queue.push(message(0, 90));
        assert!(queue.next_piece(50, false).is_none());
        assert!(queue.next_piece(116, true).is_some());
    }
}
