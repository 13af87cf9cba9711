//! What share of its packets a path loses.

/// Packets over which the share is taken, at least; at most twice as many.
const SPAN: u64 = 512;

/// Packets sent and lost up to some time.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sent: u64,
    lost: u64,
}

/// The share of lost packets among the latest ones.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossRate {
    older: Count,
    newer: Count,
}

impl LossRate {
    /// So many packets were sent and lost in all.
    pub(super) fn on_sent(&mut self, sent: u64, lost: u64) {
        if sent - self.newer.sent >= SPAN {
            self.older = self.newer;
            self.newer = Count { sent, lost };
        }
    }

    /// The share, from 0 to 1; 0 while nothing was sent.
    pub(super) fn get(&self, sent: u64, lost: u64) -> f64 {
        let of = sent.saturating_sub(self.older.sent).max(1);
        let lost = lost.saturating_sub(self.older.lost).min(of);
        lost as f64 / of as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_past_does_not_count() {
        let mut rate = LossRate::default();
        assert_eq!(rate.get(0, 0), 0.0);
        let mut lost = 0;
        for sent in 1..=1000 {
            lost += u64::from(sent % 10 == 0);
            rate.on_sent(sent, lost);
        }
        assert!((rate.get(1000, lost) - 0.1).abs() < 0.01);
        for sent in 1001..=3000 {
            rate.on_sent(sent, lost);
        }
        assert_eq!(rate.get(3000, lost), 0.0);
    }
}
