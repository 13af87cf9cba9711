//! BBR, version 3 (draft-ietf-ccwg-bbr): the window and the rate follow a model of the path, its
//! bandwidth and its round-trip time, instead of losses.
//!
//! | file | draft's section | what |
//! |---|---|---|
//! | `mod` | 5.1, 5.6 | what an acknowledgement does; rate and window from the model |
//! | `model` | 5.5 | rounds, bandwidth, whether the pipe is full, extra acknowledgements |
//! | `bounds` | 5.5.10 | what losses say of how much may be in flight |
//! | `probe_bw` | 5.3.3 | the cycle of probing for bandwidth |
//! | `probe_rtt` | 5.3.4 | the least round-trip time, and emptying the queue to see it |
//!
//! It goes beyond the draft where paths lose at random, as radio does. The draft takes more than
//! 2 % of loss for congestion always; here that is 2 % above what the path loses while nothing is
//! probed and there is no queue (`bounds`), and losses do not end start-up while the bandwidth still grows.

mod bounds;
mod model;
mod probe_bw;
mod probe_rtt;

use crate::cc::{
    Acked, Congestion, CongestionController, ControllerSetup, LostPacket, RateSample, Sent, Signal,
};
use crate::time::Instant;
use bounds::{Bounds, View};
use model::Model;
use probe_bw::{Cycle, Phase};
use probe_rtt::RttProbe;

/// Pacing gain of start-up: 4 ln 2, the least that doubles the rate each round.
const STARTUP_PACING_GAIN: f64 = 2.77;
/// Empties in about a round what start-up has queued.
const DRAIN_PACING_GAIN: f64 = 0.5;
const CWND_GAIN: f64 = 2.0;
/// Paced just below the bandwidth, so that queues drain (`BBR.PacingMarginPercent`).
const PACING_MARGIN: f64 = 0.99;
/// `BBR.MinPipeCwnd`: enough for a receiver that acknowledges every other packet.
const MIN_PIPE_PACKETS: u64 = 4;

/// What BBR is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Doubles the rate until the pipe is full.
    Startup,
    /// Empties the queue that this has made.
    Drain,
    /// Sends at the bandwidth, and probes for more now and then.
    ProbeBw(Phase),
    /// Empties the path to see its round-trip time.
    ProbeRtt,
}

/// BBR (draft-ietf-ccwg-bbr).
#[derive(Clone, Debug)]
pub struct Bbr {
    packet_size: u64,
    initial_window: u64,
    window: u64,
    /// Bytes per second; 0 before the first measurement.
    pacing_rate: f64,
    state: State,
    model: Model,
    bounds: Bounds,
    cycle: Cycle,
    rtt: RttProbe,
    /// The window before a timeout or a probe of the round-trip time.
    prior_window: u64,
    /// Sending began anew after a pause.
    idle_restart: bool,
}

impl Bbr {
    /// A controller for a path. What another controller has measured there spares start-up.
    pub fn new(setup: &ControllerSetup) -> Self {
        let mut bbr = Self {
            packet_size: setup.packet_size,
            initial_window: setup.initial_window(),
            window: setup.initial_window(),
            pacing_rate: 0.0,
            state: State::Startup,
            model: Model::new(setup.now),
            bounds: Bounds::default(),
            cycle: Cycle::new(setup.now),
            rtt: RttProbe::new(setup.now),
            prior_window: 0,
            idle_restart: false,
        };
        if let Some(before) = setup.predecessor
            && let (Some(rtt), Some(rate)) = (before.min_rtt, before.delivery_rate)
        {
            bbr.rtt.begin_with(setup.now, rtt);
            bbr.model.begin_with(rate, !before.slow_start);
            if !before.slow_start {
                bbr.start_down(setup.now);
            }
            bbr.set_pacing_rate();
        }
        bbr
    }

    fn min_window(&self) -> u64 {
        MIN_PIPE_PACKETS * self.packet_size
    }

    /// The bandwidth to send at, bytes per second (`BBR.bw`).
    fn bandwidth(&self) -> f64 {
        self.model.max_bandwidth().min(self.bounds.bandwidth())
    }

    fn pacing_gain(&self) -> f64 {
        match self.state {
            State::Startup => STARTUP_PACING_GAIN,
            State::Drain => DRAIN_PACING_GAIN,
            State::ProbeBw(phase) => phase.pacing_gain(),
            State::ProbeRtt => 1.0,
        }
    }

    fn cwnd_gain(&self) -> f64 {
        match self.state {
            State::ProbeBw(Phase::Up) => 2.25,
            State::ProbeRtt => 0.5,
            _ => CWND_GAIN,
        }
    }

    /// `gain` times the bandwidth-delay product; the initial window while it is unknown.
    fn bdp(&self, bandwidth: f64, gain: f64) -> u64 {
        match self.rtt.min_rtt() {
            Some(rtt) => (bandwidth * rtt.as_secs_f64() * gain) as u64,
            None => self.initial_window,
        }
    }

    /// What must be in flight to have `gain` times the bandwidth-delay product under way, with what
    /// waits in batches at both ends (`BBRQuantizationBudget`).
    fn inflight(&self, bandwidth: f64, gain: f64) -> u64 {
        let probing = self.state == State::ProbeBw(Phase::Up);
        let extra = if probing { 2 * self.packet_size } else { 0 };
        let batch = 3 * self.send_quantum();
        self.bdp(bandwidth, gain).max(batch).max(self.min_window()) + extra
    }

    /// Bytes that leave in one batch (`C.send_quantum`): a millisecond's worth.
    fn send_quantum(&self) -> u64 {
        let millisecond = (self.pacing_rate / 1000.0) as u64;
        millisecond.clamp(2 * self.packet_size, (64 << 10).max(2 * self.packet_size))
    }

    /// What should be in flight in the middle of the cycle (`BBRTargetInflight`).
    fn target_inflight(&self) -> u64 {
        self.bdp(self.bandwidth(), 1.0).min(self.window)
    }

    fn update_state(&mut self, now: Instant, acked: &Acked<'_>, rate: &RateSample) {
        let growing = self.model.full_bandwidth_count() == 0;
        self.model.check_full(rate);
        if self.state == State::Startup
            && !growing
            && self.bounds.startup_overloaded(acked.recovering)
        {
            self.model.set_full();
            let inflight = self.bdp(self.model.max_bandwidth(), 1.0);
            self.bounds.limit(inflight.max(self.bounds.latest()));
        }
        if self.state == State::Startup && self.model.is_full() {
            self.state = State::Drain;
        }
        if self.state == State::Drain && acked.in_flight <= self.inflight(self.bandwidth(), 1.0) {
            self.start_down(now);
        }
        self.update_cycle(now, acked, rate);
        let expired = self.rtt.on_sample(now, acked.rtt_sample);
        self.check_probe_rtt(now, acked.in_flight, expired);
        self.idle_restart = false;
    }

    fn set_pacing_rate(&mut self) {
        let rate = self.pacing_gain() * self.bandwidth() * PACING_MARGIN;
        if self.model.is_full() || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    fn set_window(&mut self, acked: &Acked<'_>) {
        let most = self.inflight(self.bandwidth(), self.cwnd_gain()) + self.model.extra_acked();
        self.window = self.window.saturating_sub(acked.lost);
        if self.model.is_full() {
            self.window = (self.window + acked.bytes).min(most);
        } else if self.window < most || self.model.delivered() < self.initial_window {
            self.window += acked.bytes;
        }
        let bound = match self.state {
            State::ProbeBw(Phase::Cruise) | State::ProbeRtt => self.headroom(),
            State::ProbeBw(_) => self.bounds.high(),
            _ => u64::MAX,
        };
        let mut bound = bound.min(self.bounds.low());
        if self.state == State::ProbeRtt {
            bound = bound.min(self.probe_rtt_window());
        }
        self.window = self.window.min(bound).max(self.min_window());
    }

    /// What may be in flight so that others find room (`BBRInflightWithHeadroom`).
    fn headroom(&self) -> u64 {
        let high = self.bounds.high();
        let room = ((high as f64 * bounds::HEADROOM) as u64).max(self.packet_size);
        match high {
            u64::MAX => u64::MAX,
            _ => high.saturating_sub(room).max(self.min_window()),
        }
    }
}

impl CongestionController for Bbr {
    fn on_sent(&mut self, now: Instant, sent: &Sent) {
        if sent.in_flight > sent.bytes || !sent.app_limited {
            return;
        }
        // Nothing was in flight, for want of data (BBRHandleRestartFromIdle).
        self.idle_restart = true;
        self.model.restart_extra_acked(now);
        match self.state {
            State::ProbeBw(_) => self.pacing_rate = self.bandwidth() * PACING_MARGIN,
            State::ProbeRtt => self.check_probe_rtt_done(now),
            _ => {}
        }
    }

    fn on_ack(&mut self, now: Instant, acked: &Acked<'_>) {
        if let Some(rate) = &acked.rate {
            self.model.on_sample(now, rate, acked.bytes, self.window);
            if self.model.is_round_start() {
                self.cycle.on_round();
            }
            let view = View {
                probing: self.is_probing(),
                bandwidth: self.model.max_bandwidth(),
                window: self.window,
                packet: self.packet_size,
                min_rtt: self.rtt.min_rtt(),
            };
            self.bounds.on_sample(rate, acked, &view);
            self.update_state(now, acked, rate);
            self.bounds.end_sample(rate);
        }
        self.set_pacing_rate();
        self.set_window(acked);
    }

    fn on_lost(&mut self, now: Instant, lost: &LostPacket) {
        self.bounds.note_loss();
        let (most, packet) = (lost.sent_in_flight, self.packet_size);
        if self.bounds.is_probed() && self.bounds.is_too_much(lost.lost, most, packet) {
            let inflight = self.bounds.before_losses(lost);
            self.on_too_much(now, inflight, lost.app_limited);
        }
    }

    fn on_congestion(&mut self, now: Instant, congestion: &Congestion) {
        // Losses are looked at one by one.
        if congestion.signal != Signal::Mark {
            return;
        }
        if self.bounds.is_probed() {
            self.on_too_much(now, congestion.in_flight, false);
        } else if !self.is_probing() {
            let bandwidth = self.model.max_bandwidth();
            self.bounds.lower(bandwidth, self.window);
        }
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.prior_window = self.prior_window.max(self.window);
        self.window = self.packet_size;
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.window = self.window.max(std::mem::take(&mut self.prior_window));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn in_slow_start(&self) -> bool {
        self.state == State::Startup
    }

    fn pacing_rate(&self) -> Option<u64> {
        (self.pacing_rate > 0.0).then_some(self.pacing_rate as u64)
    }

    fn handles_recovery(&self) -> bool {
        true
    }

    fn successor_window(&self) -> u64 {
        let bandwidth = self.bandwidth();
        match self.rtt.min_rtt() {
            Some(_) if bandwidth > 0.0 => self.bdp(bandwidth, 1.0).max(self.min_window()),
            _ => self.window,
        }
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.packet_size = bytes;
        self.window = self.window.max(bytes);
    }

    fn name(&self) -> &'static str {
        "bbr"
    }
}

#[cfg(test)]
mod tests;
