//! ECNE and CWR (RFC 4960 appendix A; RFC 9260 keeps their types reserved).

use alloc::vec::Vec;

use crate::bytes::exactly;
use crate::chunk::{EncodeChunk, expect_kind, put_chunk};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::serial::Tsn;

macro_rules! ecn_chunk {
    ($(#[$meta:meta])* $name:ident, $kind:expr, $label:literal, $extra:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name {
            /// The lowest TSN in the packet that was marked.
            pub lowest_tsn: Tsn,
        }

        impl $name {
            #[doc = concat!("Reads a chunk of type ", $label, ".")]
            ///
            /// # Errors
            /// [`DecodeError::BadLength`] unless it is 8 bytes long; an ECNE may have 4 more.
            pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
                expect_kind(raw, $kind)?;
                let value = match raw.value.len() {
                    len if len == 4 + $extra => &raw.value[..4],
                    _ => raw.value,
                };
                let field = exactly::<4>(value, CHUNK_HEADER_LEN, $label)?;
                Ok(Self { lowest_tsn: Tsn(u32::from_be_bytes(field)) })
            }
        }

        impl EncodeChunk for $name {
            fn encoded_len(&self) -> usize {
                CHUNK_HEADER_LEN + 4
            }

            fn encode(&self, out: &mut Vec<u8>) {
                put_chunk(out, $kind, 0, &self.lowest_tsn.0.to_be_bytes());
            }
        }
    };
}

ecn_chunk! {
    /// An ECNE chunk: a packet arrived with a congestion mark. FreeBSD and usrsctp add a counter of
    /// 4 bytes, which is ignored.
    Ecne, ChunkType::ECNE, "ECNE", 4
}

ecn_chunk! {
    /// A CWR chunk: the sender of the marked packet has reduced its window.
    Cwr, ChunkType::CWR, "CWR", 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    #[test]
    fn the_figures_of_the_rfc_decode_and_encode() {
        let ecne = [12, 0, 0, 8, 0, 0, 0, 9];
        assert_eq!(Ecne::decode(&raw(&ecne)), Ok(Ecne { lowest_tsn: Tsn(9) }));
        assert_round_trip(&ecne);
        let cwr = [13, 0, 0, 8, 0, 0, 0, 9];
        assert_eq!(Cwr::decode(&raw(&cwr)), Ok(Cwr { lowest_tsn: Tsn(9) }));
        assert_round_trip(&cwr);
    }

    #[test]
    fn other_lengths_are_errors() {
        let error = |what, length| DecodeError::BadLength { what, length };
        assert_eq!(Ecne::decode(&raw(&[12, 0, 0, 4])), Err(error("ECNE", 4)));
        let counted = [12, 0, 0, 12, 0, 0, 0, 9, 0, 0, 0, 1];
        let ecne = Ecne { lowest_tsn: Tsn(9) };
        assert_eq!(Ecne::decode(&raw(&counted)), Ok(ecne));
        let long = [13, 0, 0, 9, 0, 0, 0, 9, 0];
        assert_eq!(Cwr::decode(&raw(&long)), Err(error("CWR", 9)));
    }
}
