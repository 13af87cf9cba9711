//! What the endpoint sends.

use crate::assoc::AssocState;
use crate::endpoint::{Endpoint, Transmit};
use crate::time::Instant;

impl Endpoint {
    /// The next datagrams to send: up to `max_datagrams` of equal size (the last may be shorter),
    /// all on one path, written to `buf`, which is cleared first. Call it until it returns `None`.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.advance(now);
        buf.clear();
        if let Some((path, packet)) = self.stray.pop() {
            buf.extend_from_slice(&packet);
            let size = buf.len();
            return Some(Transmit {
                path,
                size,
                segment_size: None,
                assoc: None,
                path_id: None,
            });
        }
        while let Some(id) = self.ready.pop_front() {
            let now = self.now;
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            let transmit = slot.assoc.poll_transmit(now, max_datagrams, buf);
            slot.ready = transmit.is_some();
            if slot.ready {
                // Behind the others, so that none starves.
                self.ready.push_back(id);
                return transmit;
            }
            let closed = slot.assoc.state() == AssocState::Closed;
            self.rearm(id);
            if closed {
                self.unlink(id);
            }
        }
        None
    }
}
