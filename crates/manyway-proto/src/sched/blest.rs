//! Blocking estimation.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler, fastest};

/// Leaves a slower path alone when what it holds would stop the faster one: if, during one of the
/// slow path's round trips, the fast path could fill all the room that is left in the buffers.
///
/// Ferlin, Alay, Mehani, Boreli, "BLEST: Blocking Estimation-based MPTCP Scheduler for
/// Heterogeneous Networks", IFIP Networking 2016, section III. The paper corrects its estimate by
/// how often the window blocked; here a flow with no room left is that sign.
#[derive(Clone, Copy, Debug)]
pub struct Blest {
    /// The estimate is multiplied by it.
    correction: f64,
    /// The room was used up at the last look.
    blocked: bool,
}

impl Default for Blest {
    fn default() -> Self {
        Self {
            correction: 1.0,
            blocked: false,
        }
    }
}

/// What the correction changes by.
const STEP: f64 = 0.01;
const BOUNDS: (f64, f64) = (1.0, 4.0);

impl Blest {
    fn learn(&mut self, flow: FlowView, packet: u64) {
        let blocked = flow.room < packet;
        let change = match (blocked, self.blocked) {
            (true, false) => STEP * 10.0,
            (false, _) => -STEP,
            (true, true) => 0.0,
        };
        self.blocked = blocked;
        self.correction = (self.correction + change).clamp(BOUNDS.0, BOUNDS.1);
    }
}

impl Scheduler for Blest {
    fn select(&mut self, paths: &[PathView], flow: FlowView) -> Option<PathId> {
        let fast = fastest(paths.iter())?;
        self.learn(flow, fast.packet_size);
        if fast.ready {
            return Some(fast.id);
        }
        let slow = fastest(paths.iter().filter(|p| p.ready))?;
        let (Some(fast_rtt), Some(slow_rtt)) = (fast.srtt, slow.srtt) else {
            return Some(slow.id);
        };
        let rounds = slow_rtt.as_secs_f64() / fast_rtt.as_secs_f64().max(1e-6);
        // Meanwhile the fast path's window grows by a packet a round.
        let growth = fast.packet_size as f64 * (rounds - 1.0).max(0.0) / 2.0;
        let by_fast = (fast.window as f64 + growth) * rounds * self.correction;
        let left = flow.room.saturating_sub(slow.packet_size) + fast.in_flight;
        (by_fast <= left as f64).then_some(slow.id)
    }

    fn name(&self) -> &'static str {
        "blest"
    }
}
