//! ASCONF-ACK (RFC 5061 section 4.1.2).

use alloc::vec::Vec;

use crate::bytes::{TLV_HEADER_LEN, Tlv, TlvIter, exactly, pad, put_tlv, take_u32};
use crate::cause::{Cause, Causes};
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::param::ParameterType;
use crate::serial::AsconfSerial;

/// An ASCONF-ACK chunk: answers an ASCONF.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsconfAck<'a> {
    /// The serial number of the ASCONF chunk answered.
    pub serial: AsconfSerial,
    /// What came of its requests. A request without a response succeeded.
    pub responses: AsconfResponses<'a>,
}

impl<'a> AsconfAck<'a> {
    /// Reads an ASCONF-ACK chunk; its responses are checked as they are walked.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when the serial number is not whole.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::ASCONF_ACK)?;
        let (serial, rest) = take_u32(raw.value, "ASCONF-ACK")?;
        Ok(Self {
            serial: AsconfSerial(serial),
            responses: AsconfResponses::from_bytes(rest),
        })
    }
}

impl EncodeChunk for AsconfAck<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + 4 + self.responses.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::ASCONF_ACK, 0, self.encoded_len());
        out.extend_from_slice(&self.serial.0.to_be_bytes());
        self.responses.encode(out);
    }
}

/// What came of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsconfResponse {
    /// The correlation id of the request.
    pub correlation_id: u32,
    /// Whether it was done.
    pub outcome: AsconfOutcome,
}

/// Whether a request was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsconfOutcome {
    /// It was done (RFC 5061 section 4.2.5).
    Success,
    /// It was refused (RFC 5061 section 4.2.3); holds the code of the first error cause, see
    /// [`Cause::code`].
    Error(u16),
}

impl AsconfResponse {
    fn wire_len(&self) -> usize {
        match self.outcome {
            AsconfOutcome::Success => TLV_HEADER_LEN + 4,
            AsconfOutcome::Error(_) => TLV_HEADER_LEN + 4 + TLV_HEADER_LEN,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.outcome {
            AsconfOutcome::Success => ParameterType::SUCCESS_INDICATION,
            AsconfOutcome::Error(_) => ParameterType::ERROR_CAUSE_INDICATION,
        };
        put_tlv(out, kind.0, |out| {
            out.extend_from_slice(&self.correlation_id.to_be_bytes());
            if let AsconfOutcome::Error(code) = self.outcome {
                put_tlv(out, code, |_| ());
            }
        });
    }

    /// Also returns all the error causes of a refusal.
    fn decode(tlv: Tlv<'_>) -> Result<(Self, Causes<'_>), DecodeError> {
        const WHAT: &str = "ASCONF Parameter Response";
        let (correlation_id, rest) = take_u32(tlv.value, WHAT)?;
        let outcome = match ParameterType(tlv.kind) {
            ParameterType::SUCCESS_INDICATION => {
                exactly::<0>(rest, TLV_HEADER_LEN + 4, WHAT)?;
                AsconfOutcome::Success
            }
            ParameterType::ERROR_CAUSE_INDICATION => {
                AsconfOutcome::Error(Tlv::decode(rest, "error cause")?.0.kind)
            }
            _ => {
                return Err(DecodeError::InvalidValue {
                    what: "type of the response",
                });
            }
        };
        Ok((
            Self {
                correlation_id,
                outcome,
            },
            Causes::from_bytes(rest),
        ))
    }
}

/// The responses of an ASCONF-ACK chunk: a view on the bytes of a decoded one or of an
/// [`AsconfResponseList`], or on values to encode.
///
/// Values encode their error causes without the copy of the request that RFC 5061 section 4.3
/// puts into them; an [`AsconfResponseList`] holds whole causes. Two views are equal when their
/// responses are.
#[derive(Clone, Copy, Debug)]
pub struct AsconfResponses<'a>(Repr<'a>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a> {
    Values(&'a [AsconfResponse]),
    Wire(&'a [u8]),
}

impl<'a> AsconfResponses<'a> {
    /// No responses: everything succeeded.
    pub const EMPTY: Self = Self(Repr::Values(&[]));

    /// The list of `responses`.
    #[must_use]
    pub const fn new(responses: &'a [AsconfResponse]) -> Self {
        Self(Repr::Values(responses))
    }

    /// The list that `bytes` encode; its items are checked as they are walked.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(Repr::Wire(bytes))
    }

    /// The responses in wire order; a malformed one is the last item.
    #[must_use]
    pub fn iter(&self) -> AsconfResponseIter<'a> {
        AsconfResponseIter(match self.0 {
            Repr::Values(values) => Source::Values(values.iter()),
            Repr::Wire(bytes) => Source::Wire(TlvIter::new(bytes, "ASCONF Parameter Response")),
        })
    }

    /// The responses as by [`iter`](Self::iter), each with the error causes of its refusal. Those
    /// of a success are empty, as are those of values.
    pub fn with_causes(
        &self,
    ) -> impl Iterator<Item = Result<(AsconfResponse, Causes<'a>), DecodeError>> + use<'a> {
        let mut responses = self.iter();
        core::iter::from_fn(move || responses.next_with_causes())
    }

    fn wire_len(&self) -> usize {
        match self.0 {
            Repr::Values(values) => values.iter().map(AsconfResponse::wire_len).sum(),
            Repr::Wire(bytes) => bytes.len(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self.0 {
            Repr::Values(values) => values.iter().for_each(|response| response.encode(out)),
            Repr::Wire(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl PartialEq for AsconfResponses<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for AsconfResponses<'_> {}

impl<'a> From<&'a [AsconfResponse]> for AsconfResponses<'a> {
    fn from(responses: &'a [AsconfResponse]) -> Self {
        Self::new(responses)
    }
}

/// Iterator over [`AsconfResponses`].
#[derive(Clone, Debug)]
pub struct AsconfResponseIter<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Values(core::slice::Iter<'a, AsconfResponse>),
    Wire(TlvIter<'a>),
}

impl<'a> AsconfResponseIter<'a> {
    fn next_with_causes(&mut self) -> Option<Result<(AsconfResponse, Causes<'a>), DecodeError>> {
        match &mut self.0 {
            Source::Values(values) => Some(Ok((*values.next()?, Causes::EMPTY))),
            Source::Wire(tlvs) => tlvs.next_with(AsconfResponse::decode),
        }
    }
}

impl Iterator for AsconfResponseIter<'_> {
    type Item = Result<AsconfResponse, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_causes()
            .map(|item| item.map(|(response, _)| response))
    }
}

/// Encoded responses with whole error causes, to be sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AsconfResponseList(Vec<u8>);

impl AsconfResponseList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a success; needed only where a request that failed follows.
    pub fn push_success(&mut self, correlation_id: u32) {
        let outcome = AsconfOutcome::Success;
        pad(&mut self.0, 0);
        AsconfResponse {
            correlation_id,
            outcome,
        }
        .encode(&mut self.0);
    }

    /// Appends a refusal with its cause.
    pub fn push_error(&mut self, correlation_id: u32, cause: &Cause<'_>) {
        pad(&mut self.0, 0);
        put_tlv(
            &mut self.0,
            ParameterType::ERROR_CAUSE_INDICATION.0,
            |out| {
                out.extend_from_slice(&correlation_id.to_be_bytes());
                cause.encode_unpadded(out);
            },
        );
    }

    /// Bytes of the responses so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no response.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The responses, to be put into an [`AsconfAck`].
    #[must_use]
    pub fn as_responses(&self) -> AsconfResponses<'_> {
        AsconfResponses::from_bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    /// RFC 5061 section 4.3.1: the refusal to delete the last address, after a success.
    const WIRE: [u8; 44] = [
        0x80, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00,
        0x07, // type, flags, length 44, serial number
        0xc0, 0x05, 0x00, 0x08, 0x00, 0x00, 0x00, 0x01, // success
        0xc0, 0x03, 0x00, 0x1c, 0x01, 0x02, 0x34, 0x76, // error, correlation id
        0x00, 0xa0, 0x00, 0x14, // cause and length
        0xc0, 0x02, 0x00, 0x10, 0x01, 0x02, 0x34, 0x76, // the request refused
        0x00, 0x05, 0x00, 0x08, 0xc0, 0x00, 0x02, 0x01,
    ];

    const RESPONSES: [AsconfResponse; 2] = [
        AsconfResponse {
            correlation_id: 1,
            outcome: AsconfOutcome::Success,
        },
        AsconfResponse {
            correlation_id: 0x0102_3476,
            outcome: AsconfOutcome::Error(0x00a0),
        },
    ];

    #[test]
    fn the_example_of_the_rfc_decodes_and_encodes() {
        let ack = AsconfAck::decode(&raw(&WIRE)).unwrap();
        assert_eq!(ack.serial, AsconfSerial(7));
        assert_eq!(ack.responses, AsconfResponses::new(&RESPONSES));
        let causes: Vec<_> = ack
            .responses
            .with_causes()
            .map(|item| item.unwrap().1)
            .collect();
        assert_eq!(causes[0], Causes::EMPTY);
        let copied = &WIRE[28..];
        assert!(causes[1].iter().eq([Ok(Cause::DeleteLastAddress(copied))]));
        assert_round_trip(&WIRE);
        assert_round_trip(&[0x80, 0, 0, 8, 0, 0, 0, 7]);
    }

    #[test]
    fn a_response_list_gives_the_example_of_the_rfc() {
        let mut responses = AsconfResponseList::new();
        assert!(responses.is_empty());
        responses.push_success(1);
        assert_eq!(responses.len(), 8);
        responses.push_error(0x0102_3476, &Cause::DeleteLastAddress(&WIRE[28..]));
        let ack = AsconfAck {
            serial: AsconfSerial(7),
            responses: responses.as_responses(),
        };
        let mut out = Vec::new();
        ack.encode(&mut out);
        assert_eq!(out, WIRE);
    }

    #[test]
    fn values_encode_to_what_they_decode_from() {
        let responses = AsconfResponses::new(&RESPONSES);
        let ack = AsconfAck {
            serial: AsconfSerial(9),
            responses,
        };
        let mut out = Vec::new();
        ack.encode(&mut out);
        assert_eq!(out.len(), ack.encoded_len());
        assert_eq!(AsconfAck::decode(&raw(&out)), Ok(ack));
    }

    #[test]
    fn malformed_responses_are_errors() {
        for value in [
            &[0xc0, 0x05, 0, 7, 0, 0, 0, 0][..],
            &[0xc0, 0x05, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0][..],
            &[0xc0, 0x03, 0, 8, 0, 0, 0, 1][..],
            &[0xc0, 0x03, 0, 12, 0, 0, 0, 1, 0, 0xa0, 0, 3][..],
            &[0xc0, 0x01, 0, 8, 0, 0, 0, 1][..],
        ] {
            let items: Vec<_> = AsconfResponses::from_bytes(value).iter().collect();
            assert!(matches!(items[..], [Err(_)]), "{value:?} gave {items:?}");
        }
        let error = DecodeError::Truncated {
            what: "ASCONF-ACK",
            need: 4,
            have: 3,
        };
        assert_eq!(
            AsconfAck::decode(&raw(&[0x80, 0, 0, 7, 1, 2, 3])),
            Err(error)
        );
    }
}
