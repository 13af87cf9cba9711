//! The parameters of RE-CONFIG chunks (RFC 6525 section 4).

use alloc::vec::Vec;

use crate::bytes::{TLV_HEADER_LEN, Tlv, exactly, pad, put_tlv, take, take_u32};
use crate::error::DecodeError;
use crate::list::{FixedItem, FixedList};
use crate::param::{ParameterType, RawParameter};
use crate::serial::{ReconfigSerial, StreamId, Tsn};

/// The streams that a reset is about; none means all of them.
pub type StreamIds<'a> = FixedList<'a, StreamId>;

/// What came of a request (RFC 6525 section 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ReconfigResult(pub u32);

impl ReconfigResult {
    /// Success: there was nothing to do.
    pub const NOTHING_TO_DO: Self = Self(0);
    /// Success: it was done.
    pub const PERFORMED: Self = Self(1);
    /// It was denied.
    pub const DENIED: Self = Self(2);
    /// Error: wrong stream sequence number.
    pub const WRONG_SSN: Self = Self(3);
    /// Error: another request is already in progress.
    pub const REQUEST_IN_PROGRESS: Self = Self(4);
    /// Error: the request's sequence number is not the expected one.
    pub const BAD_SEQUENCE_NUMBER: Self = Self(5);
    /// Not done yet; the request is to be sent again later.
    pub const IN_PROGRESS: Self = Self(6);
}

/// The numbers that both sides go on with after an SSN/TSN reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NextTsns {
    /// The TSN of the next chunk of the response's sender.
    pub sender: Tsn,
    /// The TSN that the response's receiver has to give its next chunk.
    pub receiver: Tsn,
}

/// A request of a RE-CONFIG chunk, or a response to one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReconfigParameter<'a> {
    /// Resets outgoing streams of the sender (RFC 6525 section 4.1).
    OutgoingSsnReset {
        /// Numbers the request.
        request: ReconfigSerial,
        /// The Incoming SSN Reset Request that this one answers, or the last request received.
        response: ReconfigSerial,
        /// The last TSN that the sender assigned.
        last_tsn: Tsn,
        /// The streams.
        streams: StreamIds<'a>,
    },
    /// Asks the receiver to reset outgoing streams of its own (RFC 6525 section 4.2).
    IncomingSsnReset {
        /// Numbers the request.
        request: ReconfigSerial,
        /// The streams.
        streams: StreamIds<'a>,
    },
    /// Resets all streams and the TSNs of both directions (RFC 6525 section 4.3).
    SsnTsnReset {
        /// Numbers the request.
        request: ReconfigSerial,
    },
    /// Answers a request (RFC 6525 section 4.4).
    Response {
        /// The number of the request.
        response: ReconfigSerial,
        /// What came of it.
        result: ReconfigResult,
        /// Only in the answer to an SSN/TSN reset.
        next_tsns: Option<NextTsns>,
    },
    /// Adds outgoing streams of the sender (RFC 6525 section 4.5).
    AddOutgoingStreams {
        /// Numbers the request.
        request: ReconfigSerial,
        /// How many streams.
        count: u16,
    },
    /// Asks the receiver to add outgoing streams of its own (RFC 6525 section 4.6).
    AddIncomingStreams {
        /// Numbers the request.
        request: ReconfigSerial,
        /// How many streams.
        count: u16,
    },
    /// A parameter of another type.
    Unknown(RawParameter<'a>),
}

impl<'a> ReconfigParameter<'a> {
    /// The parameter type.
    #[must_use]
    pub const fn kind(&self) -> ParameterType {
        match self {
            Self::OutgoingSsnReset { .. } => ParameterType::OUTGOING_SSN_RESET_REQUEST,
            Self::IncomingSsnReset { .. } => ParameterType::INCOMING_SSN_RESET_REQUEST,
            Self::SsnTsnReset { .. } => ParameterType::SSN_TSN_RESET_REQUEST,
            Self::Response { .. } => ParameterType::RECONFIG_RESPONSE,
            Self::AddOutgoingStreams { .. } => ParameterType::ADD_OUTGOING_STREAMS_REQUEST,
            Self::AddIncomingStreams { .. } => ParameterType::ADD_INCOMING_STREAMS_REQUEST,
            Self::Unknown(raw) => raw.kind,
        }
    }

    /// The number of the request, or `None` if this is none.
    #[must_use]
    pub const fn request(&self) -> Option<ReconfigSerial> {
        match *self {
            Self::OutgoingSsnReset { request, .. }
            | Self::IncomingSsnReset { request, .. }
            | Self::SsnTsnReset { request }
            | Self::AddOutgoingStreams { request, .. }
            | Self::AddIncomingStreams { request, .. } => Some(request),
            Self::Response { .. } | Self::Unknown(_) => None,
        }
    }

    /// Appends the parameter and its padding.
    ///
    /// Streams beyond what a parameter can carry, some 32,760, are cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.encode_unpadded(out);
        pad(out, start);
    }

    pub(super) fn encode_unpadded(&self, out: &mut Vec<u8>) {
        if let Self::Unknown(raw) = self {
            out.extend_from_slice(raw.wire_bytes());
        } else {
            put_tlv(out, self.kind().0, |out| self.put_value(out));
        }
    }

    fn put_value(&self, out: &mut Vec<u8>) {
        let put = |out: &mut Vec<u8>, number: u32| out.extend_from_slice(&number.to_be_bytes());
        match *self {
            Self::OutgoingSsnReset {
                request,
                response,
                last_tsn,
                streams,
            } => {
                put(out, request.0);
                put(out, response.0);
                put(out, last_tsn.0);
                streams.encode(out);
            }
            Self::IncomingSsnReset { request, streams } => {
                put(out, request.0);
                streams.encode(out);
            }
            Self::SsnTsnReset { request } => put(out, request.0),
            Self::Response {
                response,
                result,
                next_tsns,
            } => {
                put(out, response.0);
                put(out, result.0);
                if let Some(NextTsns { sender, receiver }) = next_tsns {
                    put(out, sender.0);
                    put(out, receiver.0);
                }
            }
            Self::AddOutgoingStreams { request, count }
            | Self::AddIncomingStreams { request, count } => {
                put(out, request.0);
                count.write(out);
                out.extend_from_slice(&[0; 2]);
            }
            Self::Unknown(_) => (),
        }
    }

    pub(super) fn decode(tlv: Tlv<'a>) -> Result<Self, DecodeError> {
        match ParameterType(tlv.kind) {
            ParameterType::OUTGOING_SSN_RESET_REQUEST => Self::decode_outgoing_reset(tlv),
            ParameterType::INCOMING_SSN_RESET_REQUEST => {
                const WHAT: &str = "Incoming SSN Reset Request parameter";
                let (request, streams) = take_u32(tlv.value, WHAT)?;
                Ok(Self::IncomingSsnReset {
                    request: ReconfigSerial(request),
                    streams: stream_ids(streams, tlv, WHAT)?,
                })
            }
            ParameterType::SSN_TSN_RESET_REQUEST => {
                const WHAT: &str = "SSN/TSN Reset Request parameter";
                let request = exactly(tlv.value, TLV_HEADER_LEN, WHAT)?;
                Ok(Self::SsnTsnReset {
                    request: ReconfigSerial(u32::from_be_bytes(request)),
                })
            }
            ParameterType::RECONFIG_RESPONSE => Self::decode_response(tlv),
            ParameterType::ADD_OUTGOING_STREAMS_REQUEST => {
                let (request, count) = added(tlv, "Add Outgoing Streams Request parameter")?;
                Ok(Self::AddOutgoingStreams { request, count })
            }
            ParameterType::ADD_INCOMING_STREAMS_REQUEST => {
                let (request, count) = added(tlv, "Add Incoming Streams Request parameter")?;
                Ok(Self::AddIncomingStreams { request, count })
            }
            _ => Ok(Self::Unknown(tlv.into())),
        }
    }

    fn decode_outgoing_reset(tlv: Tlv<'a>) -> Result<Self, DecodeError> {
        const WHAT: &str = "Outgoing SSN Reset Request parameter";
        let (fields, streams) = take::<12>(tlv.value, WHAT)?;
        let &[r0, r1, r2, r3, s0, s1, s2, s3, t0, t1, t2, t3] = fields;
        Ok(Self::OutgoingSsnReset {
            request: ReconfigSerial(u32::from_be_bytes([r0, r1, r2, r3])),
            response: ReconfigSerial(u32::from_be_bytes([s0, s1, s2, s3])),
            last_tsn: Tsn(u32::from_be_bytes([t0, t1, t2, t3])),
            streams: stream_ids(streams, tlv, WHAT)?,
        })
    }

    fn decode_response(tlv: Tlv<'a>) -> Result<Self, DecodeError> {
        const WHAT: &str = "Re-configuration Response parameter";
        let (response, rest) = take_u32(tlv.value, WHAT)?;
        let (result, rest) = take_u32(rest, WHAT)?;
        //= https://www.rfc-editor.org/rfc/rfc6525#section-4.4
        //# Either both optional fields (Sender's Next TSN and Receiver's Next TSN) MUST be present, or no field.
        let next_tsns = if rest.is_empty() {
            None
        } else {
            let [s0, s1, s2, s3, r0, r1, r2, r3] = exactly(rest, TLV_HEADER_LEN + 8, WHAT)?;
            Some(NextTsns {
                sender: Tsn(u32::from_be_bytes([s0, s1, s2, s3])),
                receiver: Tsn(u32::from_be_bytes([r0, r1, r2, r3])),
            })
        };
        Ok(Self::Response {
            response: ReconfigSerial(response),
            result: ReconfigResult(result),
            next_tsns,
        })
    }
}

/// The stream numbers at the end of a reset request.
fn stream_ids<'a>(
    streams: &'a [u8],
    tlv: Tlv<'_>,
    what: &'static str,
) -> Result<StreamIds<'a>, DecodeError> {
    if streams.len().is_multiple_of(StreamId::WIRE_LEN) {
        Ok(StreamIds::from_bytes(streams))
    } else {
        Err(DecodeError::BadLength {
            what,
            length: tlv.wire.len(),
        })
    }
}

/// Number and count of a request for more streams; its reserved field is ignored.
fn added(tlv: Tlv<'_>, what: &'static str) -> Result<(ReconfigSerial, u16), DecodeError> {
    let [r0, r1, r2, r3, c0, c1, _, _] = exactly(tlv.value, TLV_HEADER_LEN, what)?;
    Ok((
        ReconfigSerial(u32::from_be_bytes([r0, r1, r2, r3])),
        u16::from_be_bytes([c0, c1]),
    ))
}
