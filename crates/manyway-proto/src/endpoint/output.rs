//! What the endpoint sends.

use crate::endpoint::{Endpoint, Transmit};
use crate::path::FourTuple;
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
        // In turns with the associations: a flood of handshakes must not silence them.
        let turn = std::mem::take(&mut self.stray_turn_over) && !self.ready.is_empty();
        if !turn && let Some((path, packet)) = self.stray.pop() {
            self.stray_turn_over = true;
            buf.extend_from_slice(&packet);
            return Some(own(path, buf.len()));
        }
        if let Some(transmit) = self.poll_associations(max_datagrams, buf) {
            return Some(transmit);
        }
        let (path, packet) = self.stray.pop()?;
        buf.extend_from_slice(&packet);
        Some(own(path, buf.len()))
    }

    fn poll_associations(&mut self, max_datagrams: usize, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(id) = self.ready.pop_front() {
            let now = self.now;
            let Some(slot) = self.slots.get_mut(&id) else {
                continue;
            };
            let transmit = slot.assoc.poll_transmit(now, max_datagrams, buf);
            slot.ready = transmit.is_some();
            if slot.assoc.has_event() && self.noisy.back() != Some(&id) {
                self.noisy.push_back(id);
            }
            if slot.ready {
                // Behind the others, so that none starves.
                self.ready.push_back(id);
                return transmit;
            }
            self.reindex(id);
        }
        None
    }
}

/// An answer of the endpoint itself.
fn own(path: FourTuple, size: usize) -> Transmit {
    Transmit {
        path,
        size,
        segment_size: None,
        may_fragment: false,
        ecn: None,
        assoc: None,
        path_id: None,
    }
}
