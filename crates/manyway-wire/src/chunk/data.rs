//! DATA (RFC 9260 section 3.3.1, the I bit of RFC 7053).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::{Ppid, Ssn, StreamId, Tsn};

/// Bytes of a DATA chunk before its user data.
pub const DATA_HEADER_LEN: usize = 16;

const I_BIT: u8 = 0b1000;
const U_BIT: u8 = 0b0100;
const B_BIT: u8 = 0b0010;
const E_BIT: u8 = 0b0001;

/// Flags of a DATA chunk. Neither `begin` nor `end` marks a middle fragment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct DataFlags {
    /// I bit: the sender would like its SACK without delay.
    pub immediate: bool,
    /// U bit: the message is unordered and its stream sequence number means nothing.
    pub unordered: bool,
    /// B bit: the first fragment of a message.
    pub begin: bool,
    /// E bit: the last fragment of a message.
    pub end: bool,
}

impl DataFlags {
    /// Reads the flags; reserved bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            immediate: bits & I_BIT != 0,
            unordered: bits & U_BIT != 0,
            begin: bits & B_BIT != 0,
            end: bits & E_BIT != 0,
        }
    }

    /// The flags as the chunk carries them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        (self.immediate as u8 * I_BIT)
            | (self.unordered as u8 * U_BIT)
            | (self.begin as u8 * B_BIT)
            | (self.end as u8 * E_BIT)
    }
}

/// A DATA chunk: a user message or a fragment of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Data<'a> {
    /// The chunk's transmission sequence number.
    pub tsn: Tsn,
    /// The stream that carries the message.
    pub stream: StreamId,
    /// The message's place in its stream, unless it is unordered.
    pub ssn: Ssn,
    /// The upper layer's own identifier, the same in all fragments.
    pub ppid: Ppid,
    /// How the chunk belongs to its message.
    pub flags: DataFlags,
    /// The user data; never empty on the wire.
    pub payload: &'a [u8],
}

impl<'a> Data<'a> {
    /// Reads a DATA chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the header is not whole, and [`DecodeError::EmptyData`]
    /// when no user data follows it.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::DATA)?;
        let (fields, payload) = take::<{ DATA_HEADER_LEN - CHUNK_HEADER_LEN }>(raw.value, "DATA")?;
        let &[t0, t1, t2, t3, s0, s1, n0, n1, p0, p1, p2, p3] = fields;
        let tsn = Tsn(u32::from_be_bytes([t0, t1, t2, t3]));
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.1
        //# A DATA chunk with a User Data field of length L will have the Length field set to (16 + L) (indicating 16 + L bytes) where L MUST be greater than 0.
        if payload.is_empty() {
            return Err(DecodeError::EmptyData { tsn });
        }
        Ok(Self {
            tsn,
            stream: StreamId(u16::from_be_bytes([s0, s1])),
            ssn: Ssn(u16::from_be_bytes([n0, n1])),
            ppid: Ppid(u32::from_be_bytes([p0, p1, p2, p3])),
            flags: DataFlags::from_bits(raw.flags),
            payload,
        })
    }
}

impl EncodeChunk for Data<'_> {
    fn encoded_len(&self) -> usize {
        DATA_HEADER_LEN + self.payload.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::DATA, self.flags.bits(), self.encoded_len());
        out.extend_from_slice(&self.tsn.0.to_be_bytes());
        out.extend_from_slice(&self.stream.0.to_be_bytes());
        out.extend_from_slice(&self.ssn.0.to_be_bytes());
        out.extend_from_slice(&self.ppid.0.to_be_bytes());
        out.extend_from_slice(self.payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 19] = [
        0x00, 0x0b, 0x00, 0x13, // type, I B E, length 19
        0xff, 0xff, 0xff, 0xfe, // TSN
        0x00, 0x05, 0x00, 0x09, // stream 5, sequence 9
        0x00, 0x00, 0x00, 0x33, // payload protocol 51
        b'a', b'b', b'c',
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let data = Data {
            tsn: Tsn(0xffff_fffe),
            stream: StreamId(5),
            ssn: Ssn(9),
            ppid: Ppid(51),
            flags: DataFlags {
                immediate: true,
                unordered: false,
                begin: true,
                end: true,
            },
            payload: b"abc",
        };
        assert_eq!(Data::decode(&raw(&WIRE)), Ok(data));
        assert_round_trip(&WIRE);
    }

    #[test]
    fn every_flag_has_its_own_bit() {
        for bits in 0..16 {
            assert_eq!(DataFlags::from_bits(bits).bits(), bits);
        }
        assert_eq!(DataFlags::from_bits(0xf4).bits(), U_BIT);
    }

    #[test]
    fn a_chunk_without_user_data_names_its_tsn() {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.1
        //= type=test
        //# A DATA chunk with a User Data field of length L will have the Length field set to (16 + L) (indicating 16 + L bytes) where L MUST be greater than 0.
        let mut wire = WIRE[..16].to_vec();
        wire[3] = 16;
        let error = DecodeError::EmptyData {
            tsn: Tsn(0xffff_fffe),
        };
        assert_eq!(Data::decode(&raw(&wire)), Err(error));
    }

    #[test]
    fn a_header_cut_short_is_an_error() {
        let mut wire = WIRE[..15].to_vec();
        wire[3] = 15;
        let error = DecodeError::Truncated {
            what: "DATA",
            need: 12,
            have: 11,
        };
        assert_eq!(Data::decode(&raw(&wire)), Err(error));
    }
}
