//! What Reno and the coupled controllers share: slow start (RFC 5681 with HyStart++), a window that
//! a loss reduces and that a mistake restores.

use crate::cc::hystart::{Advice, HyStart};
use crate::cc::{Acked, ControllerSetup, MIN_WINDOW_PACKETS, window_after_pause};

/// Additive increase and multiplicative decrease, without saying how much of either.
#[derive(Clone, Debug)]
pub(super) struct Aimd {
    pub(super) packet_size: u64,
    pub(super) window: u64,
    threshold: u64,
    hystart: HyStart,
    /// Growth that is less than a byte yet.
    fraction: f64,
    /// Nothing was acknowledged since a timeout.
    timed_out: bool,
    /// Window, threshold and slow start before the last reduction.
    before: Option<(u64, u64, HyStart)>,
}

impl Aimd {
    pub(super) fn new(setup: &ControllerSetup) -> Self {
        Self {
            packet_size: setup.packet_size,
            window: setup.initial_window(),
            threshold: setup.initial_threshold(),
            hystart: HyStart::new(),
            fraction: 0.0,
            timed_out: false,
            before: None,
        }
    }

    /// The bytes by which congestion avoidance shall grow the window: none in slow start, which
    /// this does itself, and while the window is not used.
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
    //# The slow start algorithm is used when cwnd < ssthresh, while the congestion avoidance algorithm is used when cwnd > ssthresh.
    pub(super) fn avoidance(&mut self, acked: &Acked<'_>) -> Option<u64> {
        if acked.growth == 0 {
            return None;
        }
        self.timed_out = false;
        if !acked.window_limited {
            return None;
        }
        if !self.in_slow_start() {
            return Some(acked.growth);
        }
        match self.hystart.on_ack(acked) {
            Advice::Grow(bytes) => self.window = (self.window + bytes).min(self.threshold),
            Advice::Leave => self.threshold = self.window,
        }
        None
    }

    /// Grows the window by so many bytes, or shrinks it if they are negative.
    pub(super) fn grow(&mut self, bytes: f64) {
        let bytes = bytes + self.fraction;
        let whole = bytes.floor();
        self.fraction = bytes - whole;
        if whole >= 0.0 {
            self.window += whole as u64;
        } else {
            let less = self.window.saturating_sub(-whole as u64);
            self.window = less.max(self.least()).min(self.window);
        }
    }

    /// Congestion: takes so many bytes off the window.
    pub(super) fn reduce(&mut self, bytes: u64) {
        self.remember();
        self.threshold = self.window.saturating_sub(bytes).max(self.least());
        self.window = self.threshold;
    }

    /// A timeout: the threshold falls by so many bytes, the window to one packet.
    pub(super) fn time_out(&mut self, bytes: u64) {
        // The threshold stays at a timeout that follows another one (RFC 5681, section 3.1).
        if !std::mem::replace(&mut self.timed_out, true) {
            self.reduce(bytes);
        }
        self.window = self.packet_size;
    }

    /// The last reduction was in error.
    pub(super) fn undo(&mut self) {
        let Some((window, threshold, hystart)) = self.before.take() else {
            return;
        };
        self.hystart = hystart;
        self.timed_out = false;
        self.window = self.window.max(window);
        self.threshold = self.threshold.max(threshold);
    }

    /// Nothing was sent for so many timeouts.
    pub(super) fn pause(&mut self, timeouts: u32) {
        let window = window_after_pause(self.window, timeouts, self.packet_size);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
        //# Before the first cwnd adjustment, the ssthresh of the transport address SHOULD be set to the cwnd
        //
        // One that is higher has never met a loss below it, and stays.
        if window < self.window {
            self.threshold = self.threshold.max(self.window);
            self.window = window;
        }
    }

    pub(super) fn threshold(&self) -> u64 {
        self.threshold
    }

    pub(super) fn in_slow_start(&self) -> bool {
        self.window < self.threshold
    }

    pub(super) fn set_packet_size(&mut self, bytes: u64) {
        self.packet_size = bytes;
    }

    fn least(&self) -> u64 {
        MIN_WINDOW_PACKETS * self.packet_size
    }

    fn remember(&mut self) {
        self.before = Some((self.window, self.threshold, self.hystart.clone()));
        self.fraction = 0.0;
        self.hystart.end();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn aimd() -> Aimd {
        Aimd::new(&ControllerSetup::new(1000))
    }

    fn full(bytes: u64) -> Acked<'static> {
        Acked::full(bytes, Duration::from_millis(20))
    }

    #[test]
    fn slow_start_doubles_per_round_trip_and_hands_over_at_the_threshold() {
        let mut aimd = aimd();
        assert_eq!(aimd.avoidance(&full(10_000)), None);
        assert_eq!(aimd.window, 20_000);
        aimd.reduce(10_000);
        assert_eq!(aimd.window, 10_000);
        assert_eq!(aimd.avoidance(&full(10_000)), Some(10_000));
    }

    #[test]
    fn growth_in_fractions_of_a_byte_adds_up() {
        let mut aimd = aimd();
        (0..1000).for_each(|_| aimd.grow(0.25));
        assert_eq!(aimd.window, 10_250);
        (0..1000).for_each(|_| aimd.grow(-0.25));
        assert_eq!(aimd.window, 10_000);
        aimd.grow(-1e9);
        assert_eq!(aimd.window, 4_000, "never below four packets");
    }

    #[test]
    fn an_unused_window_and_one_in_recovery_do_not_grow() {
        let mut aimd = aimd();
        let unused = Acked {
            window_limited: false,
            ..full(5000)
        };
        assert_eq!(aimd.avoidance(&unused), None);
        let recovering = Acked {
            growth: 0,
            ..full(5000)
        };
        assert_eq!(aimd.avoidance(&recovering), None);
        assert_eq!(aimd.window, 10_000);
    }

    #[test]
    fn what_replaces_another_controller_goes_on_from_its_window() {
        use crate::cc::Predecessor;
        let setup = ControllerSetup::new(1000).after(Predecessor::new(70_000, false));
        let aimd = Aimd::new(&setup);
        assert_eq!(aimd.window, 70_000);
        assert!(!aimd.in_slow_start());
        let setup = ControllerSetup::new(1000).after(Predecessor::new(70_000, true));
        assert!(Aimd::new(&setup).in_slow_start());
    }
}
