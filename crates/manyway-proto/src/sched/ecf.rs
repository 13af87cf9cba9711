//! Earliest completion first.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler, fastest};

/// Waits for the fastest path if what waits would be there earlier by it, even though a slower one
/// has room: then the last bytes of a transfer do not straggle in over the slow path.
///
/// Lim, Nahum, Towsley, Gibbens, "ECF: An MPTCP Path Scheduler to Manage Heterogeneous Paths",
/// CoNEXT 2017, algorithm 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ecf {
    waits: bool,
}

/// By how much waiting must seem worse before a wait ends (the paper's beta).
const HYSTERESIS: f64 = 0.25;

impl Scheduler for Ecf {
    fn select(&mut self, paths: &[PathView], flow: FlowView) -> Option<PathId> {
        let fast = fastest(paths.iter())?;
        if fast.ready {
            return Some(fast.id);
        }
        let slow = fastest(paths.iter().filter(|p| p.ready))?;
        let (Some(fast_rtt), Some(slow_rtt)) = (fast.srtt, slow.srtt) else {
            return Some(slow.id);
        };
        let waiting = flow.waiting as f64;
        let rounds = |path: &PathView| waiting / path.window.max(1) as f64;
        let (fast_rtt, slow_rtt) = (fast_rtt.as_secs_f64(), slow_rtt.as_secs_f64());
        let margin = fast.rtt_variation.max(slow.rtt_variation).as_secs_f64();
        let patience = if self.waits { 1.0 + HYSTERESIS } else { 1.0 };
        // By the fast path: one round until it has room, then as many as the rest needs.
        let sooner = (1.0 + rounds(fast)) * fast_rtt < patience * (slow_rtt + margin);
        if sooner {
            // Unless the slow path would not be slower than a round of the fast one anyway.
            if rounds(slow).max(1.0) * slow_rtt >= 2.0 * fast_rtt + margin {
                self.waits = true;
                return None;
            }
        } else {
            self.waits = false;
        }
        Some(slow.id)
    }

    fn name(&self) -> &'static str {
        "ecf"
    }
}
