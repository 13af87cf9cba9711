//! Rates of paths, by sampling their counters.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use manyway::{PathId, PathInfo};

use crate::flow::FlowTable;

/// How often counters are sampled.
const INTERVAL: Duration = Duration::from_secs(1);

/// The rates of one path over the last sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PathRate {
    /// Bits per second sent, with headers.
    pub(crate) sent_bps: u64,
    /// Bits per second received, with headers.
    pub(crate) received_bps: u64,
}

/// The rates of a flow's paths.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    sampled: Option<Instant>,
    paths: BTreeMap<PathId, Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: u64,
    received: u64,
    rate: PathRate,
}

impl Rates {
    /// Takes a sample.
    pub(crate) fn sample(&mut self, now: Instant, paths: &[PathInfo]) {
        let elapsed = self.sampled.map(|then| now.duration_since(then));
        self.sampled = Some(now);
        let before = std::mem::take(&mut self.paths);
        for path in paths {
            let rate = match (before.get(&path.id), elapsed) {
                (Some(sample), Some(elapsed)) => PathRate {
                    sent_bps: bits_per_second(path.bytes_sent, sample.sent, elapsed),
                    received_bps: bits_per_second(path.bytes_received, sample.received, elapsed),
                },
                _ => PathRate::default(),
            };
            let (sent, received) = (path.bytes_sent, path.bytes_received);
            self.paths.insert(
                path.id,
                Sample {
                    sent,
                    received,
                    rate,
                },
            );
        }
    }

    /// The rates of one path.
    pub(crate) fn of(&self, path: PathId) -> PathRate {
        self.paths
            .get(&path)
            .map(|sample| sample.rate)
            .unwrap_or_default()
    }
}

fn bits_per_second(bytes: u64, before: u64, elapsed: Duration) -> u64 {
    let bits = u128::from(bytes.saturating_sub(before)) * 8;
    let rate = bits * 1_000_000_000 / elapsed.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// Samples every flow for ever.
pub(crate) async fn sample_all(flows: FlowTable) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for flow in flows.all() {
            let paths = flow.association.paths();
            let mut rates = flow.rates.lock().unwrap_or_else(PoisonError::into_inner);
            rates.sample(Instant::now(), &paths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_bits_over_time_and_never_negative() {
        assert_eq!(
            bits_per_second(1_000_000, 0, Duration::from_secs(1)),
            8_000_000
        );
        assert_eq!(
            bits_per_second(1_500, 500, Duration::from_millis(500)),
            16_000
        );
        assert_eq!(bits_per_second(5, 10, Duration::from_secs(1)), 0);
        assert_eq!(bits_per_second(0, 0, Duration::ZERO), 0);
        assert_eq!(bits_per_second(u64::MAX, 0, Duration::ZERO), u64::MAX);
    }
}
