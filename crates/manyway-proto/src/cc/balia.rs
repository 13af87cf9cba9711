//! Balanced linked adaptation (Peng, Walid, Hwang, Low, "Multipath TCP: Analysis, Design, and
//! Implementation", IEEE/ACM ToN 2016; draft-walid-mptcp-congestion-control-04): between LIA's
//! friendliness and quick answers to what changes.

use std::time::Duration;

use crate::cc::aimd::Aimd;
use crate::cc::{Acked, Congestion, CongestionController, ControllerSetup, Share};
use crate::time::Instant;

/// Balanced Linked Adaptation.
#[derive(Clone, Debug)]
pub struct Balia {
    aimd: Aimd,
    srtt: Option<Duration>,
    /// By how much the fastest path is faster than this one, as of the last acknowledgement.
    alpha: f64,
}

impl Balia {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            aimd: Aimd::new(setup),
            srtt: None,
            alpha: 1.0,
        }
    }

    /// Bytes to take off the window: w_r / 2 * min(alpha_r, 1.5).
    fn decrease(&self) -> u64 {
        (self.aimd.window as f64 / 2.0 * self.alpha.min(1.5)) as u64
    }
}

/// alpha_r = MAX(x_k) / x_r, where x_r = w_r / rtt_r.
fn alpha(own: &Share, others: &[Share]) -> f64 {
    let fastest = others.iter().map(Share::rate).fold(own.rate(), f64::max);
    fastest / own.rate()
}

/// What the window of `own` grows by for `bytes` acknowledged: bytes_acked * MSS_r *
/// x_r / (rtt_r * (SUM(x_k))^2) * (1 + alpha_r) / 2 * (4 + alpha_r) / 5.
fn increase(own: Share, others: &[Share], alpha: f64, bytes: u64, packet_size: u64) -> f64 {
    let rates = own.rate() + others.iter().map(Share::rate).sum::<f64>();
    let linked = own.rate() / (own.seconds() * rates * rates);
    let balance = (1.0 + alpha) / 2.0 * (4.0 + alpha) / 5.0;
    bytes as f64 * packet_size as f64 * linked * balance
}

impl CongestionController for Balia {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        self.srtt = Some(acked.srtt);
        let own = Share::new(self.aimd.window, acked.srtt);
        self.alpha = alpha(&own, acked.others);
        if let Some(bytes) = self.aimd.avoidance(acked) {
            let size = self.aimd.packet_size;
            let bytes = increase(own, acked.others, self.alpha, bytes, size);
            self.aimd.grow(bytes);
        }
    }

    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.aimd.reduce(self.decrease());
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.aimd.time_out(self.decrease());
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
        "balia"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const LOSS: Congestion = Congestion::new(crate::cc::Signal::Loss, 0);

    #[test]
    fn alone_it_grows_and_shrinks_as_reno_does() {
        let own = Share::new(20_000, 40 * MS);
        let grown = increase(own, &[], alpha(&own, &[]), 20_000, 1000);
        assert!((grown - 1000.0).abs() < 1e-6, "{grown}");
        let mut balia = Balia::new(&ControllerSetup::new(1000));
        balia.on_ack(Instant::ZERO, &Acked::full(10_000, 40 * MS));
        balia.on_congestion(Instant::ZERO, &LOSS);
        assert_eq!(balia.window(), 10_000);
    }

    #[test]
    fn a_slow_path_grows_faster_for_its_rate_and_loses_more() {
        let (slow, fast) = (Share::new(10_000, 40 * MS), Share::new(30_000, 40 * MS));
        let factor = alpha(&slow, &[fast]);
        assert!((factor - 3.0).abs() < 1e-9);
        // w/rtt^2 / (4w/rtt)^2 * 2 * 7/5 per window of bytes.
        let grown = increase(slow, &[fast], factor, 10_000, 1000);
        assert!((grown - 1000.0 / 16.0 * 2.0 * 1.4).abs() < 1e-6, "{grown}");
        let mut balia = Balia::new(&ControllerSetup::new(1000));
        let acked = Acked {
            window_limited: false,
            others: &[fast],
            ..Acked::full(1000, 40 * MS)
        };
        balia.on_ack(Instant::ZERO, &acked);
        balia.on_congestion(Instant::ZERO, &LOSS);
        assert_eq!(
            balia.window(),
            4_000,
            "three quarters off, four packets at least"
        );
    }
}
