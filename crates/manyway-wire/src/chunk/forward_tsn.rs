//! FORWARD-TSN (RFC 3758 section 3.2).

use alloc::vec::Vec;

use crate::bytes::take_u32;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::list::FixedList;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::{Ssn, StreamId, Tsn};

/// For each stream with skipped ordered messages, the last stream sequence number skipped.
pub type SkippedStreams<'a> = FixedList<'a, (StreamId, Ssn)>;

/// A FORWARD-TSN chunk: the sender gives up on DATA chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForwardTsn<'a> {
    /// All missing TSNs up to and including this one count as received.
    pub new_cumulative_tsn: Tsn,
    /// The ordered messages given up on.
    pub skipped: SkippedStreams<'a>,
}

impl<'a> ForwardTsn<'a> {
    /// Reads a FORWARD-TSN chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the TSN is not whole, and [`DecodeError::BadLength`] when
    /// the list is not a whole number of entries.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::FORWARD_TSN)?;
        let (tsn, list) = take_u32(raw.value, "FORWARD-TSN")?;
        if !list.len().is_multiple_of(4) {
            let length = CHUNK_HEADER_LEN + raw.value.len();
            return Err(DecodeError::BadLength {
                what: "FORWARD-TSN",
                length,
            });
        }
        Ok(Self {
            new_cumulative_tsn: Tsn(tsn),
            skipped: SkippedStreams::from_bytes(list),
        })
    }
}

impl EncodeChunk for ForwardTsn<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + 4 + self.skipped.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::FORWARD_TSN, 0, self.encoded_len());
        out.extend_from_slice(&self.new_cumulative_tsn.0.to_be_bytes());
        self.skipped.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 16] = [0xc0, 0, 0, 16, 0, 0, 0, 99, 0, 1, 0, 5, 0xff, 0xff, 0, 0];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let chunk = ForwardTsn {
            new_cumulative_tsn: Tsn(99),
            skipped: SkippedStreams::new(&[(StreamId(1), Ssn(5)), (StreamId(0xffff), Ssn(0))]),
        };
        assert_eq!(ForwardTsn::decode(&raw(&WIRE)), Ok(chunk));
        assert_round_trip(&WIRE);
        assert_round_trip(&[0xc0, 0, 0, 8, 0, 0, 0, 99]);
    }

    #[test]
    fn flags_are_ignored_and_sent_as_zeros() {
        let mut flags = WIRE;
        flags[1] = 0xff;
        let mut out = Vec::new();
        ForwardTsn::decode(&raw(&flags)).unwrap().encode(&mut out);
        assert_eq!(out, WIRE);
    }

    #[test]
    fn a_stream_may_be_listed_more_than_once() {
        let entries = [(StreamId(1), Ssn(5)), (StreamId(1), Ssn(4))];
        let chunk = ForwardTsn {
            new_cumulative_tsn: Tsn(u32::MAX),
            skipped: SkippedStreams::new(&entries),
        };
        let mut wire = Vec::new();
        chunk.encode(&mut wire);
        let decoded = ForwardTsn::decode(&raw(&wire)).unwrap();
        assert_eq!(decoded, chunk);
        assert!(decoded.skipped.iter().eq(entries));
    }

    #[test]
    fn part_of_an_entry_is_an_error() {
        let mut wire = WIRE[..14].to_vec();
        wire[3] = 14;
        let error = DecodeError::BadLength {
            what: "FORWARD-TSN",
            length: 14,
        };
        assert_eq!(ForwardTsn::decode(&raw(&wire)), Err(error));
        let error = DecodeError::Truncated {
            what: "FORWARD-TSN",
            need: 4,
            have: 0,
        };
        assert_eq!(ForwardTsn::decode(&raw(&[0xc0, 0, 0, 4])), Err(error));
    }
}
