//! Linked increases, RFC 6356: the paths of an association together take no more of a bottleneck
//! than one flow on the best of them would.

use std::time::Duration;

use crate::cc::aimd::Aimd;
use crate::cc::{Acked, Congestion, CongestionController, ControllerSetup, Share};
use crate::time::Instant;

/// The Linked Increases Algorithm (RFC 6356).
#[derive(Clone, Debug)]
pub struct Lia {
    aimd: Aimd,
    srtt: Option<Duration>,
}

impl Lia {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            aimd: Aimd::new(setup),
            srtt: None,
        }
    }
}

/// What the window of `own` grows by for `bytes` acknowledged.
//= https://www.rfc-editor.org/rfc/rfc6356#section-3
//# For each ACK received on subflow i, increase cwnd_i by
///
/// min(alpha * bytes_acked * MSS_i / cwnd_total, bytes_acked * MSS_i / cwnd_i), where
/// alpha = cwnd_total * MAX(cwnd_i / rtt_i^2) / (SUM(cwnd_i / rtt_i))^2.
fn increase(own: Share, others: &[Share], bytes: u64, packet_size: u64) -> f64 {
    let speed = |s: &Share| s.rate() / s.seconds();
    let (mut best, mut rates) = (speed(&own), own.rate());
    for other in others {
        best = best.max(speed(other));
        rates += other.rate();
    }
    // cwnd_total cancels.
    let linked = best / (rates * rates);
    let alone = 1.0 / own.window as f64;
    bytes as f64 * packet_size as f64 * linked.min(alone)
}

impl CongestionController for Lia {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        self.srtt = Some(acked.srtt);
        if let Some(bytes) = self.aimd.avoidance(acked) {
            let own = Share::new(self.aimd.window, acked.srtt);
            let bytes = increase(own, acked.others, bytes, self.aimd.packet_size);
            self.aimd.grow(bytes);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6356#section-3
    //# The slow start, fast retransmit, and fast recovery algorithms, as well as the multiplicative decrease of the congestion avoidance state are the same as in standard TCP
    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.aimd.reduce(self.aimd.window / 2);
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.aimd.time_out(self.aimd.window / 2);
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.aimd.undo();
    }

    fn on_idle(&mut self, _now: Instant, timeouts: u32) {
        self.aimd.pause(timeouts);
    }

    fn window(&self) -> u64 {
        self.aimd.window
    }

    fn slow_start_threshold(&self) -> u64 {
        self.aimd.threshold()
    }

    fn in_slow_start(&self) -> bool {
        self.aimd.in_slow_start()
    }

    fn share(&self) -> Option<Share> {
        self.srtt.map(|srtt| Share::new(self.aimd.window, srtt))
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.aimd.set_packet_size(bytes);
    }

    fn name(&self) -> &'static str {
        "lia"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn alone_it_grows_as_reno_does() {
        let own = Share::new(20_000, 40 * MS);
        let grown = increase(own, &[], 20_000, 1000);
        assert!((grown - 1000.0).abs() < 1e-6, "{grown}");
    }

    //= https://www.rfc-editor.org/rfc/rfc6356#section-3
    //= type=test
    //# In this case, the algorithm will grow the total window by approximately alpha*MSS per RTT.
    #[test]
    fn two_equal_paths_grow_a_quarter_each_as_fast() {
        // alpha = 2w * (w / rtt^2) / (2w / rtt)^2 = 1/2; each path gets half of that.
        let share = Share::new(20_000, 40 * MS);
        let grown = increase(share, &[share], 20_000, 1000);
        assert!((grown - 250.0).abs() < 1e-6, "{grown}");
    }

    #[test]
    fn no_path_grows_faster_than_alone() {
        let slow = Share::new(10_000, 400 * MS);
        let fast = Share::new(10_000, 10 * MS);
        let grown = increase(slow, &[fast], 10_000, 1000);
        assert!(grown <= 1000.0 + 1e-6, "{grown}");
        // alpha is the gain of the fast one, which is nearly alone.
        let expected = 1000.0 * 10_000.0 * (1e6 / 0.01) / (1e6 + 25_000.0_f64).powi(2);
        assert!(
            (grown - expected.min(1000.0)).abs() < 1.0,
            "{grown}, {expected}"
        );
    }

    #[test]
    fn a_loss_halves_and_a_mistake_is_undone() {
        let mut lia = Lia::new(&ControllerSetup::new(1000));
        lia.on_ack(Instant::ZERO, &Acked::full(10_000, 20 * MS));
        let loss = Congestion::new(crate::cc::Signal::Loss, 20_000);
        lia.on_congestion(Instant::ZERO, &loss);
        assert_eq!(lia.window(), 10_000);
        assert_eq!(lia.share(), Some(Share::new(10_000, 20 * MS)));
        lia.on_spurious(Instant::ZERO);
        assert_eq!(lia.window(), 20_000);
    }
}
