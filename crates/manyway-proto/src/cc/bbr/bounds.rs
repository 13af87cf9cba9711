//! What losses say of how much may be in flight (draft-ietf-ccwg-bbr, section 5.5.10).

use std::time::Duration;

use crate::cc::{Acked, LostPacket, RateSample};

/// Share of a round that may be lost while bandwidth is probed (`BBR.LossThresh`).
const LOSS_THRESHOLD: f64 = 0.02;
/// What stays of a bound that was too high (`BBR.Beta`).
pub(super) const BETA: f64 = 0.7;
/// Share of the bound that is left to others (`BBR.Headroom`).
pub(super) const HEADROOM: f64 = 0.15;
/// Losses in a round that end start-up (`BBR.StartupFullLossCnt`).
const STARTUP_LOSSES: u32 = 6;
/// The highest share of losses that is taken for the path's own.
const MOST_USUAL_LOSS: f64 = 0.08;
/// Losses are the path's own in rounds in which no packet took longer than the least round-trip time
/// by this factor: there was no queue that could have overflowed.
const CALM: f64 = 1.25;
/// Rounds over which the path's own losses are averaged.
const USUAL_ROUNDS: f64 = 16.0;

/// Bounds of rate and flight, by what was lost.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// Most in flight that did not lose too much (`BBR.inflight_longterm`).
    high: u64,
    /// Short-term bounds, until the next probe.
    low: u64,
    low_bandwidth: f64,
    bandwidth_latest: f64,
    inflight_latest: u64,
    /// The loss round: like the model's, but not begun anew by phases.
    next_round: u64,
    round_start: bool,
    round_lost: u64,
    round_acked: u64,
    round_losses: u32,
    round_rtt: Duration,
    overloaded: bool,
    /// Share of packets that the path loses when nothing is probed.
    usual_loss: f64,
    /// What is measured now was sent while probing (`BBR.bw_probe_samples`).
    probed: bool,
}

/// What the rest of the model says.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) probing: bool,
    pub(super) bandwidth: f64,
    pub(super) window: u64,
    pub(super) packet: u64,
    pub(super) min_rtt: Option<Duration>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            high: u64::MAX,
            low: u64::MAX,
            low_bandwidth: f64::INFINITY,
            bandwidth_latest: 0.0,
            inflight_latest: 0,
            next_round: 0,
            round_start: false,
            round_lost: 0,
            round_acked: 0,
            round_losses: 0,
            round_rtt: Duration::ZERO,
            overloaded: false,
            usual_loss: 0.0,
            probed: false,
        }
    }
}

impl Bounds {
    pub(super) fn on_sample(&mut self, rate: &RateSample, acked: &Acked<'_>, view: &View) {
        let sample = rate.rate.unwrap_or(0) as f64;
        self.bandwidth_latest = self.bandwidth_latest.max(sample);
        self.inflight_latest = self.inflight_latest.max(rate.delivered());
        self.round_lost += acked.lost;
        self.round_acked += acked.bytes;
        self.round_rtt = self.round_rtt.max(acked.rtt_sample.unwrap_or_default());
        self.round_start = rate.prior_delivered >= self.next_round;
        if !self.round_start {
            return;
        }
        self.next_round = rate.total_delivered;
        let (lost, sent) = (self.round_lost, self.round_lost + self.round_acked);
        let too_much = self.is_too_much(lost, sent, view.packet);
        self.overloaded = too_much && self.round_losses >= STARTUP_LOSSES;
        if !view.probing {
            if too_much {
                self.lower(view.bandwidth, view.window);
            }
            let share = lost as f64 / sent.max(1) as f64;
            let least = view.min_rtt.unwrap_or_default();
            let calm = self.round_rtt <= least.mul_f64(CALM);
            if calm || share < self.usual_loss {
                let change = (share - self.usual_loss) / USUAL_ROUNDS;
                self.usual_loss = (self.usual_loss + change).min(MOST_USUAL_LOSS);
            }
        }
        self.round_lost = 0;
        self.round_acked = 0;
        self.round_losses = 0;
        self.round_rtt = Duration::ZERO;
    }

    /// `BBRAdvanceLatestDeliverySignals`
    pub(super) fn end_sample(&mut self, rate: &RateSample) {
        if self.round_start {
            self.bandwidth_latest = rate.rate.unwrap_or(0) as f64;
            self.inflight_latest = rate.delivered();
        }
    }

    pub(super) fn note_loss(&mut self) {
        self.round_losses = self.round_losses.saturating_add(1);
    }

    /// Whether so much of what was sent was lost that it cannot be what the path always loses: more
    /// than the threshold above that, and than its scatter explains.
    pub(super) fn is_too_much(&self, lost: u64, sent: u64, packet: u64) -> bool {
        let packets = sent as f64 / packet as f64;
        let scatter = 2.0 * (packets * self.usual_loss).sqrt() * packet as f64;
        lost as f64 > sent as f64 * (LOSS_THRESHOLD + self.usual_loss) + scatter
    }

    /// Whether start-up has lost more than it should for a round.
    pub(super) fn startup_overloaded(&self, recovering: bool) -> bool {
        recovering && self.round_start && self.overloaded
    }

    /// Takes the short-term bounds down to what was delivered, at most by a factor.
    pub(super) fn lower(&mut self, bandwidth: f64, window: u64) {
        let before = self.low_bandwidth.min(bandwidth);
        self.low_bandwidth = self.bandwidth_latest.max(before * BETA);
        let before = self.low.min(window) as f64;
        self.low = self.inflight_latest.max((before * BETA) as u64);
    }

    /// A new probe: what was lost before says nothing of it.
    pub(super) fn forget_short_term(&mut self) {
        self.low = u64::MAX;
        self.low_bandwidth = f64::INFINITY;
    }

    pub(super) fn forget_round(&mut self) {
        self.bandwidth_latest = 0.0;
        self.inflight_latest = 0;
        self.round_losses = 0;
        self.overloaded = false;
    }

    pub(super) fn bandwidth(&self) -> f64 {
        self.low_bandwidth
    }

    pub(super) fn low(&self) -> u64 {
        self.low
    }

    pub(super) fn high(&self) -> u64 {
        self.high
    }

    pub(super) fn latest(&self) -> u64 {
        self.inflight_latest
    }

    pub(super) fn limit(&mut self, high: u64) {
        self.high = high;
    }

    /// That much went through: the bound was too low.
    pub(super) fn raise(&mut self, to: u64) {
        if self.high != u64::MAX {
            self.high = self.high.max(to);
        }
    }

    pub(super) fn is_probed(&self) -> bool {
        self.probed
    }

    pub(super) fn set_probed(&mut self, probed: bool) {
        self.probed = probed;
    }

    /// What was in flight when losses passed the threshold (`BBRInflightAtLoss`).
    pub(super) fn before_losses(&self, lost: &LostPacket) -> u64 {
        let threshold = LOSS_THRESHOLD + self.usual_loss;
        let flight = lost.sent_in_flight.saturating_sub(lost.bytes);
        let before = lost.lost.saturating_sub(lost.bytes) as f64;
        let prefix = (threshold * flight as f64 - before).max(0.0) / (1.0 - threshold);
        flight + prefix as u64
    }
}
