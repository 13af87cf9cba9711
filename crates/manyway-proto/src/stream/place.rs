//! Where a chunk belongs in its stream.

use manyway_wire::{Fsn, Mid, Ssn};

/// A chunk's place in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a DATA chunk: the message's number; it means nothing if the message is unordered.
    Plain(Ssn),
    /// In an I-DATA chunk: the message's number and the fragment's.
    Interleaved {
        /// Ordered and unordered messages are numbered apart.
        mid: Mid,
        fsn: Fsn,
    },
}

impl Place {
    /// The next piece of the same message.
    pub(crate) fn next_piece(self) -> Self {
        match self {
            Self::Plain(ssn) => Self::Plain(ssn),
            Self::Interleaved { mid, fsn } => Self::Interleaved {
                mid,
                fsn: fsn.next(),
            },
        }
    }
}
