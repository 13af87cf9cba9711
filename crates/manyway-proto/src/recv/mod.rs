//! The receiving half: which TSNs arrived, when to acknowledge, how much room is left.

use manyway_wire::GapBlock;

use crate::stream::Inbound;

mod sack;
mod tsn_map;

pub(crate) use sack::{SackPolicy, SackSchedule, Urgency};
pub(crate) use tsn_map::{Arrival, Skip, TsnBounds, TsnMap};

/// What the endpoint lets an association hold of what it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveGrant {
    /// Bytes: the buffer, or less while memory is short.
    pub(crate) bytes: usize,
    /// Whether a message may be completed beyond that.
    pub(crate) completes: bool,
}

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tsns: TsnMap,
    pub(crate) inbound: Inbound,
    pub(crate) sack: SackSchedule,
    /// Scratch space for gap blocks.
    pub(crate) gaps: Vec<GapBlock>,
    /// Window at the last SACK, bytes.
    pub(crate) advertised: u64,
    pub(crate) grant: ReceiveGrant,
}

impl Receiver {
    /// The window to advertise: room left, bytes.
    pub(crate) fn window(&self, capacity: usize) -> u64 {
        capacity.saturating_sub(self.held(capacity)) as u64
    }

    /// What counts against the buffer: payload, and what chunks cost besides it as far as that is
    /// out of proportion, so that tiny messages close the window before they are dropped.
    fn held(&self, capacity: usize) -> usize {
        let overhead_allowed = capacity / 8;
        let cost = self.inbound.cost().saturating_sub(overhead_allowed);
        self.inbound.buffered().max(cost)
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
    //# When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA chunk with a TSN larger than the largest TSN received so far
    //
    // A chunk that fills the first gap is taken even then, up to twice the buffer, and so is the
    // next piece of a message when there is nothing to read: it lets held data be delivered, where
    // dropping it could block the association for good.
    pub(crate) fn has_room_for(&self, capacity: usize, max_message: usize, is_next: bool) -> bool {
        let cost = self.inbound.cost();
        let fills_gap = is_next && !self.tsns.is_contiguous() && cost < 2 * capacity;
        let completes = self.grant.completes
            && is_next
            && !self.inbound.has_ready()
            && cost < Self::bound(capacity, max_message);
        self.held(capacity) < capacity || fills_gap || completes
    }

    /// The most that is ever held, less one chunk.
    pub(crate) fn bound(capacity: usize, max_message: usize) -> usize {
        2 * (capacity + max_message)
    }
}
