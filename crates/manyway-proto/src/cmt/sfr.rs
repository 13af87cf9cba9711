//! Split fast retransmit (SFR): what was sent on one path is never counted missing because of
//! what arrived on another.
//!
//! The paper keeps the highest newly acknowledged TSN per destination. Here each path numbers its
//! packets, retransmissions included, which gives the same split and also judges a second loss of
//! the same chunk.

use std::time::Duration;

use crate::time::Instant;

/// Later packets of the same path that must be acknowledged before one counts as lost: RFC 9260's
/// three missing reports.
pub(crate) const PACKET_THRESHOLD: u64 = 3;

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

/// Judges packet `number`, sent at `sent_at`, when `largest_acked` is the latest packet of the
/// same path that was acknowledged.
pub(crate) fn judge(
    now: Instant,
    number: u64,
    sent_at: Instant,
    largest_acked: Option<u64>,
    reordering: Duration,
) -> Verdict {
    let Some(largest) = largest_acked.filter(|largest| *largest > number) else {
        return Verdict::Fine;
    };
    let deadline = sent_at + reordering;
    if number + PACKET_THRESHOLD <= largest || deadline <= now {
        Verdict::Lost
    } else {
        Verdict::LostAt(deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(20);

    #[test]
    fn three_later_packets_of_the_same_path_prove_a_loss() {
        let now = Instant::from_nanos(1);
        let judge = |largest| judge(now, 5, now, largest, RTT);
        assert_eq!(judge(None), Verdict::Fine);
        assert_eq!(judge(Some(4)), Verdict::Fine);
        assert_eq!(judge(Some(7)), Verdict::LostAt(now + RTT));
        assert_eq!(judge(Some(8)), Verdict::Lost);
    }

    #[test]
    fn time_proves_a_loss_at_the_tail() {
        let sent = Instant::ZERO;
        assert_eq!(judge(sent + RTT, 5, sent, Some(6), RTT), Verdict::Lost);
    }
}
