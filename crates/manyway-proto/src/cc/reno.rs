//! The congestion control of RFC 9260, section 7.2.

use crate::cc::aimd::Aimd;
use crate::cc::{Acked, Congestion, CongestionController, ControllerSetup};
use crate::time::Instant;

/// Slow start and additive increase, multiplicative decrease (RFC 9260, section 7.2).
#[derive(Clone, Debug)]
pub struct Reno {
    aimd: Aimd,
    partial_bytes_acked: u64,
}

impl Reno {
    /// A controller for a path.
    pub fn new(setup: &ControllerSetup) -> Self {
        Self {
            aimd: Aimd::new(setup),
            partial_bytes_acked: 0,
        }
    }
}

impl CongestionController for Reno {
    fn on_ack(&mut self, _now: Instant, acked: &Acked<'_>) {
        let Some(bytes) = self.aimd.avoidance(acked) else {
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.2
        //# When cwnd is greater than ssthresh, cwnd SHOULD be incremented by PMDCS per RTT if the sender has cwnd or more bytes of data outstanding
        self.partial_bytes_acked += bytes;
        if self.partial_bytes_acked >= self.aimd.window {
            self.partial_bytes_acked -= self.aimd.window;
            self.aimd.window += self.aimd.packet_size;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.3
    //# a packet loss causes cwnd to be cut in half
    fn on_congestion(&mut self, _now: Instant, _congestion: &Congestion) {
        self.partial_bytes_acked = 0;
        self.aimd.reduce(self.aimd.window / 2);
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.partial_bytes_acked = 0;
        self.aimd.time_out(self.aimd.window / 2);
    }

    fn on_spurious(&mut self, _now: Instant) {
        self.aimd.undo();
    }

    fn on_idle(&mut self, _now: Instant, timeouts: u32) {
        self.aimd.pause(timeouts);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.2
        //# When all of the data transmitted by the sender has been acknowledged by the receiver, partial_bytes_acked is initialized to 0
        self.partial_bytes_acked = 0;
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

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes [RFC4821].
    fn set_packet_size(&mut self, bytes: u64) {
        self.aimd.set_packet_size(bytes);
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

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# An update to the PLPMTU (or MPS) MUST NOT increase the congestion window measured in bytes [RFC4821].
    #[test]
    fn larger_packets_make_no_larger_window() {
        let mut reno = Reno::new(&ControllerSetup::new(1000));
        reno.on_timeout(Instant::ZERO);
        for bytes in [1472, 8972] {
            reno.set_packet_size(bytes);
            assert_eq!(reno.window(), 1000);
        }
    }
}
