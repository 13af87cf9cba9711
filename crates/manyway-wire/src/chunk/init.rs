//! INIT and INIT ACK (RFC 9260 sections 3.3.2 and 3.3.3).

use alloc::vec::Vec;

use crate::bytes::take;
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::param::Parameters;
use crate::serial::{Tsn, VerificationTag};

/// Bytes of the value before the optional parameters.
const FIXED_LEN: usize = 16;

macro_rules! init_chunk {
    ($(#[$meta:meta])* $name:ident, $kind:expr) => {
        $(#[$meta])*
        ///
        /// Whether the numbers are acceptable is for the protocol engine to judge: it has to
        /// answer some of them with an ABORT.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name<'a> {
            /// The tag that the peer has to put into every packet to the sender.
            pub initiate_tag: VerificationTag,
            /// The sender's receive buffer, in bytes; legal from 1,500.
            pub a_rwnd: u32,
            /// Streams the sender wishes to open; legal from 1.
            pub outbound_streams: u16,
            /// Streams the sender allows the peer to open; legal from 1.
            pub inbound_streams: u16,
            /// The sender's first TSN.
            pub initial_tsn: Tsn,
            /// The optional and variable-length parameters.
            pub parameters: Parameters<'a>,
        }

        impl<'a> $name<'a> {
            fn decode_fields(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
                expect_kind(raw, $kind)?;
                let (fields, parameters) = take::<FIXED_LEN>(raw.value, stringify!($name))?;
                let &[t0, t1, t2, t3, w0, w1, w2, w3, o0, o1, i0, i1, n0, n1, n2, n3] = fields;
                Ok(Self {
                    initiate_tag: VerificationTag(u32::from_be_bytes([t0, t1, t2, t3])),
                    a_rwnd: u32::from_be_bytes([w0, w1, w2, w3]),
                    outbound_streams: u16::from_be_bytes([o0, o1]),
                    inbound_streams: u16::from_be_bytes([i0, i1]),
                    initial_tsn: Tsn(u32::from_be_bytes([n0, n1, n2, n3])),
                    parameters: Parameters::from_bytes(parameters),
                })
            }
        }

        impl EncodeChunk for $name<'_> {
            fn encoded_len(&self) -> usize {
                CHUNK_HEADER_LEN + FIXED_LEN + self.parameters.as_bytes().len()
            }

            fn encode(&self, out: &mut Vec<u8>) {
                put_header(out, $kind, 0, self.encoded_len());
                out.extend_from_slice(&self.initiate_tag.0.to_be_bytes());
                out.extend_from_slice(&self.a_rwnd.to_be_bytes());
                out.extend_from_slice(&self.outbound_streams.to_be_bytes());
                out.extend_from_slice(&self.inbound_streams.to_be_bytes());
                out.extend_from_slice(&self.initial_tsn.0.to_be_bytes());
                out.extend_from_slice(self.parameters.as_bytes());
            }
        }
    };
}

init_chunk! {
    /// An INIT chunk: opens an association (RFC 9260 section 3.3.2).
    Init, ChunkType::INIT
}

init_chunk! {
    /// An INIT ACK chunk: answers an INIT with the state cookie (RFC 9260 section 3.3.3).
    InitAck, ChunkType::INIT_ACK
}

impl<'a> Init<'a> {
    /// Reads an INIT chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the fixed fields are not whole, and
    /// [`DecodeError::ZeroTag`] when the Initiate Tag is 0.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        let init = Self::decode_fields(raw)?;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
        //# If the value of the Initiate Tag in a received INIT chunk is found to be 0, the receiver MUST silently discard the packet.
        if init.initiate_tag == VerificationTag::ZERO {
            return Err(DecodeError::ZeroTag);
        }
        Ok(init)
    }
}

impl<'a> InitAck<'a> {
    /// Reads an INIT ACK chunk. An Initiate Tag of 0 is let through, since it ends the
    /// association that waits for this chunk.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the fixed fields are not whole.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        Self::decode_fields(raw)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};
    use crate::param::{Parameter, ParameterList};

    const INIT: [u8; 35] = [
        0x01, 0x00, 0x00, 0x23, // type, flags, length 35
        0x11, 0x22, 0x33, 0x44, // initiate tag
        0x00, 0x10, 0x00, 0x00, // a_rwnd 1,048,576
        0x00, 0x0a, 0x08, 0x00, // 10 outbound, 2,048 inbound streams
        0x00, 0x00, 0x00, 0x07, // initial TSN
        0x00, 0x05, 0x00, 0x08, 0xc0, 0x00, 0x02, 0x01, // IPv4 Address 192.0.2.1
        0x80, 0x08, 0x00, 0x07, 0xc1, 0x80, 0x0f, // ASCONF, ASCONF-ACK and AUTH supported
    ];

    #[test]
    fn the_figure_of_the_rfc_decodes_and_encodes() {
        let mut parameters = ParameterList::new();
        parameters.push(&Parameter::Ipv4(Ipv4Addr::new(192, 0, 2, 1)));
        parameters.push(&Parameter::SupportedExtensions(&[0xc1, 0x80, 0x0f]));
        let init = Init {
            initiate_tag: VerificationTag(0x1122_3344),
            a_rwnd: 1 << 20,
            outbound_streams: 10,
            inbound_streams: 2048,
            initial_tsn: Tsn(7),
            parameters: parameters.as_parameters(),
        };
        assert_eq!(Init::decode(&raw(&INIT)), Ok(init));
        assert_round_trip(&INIT);
    }

    #[test]
    fn padding_counted_into_the_chunk_length_is_accepted() {
        let mut wire = INIT.to_vec();
        wire.push(0);
        wire[3] += 1;
        let padded = Init::decode(&raw(&wire)).unwrap();
        let plain = Init::decode(&raw(&INIT)).unwrap();
        assert!(padded.parameters.iter().eq(plain.parameters.iter()));
        assert_round_trip(&wire);
    }

    #[test]
    fn an_init_with_tag_zero_is_refused_but_an_init_ack_is_not() {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
        //= type=test
        //# If the value of the Initiate Tag in a received INIT chunk is found to be 0, the receiver MUST silently discard the packet.
        let mut wire = INIT;
        wire[4..8].fill(0);
        assert_eq!(Init::decode(&raw(&wire)), Err(DecodeError::ZeroTag));
        wire[0] = 2;
        assert_eq!(
            InitAck::decode(&raw(&wire)).unwrap().initiate_tag,
            VerificationTag::ZERO
        );
        assert_round_trip(&wire);
    }

    #[test]
    fn fixed_fields_cut_short_are_an_error() {
        let mut wire = INIT[..19].to_vec();
        wire[3] = 19;
        let error = DecodeError::Truncated {
            what: "Init",
            need: 16,
            have: 15,
        };
        assert_eq!(Init::decode(&raw(&wire)), Err(error));
    }

    #[test]
    fn the_wrong_chunk_type_is_refused() {
        let error = DecodeError::InvalidValue { what: "chunk type" };
        assert_eq!(InitAck::decode(&raw(&INIT)), Err(error));
    }
}
