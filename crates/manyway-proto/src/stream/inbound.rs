//! Delivery of messages, whole or in parts, in the order of their streams.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use manyway_wire::StreamId;

use super::Place;
use super::barrier::Barrier;
use super::order::Order;
use super::reassembly::{BadFragments, Fragment, Head, Insertion, Key, Partial, Reassembly, Whole};
use crate::event::{Message, MessagePart, PartStatus};

/// What a held message or fragment costs besides its payload, so that tiny ones cannot fill memory.
const MESSAGE_OVERHEAD: usize = 96;
/// What fragments without neighbours cost besides that.
const RUN_OVERHEAD: usize = 128;

/// What a chunk may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of a message that is not given out in parts.
    pub(crate) max_message: usize,
    /// How many TSNs lie between the first that is missing and the highest received.
    pub(crate) span: u64,
    /// The peer may give up messages in DATA chunks (RFC 3758).
    pub(crate) gives_up: bool,
    /// The chunk with the next TSN has arrived already.
    pub(crate) follows: bool,
}

/// The receiving side of all streams.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    pub(super) reassembly: Reassembly,
    pub(super) orders: BTreeMap<StreamId, Order>,
    pub(super) ready: VecDeque<MessagePart>,
    pub(super) bytes: usize,
    /// Whole messages and parts held, ready or early, and messages known not to come.
    pub(super) messages: usize,
    /// Bytes of a message from which on it is given out in parts; `None` for never.
    partial_point: Option<usize>,
    next_message: u64,
    /// All that could be given out in parts was, since the last fragment came.
    relieved: bool,
    /// Fragments dropped because their message had been given up.
    pub(crate) stale_fragments: u64,
    /// Payload dropped because its message was given up before it was complete.
    pub(crate) given_up_bytes: u64,
    /// All streams were last reset before the chunk with this index.
    pub(super) reset_at: u64,
    /// Messages of which a part was given out before they were complete.
    pub(crate) partial_messages: u64,
    /// Messages and parts taken by the application.
    pub(super) taken: u64,
    /// A reset for which chunks have to wait.
    pub(super) barrier: Option<Box<Barrier>>,
}

impl Inbound {
    pub(crate) fn new(partial_point: Option<usize>) -> Self {
        Self {
            partial_point,
            ..Self::default()
        }
    }

    /// Payload bytes held for the application.
    pub(crate) fn buffered(&self) -> usize {
        self.bytes
    }

    /// Memory held, roughly.
    pub(crate) fn cost(&self) -> usize {
        let waiting = self.barrier.as_ref().map_or(0, |b| b.len());
        let entries = self.messages + self.reassembly.fragments() + waiting;
        self.bytes + entries * MESSAGE_OVERHEAD + self.reassembly.begun() * RUN_OVERHEAD
    }

    /// Whether an ordered message with this number would be delivered at once.
    pub(crate) fn is_next(&self, stream: StreamId, place: Place) -> bool {
        match self.orders.get(&stream) {
            Some(order) => order.is_next(place),
            None => Order::default().is_next(place),
        }
    }

    /// Whether there is something to read.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a chunk that was not seen before; `index` is that of its TSN.
    pub(crate) fn insert(
        &mut self,
        index: u64,
        fragment: Fragment,
        limits: Limits,
    ) -> Result<(), BadFragments> {
        if let Some(barrier) = &mut self.barrier
            && barrier.holds(index, fragment.stream)
        {
            self.bytes += fragment.payload.len();
            barrier.push(index, fragment);
            return Ok(());
        }
        if self.is_stale(&fragment) {
            self.stale_fragments += 1;
            return Ok(());
        }
        let plain = matches!(fragment.place, Place::Plain(_));
        let begins = fragment.flags.begin && self.reassembly.begun() > 0;
        if limits.gives_up && plain && begins {
            self.cut_off(index, limits.span);
        }
        let awaits_more = plain && !fragment.flags.end;
        self.relieved = false;
        self.bytes += fragment.payload.len();
        let key = self.reassembly.key(index, &fragment)?;
        let max_message = match self.partial_point {
            Some(_) => usize::MAX,
            None => limits.max_message,
        };
        match self.reassembly.insert(key, fragment, max_message)? {
            Insertion::Held(key) => self.offer_parts(key),
            Insertion::Whole(whole) => self.deliver(whole, limits)?,
            Insertion::Part {
                partial,
                first,
                rest,
                ended,
            } => self.deliver_parts(partial, first, rest, ended),
            Insertion::GivenUp(dropped) => self.on_given_up(dropped),
        }
        if limits.gives_up && awaits_more && limits.follows {
            self.cut_off(index + 1, limits.span);
        }
        Ok(())
    }

    /// Whether the chunk is what is left of an interleaved message that was given up: other
    /// fragments of it, with lower TSNs, were skipped.
    fn is_stale(&self, fragment: &Fragment) -> bool {
        let Place::Interleaved { mid, .. } = fragment.place else {
            return false;
        };
        let single = fragment.flags.begin && fragment.flags.end;
        self.orders.get(&fragment.stream).is_some_and(|order| {
            if fragment.flags.unordered {
                order.was_skipped(mid)
            } else {
                !single && order.position(fragment.place).is_none()
            }
        })
    }

    fn deliver(&mut self, whole: Whole, limits: Limits) -> Result<(), BadFragments> {
        const USED_TWICE: BadFragments = BadFragments("message number used twice");
        let begun = if limits.gives_up {
            self.reassembly.begun()
        } else {
            0
        };
        let awaited = limits.span + begun as u64;
        let Whole { head, payload } = whole;
        let message = Message {
            stream: head.stream,
            ppid: head.ppid,
            unordered: head.unordered,
            payload,
        };
        if head.unordered {
            if let Place::Interleaved { mid, .. } = head.place
                && let Some(order) = self.orders.get_mut(&head.stream)
            {
                order.on_unordered(mid);
            }
            self.messages += 1;
            self.push_whole(message);
            return Ok(());
        }
        let order = self.orders.entry(head.stream).or_default();
        let position = order.position(head.place).ok_or(USED_TWICE)?;
        self.messages += 1;
        if !order.is_next(head.place) {
            // Each message in DATA chunks that is awaited before this one has a TSN between them, or
            // was begun and given up, which a FORWARD-TSN will say. A number further away was used
            // before: a second message under the number of another is a lie of the peer.
            let plain = matches!(head.place, Place::Plain(_));
            if plain && order.ahead(position) > awaited || !order.keep(position, message) {
                return Err(USED_TWICE);
            }
            return Ok(());
        }
        order.advance();
        self.push_whole(message);
        self.release(head.stream);
        Ok(())
    }

    pub(super) fn push_whole(&mut self, message: Message) {
        let number = self.number();
        self.ready.push_back(MessagePart {
            message: number,
            stream: message.stream,
            ppid: message.ppid,
            unordered: message.unordered,
            begin: true,
            payload: message.payload,
            status: PartStatus::Complete,
        });
    }

    fn number(&mut self) -> u64 {
        let number = self.next_message;
        self.next_message += 1;
        number
    }

    /// Delivers what came early and is next now.
    pub(super) fn release(&mut self, id: StreamId) {
        while let Some(early) = self.orders.get_mut(&id).and_then(Order::pop) {
            self.push_early(early);
        }
    }

    /// Delivers a message whose turn it is now, unless it was given up.
    pub(super) fn push_early(&mut self, early: Option<Message>) {
        match early {
            Some(message) => self.push_whole(message),
            None => self.messages -= 1,
        }
    }

    /// Begins to give out a message in parts, if it is large enough and its turn.
    fn offer_parts(&mut self, key: Key) {
        let beginning = self.reassembly.beginning(key);
        if let (Some(point), Some((head, bytes))) = (self.partial_point, beginning)
            && bytes >= point
        {
            self.give_out(key, head);
        }
    }

    fn give_out(&mut self, key: Key, head: Head) {
        if !head.unordered {
            let order = self.orders.entry(head.stream).or_default();
            if !order.is_next(head.place) {
                return;
            }
            order.begin_parts();
        }
        let message = self.number();
        let partial = Partial { head, message };
        self.partial_messages += 1;
        for (at, piece) in self
            .reassembly
            .give_out(key, message)
            .into_iter()
            .enumerate()
        {
            self.push_part(partial, at == 0, piece, PartStatus::MoreFollows);
        }
    }

    pub(super) fn push_part(
        &mut self,
        partial: Partial,
        begin: bool,
        payload: Bytes,
        status: PartStatus,
    ) {
        self.messages += 1;
        self.ready.push_back(MessagePart {
            message: partial.message,
            stream: partial.head.stream,
            ppid: partial.head.ppid,
            unordered: partial.head.unordered,
            begin,
            payload,
            status,
        });
    }

    fn deliver_parts(
        &mut self,
        partial: Partial,
        first: Bytes,
        rest: VecDeque<Bytes>,
        ended: bool,
    ) {
        let mut left = 1 + rest.len();
        for piece in std::iter::once(first).chain(rest) {
            left -= 1;
            let status = match ended && left == 0 {
                true => PartStatus::Complete,
                false => PartStatus::MoreFollows,
            };
            self.push_part(partial, false, piece, status);
        }
        let stream = partial.head.stream;
        if ended
            && !partial.head.unordered
            && let Some(order) = self.orders.get_mut(&stream)
        {
            order.advance();
            self.release(stream);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
    //# If the data receiver runs out of buffer space while still waiting for more fragments to complete the reassembly of the message, it SHOULD dispatch part of its inbound message through a partial delivery API
    /// There is no room and nothing to read: gives out what there is of messages whose turn it is.
    /// Only where the application takes parts.
    pub(crate) fn relieve(&mut self) {
        if self.partial_point.is_none() || self.relieved || self.has_ready() {
            return;
        }
        // Once for each fragment that is taken: one that is refused must not cost a search.
        self.relieved = true;
        let beginnings: Vec<Key> = self.reassembly.beginnings().collect();
        for key in beginnings {
            if let Some((head, _)) = self.reassembly.beginning(key) {
                self.give_out(key, head);
            }
        }
    }

    /// The next message or part for the application.
    pub(crate) fn pop(&mut self) -> Option<MessagePart> {
        let part = self.ready.pop_front()?;
        self.bytes -= part.payload.len();
        self.messages -= 1;
        self.taken += 1;
        Some(part)
    }

    /// The next message, unless it comes in parts.
    pub(crate) fn pop_whole(&mut self) -> Option<Message> {
        let whole = |part: &MessagePart| part.begin && part.status == PartStatus::Complete;
        self.ready.front().filter(|part| whole(part))?;
        self.pop().map(|part| Message {
            stream: part.stream,
            ppid: part.ppid,
            unordered: part.unordered,
            payload: part.payload,
        })
    }
}
