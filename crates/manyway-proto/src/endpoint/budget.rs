//! How much all associations together may hold of what they received.

use crate::recv::ReceiveGrant;

/// However many associations share what is left, each may hold two packets.
const LEAST_SHARE: usize = 3000;

/// How short memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Less than half of the budget is held: each association has its whole buffer.
    Plenty,
    /// Each has an equal share of a quarter of the budget, and may complete messages.
    Pressed,
    /// Three quarters are held: each has its share, and not more.
    Full,
}

/// Counts what is held and says what each association may hold.
#[derive(Debug)]
pub(super) struct ReceiveBudget {
    total: usize,
    held: usize,
}

impl ReceiveBudget {
    pub(super) fn new(total: usize) -> Self {
        Self { total, held: 0 }
    }

    /// An association holds `after` bytes instead of `before`; true if memory has become short by
    /// this.
    pub(super) fn update(&mut self, before: usize, after: usize) -> bool {
        let level = self.level();
        self.held = self.held + after - before;
        level == Level::Plenty && self.level() > level
    }

    /// Whether there is room for no further association.
    pub(super) fn is_full(&self) -> bool {
        self.level() == Level::Full
    }

    /// What one of `associations`, with a buffer of `buffer` bytes, may hold.
    pub(super) fn grant(&self, associations: usize, buffer: usize) -> ReceiveGrant {
        let level = self.level();
        let bytes = match level {
            Level::Plenty => buffer,
            Level::Pressed | Level::Full => {
                let share = self.total / 4 / associations.max(1);
                share.max(LEAST_SHARE).min(buffer)
            }
        };
        ReceiveGrant {
            bytes,
            completes: level != Level::Full,
        }
    }

    fn level(&self) -> Level {
        if self.held < self.total / 2 {
            Level::Plenty
        } else if self.held < self.total / 4 * 3 {
            Level::Pressed
        } else {
            Level::Full
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grant_shrinks_with_what_is_held_and_comes_back() {
        let mut budget = ReceiveBudget::new(1 << 20);
        let grant = |budget: &ReceiveBudget| {
            let grant = budget.grant(4, 1 << 22);
            (grant.bytes, grant.completes)
        };
        assert_eq!(grant(&budget), (1 << 22, true));
        assert!(!budget.update(0, (1 << 19) - 1));
        assert_eq!(grant(&budget), (1 << 22, true));
        assert!(budget.update(0, 1));
        assert_eq!(grant(&budget), (1 << 16, true));
        assert!(!budget.update(0, 1 << 18), "it was short before");
        assert_eq!(grant(&budget), (1 << 16, false));
        assert!(budget.is_full());
        budget.update(1 << 19, 0);
        assert_eq!(grant(&budget), (1 << 22, true));
    }

    #[test]
    fn a_share_is_never_less_than_two_packets_nor_more_than_the_buffer() {
        let mut budget = ReceiveBudget::new(1 << 20);
        budget.update(0, 1 << 20);
        assert_eq!(budget.grant(1 << 20, 1 << 22).bytes, LEAST_SHARE);
        assert_eq!(budget.grant(1, 5000).bytes, 5000);
    }
}
