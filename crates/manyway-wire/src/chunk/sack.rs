//! SACK (RFC 9260 section 3.3.4).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::list::{FixedItem, FixedList, read_pair};
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::Tsn;

/// Bytes of a SACK value before its lists.
const FIXED_LEN: usize = 12;

/// TSNs received beyond a gap, as offsets from the Cumulative TSN Ack; both ends belong to it.
///
/// A decoded block may be empty or overlap others: whether it makes sense is for the receiver
/// of the SACK to judge.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GapBlock {
    /// Offset of the block's first TSN.
    pub start: u16,
    /// Offset of the block's last TSN.
    pub end: u16,
}

impl FixedItem for GapBlock {
    const WIRE_LEN: usize = 4;

    fn read(bytes: &[u8]) -> Self {
        let (start, end) = read_pair(bytes);
        Self { start, end }
    }

    fn write(self, out: &mut Vec<u8>) {
        self.start.write(out);
        self.end.write(out);
    }
}

/// The Gap Ack Blocks of a SACK.
pub type GapBlocks<'a> = FixedList<'a, GapBlock>;

/// The TSNs that arrived again since the last SACK.
pub type DuplicateTsns<'a> = FixedList<'a, Tsn>;

/// A SACK chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sack<'a> {
    /// The last TSN before the first gap.
    pub cumulative_tsn_ack: Tsn,
    /// The receiver's free buffer space, in bytes.
    pub a_rwnd: u32,
    /// The eight flag bits: RFC 9260 reserves them all, CMT uses the two highest.
    pub flags: u8,
    /// What was received beyond gaps.
    pub gaps: GapBlocks<'a>,
    /// What was received more than once.
    pub duplicates: DuplicateTsns<'a>,
}

impl<'a> Sack<'a> {
    /// Packets with DATA that this SACK covers, by Delayed ACK for CMT (Iyengar, Amer and
    /// Stewart 2006): the two highest flag bits, 0 when the sender does not count.
    #[must_use]
    pub const fn cmt_dac_packets(&self) -> u8 {
        self.flags >> 6
    }

    /// The flags of a SACK that covers `packets`, of which the field can say at most 3.
    #[must_use]
    pub const fn cmt_dac_flags(packets: u8) -> u8 {
        (if packets > 3 { 3 } else { packets }) << 6
    }

    /// Reads a SACK chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the lists are shorter than their counts say, and
    /// [`DecodeError::BadLength`] when something follows them.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::SACK)?;
        let (fields, lists) = take::<FIXED_LEN>(raw.value, "SACK")?;
        let &[c0, c1, c2, c3, w0, w1, w2, w3, n0, n1, m0, m1] = fields;
        let gaps_len = usize::from(u16::from_be_bytes([n0, n1])) * GapBlock::WIRE_LEN;
        let duplicates_len = usize::from(u16::from_be_bytes([m0, m1])) * Tsn::WIRE_LEN;
        let need = FIXED_LEN + gaps_len + duplicates_len;
        let have = raw.value.len();
        if have < need {
            return Err(DecodeError::Truncated {
                what: "SACK",
                need,
                have,
            });
        }
        if have > need {
            return Err(DecodeError::BadLength {
                what: "SACK",
                length: CHUNK_HEADER_LEN + have,
            });
        }
        let (gaps, duplicates) = lists.split_at(gaps_len);
        Ok(Self {
            cumulative_tsn_ack: Tsn(u32::from_be_bytes([c0, c1, c2, c3])),
            a_rwnd: u32::from_be_bytes([w0, w1, w2, w3]),
            flags: raw.flags,
            gaps: GapBlocks::from_bytes(gaps),
            duplicates: DuplicateTsns::from_bytes(duplicates),
        })
    }
}

impl EncodeChunk for Sack<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + FIXED_LEN + self.gaps.wire_len() + self.duplicates.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::SACK, self.flags, self.encoded_len());
        out.extend_from_slice(&self.cumulative_tsn_ack.0.to_be_bytes());
        out.extend_from_slice(&self.a_rwnd.to_be_bytes());
        // Counts beyond 16 bits mean a chunk beyond 65,535 bytes, which is never encoded.
        (self.gaps.len() as u16).write(out);
        (self.duplicates.len() as u16).write(out);
        self.gaps.encode(out);
        self.duplicates.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 28] = [
        0x03, 0x80, 0x00, 0x1c, // type, DAC count 2, length 28
        0x00, 0x00, 0x00, 0x64, // cumulative TSN ack 100
        0x00, 0x01, 0x00, 0x00, // a_rwnd 65,536
        0x00, 0x02, 0x00, 0x01, // two gap blocks, one duplicate
        0x00, 0x02, 0x00, 0x03, // 102 to 103
        0x00, 0x05, 0x00, 0x05, // 105
        0x00, 0x00, 0x00, 0x63, // duplicate 99
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let sack = Sack {
            cumulative_tsn_ack: Tsn(100),
            a_rwnd: 65_536,
            flags: Sack::cmt_dac_flags(2),
            gaps: GapBlocks::new(&[GapBlock { start: 2, end: 3 }, GapBlock { start: 5, end: 5 }]),
            duplicates: DuplicateTsns::new(&[Tsn(99)]),
        };
        assert_eq!(sack.cmt_dac_packets(), 2);
        assert_eq!(Sack::decode(&raw(&WIRE)), Ok(sack));
        let mut out = Vec::new();
        sack.encode(&mut out);
        assert_eq!(out, WIRE);
        assert_round_trip(&WIRE);
    }

    #[test]
    fn counts_that_do_not_match_the_length_are_errors() {
        let mut more_blocks = WIRE;
        more_blocks[13] = 3;
        let error = DecodeError::Truncated {
            what: "SACK",
            need: 28,
            have: 24,
        };
        assert_eq!(Sack::decode(&raw(&more_blocks)), Err(error));

        let mut fewer_duplicates = WIRE;
        fewer_duplicates[15] = 0;
        let error = DecodeError::BadLength {
            what: "SACK",
            length: 28,
        };
        assert_eq!(Sack::decode(&raw(&fewer_duplicates)), Err(error));

        let mut huge_counts = WIRE;
        huge_counts[12..16].fill(0xff);
        assert!(matches!(
            Sack::decode(&raw(&huge_counts)),
            Err(DecodeError::Truncated { .. })
        ));
    }

    #[test]
    fn the_dac_count_saturates() {
        assert_eq!(Sack::cmt_dac_flags(3), 0xc0);
        assert_eq!(Sack::cmt_dac_flags(200), 0xc0);
    }
}
