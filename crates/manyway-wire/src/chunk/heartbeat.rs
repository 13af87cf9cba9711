//! HEARTBEAT and HEARTBEAT ACK (RFC 9260 sections 3.3.5 and 3.3.6).

use alloc::vec::Vec;

use crate::bytes::{TLV_HEADER_LEN, Tlv, put_tlv};
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::param::ParameterType;

macro_rules! heartbeat_chunk {
    ($(#[$meta:meta])* $name:ident, $kind:expr, $label:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name<'a> {
            /// Value of the Heartbeat Info parameter: opaque to all but the prober.
            pub info: &'a [u8],
        }

        impl<'a> $name<'a> {
            #[doc = concat!("Reads a ", $label, " chunk.")]
            ///
            /// # Errors
            /// [`DecodeError::Truncated`] or [`DecodeError::BadLength`] when the chunk is not
            /// exactly one parameter, and [`DecodeError::InvalidValue`] when that is not a
            /// Heartbeat Info parameter.
            pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
                expect_kind(raw, $kind)?;
                Ok(Self { info: decode_info(raw.value)? })
            }
        }

        impl EncodeChunk for $name<'_> {
            fn encoded_len(&self) -> usize {
                CHUNK_HEADER_LEN + TLV_HEADER_LEN + self.info.len()
            }

            fn encode(&self, out: &mut Vec<u8>) {
                put_header(out, $kind, 0, self.encoded_len());
                put_tlv(out, ParameterType::HEARTBEAT_INFO.0, |out| {
                    out.extend_from_slice(self.info);
                });
            }
        }
    };
}

heartbeat_chunk! {
    /// A HEARTBEAT chunk: probes a path (RFC 9260 section 3.3.5).
    Heartbeat, ChunkType::HEARTBEAT, "HEARTBEAT"
}

heartbeat_chunk! {
    /// A HEARTBEAT ACK chunk: returns a HEARTBEAT's info (RFC 9260 section 3.3.6).
    HeartbeatAck, ChunkType::HEARTBEAT_ACK, "HEARTBEAT ACK"
}

fn decode_info(value: &[u8]) -> Result<&[u8], DecodeError> {
    let (tlv, rest) = Tlv::decode(value, "Heartbeat Info parameter")?;
    if tlv.kind != ParameterType::HEARTBEAT_INFO.0 {
        return Err(DecodeError::InvalidValue {
            what: "type of the Heartbeat Info parameter",
        });
    }
    if !rest.is_empty() {
        let length = CHUNK_HEADER_LEN + value.len();
        return Err(DecodeError::BadLength {
            what: "HEARTBEAT",
            length,
        });
    }
    Ok(tlv.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 14] = [4, 0, 0, 14, 0, 1, 0, 10, 0xde, 0xad, 0xbe, 0xef, 0x01, 0x02];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let info: &[u8] = &[0xde, 0xad, 0xbe, 0xef, 0x01, 0x02];
        assert_eq!(Heartbeat::decode(&raw(&WIRE)), Ok(Heartbeat { info }));
        assert_round_trip(&WIRE);
        let mut answer = WIRE;
        answer[0] = 5;
        assert_eq!(
            HeartbeatAck::decode(&raw(&answer)),
            Ok(HeartbeatAck { info })
        );
        assert_round_trip(&answer);
    }

    #[test]
    fn an_empty_info_is_allowed() {
        assert_round_trip(&[4, 0, 0, 8, 0, 1, 0, 4]);
    }

    #[test]
    fn anything_but_one_info_parameter_is_an_error() {
        let nothing = [4, 0, 0, 4];
        assert!(matches!(
            Heartbeat::decode(&raw(&nothing)),
            Err(DecodeError::Truncated { .. })
        ));
        let other_type = [4, 0, 0, 8, 0, 2, 0, 4];
        assert!(matches!(
            Heartbeat::decode(&raw(&other_type)),
            Err(DecodeError::InvalidValue { .. })
        ));
        let too_long = [4, 0, 0, 8, 0, 1, 0, 5];
        assert!(matches!(
            Heartbeat::decode(&raw(&too_long)),
            Err(DecodeError::Truncated { .. })
        ));
        let two = [4, 0, 0, 12, 0, 1, 0, 4, 0, 1, 0, 4];
        let error = DecodeError::BadLength {
            what: "HEARTBEAT",
            length: 12,
        };
        assert_eq!(Heartbeat::decode(&raw(&two)), Err(error));
    }
}
