//! What a SACK or NR-SACK claims beyond its cumulative point.

use std::ops::Range;

use manyway_wire::{GapBlock, GapBlocks};

/// The gap blocks of a SACK or NR-SACK. They are taken as a set: their order and overlaps mean
/// nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims<'a> {
    /// May be taken back (RFC 9260, section 6.2).
    pub(crate) renegable: GapBlocks<'a>,
    /// Never taken back (draft-natarajan-tsvwg-sctp-nrsack).
    pub(crate) non_renegable: GapBlocks<'a>,
    /// Blocks looked at, of both lists together.
    pub(crate) limit: usize,
    /// Whether what is not claimed is missing at the peer. A SHUTDOWN chunk says nothing of it.
    pub(crate) tells_gaps: bool,
}

/// One block of [`Claims`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    block: GapBlock,
    pub(crate) for_good: bool,
}

/// What an acknowledgement changed, beside what it acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AckOutcome {
    /// The cumulative point advanced.
    pub(crate) advanced: bool,
    /// Chunks whose acknowledgement the peer took back.
    pub(crate) withdrawn: u64,
    /// Gap blocks that were not looked at or make no sense.
    pub(crate) ignored_blocks: u64,
}

/// Why an acknowledgement cannot be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadAck {
    /// It acknowledges what was never sent.
    NeverSent,
    /// It takes back what was acknowledged for good.
    SettledWithdrawn,
}

impl BadAck {
    /// For people, and for the peer's ABORT.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NeverSent => "acknowledged a TSN that was never sent",
            Self::SettledWithdrawn => "took back what it had acknowledged as non-renegable",
        }
    }
}

impl Claims<'_> {
    /// A SHUTDOWN chunk's.
    pub(crate) const NONE: Self = Self {
        renegable: GapBlocks::EMPTY,
        non_renegable: GapBlocks::EMPTY,
        limit: 0,
        tells_gaps: false,
    };

    /// The blocks within the limit; non-renegable ones first, because they free memory.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Claim> {
        let as_claim = |for_good| move |block| Claim { block, for_good };
        let settled = self.non_renegable.iter().map(as_claim(true));
        settled
            .chain(self.renegable.iter().map(as_claim(false)))
            .take(self.limit)
    }

    /// Blocks beyond the limit.
    pub(crate) fn ignored(&self) -> usize {
        (self.renegable.len() + self.non_renegable.len()).saturating_sub(self.limit)
    }
}

impl Claim {
    /// The indices that the block acknowledges if `next` is the first beyond the cumulative point.
    /// A block that begins there, or that ends before it begins, says nothing: its sender would
    /// have acknowledged the one cumulatively and does not mean the other.
    pub(crate) fn range(&self, next: u64) -> Option<Range<u64>> {
        let GapBlock { start, end } = self.block;
        (start >= 2 && end >= start).then(|| next + u64::from(start) - 1..next + u64::from(end))
    }
}
