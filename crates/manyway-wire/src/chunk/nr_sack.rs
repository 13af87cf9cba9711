//! NR-SACK (draft-natarajan-tsvwg-sctp-nrsack).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{DuplicateTsns, EncodeChunk, GapBlock, GapBlocks, expect_kind, put_header};
use crate::error::DecodeError;
use crate::list::FixedItem;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::Tsn;

/// Bytes of an NR-SACK value before its lists.
const FIXED_LEN: usize = 16;

/// An NR-SACK chunk: a SACK that also says which of the data beyond gaps its receiver will never
/// take back, so that the sender may free it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NrSack<'a> {
    /// The last TSN before the first gap.
    pub cumulative_tsn_ack: Tsn,
    /// The receiver's free buffer space, in bytes.
    pub a_rwnd: u32,
    /// The eight flag bits; CMT uses the two highest as in a [`Sack`](crate::Sack).
    pub flags: u8,
    /// What was received beyond gaps and may still be taken back.
    pub gaps: GapBlocks<'a>,
    /// What was received beyond gaps for good.
    pub non_renegable: GapBlocks<'a>,
    /// What was received more than once.
    pub duplicates: DuplicateTsns<'a>,
}

impl<'a> NrSack<'a> {
    /// Reads an NR-SACK chunk; its reserved field is ignored.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the lists are shorter than their counts say, and
    /// [`DecodeError::BadLength`] when something follows them.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        const WHAT: &str = "NR-SACK";
        expect_kind(raw, ChunkType::NR_SACK)?;
        let (fields, lists) = take::<FIXED_LEN>(raw.value, WHAT)?;
        let &[c0, c1, c2, c3, w0, w1, w2, w3, g0, g1, n0, n1, d0, d1, _, _] = fields;
        let bytes_of = |count, item_len| usize::from(u16::from_be_bytes(count)) * item_len;
        let gaps_len = bytes_of([g0, g1], GapBlock::WIRE_LEN);
        let non_renegable_len = bytes_of([n0, n1], GapBlock::WIRE_LEN);
        let duplicates_len = bytes_of([d0, d1], Tsn::WIRE_LEN);
        let need = FIXED_LEN + gaps_len + non_renegable_len + duplicates_len;
        let have = raw.value.len();
        if have < need {
            return Err(DecodeError::Truncated {
                what: WHAT,
                need,
                have,
            });
        }
        if have > need {
            return Err(DecodeError::BadLength {
                what: WHAT,
                length: CHUNK_HEADER_LEN + have,
            });
        }
        let (gaps, lists) = lists.split_at(gaps_len);
        let (non_renegable, duplicates) = lists.split_at(non_renegable_len);
        Ok(Self {
            cumulative_tsn_ack: Tsn(u32::from_be_bytes([c0, c1, c2, c3])),
            a_rwnd: u32::from_be_bytes([w0, w1, w2, w3]),
            flags: raw.flags,
            gaps: GapBlocks::from_bytes(gaps),
            non_renegable: GapBlocks::from_bytes(non_renegable),
            duplicates: DuplicateTsns::from_bytes(duplicates),
        })
    }
}

impl EncodeChunk for NrSack<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN
            + FIXED_LEN
            + self.gaps.wire_len()
            + self.non_renegable.wire_len()
            + self.duplicates.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::NR_SACK, self.flags, self.encoded_len());
        out.extend_from_slice(&self.cumulative_tsn_ack.0.to_be_bytes());
        out.extend_from_slice(&self.a_rwnd.to_be_bytes());
        // Counts beyond 16 bits mean a chunk beyond 65,535 bytes, which is never encoded.
        (self.gaps.len() as u16).write(out);
        (self.non_renegable.len() as u16).write(out);
        (self.duplicates.len() as u16).write(out);
        out.extend_from_slice(&[0; 2]);
        self.gaps.encode(out);
        self.non_renegable.encode(out);
        self.duplicates.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 36] = [
        0x10, 0x40, 0x00, 0x24, // type, flags, length 36
        0x00, 0x00, 0x00, 0x64, // cumulative TSN ack 100
        0x00, 0x01, 0x00, 0x00, // a_rwnd 65,536
        0x00, 0x01, 0x00, 0x02, // one gap block, two non-renegable ones
        0x00, 0x01, 0x00, 0x00, // one duplicate, reserved
        0x00, 0x02, 0x00, 0x03, // 102 to 103
        0x00, 0x05, 0x00, 0x05, // 105 for good
        0x00, 0x07, 0x00, 0x09, // 107 to 109 for good
        0x00, 0x00, 0x00, 0x63, // duplicate 99
    ];

    #[test]
    fn the_figure_of_the_draft_decodes_and_encodes() {
        let sack = NrSack {
            cumulative_tsn_ack: Tsn(100),
            a_rwnd: 65_536,
            flags: 0x40,
            gaps: GapBlocks::new(&[GapBlock { start: 2, end: 3 }]),
            non_renegable: GapBlocks::new(&[
                GapBlock { start: 5, end: 5 },
                GapBlock { start: 7, end: 9 },
            ]),
            duplicates: DuplicateTsns::new(&[Tsn(99)]),
        };
        assert_eq!(NrSack::decode(&raw(&WIRE)), Ok(sack));
        let mut out = Vec::new();
        sack.encode(&mut out);
        assert_eq!(out, WIRE);
        assert_round_trip(&WIRE);
    }

    #[test]
    fn counts_that_do_not_match_the_length_are_errors() {
        for at in [13, 15, 17] {
            let mut more = WIRE;
            more[at] += 1;
            let error = DecodeError::Truncated {
                what: "NR-SACK",
                need: 36,
                have: 32,
            };
            assert_eq!(NrSack::decode(&raw(&more)), Err(error));

            let mut fewer = WIRE;
            fewer[at] -= 1;
            let error = DecodeError::BadLength {
                what: "NR-SACK",
                length: 36,
            };
            assert_eq!(NrSack::decode(&raw(&fewer)), Err(error));
        }
        let mut huge_counts = WIRE;
        huge_counts[12..18].fill(0xff);
        assert!(matches!(
            NrSack::decode(&raw(&huge_counts)),
            Err(DecodeError::Truncated { .. })
        ));
    }

    #[test]
    fn the_reserved_field_is_ignored_and_sent_as_zero() {
        let mut reserved = WIRE;
        reserved[18..20].fill(0xff);
        let sack = NrSack::decode(&raw(&reserved)).unwrap();
        let mut out = Vec::new();
        sack.encode(&mut out);
        assert_eq!(out, WIRE);
    }
}
