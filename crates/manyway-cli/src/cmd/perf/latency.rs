//! How long messages took, in little memory however many there are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Each bucket's bound is this much above the one before.
const STEP: f64 = 1.01;

/// Counts of times, exact to a hundredth.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    min: Option<Duration>,
    max: Duration,
}

impl Histogram {
    /// Adds a time.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the logarithm of a time that is counted in 64 bits is below 5,000"
    )]
    pub(super) fn add(&mut self, time: Duration) {
        let micros = time.as_secs_f64() * 1e6;
        let bucket = (micros.max(1.0).ln() / STEP.ln()).floor() as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.min = Some(self.min.map_or(time, |min| min.min(time)));
        self.max = self.max.max(time);
    }

    /// The time that this share of all did not exceed.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts are far below 2⁵³"
    )]
    fn percentile(&self, percent: f64) -> Duration {
        let wanted = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let bound = found.map_or(0.0, |bucket| STEP.powf(bucket as f64 + 0.5));
        let time = Duration::from_secs_f64(bound / 1e6);
        time.clamp(self.min.unwrap_or_default(), self.max)
    }

    /// What is reported; `None` if there was nothing.
    pub(super) fn summary(&self) -> Option<Latency> {
        let min = self.min?;
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Some(Latency {
            messages: self.count,
            min_us: micros(min),
            p50_us: micros(self.percentile(50.0)),
            p90_us: micros(self.percentile(90.0)),
            p99_us: micros(self.percentile(99.0)),
            p999_us: micros(self.percentile(99.9)),
            max_us: micros(self.max),
        })
    }
}

/// How long messages took to the application of the other end and back, in microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latency {
    /// Messages that were answered.
    pub(super) messages: u64,
    min_us: u64,
    p50_us: u64,
    p90_us: u64,
    pub(super) p99_us: u64,
    p999_us: u64,
    max_us: u64,
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::format::microseconds as time;
        write!(
            f,
            "{} messages there and back: least {}, half within {}, 90% {}, 99% {}, 99.9% {}, most {}",
            self.messages,
            time(self.min_us),
            time(self.p50_us),
            time(self.p90_us),
            time(self.p99_us),
            time(self.p999_us),
            time(self.max_us),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_a_hundredth() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|n| histogram.add(Duration::from_micros(n * 10)));
        let latency = histogram.summary().expect("there were some");
        let near = |got: u64, want: u64| got.abs_diff(want) * 100 <= want + 100;
        assert_eq!(
            (latency.messages, latency.min_us, latency.max_us),
            (10_000, 10, 100_000)
        );
        assert!(near(latency.p50_us, 50_000), "{latency:?}");
        assert!(near(latency.p90_us, 90_000), "{latency:?}");
        assert!(near(latency.p99_us, 99_000), "{latency:?}");
        assert!(near(latency.p999_us, 99_900), "{latency:?}");
    }

    #[test]
    fn one_time_is_all_percentiles_and_none_is_no_summary() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.summary(), None);
        histogram.add(Duration::ZERO);
        assert_eq!(histogram.summary().map(|l| l.p99_us), Some(0));
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_secs(3600));
        let latency = histogram.summary().expect("there is one");
        assert_eq!(
            (latency.p50_us, latency.p999_us),
            (3_600_000_000, 3_600_000_000)
        );
    }
}
