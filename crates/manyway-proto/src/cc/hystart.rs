//! HyStart++, RFC 9406: leaves slow start when the queue begins to fill, before it overflows.

use std::time::Duration;

use crate::cc::Acked;

/// RFC 9406, section 4.3.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u32 = 8;
const CSS_GROWTH_DIVISOR: u64 = 4;
const CSS_ROUNDS: u32 = 5;

/// How the window may grow in slow start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// By this many bytes.
    Grow(u64),
    /// Slow start is over.
    Leave,
}

/// Conservative slow start: the round-trip time has grown, and grew no further yet.
#[derive(Clone, Copy, Debug)]
struct Conservative {
    baseline: Duration,
    rounds: u32,
}

/// Watches the round-trip times of slow start.
#[derive(Clone, Debug)]
pub(super) struct HyStart {
    round_end: u64,
    last_min: Option<Duration>,
    current_min: Option<Duration>,
    samples: u32,
    conservative: Option<Conservative>,
    /// The first slow start is over: later ones end at the threshold that a loss has set.
    over: bool,
}

impl HyStart {
    pub(super) fn new() -> Self {
        Self {
            round_end: 0,
            last_min: None,
            current_min: None,
            samples: 0,
            conservative: None,
            over: false,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
    //# An implementation SHOULD use HyStart++ only for the initial slow start (when the ssthresh is at its initial value of arbitrarily high per [RFC5681]) and fall back to using standard slow start for the remainder of the connection lifetime
    pub(super) fn end(&mut self) {
        self.over = true;
    }

    /// Takes in an acknowledgement of slow start.
    pub(super) fn on_ack(&mut self, acked: &Acked<'_>) -> Advice {
        if self.over {
            return Advice::Grow(acked.growth);
        }
        if acked.largest_acked >= self.round_end {
            self.round_end = acked.next_number;
            self.last_min = self.current_min.take();
            self.samples = 0;
            if let Some(css) = &mut self.conservative {
                css.rounds += 1;
                if css.rounds >= CSS_ROUNDS {
                    self.over = true;
                    return Advice::Leave;
                }
            }
        }
        if let Some(rtt) = acked.rtt_sample {
            self.current_min = Some(self.current_min.map_or(rtt, |min| min.min(rtt)));
            self.samples += 1;
        }
        self.compare();
        let divisor = if self.conservative.is_some() {
            CSS_GROWTH_DIVISOR
        } else {
            1
        };
        Advice::Grow(acked.growth / divisor)
    }

    fn compare(&mut self) {
        let (Some(current), true) = (self.current_min, self.samples >= N_RTT_SAMPLE) else {
            return;
        };
        match self.conservative {
            Some(css) if current < css.baseline => self.conservative = None,
            Some(_) => {}
            None => {
                let Some(last) = self.last_min else { return };
                let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if current >= last + threshold {
                    self.conservative = Some(Conservative {
                        baseline: current,
                        rounds: 0,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One round of ten acknowledgements with this round-trip time.
    fn round(hystart: &mut HyStart, round: u64, rtt_ms: u64) -> Vec<Advice> {
        let rtt = Duration::from_millis(rtt_ms);
        let ack = |i| Acked {
            rtt_sample: Some(rtt),
            largest_acked: round * 10 + i,
            next_number: round * 10 + i + 10,
            ..Acked::full(1000, rtt)
        };
        (0..10).map(|i| hystart.on_ack(&ack(i))).collect()
    }

    #[test]
    fn a_steady_round_trip_time_lets_slow_start_go_on() {
        let mut hystart = HyStart::new();
        for r in 0..20 {
            assert!(
                round(&mut hystart, r, 20)
                    .iter()
                    .all(|a| *a == Advice::Grow(1000))
            );
        }
    }

    #[test]
    fn a_growing_queue_slows_the_growth_and_then_ends_it() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 0, 20);
        round(&mut hystart, 1, 20);
        assert_eq!(round(&mut hystart, 2, 30).last(), Some(&Advice::Grow(250)));
        let left = (3..8).position(|r| round(&mut hystart, r, 30).contains(&Advice::Leave));
        assert_eq!(left, Some(4));
    }

    #[test]
    fn later_slow_starts_are_not_cut_short() {
        let mut hystart = HyStart::new();
        (0..2).for_each(|r| drop(round(&mut hystart, r, 20)));
        (2..12).for_each(|r| drop(round(&mut hystart, r, 40)));
        assert_eq!(
            round(&mut hystart, 12, 90).last(),
            Some(&Advice::Grow(1000))
        );
    }

    #[test]
    fn a_false_alarm_is_taken_back() {
        let mut hystart = HyStart::new();
        round(&mut hystart, 0, 20);
        round(&mut hystart, 1, 20);
        round(&mut hystart, 2, 30);
        assert_eq!(round(&mut hystart, 3, 20).last(), Some(&Advice::Grow(1000)));
    }
}
