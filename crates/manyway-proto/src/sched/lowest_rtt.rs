//! The default scheduler.

use std::time::Duration;

use crate::path::PathId;
use crate::sched::{PathView, Scheduler};

/// The primary if somebody chose one, then the path with the lowest smoothed round-trip time.
/// Further paths are used as soon as the better ones have no room.
#[derive(Clone, Copy, Debug, Default)]
pub struct LowestRtt;

impl Scheduler for LowestRtt {
    fn select(&mut self, paths: &[PathView]) -> Option<PathId> {
        // A path without a sample comes last, so that one slow unknown cannot hold a thin flow.
        let key = |p: &&PathView| (!p.primary, p.srtt.unwrap_or(Duration::MAX));
        paths.iter().min_by_key(key).map(|p| p.id)
    }

    fn name(&self) -> &'static str {
        "lowest-rtt"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: u32, srtt_ms: u64, primary: bool) -> PathView {
        let srtt = Some(Duration::from_millis(srtt_ms));
        PathView {
            id: PathId::new(id),
            srtt,
            window: 10,
            in_flight: 0,
            primary,
        }
    }

    #[test]
    fn prefers_the_lowest_round_trip_time() {
        let paths = [view(1, 30, false), view(2, 10, false)];
        assert_eq!(LowestRtt.select(&paths), Some(PathId::new(2)));
    }

    #[test]
    fn a_chosen_primary_comes_first() {
        let paths = [view(1, 30, true), view(2, 10, false)];
        assert_eq!(LowestRtt.select(&paths), Some(PathId::new(1)));
    }
}
