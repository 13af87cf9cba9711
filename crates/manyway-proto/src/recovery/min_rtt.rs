//! The least round-trip time of late.

use std::time::Duration;

use crate::time::Instant;

/// Half of the window in which the minimum is taken.
const HALF: Duration = Duration::from_secs(5);

/// A minimum over the last five to ten seconds.
//= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
//# The sender SHOULD track a windowed min-filtered estimate of recent RTT measurements that can adapt when migrating to significantly longer paths rather than tracking a simple global minimum of all RTT measurements
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MinRtt {
    since: Instant,
    current: Option<Duration>,
    previous: Option<Duration>,
}

impl MinRtt {
    pub(super) fn on_sample(&mut self, now: Instant, rtt: Duration) {
        if now - self.since >= HALF {
            self.since = now;
            self.previous = self.current.take();
        }
        self.current = Some(self.current.map_or(rtt, |least| least.min(rtt)));
    }

    pub(super) fn get(&self) -> Option<Duration> {
        match (self.current, self.previous) {
            (Some(current), Some(previous)) => Some(current.min(previous)),
            (current, previous) => current.or(previous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_became_longer_is_believed_after_a_while() {
        let mut least = MinRtt::default();
        let at = |s: u64| Instant::from_nanos(s * 1_000_000_000);
        least.on_sample(at(1), Duration::from_millis(10));
        least.on_sample(at(2), Duration::from_millis(50));
        assert_eq!(least.get(), Some(Duration::from_millis(10)));
        for second in 3..16 {
            least.on_sample(at(second), Duration::from_millis(50));
        }
        assert_eq!(least.get(), Some(Duration::from_millis(50)));
    }
}
