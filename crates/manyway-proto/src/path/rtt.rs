//! Round-trip times and the retransmission timeout (RFC 9260, section 6.3.1).

use std::time::Duration;

use crate::config::TransportConfig;

/// Smoothed round-trip time, its variation, and the timeout with its back-off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RttEstimator {
    srtt: Option<Duration>,
    variation: Duration,
    latest: Duration,
    rto: Duration,
    backoff: u32,
    min: Duration,
    max: Duration,
    /// The timeout leaves at least this much beyond the smoothed time: an acknowledgement may be
    /// delayed, and the variation of a steady path tends to zero.
    slack: Duration,
}

impl RttEstimator {
    pub(crate) fn new(config: &TransportConfig) -> Self {
        Self {
            srtt: None,
            variation: Duration::ZERO,
            latest: Duration::ZERO,
            rto: config.rto_initial,
            backoff: 0,
            // The largest timeout is a promise; the least gives way.
            min: config.rto_min.min(config.rto_max),
            max: config.rto_max,
            slack: config.sack_delay,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.1
    //# When a new RTT measurement R' is made, perform:
    pub(crate) fn on_sample(&mut self, sample: Duration) {
        self.latest = sample;
        match self.srtt {
            None => {
                self.srtt = Some(sample);
                self.variation = sample / 2;
            }
            Some(srtt) => {
                self.variation = (self.variation * 3 + srtt.abs_diff(sample)) / 4;
                self.srtt = Some((srtt * 7 + sample) / 8);
            }
        }
        self.backoff = 0;
        let srtt = self.srtt.unwrap_or_default();
        self.rto = (srtt + (self.variation * 4).max(self.slack)).clamp(self.min, self.max);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.3
    //# For the destination address for which the timer expires, set RTO <- RTO * 2 ("back off the timer")
    pub(crate) fn back_off(&mut self) {
        self.backoff = (self.backoff + 1).min(16);
    }

    /// Raises the least timeout, and what it leaves for delayed acknowledgements.
    pub(crate) fn raise_min(&mut self, min: Duration, slack: Duration) {
        self.min = self.min.max(min).min(self.max);
        self.slack = self.slack.max(slack);
        self.rto = self.rto.clamp(self.min, self.max);
    }

    /// Forgets the back-off: the path answered.
    pub(crate) fn reset_back_off(&mut self) {
        self.backoff = 0;
    }

    pub(crate) fn srtt(&self) -> Option<Duration> {
        self.srtt
    }

    pub(crate) fn variation(&self) -> Duration {
        self.variation
    }

    /// The timeout, backed off.
    pub(crate) fn rto(&self) -> Duration {
        (self.rto * (1 << self.backoff)).min(self.max)
    }

    /// When an answer is late, as far as the round-trip time goes: 9/8 of it, never less than a
    /// millisecond.
    pub(crate) fn answer_due(&self) -> Duration {
        let rtt = self.srtt.unwrap_or(self.rto).max(self.latest);
        (rtt * 9 / 8).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_samples_and_backs_off() {
        let mut rtt = RttEstimator::new(&TransportConfig::default());
        assert_eq!(rtt.rto(), Duration::from_secs(1));
        rtt.on_sample(Duration::from_millis(100));
        assert_eq!(rtt.rto(), Duration::from_millis(300));
        rtt.back_off();
        assert_eq!(rtt.rto(), Duration::from_millis(600));
        rtt.on_sample(Duration::from_millis(100));
        assert_eq!(
            rtt.rto(),
            Duration::from_millis(250),
            "a sample ends the back-off"
        );
    }

    #[test]
    fn the_timeout_stays_within_its_bounds() {
        let mut rtt = RttEstimator::new(&TransportConfig::default());
        rtt.on_sample(Duration::from_micros(50));
        assert_eq!(rtt.rto(), Duration::from_millis(100));
        for _ in 0..40 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(), Duration::from_secs(60));
    }

    #[test]
    fn the_largest_timeout_is_kept_whatever_the_least_is() {
        let config = TransportConfig {
            rto_max: Duration::from_millis(50),
            ..TransportConfig::default()
        };
        let mut rtt = RttEstimator::new(&config);
        rtt.raise_min(Duration::from_secs(1), Duration::ZERO);
        rtt.on_sample(Duration::from_micros(50));
        assert_eq!(rtt.rto(), Duration::from_millis(50));
    }
}
