//! The default scheduler.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler, fastest};

/// The primary if somebody chose one, then the path with the lowest smoothed round-trip time.
/// Further paths are used as soon as the better ones have no room.
#[derive(Clone, Copy, Debug, Default)]
pub struct LowestRtt;

impl Scheduler for LowestRtt {
    fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
        fastest(paths.iter().filter(|p| p.ready)).map(|p| p.id)
    }

    fn name(&self) -> &'static str {
        "lowest-rtt"
    }
}
