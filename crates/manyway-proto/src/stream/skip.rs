//! What the peer gives up (RFC 3758) or begins anew (RFC 6525).

use manyway_wire::{Mid, Ssn, StreamId};

use super::Place;
use super::inbound::Inbound;
use super::reassembly::Partial;
use crate::event::{Message, PartStatus};

impl Inbound {
    /// The peer gives up everything below `bound`: drops what was begun in DATA chunks and will
    /// not be completed.
    pub(crate) fn skip_to(&mut self, bound: u64) {
        let mut aborted = Vec::new();
        self.bytes -= self
            .reassembly
            .skip_to(bound, |partial| aborted.push(partial));
        aborted.into_iter().for_each(|partial| self.abort(partial));
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN
    /// No ordered message up to and with `last` will come any more on the stream. Each message
    /// that is given up has a TSN among the `advance` ones that were passed by; a number further
    /// away was skipped before.
    pub(crate) fn skip_messages(&mut self, id: StreamId, last: Ssn, advance: u64) {
        let order = self.orders.entry(id).or_default();
        let position = order.position(Place::Plain(last));
        if let Some(position) = position.filter(|p| order.ahead(*p) < advance) {
            self.skip_order(id, position);
        }
    }

    /// The same in I-DATA chunks (RFC 8260, section 2.3.1): no message up to and with `last`, of
    /// the ordered or of the unordered ones, will come any more or be completed.
    pub(crate) fn skip_mids(&mut self, id: StreamId, unordered: bool, last: Mid) {
        let order = self.orders.entry(id).or_default();
        let fsn = manyway_wire::Fsn(0);
        let position = order.position(Place::Interleaved { mid: last, fsn });
        if unordered {
            order.skip_unordered(last);
        } else if position.is_none() {
            return;
        }
        let mut aborted = Vec::new();
        self.bytes -= self
            .reassembly
            .skip_messages(id, unordered, last, |partial| aborted.push(partial));
        aborted.into_iter().for_each(|partial| self.abort(partial));
        if let Some(position) = position.filter(|_| !unordered) {
            self.skip_order(id, position);
        }
    }

    /// The peer numbers the messages of the stream from 0 again; everything before arrived or was
    /// skipped.
    pub(crate) fn reset(&mut self, id: StreamId) {
        let mut released = Vec::new();
        if let Some(order) = self.orders.get_mut(&id) {
            order.reset(|message| released.push(message));
        }
        released.into_iter().for_each(|m| self.push_whole(m));
    }

    /// Drops what was begun in I-DATA chunks of the stream: messages after a reset have the same
    /// numbers.
    pub(super) fn drop_begun(&mut self, id: StreamId) {
        let mut aborted = Vec::new();
        for unordered in [false, true] {
            for half in [Mid(u32::MAX / 2), Mid(u32::MAX)] {
                let on_abort = |partial| aborted.push(partial);
                self.bytes -= self.reassembly.skip_messages(id, unordered, half, on_abort);
            }
        }
        aborted.into_iter().for_each(|partial| self.abort(partial));
    }

    fn skip_order(&mut self, id: StreamId, position: u64) {
        let mut released: Vec<Message> = Vec::new();
        let order = self.orders.entry(id).or_default();
        order.skip_to(position, |message| released.push(message));
        released.into_iter().for_each(|m| self.push_whole(m));
        self.release(id);
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
