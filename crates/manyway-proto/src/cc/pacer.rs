//! Spreads a window over its round trip.

use std::time::Duration;

use crate::cc::CongestionController;
use crate::time::Instant;

/// Bursts up to this many packets are never delayed.
const BURST_PACKETS: u64 = 16;
/// Bursts up to this much time at the current rate are never delayed: timers are no finer.
const BURST_TIME: Duration = Duration::from_millis(2);

/// A token bucket whose rate is the controller's, or follows window and round-trip time.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// Bytes, with their fractions: what is earned between two close looks must not be rounded
    /// away.
    tokens: f64,
    updated: Instant,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tokens: f64::MAX,
            updated: now,
        }
    }

    /// When a packet may leave: `None` for at once. Bursts are what
    /// [`BURST_PACKETS`] and [`BURST_TIME`] say, so that packets leave in batches.
    pub(crate) fn delay_until(
        &mut self,
        now: Instant,
        srtt: Option<Duration>,
        controller: &dyn CongestionController,
        packet_size: u64,
    ) -> Option<Instant> {
        let rate = match controller.pacing_rate() {
            Some(rate) => rate as f64,
            None => {
                let srtt = srtt.filter(|rtt| !rtt.is_zero())?;
                let factor = if controller.in_slow_start() {
                    2.0
                } else {
                    1.25
                };
                controller.window() as f64 * factor / srtt.as_secs_f64()
            }
        };
        let rate = rate.max(1.0);
        let capacity = (rate * BURST_TIME.as_secs_f64()).max((BURST_PACKETS * packet_size) as f64);
        let earned = (now - self.updated).as_secs_f64() * rate;
        self.tokens = (self.tokens + earned).min(capacity);
        self.updated = self.updated.max(now);
        if self.tokens >= packet_size as f64 {
            return None;
        }
        // Wait for what a timer's tick earns, so that packets leave in batches at high rates, and
        // for one packet at low ones.
        let batch = (rate * BURST_TIME.as_secs_f64() / 2.0).max(packet_size as f64);
        let missing = (batch - self.tokens).max(1.0);
        Some(now + Duration::from_secs_f64(missing / rate))
    }

    pub(crate) fn on_sent(&mut self, bytes: u64) {
        self.tokens = (self.tokens - bytes as f64).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cc::{Acked, Congestion};

    /// A window that stays as it is.
    #[derive(Debug)]
    struct Fixed(u64, Option<u64>);

    impl CongestionController for Fixed {
        fn on_ack(&mut self, _: Instant, _: &Acked<'_>) {}
        fn on_congestion(&mut self, _: Instant, _: &Congestion) {}
        fn on_timeout(&mut self, _: Instant) {}
        fn window(&self) -> u64 {
            self.0
        }
        fn in_slow_start(&self) -> bool {
            false
        }
        fn pacing_rate(&self) -> Option<u64> {
            self.1
        }
        fn set_packet_size(&mut self, _: u64) {}
        fn name(&self) -> &'static str {
            "fixed"
        }
    }

    #[test]
    fn a_controllers_own_rate_needs_no_round_trip_time() {
        let mut pacer = Pacer::new(Instant::ZERO);
        pacer.tokens = 0.0;
        let controller = Fixed(1, Some(100_000));
        let at = pacer.delay_until(Instant::ZERO, None, &controller, 1000);
        assert_eq!(at, Some(Instant::ZERO + Duration::from_millis(10)));
    }

    #[test]
    fn a_window_is_spread_over_the_round_trip() {
        let mut pacer = Pacer::new(Instant::ZERO);
        let rtt = Some(Duration::from_millis(100));
        let (window, mut now, mut sent) = (1_000_000, Instant::ZERO, 0u64);
        while now < Instant::from_nanos(100_000_000) {
            match pacer.delay_until(now, rtt, &Fixed(window, None), 1000) {
                None => {
                    pacer.on_sent(1000);
                    sent += 1000;
                }
                Some(at) => now = at,
            }
        }
        assert!((1_150_000..1_350_000).contains(&sent), "{sent}");
    }

    #[test]
    fn a_collapsed_window_waits_for_one_packet_only() {
        let mut pacer = Pacer::new(Instant::ZERO);
        pacer.tokens = 0.0;
        let rtt = Some(Duration::from_millis(100));
        let at = pacer
            .delay_until(Instant::ZERO, rtt, &Fixed(1000, None), 1000)
            .unwrap();
        assert!(at <= Instant::ZERO + Duration::from_millis(81), "{at:?}");
    }

    #[test]
    fn looking_often_does_not_delay_a_packet() {
        let mut pacer = Pacer::new(Instant::ZERO);
        pacer.tokens = 0.0;
        let rtt = Some(Duration::from_millis(61));
        let (mut now, mut looks) = (Instant::ZERO, 0);
        while let Some(at) = pacer.delay_until(now, rtt, &Fixed(14_425, None), 1472) {
            now = at.min(now + Duration::from_micros(1));
            looks += 1;
            assert!(looks < 10_000, "still waiting at {now:?}");
        }
        assert!(now < Instant::ZERO + Duration::from_millis(6), "{now:?}");
    }

    #[test]
    fn nothing_is_delayed_before_the_first_round_trip_sample() {
        let mut pacer = Pacer::new(Instant::ZERO);
        let controller = Fixed(1, None);
        assert_eq!(
            pacer.delay_until(Instant::ZERO, None, &controller, 1000),
            None
        );
    }
}
