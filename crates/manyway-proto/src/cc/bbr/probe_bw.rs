//! The cycle of probing for bandwidth (draft-ietf-ccwg-bbr, section 5.3.3).

use std::time::Duration;

use super::bounds::BETA;
use super::{Bbr, State};
use crate::cc::{Acked, RateSample};
use crate::time::Instant;

/// Most rounds between probes, so that flows with Reno beside it find their share.
const MOST_ROUNDS: u64 = 63;
/// Least time between probes; up to a second more.
const LEAST_WAIT: Duration = Duration::from_secs(2);
/// Doublings of the step by which the bound rises.
const MOST_DOUBLINGS: u32 = 30;

/// A part of the cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Sends a little less than is delivered, to empty the queue.
    Down,
    /// Sends what is delivered, and leaves room to others.
    Cruise,
    /// Fills the pipe for a round, so that the probe does not begin with losses.
    Refill,
    /// Sends more, to see whether more is delivered.
    Up,
}

impl Phase {
    pub(super) fn pacing_gain(self) -> f64 {
        match self {
            Self::Down => 0.9,
            Self::Cruise | Self::Refill => 1.0,
            Self::Up => 1.25,
        }
    }
}

/// What the acknowledgements that come now are about (`BBR.ack_phase`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acks {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// Where in the cycle it is.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    acks: Acks,
    since: Instant,
    wait: Duration,
    rounds_since_probe: u64,
    up_rounds: u32,
    up_acked: u64,
    /// Bytes to be acknowledged for each packet by which the bound rises.
    up_step: u64,
    /// Chooses when to probe.
    dice: u64,
}

impl Cycle {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            acks: Acks::Init,
            since: now,
            wait: LEAST_WAIT,
            rounds_since_probe: 0,
            up_rounds: 0,
            up_acked: 0,
            up_step: u64::MAX,
            dice: ((now - Instant::ZERO).as_nanos() as u64) | 1,
        }
    }

    pub(super) fn on_round(&mut self) {
        self.rounds_since_probe += 1;
    }

    /// Flows that probe by chance do not probe together.
    fn pick_wait(&mut self) {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.rounds_since_probe = self.dice & 1;
        self.wait = LEAST_WAIT + Duration::from_millis((self.dice >> 8) % 1000);
    }

    pub(super) fn stop_probing(&mut self) {
        self.acks = Acks::ProbeStopping;
    }
}

impl Bbr {
    /// Whether more is sent than was delivered, so that losses are no news.
    pub(super) fn is_probing(&self) -> bool {
        matches!(
            self.state,
            State::Startup | State::ProbeBw(Phase::Refill | Phase::Up)
        )
    }

    pub(super) fn start_down(&mut self, now: Instant) {
        self.bounds.forget_round();
        self.cycle.up_step = u64::MAX;
        self.cycle.pick_wait();
        self.cycle.since = now;
        self.cycle.stop_probing();
        self.model.begin_round();
        self.state = State::ProbeBw(Phase::Down);
    }

    pub(super) fn start_cruise(&mut self) {
        self.state = State::ProbeBw(Phase::Cruise);
    }

    fn start_refill(&mut self) {
        self.bounds.forget_short_term();
        self.cycle.up_rounds = 0;
        self.cycle.up_acked = 0;
        self.cycle.acks = Acks::Refilling;
        self.model.begin_round();
        self.state = State::ProbeBw(Phase::Refill);
    }

    fn start_up(&mut self, now: Instant, rate: &RateSample) {
        self.cycle.acks = Acks::ProbeStarting;
        self.model.begin_round();
        self.model.reset_full(rate.rate.unwrap_or(0) as f64);
        self.cycle.since = now;
        self.state = State::ProbeBw(Phase::Up);
        self.steepen();
    }

    /// `BBRUpdateProbeBWCyclePhase`
    pub(super) fn update_cycle(&mut self, now: Instant, acked: &Acked<'_>, rate: &RateSample) {
        if !self.model.is_full() {
            return;
        }
        self.adapt_high(now, acked, rate);
        let State::ProbeBw(phase) = self.state else {
            return;
        };
        match phase {
            Phase::Down | Phase::Cruise if self.is_time_to_probe(now) => self.start_refill(),
            Phase::Down => {
                let target = self.inflight(self.model.max_bandwidth(), 1.0);
                if acked.in_flight <= target.min(self.headroom()) {
                    self.start_cruise();
                }
            }
            Phase::Cruise => {}
            Phase::Refill if self.model.is_round_start() => {
                self.bounds.set_probed(true);
                self.start_up(now, rate);
            }
            Phase::Refill => {}
            Phase::Up if acked.window_limited && self.window >= self.bounds.high() => {
                // The bound is what stops the growth, not the path.
                self.model.reset_full(rate.rate.unwrap_or(0) as f64);
            }
            Phase::Up if self.model.is_full_now() => self.start_down(now),
            Phase::Up => {}
        }
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        let packets = self.target_inflight() / self.packet_size;
        now - self.cycle.since > self.cycle.wait
            || self.cycle.rounds_since_probe >= packets.min(MOST_ROUNDS)
    }

    /// `BBRAdaptLongTermModel`
    fn adapt_high(&mut self, now: Instant, acked: &Acked<'_>, rate: &RateSample) {
        let round = self.model.is_round_start();
        match self.cycle.acks {
            Acks::ProbeStarting if round => self.cycle.acks = Acks::ProbeFeedback,
            Acks::ProbeStopping if round => {
                self.bounds.set_probed(false);
                self.cycle.acks = Acks::Init;
                if matches!(self.state, State::ProbeBw(_)) && !rate.app_limited {
                    self.model.advance_max();
                }
            }
            _ => {}
        }
        let packet = self.packet_size;
        if self
            .bounds
            .is_too_much(rate.lost, rate.sent_in_flight, packet)
        {
            if self.bounds.is_probed() {
                self.on_too_much(now, rate.sent_in_flight, rate.app_limited);
            }
            return;
        }
        self.bounds.raise(rate.sent_in_flight);
        if self.state == State::ProbeBw(Phase::Up) {
            self.raise_high(acked);
        }
    }

    /// `BBRHandleInflightTooHigh`: that much in flight loses too much.
    pub(super) fn on_too_much(&mut self, now: Instant, inflight: u64, app_limited: bool) {
        self.bounds.set_probed(false);
        if !app_limited {
            let least = (self.target_inflight() as f64 * BETA) as u64;
            self.bounds.limit(inflight.max(least));
        }
        if self.state == State::ProbeBw(Phase::Up) {
            self.start_down(now);
        }
    }

    /// `BBRProbeInflightLongtermUpward`: the bound rises, slowly at first.
    fn raise_high(&mut self, acked: &Acked<'_>) {
        let high = self.bounds.high();
        if high == u64::MAX || !acked.window_limited || self.window < high {
            return;
        }
        self.cycle.up_acked += acked.bytes;
        if self.cycle.up_acked >= self.cycle.up_step {
            let steps = self.cycle.up_acked / self.cycle.up_step;
            self.cycle.up_acked -= steps * self.cycle.up_step;
            self.bounds.raise(high + steps * self.packet_size);
        }
        if self.model.is_round_start() {
            self.steepen();
        }
    }

    /// `BBRRaiseInflightLongtermSlope`: one packet a round, then two, four, ...
    fn steepen(&mut self) {
        let packets = 1_u64 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(MOST_DOUBLINGS);
        self.cycle.up_step = (self.window / packets).max(1);
    }
}
