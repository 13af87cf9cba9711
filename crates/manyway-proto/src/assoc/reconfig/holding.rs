//! Messages that wait for the reset of their stream: they belong behind it.
//!
//! A reset holds the messages that were handed over after it was asked for, by their numbers in the
//! queue; several resets of one stream one after the other make as many epochs.

use manyway_wire::StreamId;

use super::asking::Waiting;
use super::{Reconfig, names};
use crate::assoc::Association;
use crate::reconfig::ReconfigRequest;

impl Reconfig {
    /// Our requests that were not answered yet.
    pub(super) fn open_requests(&self) -> impl Iterator<Item = &Waiting> {
        let in_flight = self.in_flight.iter().flat_map(|f| f.open());
        self.waiting.iter().chain(in_flight)
    }

    /// The resets of outgoing streams that are not over: the streams, none meaning all, and the
    /// first message that waits.
    fn open_resets(&self) -> impl Iterator<Item = (&[StreamId], u64)> {
        let own = self.open_requests().filter_map(|what| match &what.request {
            ReconfigRequest::ResetOutgoing(list) => Some((&list[..], what.from)),
            ReconfigRequest::ResetAssociation => Some((&[][..], what.from)),
            _ => None,
        });
        let peers = self.pending.as_ref().and_then(|p| p.holds_all());
        own.chain(peers.map(|from| (&[][..], from)))
    }

    /// Where the messages of `stream` begin to wait.
    fn held_from(&self, stream: StreamId) -> Option<u64> {
        let named = |list: &[StreamId]| !list.is_empty() && names(list, stream);
        let of_it = self.open_resets().filter(|(list, _)| named(list));
        of_it.map(|(_, from)| from).min()
    }

    /// Where the messages of all streams begin to wait.
    fn all_held_from(&self) -> Option<u64> {
        let all = self.open_resets().filter(|(list, _)| list.is_empty());
        all.map(|(_, from)| from).min()
    }
}

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
    //# A1: The sender MUST stop assigning new SSNs to new user data provided by the upper layer for the affected streams and queue it.
    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
    //# H4: If the request was an Outgoing SSN Reset Request, the affected streams MUST now be reset and all queued data should now be processed. The assigning of SSNs is allowed again.
    /// A reset of these streams, none meaning all, began or is over.
    pub(super) fn update_holds(&mut self, streams: &[StreamId]) {
        let Some(reconfig) = self.reconfig.as_deref() else {
            return;
        };
        let queue = &mut self.sender.queue;
        if streams.is_empty() {
            queue.hold_all_from(reconfig.all_held_from());
        }
        for &stream in streams {
            queue.hold_from(stream, reconfig.held_from(stream));
        }
    }

    /// The next messages of these streams, none meaning all, are numbered from 0.
    pub(super) fn reset_outgoing(&mut self, streams: &[StreamId]) {
        let queue = &mut self.sender.queue;
        if streams.is_empty() {
            queue.reset_all_numbers();
        }
        streams.iter().for_each(|&id| queue.reset_numbers(id));
    }
}
