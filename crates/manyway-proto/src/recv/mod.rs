//! The receiving half: which TSNs arrived, when to acknowledge, how much room is left.

use crate::stream::Inbound;

mod sack;
mod tsn_map;

pub(crate) use sack::{SackPolicy, SackSchedule, Urgency};
pub(crate) use tsn_map::{Arrival, TsnMap};

/// The receiving half of an association.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) tsns: TsnMap,
    pub(crate) inbound: Inbound,
    pub(crate) sack: SackSchedule,
    /// Window at the last SACK, bytes.
    pub(crate) advertised: u64,
}

impl Receiver {
    /// The window to advertise: room left, bytes.
    pub(crate) fn window(&self, capacity: usize) -> u64 {
        capacity.saturating_sub(self.inbound.buffered()) as u64
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
    //# the data receiver SHOULD drop any new incoming DATA chunk with a TSN larger than the largest TSN received so far
    //
    // A chunk that fills the first gap is taken even then, up to twice the buffer: it lets held
    // data be delivered, where dropping it could block the association for good.
    pub(crate) fn has_room_for(&self, capacity: usize, fills_first_gap: bool) -> bool {
        let held = self.inbound.cost();
        held < capacity || (fills_first_gap && !self.tsns.is_contiguous() && held < 2 * capacity)
    }
}
