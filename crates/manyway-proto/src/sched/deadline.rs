//! As late as may be on the cheap path.

use std::time::Duration;

use crate::path::PathId;
use crate::sched::{FlowView, PathView, Scheduler};

/// Uses the preferred path as long as what is sent there arrives in time, and else the path where
/// it arrives first. Preferred is the chosen primary, else the path that was opened first.
///
/// The time of arrival is estimated as half a round trip after what waits and what is in flight
/// beyond one round trip's worth has left at the rate at which the path delivers.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    within: Duration,
}

impl Deadline {
    /// A scheduler for data that shall arrive within this time after they were sent.
    pub const fn new(within: Duration) -> Self {
        Self { within }
    }
}

/// When a packet that is sent now would arrive.
fn arrival(path: &PathView, waiting: u64) -> Duration {
    let Some(rtt) = path.srtt else {
        return Duration::MAX;
    };
    let rate = path.delivery_rate.unwrap_or_else(|| {
        let nanos = rtt.as_nanos().max(1);
        u64::try_from(u128::from(path.window) * 8_000_000_000 / nanos).unwrap_or(u64::MAX)
    });
    let per_trip = u128::from(rate) * rtt.as_nanos() / 8_000_000_000;
    let ahead = u128::from(path.in_flight + waiting).saturating_sub(per_trip);
    let queue = ahead * 8_000_000_000 / u128::from(rate.max(1));
    let queue = u64::try_from(queue).map_or(Duration::MAX, Duration::from_nanos);
    queue.saturating_add(rtt / 2)
}

impl Scheduler for Deadline {
    fn select(&mut self, paths: &[PathView], flow: FlowView) -> Option<PathId> {
        let preferred = paths.iter().min_by_key(|p| (!p.primary, p.id))?;
        let packet = flow.waiting.min(preferred.packet_size);
        if preferred.ready && arrival(preferred, packet) <= self.within {
            return Some(preferred.id);
        }
        let ready = paths.iter().filter(|p| p.ready);
        ready.min_by_key(|p| arrival(p, packet)).map(|p| p.id)
    }

    fn name(&self) -> &'static str {
        "deadline"
    }
}
