//! One reduction of a path's window, and the proof that it was not called for.

/// Why the window was reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Losses that acknowledgements of later packets showed.
    #[default]
    Losses,
    /// A loss that a tail loss probe repaired.
    Probe,
    /// The retransmission timer.
    Timeout,
    /// A congestion mark that the peer echoed: nothing can prove it wrong.
    Mark,
}

/// The latest reduction: it answers for losses of packets `from..to`. Once all of them are known
/// to have arrived it is undone, as with TCP's DSACK (RFC 3708) and Eifel (RFC 4015) responses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Episode {
    from: u64,
    to: u64,
    cause: Cause,
    /// Chunks declared lost that are not known to have arrived; 0 once undone or never begun.
    suspected: u32,
}

impl Episode {
    /// Whether the loss of packet `number` is reason for another reduction.
    pub(crate) fn is_over_for(&self, number: u64) -> bool {
        number >= self.to
    }

    /// A reduction begins; `next` is the number of the path's next packet.
    pub(crate) fn begin(&mut self, next: u64, cause: Cause) {
        *self = Self {
            from: self.to,
            to: next,
            cause,
            suspected: 0,
        };
    }

    /// The timer expired; again, if nothing was answered since it last did.
    pub(crate) fn on_timeout(&mut self, next: u64, again: bool) {
        if again && self.cause == Cause::Timeout {
            self.to = next;
        } else {
            self.begin(next, Cause::Timeout);
        }
    }

    /// A chunk of packet `number` was declared lost.
    pub(crate) fn on_lost(&mut self, number: u64) {
        if (self.from..self.to).contains(&number) {
            self.suspected = self.suspected.saturating_add(1);
        }
    }

    /// A chunk of packet `number` that had been declared lost did arrive. True if the reduction
    /// shall be undone: every loss has proved wrong, or, of a timeout, the first answer is to the
    /// original (F-RTO, RFC 5682, section 3).
    pub(crate) fn on_arrived(&mut self, number: u64, by_first_answer: bool) -> bool {
        if self.suspected == 0 || !(self.from..self.to).contains(&number) {
            return false;
        }
        self.suspected -= 1;
        if self.cause == Cause::Timeout && by_first_answer {
            self.suspected = 0;
        }
        self.suspected == 0
    }

    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduction_is_undone_when_every_loss_has_proved_wrong() {
        let mut episode = Episode::default();
        assert!(episode.is_over_for(0));
        episode.begin(10, Cause::Losses);
        [3, 4].into_iter().for_each(|n| episode.on_lost(n));
        assert!(!episode.is_over_for(9));
        assert!(!episode.on_arrived(3, false));
        assert!(!episode.on_arrived(12, false), "of another time");
        assert!(episode.on_arrived(4, false));
        assert!(!episode.on_arrived(4, false), "once only");
    }

    #[test]
    fn a_timeout_is_refuted_by_the_first_answer_to_an_original() {
        let mut episode = Episode::default();
        episode.begin(10, Cause::Timeout);
        (0..10).for_each(|n| episode.on_lost(n));
        assert!(!episode.on_arrived(0, false), "a duplicate proves one only");
        assert!(episode.on_arrived(1, true));
    }

    #[test]
    fn a_new_reduction_does_not_answer_for_old_losses() {
        let mut episode = Episode::default();
        episode.begin(10, Cause::Losses);
        episode.begin(20, Cause::Losses);
        episode.on_lost(5);
        episode.on_lost(15);
        assert!(!episode.on_arrived(5, false));
        assert!(episode.on_arrived(15, false));
    }
}
