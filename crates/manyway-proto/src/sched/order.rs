//! Paths in a fixed order.

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler};

/// The chosen primary first, then in the order in which the paths were opened.
fn rank(path: &&PathView) -> (bool, PathId) {
    (!path.primary, path.id)
}

/// One path carries everything, the others only after it has failed: SCTP without concurrent
/// multipath transfer (RFC 9260, section 6.4). It is the chosen primary, else the path that was
/// opened first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Primary;

impl Scheduler for Primary {
    fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
        paths.iter().min_by_key(rank).map(|p| p.id)
    }

    fn name(&self) -> &'static str {
        "primary"
    }
}

/// Fills one path, then the next: the chosen primary first, then in the order in which the paths
/// were opened. For links of which the later ones cost more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overflow;

impl Scheduler for Overflow {
    fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
        paths
            .iter()
            .filter(|p| p.ready)
            .min_by_key(rank)
            .map(|p| p.id)
    }

    fn name(&self) -> &'static str {
        "overflow"
    }
}
