//! CUBIC, RFC 9438.

use std::time::Duration;

use crate::cc::hystart::{Advice, HyStart};
use crate::cc::{Acked, Controller, MIN_WINDOW_PACKETS, initial_window};
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
    /// Window before the last reduction, in packets.
    w_max: f64,
    /// The growth epoch that began after the last reduction.
    epoch: Option<Epoch>,
    /// Growth that is less than a byte yet.
    fraction: f64,
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
    /// A controller for packets of `packet_size` bytes.
    pub fn new(packet_size: u64) -> Self {
        Self {
            packet_size,
            window: initial_window(packet_size),
            threshold: u64::MAX,
            hystart: HyStart::new(),
            w_max: 0.0,
            epoch: None,
            fraction: 0.0,
        }
    }

    fn packets(&self) -> f64 {
        self.window as f64 / self.packet_size as f64
    }

    fn reduce(&mut self) {
        let current = self.packets();
        // Fast convergence (section 4.7): release capacity sooner when the window shrinks.
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
        let w_max = self
            .w_max
            .max(cwnd * f64::from(u8::from(self.w_max == 0.0)));
        let epoch = self.epoch.get_or_insert_with(|| Epoch {
            start: now,
            k: ((w_max - cwnd).max(0.0) / C).cbrt(),
            w_est: cwnd,
        });
        let t = (now - epoch.start + srtt).as_secs_f64();
        let target = (C * (t - epoch.k).powi(3) + w_max).clamp(cwnd, cwnd * 1.5);
        let acked = bytes as f64 / self.packet_size as f64;
        // Section 4.3: alpha makes the estimate as fast as Reno's, and 1 above w_max.
        let alpha = if epoch.w_est >= w_max {
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

impl Controller for Cubic {
    fn on_ack(&mut self, now: Instant, acked: Acked) {
        if !acked.window_limited {
            return;
        }
        if self.in_slow_start() {
            match self.hystart.on_ack(&acked) {
                Advice::Grow(bytes) => self.window = (self.window + bytes).min(self.threshold),
                Advice::Leave => self.threshold = self.window,
            }
        } else {
            self.avoid_congestion(now, acked.bytes, acked.srtt);
        }
    }

    fn on_congestion(&mut self, _now: Instant) {
        self.reduce();
        self.window = self.threshold;
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.reduce();
        self.window = self.packet_size;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.w_max *= self.packet_size as f64 / bytes as f64;
        self.packet_size = bytes;
        self.epoch = None;
        self.window = self.window.max(bytes);
    }

    fn name(&self) -> &'static str {
        "cubic"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough that the Reno-friendly region does not dominate.
    const RTT: Duration = Duration::from_millis(200);

    /// Acknowledges a full window per round trip for `rounds`.
    fn grow(cubic: &mut Cubic, now: &mut Instant, rounds: usize) {
        for _ in 0..rounds {
            *now += RTT;
            let acked = Acked {
                bytes: cubic.window(),
                srtt: RTT,
                window_limited: true,
                rtt_sample: None,
                largest_acked: 0,
                next_number: 0,
            };
            cubic.on_ack(*now, acked);
        }
    }

    #[test]
    fn reduction_is_to_seven_tenths() {
        let mut cubic = Cubic::new(1000);
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        assert_eq!(cubic.window(), 160_000);
        cubic.on_congestion(now);
        assert_eq!(cubic.window(), 112_000);
    }

    #[test]
    fn growth_is_concave_then_returns_to_the_old_maximum() {
        let mut cubic = Cubic::new(1000);
        let mut now = Instant::ZERO;
        grow(&mut cubic, &mut now, 4);
        cubic.on_congestion(now);
        // K = cbrt(48 / 0.4) = 4.93 s after the reduction the window is back at 160 packets.
        grow(&mut cubic, &mut now, 25);
        let window = cubic.window();
        assert!((150_000..170_000).contains(&window), "{window}");
    }

    #[test]
    fn a_timeout_restarts_from_one_packet() {
        let mut cubic = Cubic::new(1000);
        cubic.on_timeout(Instant::ZERO);
        assert_eq!(cubic.window(), 1000);
        assert!(cubic.in_slow_start());
    }
}
