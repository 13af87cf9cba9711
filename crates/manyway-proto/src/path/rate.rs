//! How fast a path delivers.

use std::time::Duration;

use crate::time::Instant;

/// Shortest time over which a rate is taken.
const LEAST_SPAN: Duration = Duration::from_millis(5);

/// Bytes acknowledged per time, averaged over a few round trips.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DeliveryRate {
    since: Instant,
    bytes: u64,
    /// Bytes per second; 0 while unknown.
    rate: f64,
}

impl DeliveryRate {
    pub(crate) fn on_delivered(&mut self, now: Instant, bytes: u64, srtt: Duration) {
        self.bytes += bytes;
        let span = now - self.since;
        let round = srtt.max(LEAST_SPAN);
        if span < round {
            return;
        }
        // A span with a pause in it measures the application.
        if span < 4 * round {
            let sample = self.bytes as f64 / span.as_secs_f64();
            self.rate = match self.rate {
                0.0 => sample,
                rate => (rate + sample) / 2.0,
            };
        }
        self.bytes = 0;
        self.since = now;
    }

    /// Bytes per second, if known.
    pub(crate) fn get(&self) -> Option<u64> {
        (self.rate > 0.0).then_some(self.rate as u64)
    }

    /// What must be in flight for this rate if a round trip takes `rtt`, and a quarter more, so
    /// that the rate can grow. `None` while the rate is unknown.
    pub(crate) fn need(&self, rtt: Duration) -> Option<u64> {
        let need = (self.rate * rtt.as_secs_f64() * 1.25) as u64;
        (self.rate > 0.0).then_some(need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_need_is_the_bandwidth_delay_product_and_a_quarter() {
        let mut rate = DeliveryRate::default();
        let rtt = Duration::from_millis(20);
        assert_eq!(rate.need(rtt), None);
        for ms in 1..200 {
            rate.on_delivered(Instant::from_nanos(ms * 1_000_000), 1000, rtt);
        }
        let need = rate.need(rtt).unwrap();
        assert!((24_000..26_500).contains(&need), "{need}");
    }

    #[test]
    fn a_pause_is_not_a_low_rate() {
        let mut rate = DeliveryRate::default();
        let rtt = Duration::from_millis(20);
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        (1..100).for_each(|ms| rate.on_delivered(at(ms), 1000, rtt));
        let before = rate.need(rtt);
        rate.on_delivered(at(5000), 1000, rtt);
        assert_eq!(rate.need(rtt), before);
    }
}
