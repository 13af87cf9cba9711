//! SACK and NR-SACK chunks out.

use manyway_wire::{DuplicateTsns, GapBlocks, NrSack, PacketWriter, Sack};

use super::{Association, Extension};
use crate::cmt::dac;

/// Bytes of the chunk without its lists.
const SACK_LEN: usize = 16;
const NR_SACK_LEN: usize = 20;
/// Bytes of a gap block, and of a duplicate TSN.
const ITEM_LEN: usize = 4;

impl Association {
    /// An acknowledgement of everything that arrived. Whoever offered NR-SACK gets that: data that
    /// have been recorded are never dropped here, so that every gap block is non-renegable.
    pub(super) fn bundle_sack(&mut self, writer: &mut PacketWriter<'_>) {
        let non_renegable = self.has(Extension::NrSack);
        let fixed = if non_renegable { NR_SACK_LEN } else { SACK_LEN };
        self.bundle_echoes(writer);
        let Some(room) = writer.remaining().checked_sub(fixed) else {
            return;
        };
        let room = room / ITEM_LEN;
        let limit = self.config.max_gap_blocks.min(room);
        let mut gaps = std::mem::take(&mut self.receiver.gaps);
        gaps.clear();
        self.receiver.tsns.gap_blocks(limit, &mut gaps);
        let mut duplicates = Vec::new();
        if self.receiver.tsns.has_duplicates() {
            self.receiver.tsns.take_duplicates(&mut duplicates);
            let fitting = room - gaps.len();
            self.receiver.tsns.unreported += duplicates.len().saturating_sub(fitting) as u64;
            duplicates.truncate(fitting);
        }
        let window = self.receiver.window(self.receiver.grant.bytes);
        let sack = Sack {
            cumulative_tsn_ack: self.receiver.tsns.cumulative(),
            a_rwnd: u32::try_from(window).unwrap_or(u32::MAX),
            flags: dac::flags(self.receiver.sack.packets()),
            gaps: GapBlocks::new(&gaps),
            duplicates: DuplicateTsns::new(&duplicates),
        };
        let pushed = if non_renegable {
            writer.push(&for_good(sack))
        } else {
            writer.push(&sack)
        };
        if pushed {
            self.receiver.advertised = window;
            self.receiver.sack.on_sent();
            self.stats.sacks_sent += 1;
        }
        self.receiver.gaps = gaps;
    }
}

/// The NR-SACK that says what `sack` does, and that nothing of it will be taken back.
fn for_good(sack: Sack<'_>) -> NrSack<'_> {
    NrSack {
        cumulative_tsn_ack: sack.cumulative_tsn_ack,
        a_rwnd: sack.a_rwnd,
        flags: sack.flags,
        gaps: GapBlocks::EMPTY,
        non_renegable: sack.gaps,
        duplicates: sack.duplicates,
    }
}
