//! AUTH (RFC 4895 section 5.1).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::list::FixedItem;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::{HmacId, KeyId};

/// Bytes of an AUTH chunk before its HMAC.
pub const AUTH_HEADER_LEN: usize = 8;

/// An AUTH chunk: authenticates itself and all the chunks behind it in its packet.
///
/// [`Packet::authentication`](crate::Packet::authentication) finds it in a received packet with
/// what its HMAC covers; [`PacketWriter::push_auth`](crate::PacketWriter::push_auth) writes one
/// whose HMAC is filled in later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Auth<'a> {
    /// The endpoint pair shared key that was used; 0 is the empty key.
    pub key_id: KeyId,
    /// The hash function that was used.
    pub hmac_id: HmacId,
    /// The HMAC. Its length is whatever the chunk holds: that it fits the hash function is to be
    /// checked before it is compared.
    pub hmac: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Reads an AUTH chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the identifiers are not whole.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::AUTH)?;
        let (&[k0, k1, h0, h1], hmac) =
            take::<{ AUTH_HEADER_LEN - CHUNK_HEADER_LEN }>(raw.value, "AUTH")?;
        Ok(Self {
            key_id: KeyId(u16::from_be_bytes([k0, k1])),
            hmac_id: HmacId(u16::from_be_bytes([h0, h1])),
            hmac,
        })
    }
}

impl EncodeChunk for Auth<'_> {
    fn encoded_len(&self) -> usize {
        AUTH_HEADER_LEN + self.hmac.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_auth_header(out, self.key_id, self.hmac_id, self.encoded_len());
        out.extend_from_slice(self.hmac);
    }
}

/// An AUTH chunk whose HMAC is not known yet and reads as zeros.
pub(crate) struct BlankAuth {
    pub(crate) key_id: KeyId,
    pub(crate) hmac_id: HmacId,
    pub(crate) hmac_len: usize,
}

impl EncodeChunk for BlankAuth {
    fn encoded_len(&self) -> usize {
        AUTH_HEADER_LEN.saturating_add(self.hmac_len)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_auth_header(out, self.key_id, self.hmac_id, self.encoded_len());
        out.resize(out.len() + self.hmac_len, 0);
    }
}

fn put_auth_header(out: &mut Vec<u8>, key_id: KeyId, hmac_id: HmacId, encoded_len: usize) {
    put_header(out, ChunkType::AUTH, 0, encoded_len);
    key_id.0.write(out);
    hmac_id.0.write(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 28] = [
        0x0f, 0x00, 0x00, 0x1c, // type, flags, length 28
        0x00, 0x07, 0x00, 0x01, // shared key 7, SHA-1
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, // HMAC
        0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9,
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let auth = Auth {
            key_id: KeyId(7),
            hmac_id: HmacId::SHA1,
            hmac: &WIRE[8..],
        };
        assert_eq!(Auth::decode(&raw(&WIRE)), Ok(auth));
        assert_eq!(Some(auth.hmac.len()), auth.hmac_id.hmac_len());
        assert_round_trip(&WIRE);
        assert_round_trip(&[0x0f, 0, 0, 8, 0, 0, 0, 3]);
        assert_round_trip(&[0x0f, 0, 0, 9, 0, 0, 0, 2, 0xff]);
    }

    #[test]
    fn identifiers_cut_short_are_an_error() {
        let error = DecodeError::Truncated {
            what: "AUTH",
            need: 4,
            have: 3,
        };
        assert_eq!(Auth::decode(&raw(&[0x0f, 0, 0, 7, 0, 0, 0])), Err(error));
    }

    #[test]
    fn a_blank_chunk_has_zeros_for_its_hmac() {
        let blank = BlankAuth {
            key_id: KeyId(7),
            hmac_id: HmacId::SHA1,
            hmac_len: 20,
        };
        let mut out = Vec::new();
        blank.encode(&mut out);
        assert_eq!(out.len(), blank.encoded_len());
        assert_eq!(out[..8], WIRE[..8]);
        assert_eq!(out[8..], [0; 20]);
    }
}
