//! COOKIE ECHO and COOKIE ACK (RFC 9260 sections 3.3.11 and 3.3.12).

use alloc::vec::Vec;

use crate::bytes::exactly;
use crate::chunk::{EncodeChunk, expect_kind, put_chunk};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};

/// A COOKIE ECHO chunk: returns the state cookie (RFC 9260 section 3.3.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CookieEcho<'a> {
    /// The State Cookie of the INIT ACK, unchanged.
    pub cookie: &'a [u8],
}

impl<'a> CookieEcho<'a> {
    /// Reads a COOKIE ECHO chunk.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] when the cookie is empty: no endpoint issues such a cookie.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::COOKIE_ECHO)?;
        if raw.value.is_empty() {
            return Err(DecodeError::BadLength {
                what: "COOKIE ECHO",
                length: CHUNK_HEADER_LEN,
            });
        }
        Ok(Self { cookie: raw.value })
    }
}

impl EncodeChunk for CookieEcho<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + self.cookie.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(out, ChunkType::COOKIE_ECHO, 0, self.cookie);
    }
}

/// A COOKIE ACK chunk (RFC 9260 section 3.3.12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CookieAck;

impl CookieAck {
    /// Reads a COOKIE ACK chunk.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] unless it is 4 bytes long.
    pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::COOKIE_ACK)?;
        exactly::<0>(raw.value, CHUNK_HEADER_LEN, "COOKIE ACK")?;
        Ok(Self)
    }
}

impl EncodeChunk for CookieAck {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(out, ChunkType::COOKIE_ACK, 0, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    #[test]
    fn the_figures_of_the_rfc_decode_and_encode() {
        let wire = [10, 0, 0, 7, 1, 2, 3];
        assert_eq!(
            CookieEcho::decode(&raw(&wire)),
            Ok(CookieEcho { cookie: &[1, 2, 3] })
        );
        assert_round_trip(&wire);
        assert_eq!(CookieAck::decode(&raw(&[11, 0, 0, 4])), Ok(CookieAck));
        assert_round_trip(&[11, 0, 0, 4]);
    }

    #[test]
    fn an_empty_cookie_and_a_long_acknowledgement_are_errors() {
        let error = DecodeError::BadLength {
            what: "COOKIE ECHO",
            length: 4,
        };
        assert_eq!(CookieEcho::decode(&raw(&[10, 0, 0, 4])), Err(error));
        let error = DecodeError::BadLength {
            what: "COOKIE ACK",
            length: 5,
        };
        assert_eq!(CookieAck::decode(&raw(&[11, 0, 0, 5, 0])), Err(error));
    }
}
