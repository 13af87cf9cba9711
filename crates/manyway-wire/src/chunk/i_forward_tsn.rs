//! I-FORWARD-TSN (RFC 8260 section 2.3.1).

use alloc::vec::Vec;

use crate::bytes::take_u32;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::list::{FixedItem, FixedList, read_pair};
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::{Mid, StreamId, Tsn};

/// The only bit of an entry's second half-word that has a meaning.
const U_BIT: u16 = 1;

/// The last message skipped in a stream, among its ordered or its unordered ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SkippedMessage {
    /// The stream.
    pub stream: StreamId,
    /// U bit: `mid` numbers an unordered message.
    pub unordered: bool,
    /// The largest message identifier skipped.
    pub mid: Mid,
}

/// Reserved bits are ignored and written as zeros.
impl FixedItem for SkippedMessage {
    const WIRE_LEN: usize = 8;

    fn read(bytes: &[u8]) -> Self {
        let (stream, bits) = read_pair(bytes);
        let (mid_high, mid_low) = read_pair(bytes.get(4..).unwrap_or_default());
        Self {
            stream: StreamId(stream),
            unordered: bits & U_BIT != 0,
            mid: Mid(u32::from(mid_high) << 16 | u32::from(mid_low)),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        self.stream.0.write(out);
        u16::from(self.unordered).write(out);
        out.extend_from_slice(&self.mid.0.to_be_bytes());
    }
}

/// For each stream with skipped messages, the last one skipped.
pub type SkippedMessages<'a> = FixedList<'a, SkippedMessage>;

/// An I-FORWARD-TSN chunk: the sender gives up on I-DATA chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IForwardTsn<'a> {
    /// All missing TSNs up to and including this one count as received.
    pub new_cumulative_tsn: Tsn,
    /// The messages given up on.
    pub skipped: SkippedMessages<'a>,
}

impl<'a> IForwardTsn<'a> {
    /// Reads an I-FORWARD-TSN chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the TSN is not whole, and [`DecodeError::BadLength`] when
    /// the list is not a whole number of entries.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::I_FORWARD_TSN)?;
        let (tsn, list) = take_u32(raw.value, "I-FORWARD-TSN")?;
        if !list.len().is_multiple_of(SkippedMessage::WIRE_LEN) {
            let length = CHUNK_HEADER_LEN + raw.value.len();
            return Err(DecodeError::BadLength {
                what: "I-FORWARD-TSN",
                length,
            });
        }
        Ok(Self {
            new_cumulative_tsn: Tsn(tsn),
            skipped: SkippedMessages::from_bytes(list),
        })
    }
}

impl EncodeChunk for IForwardTsn<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + 4 + self.skipped.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::I_FORWARD_TSN, 0, self.encoded_len());
        out.extend_from_slice(&self.new_cumulative_tsn.0.to_be_bytes());
        self.skipped.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 24] = [
        0xc2, 0x00, 0x00, 0x18, // type, flags, length 24
        0x00, 0x00, 0x00, 0x63, // new cumulative TSN 99
        0x00, 0x01, 0x00, 0x00, // stream 1, ordered
        0x00, 0x01, 0x00, 0x05, // up to message 65,541
        0xff, 0xff, 0x00, 0x01, // stream 65,535, unordered
        0x00, 0x00, 0x00, 0x00, // message 0
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let skipped = [
            SkippedMessage {
                stream: StreamId(1),
                unordered: false,
                mid: Mid(65_541),
            },
            SkippedMessage {
                stream: StreamId(0xffff),
                unordered: true,
                mid: Mid(0),
            },
        ];
        let chunk = IForwardTsn {
            new_cumulative_tsn: Tsn(99),
            skipped: SkippedMessages::new(&skipped),
        };
        assert_eq!(IForwardTsn::decode(&raw(&WIRE)), Ok(chunk));
        let mut out = Vec::new();
        chunk.encode(&mut out);
        assert_eq!(out, WIRE);
        assert_round_trip(&WIRE);
        assert_round_trip(&[0xc2, 0, 0, 8, 0, 0, 0, 99]);
    }

    #[test]
    fn reserved_bits_of_an_entry_do_not_matter() {
        let mut reserved = WIRE;
        reserved[10..12].copy_from_slice(&[0xff, 0xfe]);
        let plain = IForwardTsn::decode(&raw(&WIRE)).unwrap();
        assert_eq!(IForwardTsn::decode(&raw(&reserved)), Ok(plain));
    }

    #[test]
    fn part_of_an_entry_is_an_error() {
        let mut wire = WIRE[..20].to_vec();
        wire[3] = 20;
        let error = DecodeError::BadLength {
            what: "I-FORWARD-TSN",
            length: 20,
        };
        assert_eq!(IForwardTsn::decode(&raw(&wire)), Err(error));
        let error = DecodeError::Truncated {
            what: "I-FORWARD-TSN",
            need: 4,
            have: 0,
        };
        assert_eq!(IForwardTsn::decode(&raw(&[0xc2, 0, 0, 4])), Err(error));
    }
}
