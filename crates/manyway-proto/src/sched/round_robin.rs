//! One packet here, one packet there.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler};

/// The paths take turns, packet by packet; one that is not ready misses its turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobin {
    last: Option<PathId>,
}

impl Scheduler for RoundRobin {
    fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
        let ready = || paths.iter().filter(|p| p.ready).map(|p| p.id);
        let next = ready().filter(|id| Some(*id) > self.last).min();
        next.or_else(|| ready().min())
    }

    fn on_sent(&mut self, path: PathId, _bytes: u64) {
        self.last = Some(path);
    }

    fn burst(&self) -> usize {
        1
    }

    fn name(&self) -> &'static str {
        "round-robin"
    }
}
