//! CUBIC, RFC 9438.

use std::time::Duration;

use crate::cc::hystart::{Advice, HyStart};
use crate::cc::{
    Acked, Congestion, CongestionController, ControllerSetup, MIN_WINDOW_PACKETS,
    window_after_pause,
};
use crate::time::Instant;

/// Multiplicative decrease factor (RFC 9438, section 4.6).
const BETA: f64 = 0.7;
/// Aggressiveness of the cubic growth, packets per second cubed (RFC 9438, section 5.1).
const C: f64 = 0.4;

/// CUBIC congestion control (RFC 9438) with fast convergence and the Reno-friendly region.
#[derive(Clone, Debug)]
pub struct Cubic {
    packet_size: u64,
    window: u64,
    threshold: u64,
    hystart: HyStart,
    /// The plateau of the cubic function, in packets: the window before the last reduction, or
    /// less by fast convergence. 0 if none is known.
    w_max: f64,
    /// Window just before the last reduction (`cwnd_prior`), in packets.
    prior: f64,
    /// The growth epoch that began after the last reduction.
    epoch: Option<Epoch>,
    /// The application has not filled the window since then.
    unused_since: Option<Instant>,
    /// Growth that is less than a byte yet.
    fraction: f64,
    /// Nothing was acknowledged since a timeout.
    timed_out: bool,
    /// What [`CongestionController::on_spurious`] returns to.
    before: Option<Before>,
}

/// What a reduction changes.
#[derive(Clone, Debug)]
struct Before {
    hystart: HyStart,
    window: u64,
    threshold: u64,
    w_max: f64,
    prior: f64,
    epoch: Option<Epoch>,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    start: Instant,
    /// Seconds until the cubic function reaches `w_max` again.
    k: f64,
    /// What Reno would have, in packets.
    w_est: f64,
}

impl Cubic {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            packet_size: setup.packet_size,
            window: setup.initial_window(),
            threshold: setup.initial_threshold(),
            hystart: HyStart::new(),
            w_max: 0.0,
            prior: 0.0,
            epoch: None,
            unused_since: None,
            fraction: 0.0,
            timed_out: false,
            before: None,
        }
    }

    fn packets(&self) -> f64 {
        self.window as f64 / self.packet_size as f64
    }

    fn reduce(&mut self) {
        self.before = Some(Before {
            hystart: self.hystart.clone(),
            window: self.window,
            threshold: self.threshold,
            w_max: self.w_max,
            prior: self.prior,
            epoch: self.epoch,
        });
        let current = self.packets();
        self.prior = current;
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.7
        //# With fast convergence, when a congestion event occurs, W_max is updated as follows, before the window reduction
        self.w_max = if current < self.w_max {
            current * (1.0 + BETA) / 2.0
        } else {
            current
        };
        let least = MIN_WINDOW_PACKETS * self.packet_size;
        self.threshold = ((self.window as f64 * BETA) as u64).max(least);
        self.epoch = None;
        self.fraction = 0.0;
        self.hystart.end();
    }

    fn avoid_congestion(&mut self, now: Instant, bytes: u64, srtt: Duration) {
        let cwnd = self.packets();
        if self.epoch.is_none() && self.w_max < cwnd {
            // After a timeout, or when slow start ended without a loss: the growth is convex from
            // here on (sections 4.8 and 4.10).
            self.w_max = cwnd;
        }
        let w_max = self.w_max;
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            start: now,
            k: ((w_max - cwnd).max(0.0) / C).cbrt(),
            w_est: cwnd,
        });
        //= https://www.rfc-editor.org/rfc/rfc9438#section-5.8
        //# CUBIC does not increase its congestion window if a flow is currently application limited
        //
        // Nor does the time pass in which it was.
        if let Some(since) = self.unused_since.take() {
            epoch.start = now.min(epoch.start + (now - since));
        }
        let t = (now - epoch.start + srtt).as_secs_f64();
        let target = (C * (t - epoch.k).powi(3) + w_max).clamp(cwnd, cwnd * 1.5);
        let acked = bytes as f64 / self.packet_size as f64;
        // Section 4.3: alpha makes the estimate as fast as Reno's, and 1 from cwnd_prior on.
        let alpha = if epoch.w_est >= self.prior {
            1.0
        } else {
            3.0 * (1.0 - BETA) / (1.0 + BETA)
        };
        epoch.w_est += alpha * acked / cwnd;
        let grown = if epoch.w_est > target {
            epoch.w_est - cwnd
        } else {
            (target - cwnd) / cwnd * acked
        };
        let bytes = grown.max(0.0) * self.packet_size as f64 + self.fraction;
        self.window += bytes as u64;
        self.fraction = bytes.fract();
    }
}

impl CongestionController for Cubic {
    fn on_ack(&mut self, now: Instant, acked: &Acked<'_>) {
        if acked.growth == 0 {
            return;
        }
        self.timed_out = false;
        if !acked.window_limited {
            self.unused_since.get_or_insert(now);
            return;
        }
        if self.in_slow_start() {
            self.unused_since = None;
            match self.hystart.on_ack(acked) {
                Advice::Grow(bytes) => self.window = (self.window + bytes).min(self.threshold),
                Advice::Leave => self.threshold = self.window,
            }
        } else {
            self.avoid_congestion(now, acked.growth, acked.srtt);
        }
    }

    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.reduce();
        self.window = self.threshold;
    }

    fn on_timeout(&mut self, _now: Instant) {
        // The threshold stays at a timeout that follows another one (RFC 5681, section 3.1).
        if !std::mem::replace(&mut self.timed_out, true) {
            self.reduce();
        }
        self.window = self.packet_size;
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.8
        //# In this case, K is set to 0 and W_max is set to the congestion window size at the beginning of the current congestion avoidance stage
        self.w_max = 0.0;
    }

    //= https://www.rfc-editor.org/rfc/rfc9438#section-4.9.2
    //# Once such a spurious congestion event is detected, CUBIC SHOULD restore the original values of the variables
    fn on_spurious(&mut self, _now: Instant) {
        let Some(before) = self.before.take() else {
            return;
        };
        self.timed_out = false;
        self.hystart = before.hystart;
        self.window = self.window.max(before.window);
        self.threshold = self.threshold.max(before.threshold);
        self.w_max = before.w_max;
        self.prior = before.prior;
        self.epoch = before.epoch;
    }

    fn on_idle(&mut self, now: Instant, timeouts: u32) {
        let window = window_after_pause(self.window, timeouts, self.packet_size);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
        //# Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd
        //
        // One that is higher has never met a loss below it, and stays.
        if window < self.window {
            self.threshold = self.threshold.max(self.window);
            self.window = window;
        }
        self.unused_since.get_or_insert(now);
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn slow_start_threshold(&self) -> u64 {
        self.threshold
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes [RFC4821].
    fn set_packet_size(&mut self, bytes: u64) {
        let ratio = self.packet_size as f64 / bytes as f64;
        self.w_max *= ratio;
        self.prior *= ratio;
        self.before = None;
        self.packet_size = bytes;
        self.epoch = None;
    }

    fn name(&self) -> &'static str {
        "cubic"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cc::Signal;

    const LOSS: Congestion = Congestion::new(Signal::Loss, 0);

    /// Long enough that the Reno-friendly region does not dominate.
    const RTT: Duration = Duration::from_millis(200);

    /// Acknowledges a full window per round trip for `rounds`.
    fn grow(cubic: &mut Cubic, now: &mut Instant, rounds: usize) {
        for _ in 0..rounds {
            *now += RTT;
            let acked = Acked::full(cubic.window(), RTT);
            cubic.on_ack(*now, &acked);
        }
    }

    #[test]
    fn reduction_is_to_seven_tenths() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        assert_eq!(cubic.window(), 160_000);
        cubic.on_congestion(now, &LOSS);
        assert_eq!(cubic.window(), 112_000);
    }

    #[test]
    fn growth_is_concave_then_returns_to_the_old_maximum() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        cubic.on_congestion(now, &LOSS);
        // K = cbrt(48 / 0.4) = 4.93 s after the reduction the window is back at 160 packets.
        grow(&mut cubic, &mut now, 25);
        let window = cubic.window();
        assert!((150_000..170_000).contains(&window), "{window}");
    }

    #[test]
    fn a_reduction_in_error_is_undone_once() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        cubic.on_timeout(now);
        cubic.on_spurious(now);
        assert_eq!(cubic.window(), 160_000);
        assert!(cubic.in_slow_start());
        cubic.on_congestion(now, &LOSS);
        cubic.on_spurious(now);
        cubic.on_spurious(now);
        assert_eq!(cubic.window(), 160_000);
    }

    #[test]
    fn a_window_shrinks_further_when_it_shrank_before() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        cubic.on_congestion(now, &LOSS);
        assert_eq!(cubic.w_max, 160.0);
        cubic.on_congestion(now, &LOSS);
        assert_eq!(cubic.w_max, 112.0 * 0.85, "fast convergence");
    }

    #[test]
    fn at_short_round_trips_the_window_grows_as_fast_as_reno() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        cubic.on_congestion(now, &LOSS);
        assert_eq!(cubic.window(), 7000);
        let rtt = Duration::from_millis(10);
        for _ in 0..10 {
            now += rtt;
            let acked = Acked::full(cubic.window(), rtt);
            cubic.on_ack(now, &acked);
        }
        // 9/17 of a packet per round trip below the old window, one above it.
        let window = cubic.window();
        assert!((13_500..14_600).contains(&window), "{window}");
    }

    #[test]
    fn time_without_data_does_not_count_for_growth() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        cubic.on_congestion(now, &LOSS);
        grow(&mut cubic, &mut now, 2);
        let idle = Acked {
            window_limited: false,
            ..Acked::full(1000, RTT)
        };
        let before = cubic.window();
        cubic.on_ack(now, &idle);
        now += Duration::from_secs(30);
        grow(&mut cubic, &mut now, 1);
        let window = cubic.window();
        assert!(window < before + 10_000, "{before} to {window}");
    }

    #[test]
    fn a_timeout_restarts_from_one_packet_and_another_one_keeps_the_threshold() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        cubic.on_timeout(Instant::ZERO);
        cubic.on_timeout(Instant::ZERO);
        assert_eq!(cubic.threshold, 7000);
        assert_eq!(cubic.window(), 1000);
        assert!(cubic.in_slow_start());
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes [RFC4821].
    #[test]
    fn larger_packets_make_no_larger_window() {
        let mut cubic = Cubic::new(&ControllerSetup::new(1000));
        cubic.on_timeout(Instant::ZERO);
        for bytes in [1472, 8972] {
            cubic.set_packet_size(bytes);
            assert_eq!(cubic.window(), 1000);
        }
    }
}
