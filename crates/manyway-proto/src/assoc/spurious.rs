//! Losses that were none: what proves it, and how the reduction of the window is undone.

use manyway_wire::Tsn;

use super::Association;
use crate::path::{PathId, Paths};
use crate::recovery::Cause;
use crate::send::Shot;
use crate::time::Instant;

/// Duplicates looked at per SACK; honest receivers report fewer.
const MAX_DUPLICATES: usize = 64;

/// How it is known that a chunk declared lost had arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The peer reported that it received it twice.
    Duplicate,
    /// It was acknowledged before it was sent again, or sooner after that than a round trip takes.
    Answer,
}

/// Notes that the chunk declared lost after `shot` had arrived.
pub(super) fn on_proof(paths: &mut Paths, shot: Shot, proof: Proof) {
    let Some(path) = paths.get_mut(shot.path) else {
        return;
    };
    path.counters.spurious_losses += 1;
    let next = path.sent.next_number();
    let recovery = &mut path.recovery;
    if recovery.episode.cause() == Cause::Losses {
        recovery.rack.on_spurious(next);
    }
    recovery.undo |= recovery
        .episode
        .on_arrived(shot.number, proof == Proof::Answer);
}

impl Association {
    /// The peer received these TSNs more than once.
    pub(super) fn on_duplicates(&mut self, duplicates: impl Iterator<Item = Tsn>) {
        for tsn in duplicates.take(MAX_DUPLICATES) {
            let index = self.sender.outstanding.index_of(tsn);
            let Some(shot) = index.and_then(|index| self.sender.resent.take(index)) else {
                // The network doubled it, or it went out on two paths.
                continue;
            };
            on_proof(&mut self.paths, shot, Proof::Duplicate);
        }
    }

    /// Undoes a reduction of the window that nothing justifies any more.
    pub(super) fn undo_if_spurious(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if !std::mem::take(&mut path.recovery.undo) {
            return;
        }
        path.recovery.prr = None;
        path.controller.on_spurious(now);
        path.counters.undone_reductions += 1;
        tracing::debug!(path = %id, window = path.controller.window(), "nothing had been lost");
        if path.recovery.episode.cause() != Cause::Timeout {
            return;
        }
        // What the timeout gave up is on its way: sending it again would be in vain.
        let outstanding = &mut self.sender.outstanding;
        let mut revived = 0;
        path.sent.restore(|entry| {
            let shot = Shot {
                path: id,
                number: entry.number,
            };
            let alive = outstanding.revive(entry.index, shot);
            if alive {
                revived += outstanding.get(entry.index).map_or(0, |c| c.flight_bytes());
            }
            alive
        });
        path.in_flight += revived;
        path.timers.t3 = None;
        self.arm_data_timers(now, id);
    }
}
