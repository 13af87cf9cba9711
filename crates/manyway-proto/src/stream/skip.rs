//! What the peer gives up (RFC 3758) or begins anew (RFC 6525).

use manyway_wire::{Fsn, Mid, Ssn, StreamId};

use super::Place;
use super::inbound::Inbound;
use super::reassembly::{Dropped, Head, Partial};
use crate::event::PartStatus;

/// How far a FORWARD-TSN or I-FORWARD-TSN reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Everything below this index counts as received.
    pub(crate) bound: u64,
    /// As many indices counted as received since then.
    pub(crate) advance: u64,
    /// How many TSNs lie between the first that is missing now and the highest received.
    pub(crate) span: u64,
}

impl Inbound {
    /// The peer gives up everything below the bound: drops what was begun in DATA chunks and will
    /// not be completed. Gives back the reach with that counted in.
    pub(crate) fn skip_to(&mut self, reach: Reach) -> Reach {
        let mut dropped = Vec::new();
        let begun = self.reassembly.begun() as u64;
        self.reassembly.skip_to(reach.bound, |d| dropped.push(d));
        let reach = Reach {
            advance: reach.advance + dropped.len() as u64,
            ..reach
        };
        for d in dropped {
            self.drop_begun(d);
            // It is not named if all of it that was sent had been acknowledged before.
            self.give_up(d.head, reach.advance + begun + reach.span);
        }
        reach
    }

    /// An ordered message of DATA chunks will not come, those before it may. A number that is
    /// further away than that many messages may be awaited was passed by before.
    fn give_up(&mut self, head: Head, awaited: u64) {
        if head.unordered {
            return;
        }
        let order = self.orders.entry(head.stream).or_default();
        let position = order.position(head.place);
        if let Some(position) = position.filter(|p| order.ahead(*p) <= awaited)
            && order.give_up(position)
        {
            self.messages += 1;
        }
        self.release(head.stream);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN
    /// No ordered message up to and with `last` will come any more on the stream. Each message
    /// that is given up has a TSN among those that were passed by, or arrived in part; a number
    /// further away was skipped before.
    pub(crate) fn skip_messages(&mut self, id: StreamId, last: Ssn, mut reach: Reach) {
        // All of it that was sent may have arrived: then nothing but its number says that the rest
        // will not come.
        if let Some(dropped) = self.reassembly.give_up(reach.bound, id, last) {
            reach.advance += 1;
            self.drop_begun(dropped);
        }
        if reach.advance == 0 {
            return;
        }
        let order = self.orders.entry(id).or_default();
        let position = order.position(Place::Plain(last));
        if let Some(position) = position.filter(|p| order.ahead(*p) < reach.advance) {
            self.skip_order(id, position);
        }
    }

    /// The same in I-DATA chunks (RFC 8260, section 2.3.1): no message up to and with `last`, of
    /// the ordered or of the unordered ones, will come any more or be completed.
    pub(crate) fn skip_mids(&mut self, id: StreamId, unordered: bool, last: Mid, bound: u64) {
        let order = self.orders.entry(id).or_default();
        // A late repetition means messages from before a reset.
        if bound <= self.reset_at || !order.is_current(bound) {
            return;
        }
        let fsn = Fsn(0);
        let position = order.position(Place::Interleaved { mid: last, fsn });
        if unordered {
            order.skip_unordered(last);
        } else if position.is_none() {
            return;
        }
        let mut dropped = Vec::new();
        self.reassembly
            .skip_messages(id, unordered, last, |d| dropped.push(d));
        dropped.into_iter().for_each(|d| self.drop_begun(d));
        if let Some(position) = position.filter(|_| !unordered) {
            self.skip_order(id, position);
        }
    }

    /// Another message begins in the DATA chunk with this index: one that should go on there was
    /// given up, though the FORWARD-TSN that says so is late, or was lost and will not be repeated
    /// because all that it passes by is acknowledged.
    pub(super) fn cut_off(&mut self, index: u64, span: u64) {
        let awaited = span + self.reassembly.begun() as u64;
        let Some(dropped) = self.reassembly.cut_off(index) else {
            return;
        };
        self.drop_begun(dropped);
        self.give_up(dropped.head, awaited);
    }

    /// A fragment came of a message that was cut off before it was complete.
    pub(super) fn on_given_up(&mut self, dropped: Dropped) {
        let head = dropped.head;
        self.drop_begun(dropped);
        if !head.unordered {
            self.release(head.stream);
        }
    }

    /// The peer numbers the messages of the stream from 0 again, in chunks from the index `since`
    /// on; everything before arrived or was skipped.
    pub(super) fn reset(&mut self, id: StreamId, since: u64) {
        let mut released = Vec::new();
        if let Some(order) = self.orders.get_mut(&id) {
            order.reset(since, |early| released.push(early));
        }
        released
            .into_iter()
            .for_each(|early| self.push_early(early));
    }

    /// The next messages of these streams, none meaning all, are numbered from 0, in chunks from
    /// the index `since` on; `interleaving` if they come in I-DATA chunks.
    pub(crate) fn reset_streams(&mut self, streams: &[StreamId], since: u64, interleaving: bool) {
        let mut dropped = Vec::new();
        let all = streams.is_empty();
        // Messages after a reset have the same numbers as those that were begun before it.
        if !interleaving {
            let is_named = |id| all || streams.binary_search(&id).is_ok();
            self.reassembly
                .drop_begun_below(since, is_named, |d| dropped.push(d));
        } else if all {
            self.reassembly.drop_begun(None, |d| dropped.push(d));
        } else {
            for id in streams {
                self.reassembly.drop_begun(Some(*id), |d| dropped.push(d));
            }
        }
        for begun in dropped {
            self.orders.entry(begun.head.stream).or_default();
            self.drop_begun(begun);
        }
        let ids: Vec<StreamId> = match all {
            true => self.orders.keys().copied().collect(),
            false => streams.to_vec(),
        };
        if all {
            self.reset_at = since;
        }
        ids.into_iter().for_each(|id| self.reset(id, since));
    }

    fn skip_order(&mut self, id: StreamId, position: u64) {
        let mut released = Vec::new();
        let order = self.orders.entry(id).or_default();
        order.skip_to(position, |early| released.push(early));
        released
            .into_iter()
            .for_each(|early| self.push_early(early));
        self.release(id);
    }

    /// Counts what was dropped, and says so where the application has a part of the message.
    fn drop_begun(&mut self, dropped: Dropped) {
        self.bytes -= dropped.bytes;
        self.given_up_bytes += dropped.bytes as u64;
        if let Some(partial) = dropped.partial {
            self.abort(partial);
        }
    }

    /// The rest of a message that was given out in part will not come.
    fn abort(&mut self, partial: Partial) {
        let ordered = !partial.head.unordered;
        if ordered && let Some(order) = self.orders.get_mut(&partial.head.stream) {
            order.abort_parts();
        }
        self.push_part(partial, false, bytes::Bytes::new(), PartStatus::Aborted);
    }
}
