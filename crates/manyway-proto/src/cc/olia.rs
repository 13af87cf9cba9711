//! Opportunistic linked increases (Khalili, Gast, Popovic, Le Boudec, "MPTCP Is Not Pareto-Optimal",
//! IEEE/ACM ToN 2013; draft-khalili-mptcp-congestion-control-05): as LIA, and moves windows to the
//! paths that lose least, whatever their windows are now.

use std::time::Duration;

use crate::cc::aimd::Aimd;
use crate::cc::{Acked, Congestion, CongestionController, ControllerSetup, Share};
use crate::time::Instant;

/// The Opportunistic Linked Increases Algorithm.
#[derive(Clone, Debug)]
pub struct Olia {
    aimd: Aimd,
    srtt: Option<Duration>,
    /// Bytes acknowledged between the last two losses (l1 in the draft).
    before_loss: u64,
    /// Bytes acknowledged since the last loss (l2 in the draft).
    since_loss: u64,
}

impl Olia {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            aimd: Aimd::new(setup),
            srtt: None,
            before_loss: 0,
            since_loss: 0,
        }
    }

    fn own_share(&self, srtt: Duration) -> Share {
        let interval = self.before_loss.max(self.since_loss);
        Share::new(self.aimd.window, srtt).with_loss_interval(interval)
    }

    fn note_loss(&mut self) {
        self.before_loss = std::mem::take(&mut self.since_loss);
    }
}

/// The square of the rate that a flow reaches at this loss rate, up to a factor: the path with the
/// highest one is the best, whatever its window is now.
fn quality(share: &Share) -> f64 {
    share.loss_interval as f64 / (share.seconds() * share.seconds())
}

/// How much faster the window of `own` grows, in packets per round trip (`alpha_r`): what the
/// largest windows lose goes to the best paths that have small ones.
fn shift(own: &Share, others: &[Share]) -> f64 {
    let all = || std::iter::once(own).chain(others);
    let best = all().map(quality).fold(0.0, f64::max);
    let largest = all().map(|s| s.window).max().unwrap_or(0);
    let is_largest = |s: &Share| s.window == largest;
    let is_collected = |s: &Share| quality(s) >= best && !is_largest(s);
    let paths = 1.0 + others.len() as f64;
    let collected = all().filter(|s| is_collected(s)).count();
    if collected == 0 {
        0.0
    } else if is_collected(own) {
        1.0 / (paths * collected as f64)
    } else if is_largest(own) {
        -1.0 / (paths * all().filter(|s| is_largest(s)).count() as f64)
    } else {
        0.0
    }
}

/// What the window of `own` grows by for `bytes` acknowledged: bytes_acked * MSS_r *
/// ((w_r / rtt_r^2) / (SUM(w_p / rtt_p))^2 + alpha_r / w_r).
fn increase(own: Share, others: &[Share], bytes: u64, packet_size: u64) -> f64 {
    let rates = own.rate() + others.iter().map(Share::rate).sum::<f64>();
    let linked = own.rate() / own.seconds() / (rates * rates);
    let shifted = shift(&own, others) / own.window as f64;
    bytes as f64 * packet_size as f64 * (linked + shifted)
}

impl CongestionController for Olia {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        self.srtt = Some(acked.srtt);
        self.since_loss += acked.bytes;
        if let Some(bytes) = self.aimd.avoidance(acked) {
            let own = self.own_share(acked.srtt);
            let bytes = increase(own, acked.others, bytes, self.aimd.packet_size);
            self.aimd.grow(bytes);
        }
    }

    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.note_loss();
        self.aimd.reduce(self.aimd.window / 2);
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.note_loss();
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
        self.srtt.map(|srtt| self.own_share(srtt))
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.aimd.set_packet_size(bytes);
    }

    fn name(&self) -> &'static str {
        "olia"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn share(window: u64, interval: u64) -> Share {
        Share::new(window, 40 * MS).with_loss_interval(interval)
    }

    #[test]
    fn alone_it_grows_as_reno_does() {
        let grown = increase(share(20_000, 5), &[], 20_000, 1000);
        assert!((grown - 1000.0).abs() < 1e-6, "{grown}");
    }

    #[test]
    fn a_path_with_fewer_losses_and_a_small_window_takes_from_the_largest() {
        let (good, large) = (share(10_000, 900_000), share(40_000, 100_000));
        assert_eq!(shift(&good, &[large]), 0.5);
        assert_eq!(shift(&large, &[good]), -0.5);
        assert!(increase(large, &[good], 40_000, 1000) < 200.0);
    }

    #[test]
    fn if_the_best_path_has_the_largest_window_nothing_moves() {
        let (good, other) = (share(40_000, 900_000), share(10_000, 100_000));
        assert_eq!(shift(&good, &[other]), 0.0);
        assert_eq!(shift(&other, &[good]), 0.0);
    }

    #[test]
    fn shorter_paths_are_better_at_equal_losses() {
        let near = Share::new(10_000, 10 * MS).with_loss_interval(1000);
        let far = Share::new(20_000, 40 * MS).with_loss_interval(1000);
        assert_eq!(shift(&near, &[far]), 0.5);
    }

    #[test]
    fn bytes_between_losses_are_remembered_over_one_loss() {
        let mut olia = Olia::new(&ControllerSetup::new(1000));
        let loss = Congestion::new(crate::cc::Signal::Loss, 0);
        olia.on_ack(Instant::ZERO, &Acked::full(10_000, 20 * MS));
        olia.on_congestion(Instant::ZERO, &loss);
        olia.on_ack(Instant::ZERO, &Acked::full(3_000, 20 * MS));
        assert_eq!(olia.share().map(|s| s.loss_interval), Some(10_000));
        olia.on_congestion(Instant::ZERO, &loss);
        assert_eq!(olia.share().map(|s| s.loss_interval), Some(3_000));
    }
}
