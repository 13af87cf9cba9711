//! The least round-trip time, and emptying the queue to see it (draft-ietf-ccwg-bbr, section 5.3.4).

use std::time::Duration;

use super::{Bbr, State};
use crate::time::Instant;

/// How long a least round-trip time is believed (`BBR.MinRTTFilterLen`).
const MIN_RTT_LIFE: Duration = Duration::from_secs(10);
/// How often the queue is emptied (`BBR.ProbeRTTInterval`).
const INTERVAL: Duration = Duration::from_secs(5);
/// For how long it is kept empty (`BBR.ProbeRTTDuration`).
const DURATION: Duration = Duration::from_millis(200);

/// The least round-trip time, and when it is due to be measured again.
#[derive(Clone, Debug)]
pub(super) struct RttProbe {
    min: Option<Duration>,
    min_at: Instant,
    /// The least one of the present interval.
    probe_min: Option<Duration>,
    probe_min_at: Instant,
    done_at: Option<Instant>,
    round_done: bool,
}

impl RttProbe {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            min: None,
            min_at: now,
            probe_min: None,
            probe_min_at: now,
            done_at: None,
            round_done: false,
        }
    }

    pub(super) fn begin_with(&mut self, now: Instant, rtt: Duration) {
        self.min = Some(rtt);
        self.min_at = now;
    }

    pub(super) fn min_rtt(&self) -> Option<Duration> {
        self.min
    }

    /// True if it is time to look again (`BBRUpdateMinRTT`).
    pub(super) fn on_sample(&mut self, now: Instant, rtt: Option<Duration>) -> bool {
        let expired = now - self.probe_min_at > INTERVAL;
        let lower = |than: Option<Duration>, rtt| than.is_none_or(|least| rtt < least);
        if let Some(rtt) = rtt
            && (expired || lower(self.probe_min, rtt))
        {
            self.probe_min = Some(rtt);
            self.probe_min_at = now;
        }
        let old = now - self.min_at > MIN_RTT_LIFE;
        if let Some(probed) = self.probe_min
            && (old || lower(self.min, probed))
        {
            self.min = Some(probed);
            self.min_at = self.probe_min_at;
        }
        expired && rtt.is_some()
    }
}

impl Bbr {
    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.bdp(self.bandwidth(), 0.5).max(self.min_window())
    }

    pub(super) fn check_probe_rtt(&mut self, now: Instant, in_flight: u64, expired: bool) {
        if self.state != State::ProbeRtt && expired && !self.idle_restart {
            self.prior_window = self.window;
            self.state = State::ProbeRtt;
            self.rtt.done_at = None;
            self.cycle.stop_probing();
            self.model.begin_round();
        }
        if self.state != State::ProbeRtt {
            return;
        }
        if self.rtt.done_at.is_none() {
            if in_flight <= self.probe_rtt_window() {
                self.rtt.done_at = Some(now + DURATION);
                self.rtt.round_done = false;
                self.model.begin_round();
            }
            return;
        }
        self.rtt.round_done |= self.model.is_round_start();
        if self.rtt.round_done {
            self.check_probe_rtt_done(now);
        }
    }

    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.rtt.done_at.is_none_or(|at| now <= at) {
            return;
        }
        self.rtt.done_at = None;
        self.rtt.probe_min_at = now;
        self.window = self.window.max(std::mem::take(&mut self.prior_window));
        self.bounds.forget_short_term();
        if self.model.is_full() {
            self.start_down(now);
            self.start_cruise();
        } else {
            self.state = State::Startup;
        }
    }
}
