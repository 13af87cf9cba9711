//! The same on two paths.

use crate::path::PathId;
use crate::sched::{FlowView, LowestRtt, PathView, Scheduler};

/// As [`LowestRtt`], and what was sent goes out again at once on the best other path that has room,
/// within a budget: whatever arrives first counts. For thin flows that must not wait for a
/// retransmission.
///
/// Copies respect the window of their path but do not make it grow, so that a flow of bulk data
/// copies a few packets per round trip only.
#[derive(Clone, Copy, Debug)]
pub struct Redundant {
    budget: f64,
}

impl Redundant {
    /// A scheduler that copies at most `budget` bytes for each byte of new data; 1 is everything,
    /// and the most there is.
    pub fn new(budget: f64) -> Self {
        Self {
            budget: if budget.is_finite() {
                budget.clamp(0.0, 1.0)
            } else {
                0.0
            },
        }
    }
}

/// Everything is copied.
impl Default for Redundant {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Scheduler for Redundant {
    fn select(&mut self, paths: &[PathView], flow: FlowView) -> Option<PathId> {
        LowestRtt.select(paths, flow)
    }

    fn redundancy(&self) -> f64 {
        self.budget
    }

    fn name(&self) -> &'static str {
        "redundant"
    }
}
