//! RACK: a packet is lost if one sent sufficiently later has arrived (RFC 8985, section 6).

use std::time::Duration;

use super::min_rtt::MinRtt;
use crate::time::Instant;

/// Later packets of the same path that must be acknowledged before one counts as lost while no
/// reordering was seen: RFC 9260's three missing reports, RFC 8985's DupThresh.
const PACKET_THRESHOLD: u64 = 3;
/// No packet counts as lost by time alone before: timers are no finer.
const GRANULARITY: Duration = Duration::from_millis(1);
/// Recoveries for which a reordering window that errors have enlarged is kept.
const PERSIST: u32 = 16;

/// What is to be thought of a packet that is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Lost.
    Lost,
    /// Was overtaken; lost if not acknowledged by then.
    LostAt(Instant),
    /// Nothing speaks against it.
    Fine,
}

/// What has been delivered on a path and how much reordering there is.
#[derive(Clone, Debug)]
pub(crate) struct Rack {
    /// The packet sent last among those delivered (`RACK.segment`).
    newest: Option<u64>,
    /// The highest packet delivered among those without retransmissions (`RACK.fack`).
    highest: Option<u64>,
    /// Round-trip time of that packet (`RACK.ack_ts - RACK.xmit_ts`).
    rtt: Duration,
    srtt: Duration,
    min_rtt: MinRtt,
    reordering_seen: bool,
    /// The window in quarters of the least round-trip time (`RACK.reo_wnd_mult`).
    quarters: u32,
    /// Recoveries until the window returns to one quarter (`RACK.reo_wnd_persist`).
    persist: u32,
    /// The window does not grow again before this packet is delivered (`RACK.dsack_round`).
    round_end: Option<u64>,
}

impl Default for Rack {
    fn default() -> Self {
        Self {
            newest: None,
            highest: None,
            rtt: Duration::ZERO,
            srtt: Duration::ZERO,
            min_rtt: MinRtt::default(),
            reordering_seen: false,
            quarters: 1,
            persist: 0,
            round_end: None,
        }
    }
}

impl Rack {
    /// A packet none of whose chunks was sent before was delivered after `rtt`.
    pub(crate) fn on_delivered(&mut self, now: Instant, number: u64, rtt: Duration) {
        self.min_rtt.on_sample(now, rtt);
        if self.highest.is_some_and(|highest| number < highest) {
            self.reordering_seen = true;
        }
        self.highest = self.highest.max(Some(number));
        self.advance(number, rtt);
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
    //# To avoid spurious inferences, ignore a segment as invalid if any of its sequence range has been retransmitted before and if either of two conditions is true
    //
    // Without timestamps the second one counts: it was retransmitted less than the least round-trip
    // time ago. The minimum has its noise (queues, delayed acknowledgements): only what is clearly
    // sooner is taken for the answer to the original (`false`), and what is much sooner than usual
    // is taken for neither. One whose original went out on
    // another path (not `same_path`) says nothing of this one, where the queue may be long.
    pub(crate) fn on_resent_delivered(
        &mut self,
        number: u64,
        rtt: Duration,
        same_path: bool,
    ) -> bool {
        let least = self.min_rtt.get().unwrap_or_default();
        let possible = rtt * 4 >= least * 3;
        if same_path && possible && rtt * 2 >= self.srtt {
            self.advance(number, rtt);
        }
        possible
    }

    fn advance(&mut self, number: u64, rtt: Duration) {
        if self.newest.is_none_or(|newest| newest <= number) {
            self.newest = Some(number);
            self.rtt = rtt;
        }
        if self.round_end.is_some_and(|end| number >= end) {
            self.round_end = None;
        }
    }

    /// A packet that had been declared lost was delivered: the path reorders by more than the
    /// window, which grows once per round trip. `next` is the path's next packet.
    pub(crate) fn on_spurious(&mut self, next: u64) {
        self.reordering_seen = true;
        if self.round_end.is_none() {
            self.round_end = Some(next);
            self.quarters = self.quarters.saturating_add(1);
            self.persist = PERSIST;
        }
    }

    /// A recovery is over.
    pub(crate) fn on_recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.quarters = 1;
        }
    }

    /// The least round-trip time of late.
    pub(crate) fn min_rtt(&self) -> Option<Duration> {
        self.min_rtt.get()
    }

    pub(crate) fn on_srtt(&mut self, srtt: Duration) {
        self.srtt = srtt;
    }

    #[cfg(test)]
    fn has_passed(&self, number: u64) -> bool {
        self.newest.is_some_and(|newest| newest > number)
    }

    #[cfg(test)]
    fn has_seen_reordering(&self) -> bool {
        self.reordering_seen
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
    //# The RACK reordering window MUST be bounded, and this bound SHOULD be one round trip
    fn window(&self) -> Duration {
        let least = self.min_rtt.get().unwrap_or(self.rtt);
        (least / 4 * self.quarters).min(self.srtt)
    }

    /// Judges packet `number`, sent at `sent_at`; `recovering` while losses are being repaired.
    pub(crate) fn judge(
        &self,
        now: Instant,
        number: u64,
        sent_at: Instant,
        recovering: bool,
    ) -> Verdict {
        let Some(newest) = self.newest.filter(|newest| *newest > number) else {
            return Verdict::Fine;
        };
        //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
        //# The reordering window SHOULD be set to zero if no reordering has been observed on the connection so far, and either (a) three segments have been SACKed since the last recovery or (b) the sender is already in fast or RTO recovery
        //
        // Distance stands for the count of packets, as in RFC 9002, section 6.1.1.
        let many = number + PACKET_THRESHOLD <= newest;
        let window = if !self.reordering_seen && (recovering || many) {
            return Verdict::Lost;
        } else {
            self.window()
        };
        //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
        //# Segment.xmit_ts + RACK.rtt + RACK.reo_wnd - now <= 0
        let deadline = sent_at + (self.rtt + window).max(GRANULARITY);
        if deadline <= now {
            Verdict::Lost
        } else {
            Verdict::LostAt(deadline)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// Packet `number` is sent at `number` ms and delivered a round trip later.
    fn deliver(rack: &mut Rack, number: u64) -> Instant {
        let now = at(number) + RTT;
        rack.on_srtt(RTT);
        rack.on_delivered(now, number, RTT);
        now
    }

    #[test]
    fn three_later_packets_prove_a_loss_while_no_reordering_was_seen() {
        let mut rack = Rack::default();
        assert_eq!(rack.judge(at(30), 5, at(5), false), Verdict::Fine);
        let now = deliver(&mut rack, 7);
        let window = RTT / 4;
        assert_eq!(
            rack.judge(now, 5, at(5), false),
            Verdict::LostAt(at(5) + RTT + window)
        );
        assert_eq!(rack.judge(now, 7, at(7), false), Verdict::Fine);
        let now = deliver(&mut rack, 8);
        assert_eq!(rack.judge(now, 5, at(5), false), Verdict::Lost);
    }

    #[test]
    fn one_later_packet_and_a_quarter_of_a_round_trip_prove_a_loss() {
        let mut rack = Rack::default();
        deliver(&mut rack, 6);
        let due = at(5) + RTT + RTT / 4;
        assert_eq!(rack.judge(due, 5, at(5), false), Verdict::Lost);
    }

    #[test]
    fn in_recovery_nothing_waits_unless_the_path_reorders() {
        let mut rack = Rack::default();
        let now = deliver(&mut rack, 6);
        assert_eq!(rack.judge(now, 5, at(5), true), Verdict::Lost);
        deliver(&mut rack, 4);
        assert!(rack.has_seen_reordering());
        let now = deliver(&mut rack, 12);
        assert_eq!(
            rack.judge(now, 10, at(10), true),
            Verdict::LostAt(at(10) + RTT + RTT / 4)
        );
    }

    #[test]
    fn losses_that_were_none_widen_the_window_once_per_round_up_to_a_round_trip() {
        let mut rack = Rack::default();
        deliver(&mut rack, 6);
        rack.on_spurious(10);
        rack.on_spurious(10);
        let window = |rack: &Rack, now| match rack.judge(now, 1, now, false) {
            Verdict::LostAt(deadline) => deadline - now - RTT,
            other => panic!("{other:?}"),
        };
        assert_eq!(window(&rack, at(30)), RTT / 2);
        for number in [10, 20, 30, 40, 50] {
            deliver(&mut rack, number);
            rack.on_spurious(number + 10);
        }
        assert_eq!(window(&rack, at(80)), RTT, "never more than a round trip");
        (0..16).for_each(|_| rack.on_recovered());
        assert_eq!(window(&rack, at(80)), RTT / 4);
    }

    #[test]
    fn a_retransmission_answered_too_soon_says_nothing() {
        let mut rack = Rack::default();
        deliver(&mut rack, 6);
        assert!(!rack.on_resent_delivered(9, RTT / 2, true));
        assert!(!rack.has_passed(8));
        assert!(rack.on_resent_delivered(9, RTT, false));
        assert!(!rack.has_passed(8), "sent on another path before");
        assert!(rack.on_resent_delivered(9, RTT, true));
        assert!(rack.has_passed(8));
    }
}
