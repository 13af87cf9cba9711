//! SHUTDOWN, SHUTDOWN ACK and SHUTDOWN COMPLETE (RFC 9260 sections 3.3.8, 3.3.9 and 3.3.13).

use alloc::vec::Vec;

use crate::bytes::exactly;
use crate::chunk::abort::T_BIT;
use crate::chunk::{EncodeChunk, expect_kind, put_chunk};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::Tsn;

/// A SHUTDOWN chunk: the sender has no more data to send (RFC 9260 section 3.3.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shutdown {
    /// The last TSN received in sequence.
    pub cumulative_tsn_ack: Tsn,
}

impl Shutdown {
    /// Reads a SHUTDOWN chunk.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] unless it is 8 bytes long.
    pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::SHUTDOWN)?;
        let field = exactly::<4>(raw.value, CHUNK_HEADER_LEN, "SHUTDOWN")?;
        Ok(Self {
            cumulative_tsn_ack: Tsn(u32::from_be_bytes(field)),
        })
    }
}

impl EncodeChunk for Shutdown {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + 4
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(
            out,
            ChunkType::SHUTDOWN,
            0,
            &self.cumulative_tsn_ack.0.to_be_bytes(),
        );
    }
}

/// A SHUTDOWN ACK chunk (RFC 9260 section 3.3.9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShutdownAck;

impl ShutdownAck {
    /// Reads a SHUTDOWN ACK chunk.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] unless it is 4 bytes long.
    pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::SHUTDOWN_ACK)?;
        exactly::<0>(raw.value, CHUNK_HEADER_LEN, "SHUTDOWN ACK")?;
        Ok(Self)
    }
}

impl EncodeChunk for ShutdownAck {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(out, ChunkType::SHUTDOWN_ACK, 0, &[]);
    }
}

/// A SHUTDOWN COMPLETE chunk (RFC 9260 section 3.3.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShutdownComplete {
    /// T bit: the packet's verification tag is the one of the packet that is answered.
    pub reflected_tag: bool,
}

impl ShutdownComplete {
    /// Reads a SHUTDOWN COMPLETE chunk.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] unless it is 4 bytes long.
    pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::SHUTDOWN_COMPLETE)?;
        exactly::<0>(raw.value, CHUNK_HEADER_LEN, "SHUTDOWN COMPLETE")?;
        Ok(Self {
            reflected_tag: raw.flags & T_BIT != 0,
        })
    }
}

impl EncodeChunk for ShutdownComplete {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.reflected_tag) * T_BIT;
        put_chunk(out, ChunkType::SHUTDOWN_COMPLETE, flags, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    #[test]
    fn the_figures_of_the_rfc_decode_and_encode() {
        let wire = [7, 0, 0, 8, 0, 0, 1, 0];
        let shutdown = Shutdown {
            cumulative_tsn_ack: Tsn(256),
        };
        assert_eq!(Shutdown::decode(&raw(&wire)), Ok(shutdown));
        assert_round_trip(&wire);
        assert_eq!(ShutdownAck::decode(&raw(&[8, 0, 0, 4])), Ok(ShutdownAck));
        assert_round_trip(&[8, 0, 0, 4]);
        let complete = ShutdownComplete {
            reflected_tag: true,
        };
        assert_eq!(ShutdownComplete::decode(&raw(&[14, 1, 0, 4])), Ok(complete));
        assert_round_trip(&[14, 1, 0, 4]);
        assert_round_trip(&[14, 0, 0, 4]);
    }

    #[test]
    fn other_lengths_are_errors() {
        let error = |what, length| DecodeError::BadLength { what, length };
        assert_eq!(
            Shutdown::decode(&raw(&[7, 0, 0, 7, 0, 0, 1])),
            Err(error("SHUTDOWN", 7))
        );
        assert_eq!(
            Shutdown::decode(&raw(&[7, 0, 0, 4])),
            Err(error("SHUTDOWN", 4))
        );
        let long = [8, 0, 0, 5, 0];
        assert_eq!(
            ShutdownAck::decode(&raw(&long)),
            Err(error("SHUTDOWN ACK", 5))
        );
        let long = [14, 0, 0, 8, 0, 0, 0, 0];
        assert_eq!(
            ShutdownComplete::decode(&raw(&long)),
            Err(error("SHUTDOWN COMPLETE", 8))
        );
    }
}
