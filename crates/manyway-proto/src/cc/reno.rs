//! The congestion control of RFC 9260, section 7.2.

use crate::cc::hystart::{Advice, HyStart};
use crate::cc::{
    Acked, Congestion, CongestionController, ControllerSetup, MIN_WINDOW_PACKETS,
    window_after_pause,
};
use crate::time::Instant;

/// Slow start and additive increase, multiplicative decrease (RFC 9260, section 7.2).
#[derive(Clone, Debug)]
pub struct Reno {
    packet_size: u64,
    window: u64,
    threshold: u64,
    hystart: HyStart,
    partial_bytes_acked: u64,
    /// Nothing was acknowledged since a timeout.
    timed_out: bool,
    /// Window, threshold and slow start before the last reduction.
    before: Option<(u64, u64, HyStart)>,
}

impl Reno {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            packet_size: setup.packet_size,
            window: setup.initial_window(),
            threshold: setup.initial_threshold(),
            hystart: HyStart::new(),
            partial_bytes_acked: 0,
            timed_out: false,
            before: None,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.3
    //# a packet loss causes cwnd to be cut in half
    fn halve(&mut self) {
        self.before = Some((self.window, self.threshold, self.hystart.clone()));
        self.threshold = (self.window / 2).max(MIN_WINDOW_PACKETS * self.packet_size);
        self.partial_bytes_acked = 0;
        self.hystart.end();
    }
}

impl CongestionController for Reno {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        if acked.growth == 0 {
            return;
        }
        self.timed_out = false;
        if !acked.window_limited {
            return;
        }
        if self.in_slow_start() {
            match self.hystart.on_ack(acked) {
                Advice::Grow(bytes) => self.window += bytes,
                Advice::Leave => self.threshold = self.window,
            }
        } else {
            //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.2
            //# When cwnd is greater than ssthresh, cwnd SHOULD be incremented by PMDCS per RTT if the sender has cwnd or more bytes of data outstanding
            self.partial_bytes_acked += acked.growth;
            if self.partial_bytes_acked >= self.window {
                self.partial_bytes_acked -= self.window;
                self.window += self.packet_size;
            }
        }
    }

    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.halve();
        self.window = self.threshold;
    }

    fn on_timeout(&mut self, _now: Instant) {
        // The threshold stays at a timeout that follows another one (RFC 5681, section 3.1).
        if !std::mem::replace(&mut self.timed_out, true) {
            self.halve();
        }
        self.window = self.packet_size;
    }

    fn on_spurious(&mut self, _now: Instant) {
        let Some((window, threshold, hystart)) = self.before.take() else {
            return;
        };
        self.hystart = hystart;
        self.timed_out = false;
        self.window = self.window.max(window);
        self.threshold = self.threshold.max(threshold);
    }

    fn on_idle(&mut self, _now: Instant, timeouts: u32) {
        let window = window_after_pause(self.window, timeouts, self.packet_size);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
        //# Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd
        //
        // One that is higher has never met a loss below it, and stays.
        if window < self.window {
            self.threshold = self.threshold.max(self.window);
            self.window = window;
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.2
        //# When all of the data transmitted by the sender has been acknowledged by the receiver, partial_bytes_acked is initialized to 0
        self.partial_bytes_acked = 0;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    fn set_packet_size(&mut self, bytes: u64) {
        self.packet_size = bytes;
        self.window = self.window.max(bytes);
    }

    fn name(&self) -> &'static str {
        "reno"
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cc::Signal;

    const LOSS: Congestion = Congestion::new(Signal::Loss, 0);

    fn acked(bytes: u64) -> Acked<'static> {
        Acked::full(bytes, Duration::from_millis(20))
    }

    #[test]
    fn slow_start_doubles_per_round_trip_and_loss_halves() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_ack(Instant::ZERO, &acked(10_000));
        assert_eq!(reno.window(), 20_000);
        reno.on_congestion(Instant::ZERO, &LOSS);
        assert_eq!(reno.window(), 10_000);
        reno.on_ack(Instant::ZERO, &acked(10_000));
        assert_eq!(
            reno.window(),
            11_000,
            "one packet per round trip after slow start"
        );
    }

    #[test]
    fn timeout_falls_to_one_packet() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_timeout(Instant::ZERO);
        assert_eq!(reno.window(), 1000);
        assert!(reno.in_slow_start());
    }

    #[test]
    fn a_reduction_in_error_is_undone_once() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_ack(Instant::ZERO, &acked(10_000));
        reno.on_timeout(Instant::ZERO);
        reno.on_spurious(Instant::ZERO);
        assert_eq!(reno.window(), 20_000);
        assert!(reno.in_slow_start());
        reno.on_spurious(Instant::ZERO);
        assert_eq!(reno.window(), 20_000);
    }

    #[test]
    fn a_window_decays_while_nothing_is_sent_but_not_below_the_initial_one() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_ack(Instant::ZERO, &acked(10_000));
        reno.on_ack(Instant::ZERO, &acked(20_000));
        assert_eq!(reno.window(), 40_000);
        reno.on_idle(Instant::ZERO, 1);
        assert_eq!(reno.window(), 20_000);
        reno.on_idle(Instant::ZERO, 100);
        assert_eq!(reno.window(), 10_000);
    }

    #[test]
    fn an_unused_window_does_not_grow() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_ack(
            Instant::ZERO,
            &Acked {
                window_limited: false,
                ..acked(5000)
            },
        );
        assert_eq!(reno.window(), 10_000);
    }
}
