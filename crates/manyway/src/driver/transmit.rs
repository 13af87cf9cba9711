//! From the engine to the sockets.

use std::task::Context;

use super::{Driver, Progress};

/// Most bytes of one GSO batch: what a UDP datagram could carry.
const MAX_BATCH_BYTES: usize = 65_000;
/// Batches sent before receiving gets a turn.
const BATCHES: usize = 32;

impl Driver {
    /// Sends what the engine has.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>) -> Progress {
        let mut progress = self.sockets.flush(cx, &self.shared.sockets);
        let most = (MAX_BATCH_BYTES / self.max_packet_size.max(1)).max(1);
        let segments = self.sockets.max_segments().clamp(1, most);
        for _ in 0..BATCHES {
            let now = self.shared.now();
            let transmit = self
                .shared
                .lock()
                .proto
                .poll_transmit(now, segments, &mut self.buffer);
            let Some(transmit) = transmit else {
                self.release_orphans();
                return progress;
            };
            let counters = &self.shared.sockets;
            self.sockets
                .send(transmit, &self.buffer[..transmit.size], counters);
            progress = Progress::Some;
        }
        // Registers for the moment when full sockets have room again.
        let _ = self.sockets.flush(cx, &self.shared.sockets);
        progress
    }

    fn release_orphans(&self) {
        let mut state = self.shared.lock();
        for id in std::mem::take(&mut state.orphans) {
            state.proto.release(id);
        }
    }
}
