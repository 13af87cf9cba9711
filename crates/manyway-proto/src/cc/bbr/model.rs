//! The bandwidth of the path (draft-ietf-ccwg-bbr, section 5.5).

use crate::cc::RateSample;
use crate::time::Instant;

/// The pipe is full when the bandwidth has not grown by this factor in this many rounds.
const FULL_GROWTH: f64 = 1.25;
const FULL_ROUNDS: u32 = 3;
/// Half of the rounds over which extra acknowledgements are remembered.
const EXTRA_ROUNDS: u64 = 5;

/// What is measured of the path.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The best of this cycle and of the one before, bytes per second (`BBR.MaxBwFilter`).
    max: [f64; 2],
    delivered: u64,
    next_round: u64,
    round_start: bool,
    rounds: u64,
    full_bandwidth: f64,
    full_count: u32,
    full_now: bool,
    full: bool,
    /// Acknowledged beyond what the bandwidth makes expect, of late and before.
    extra: [u64; 2],
    extra_since: Instant,
    extra_delivered: u64,
    extra_turned: u64,
}

impl Model {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            max: [0.0; 2],
            delivered: 0,
            next_round: 0,
            round_start: false,
            rounds: 0,
            full_bandwidth: 0.0,
            full_count: 0,
            full_now: false,
            full: false,
            extra: [0; 2],
            extra_since: now,
            extra_delivered: 0,
            extra_turned: 0,
        }
    }

    /// Another controller measured this rate; `full` if it had filled the pipe.
    pub(super) fn begin_with(&mut self, rate: u64, full: bool) {
        self.max[1] = rate as f64;
        self.full = full;
    }

    pub(super) fn on_sample(&mut self, now: Instant, rate: &RateSample, bytes: u64, window: u64) {
        self.delivered = rate.total_delivered;
        self.round_start = rate.prior_delivered >= self.next_round;
        if self.round_start {
            self.begin_round();
            self.rounds += 1;
        }
        let sample = rate.rate.unwrap_or(0) as f64;
        if sample > 0.0 && (sample >= self.max_bandwidth() || !rate.app_limited) {
            self.max[1] = self.max[1].max(sample);
        }
        self.update_extra(now, bytes, window);
    }

    /// A round ends when what is in flight now is delivered.
    pub(super) fn begin_round(&mut self) {
        self.next_round = self.delivered;
    }

    pub(super) fn is_round_start(&self) -> bool {
        self.round_start
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) fn max_bandwidth(&self) -> f64 {
        self.max[0].max(self.max[1])
    }

    /// A cycle of probing is over: what was measured before the last one is forgotten.
    pub(super) fn advance_max(&mut self) {
        if self.max[1] > 0.0 {
            self.max = [self.max[1], 0.0];
        }
    }

    /// `BBRCheckFullBWReached`
    pub(super) fn check_full(&mut self, rate: &RateSample) {
        if self.full_now || rate.app_limited {
            return;
        }
        let sample = rate.rate.unwrap_or(0) as f64;
        if sample >= self.full_bandwidth * FULL_GROWTH {
            self.reset_full(sample);
        } else if self.round_start {
            self.full_count += 1;
            self.full_now = self.full_count >= FULL_ROUNDS;
            self.full |= self.full_now;
        }
    }

    /// Looks anew whether the bandwidth grows, from here on.
    pub(super) fn reset_full(&mut self, bandwidth: f64) {
        self.full_bandwidth = bandwidth;
        self.full_count = 0;
        self.full_now = false;
    }

    pub(super) fn full_bandwidth_count(&self) -> u32 {
        self.full_count
    }

    /// Whether it does not grow any more.
    pub(super) fn is_full_now(&self) -> bool {
        self.full_now
    }

    /// Whether start-up has filled the pipe.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn set_full(&mut self) {
        self.full = true;
    }

    /// What acknowledgements that come in bunches demand to be in flight beyond the
    /// bandwidth-delay product.
    pub(super) fn extra_acked(&self) -> u64 {
        self.extra[0].max(self.extra[1])
    }

    pub(super) fn restart_extra_acked(&mut self, now: Instant) {
        self.extra_since = now;
        self.extra_delivered = 0;
    }

    /// `BBRUpdateACKAggregation`
    fn update_extra(&mut self, now: Instant, bytes: u64, window: u64) {
        let elapsed = (now - self.extra_since).as_secs_f64();
        let mut expected = (self.max_bandwidth() * elapsed) as u64;
        if self.extra_delivered <= expected {
            self.restart_extra_acked(now);
            expected = 0;
        }
        self.extra_delivered += bytes;
        let span = if self.full { EXTRA_ROUNDS } else { 1 };
        if self.rounds >= self.extra_turned + span {
            self.extra_turned = self.rounds;
            self.extra = [self.extra[1], 0];
        }
        let extra = self.extra_delivered.saturating_sub(expected).min(window);
        self.extra[1] = self.extra[1].max(extra);
    }
}
