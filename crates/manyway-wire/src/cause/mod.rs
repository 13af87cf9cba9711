//! Error causes of ABORT, ERROR and ASCONF-ACK chunks (RFC 9260 section 3.3.10, RFC 5061
//! section 4.3, RFC 4895 section 4.1).

mod display;
mod list;

pub use list::{CauseIter, CauseList, Causes};

use alloc::vec::Vec;

use crate::bytes::{TLV_HEADER_LEN, Tlv, exactly, pad, put_tlv, take_u32};
use crate::error::DecodeError;
use crate::list::FixedList;
use crate::param::ParameterType;
use crate::serial::{HmacId, StreamId, Tsn};

/// An error cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause<'a> {
    /// DATA arrived for a stream that does not exist (1).
    InvalidStreamId(StreamId),
    /// An INIT or INIT ACK lacks mandatory parameters (2).
    MissingParameters(FixedList<'a, ParameterType>),
    /// A state cookie was valid once (3).
    StaleCookie {
        /// For how many microseconds the cookie has been expired, or 0 if that is not told.
        measure_us: u32,
    },
    /// The sender has no resources left (4).
    OutOfResource,
    /// An address parameter that the sender cannot use, with type and length (5).
    UnresolvableAddress(&'a [u8]),
    /// A chunk of an unknown type, whole (6).
    UnrecognizedChunk(&'a [u8]),
    /// A mandatory parameter has an invalid value (7).
    InvalidMandatoryParameter,
    /// Parameters of unknown types, with type and length (8).
    UnrecognizedParameters(&'a [u8]),
    /// The DATA chunk with this TSN has no user data (9).
    NoUserData(Tsn),
    /// A COOKIE ECHO arrived in state SHUTDOWN-ACK-SENT (10).
    CookieWhileShuttingDown,
    /// A restart was tried with addresses that were not part of the association: their
    /// parameters, with type and length (11).
    RestartWithNewAddresses(&'a [u8]),
    /// The upper layer asked for the abort: its reason (12).
    UserInitiatedAbort(&'a [u8]),
    /// The peer violated the protocol: additional information (13).
    ProtocolViolation(&'a [u8]),
    /// ASCONF asked to delete the last address: the request (0xa0).
    DeleteLastAddress(&'a [u8]),
    /// ASCONF asked for more than there are resources for: the request (0xa1).
    ResourceShortage(&'a [u8]),
    /// ASCONF asked to delete the packet's source address: the request (0xa2).
    DeleteSource(&'a [u8]),
    /// An ASCONF-ACK acknowledged what was never sent (0xa3).
    IllegalAsconfAck,
    /// ASCONF asked for what the sender is not authorized to ask: the request (0xa4).
    RequestRefused(&'a [u8]),
    /// An AUTH chunk uses a hash function that the sender did not ask for (0x105, RFC 4895
    /// section 4.1).
    UnsupportedHmacId(HmacId),
    /// A cause of another code.
    Unknown {
        /// The cause code.
        code: u16,
        /// The cause-specific information.
        value: &'a [u8],
    },
}

impl<'a> Cause<'a> {
    /// The cause code.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::InvalidStreamId(_) => 1,
            Self::MissingParameters(_) => 2,
            Self::StaleCookie { .. } => 3,
            Self::OutOfResource => 4,
            Self::UnresolvableAddress(_) => 5,
            Self::UnrecognizedChunk(_) => 6,
            Self::InvalidMandatoryParameter => 7,
            Self::UnrecognizedParameters(_) => 8,
            Self::NoUserData(_) => 9,
            Self::CookieWhileShuttingDown => 10,
            Self::RestartWithNewAddresses(_) => 11,
            Self::UserInitiatedAbort(_) => 12,
            Self::ProtocolViolation(_) => 13,
            Self::DeleteLastAddress(_) => 0xa0,
            Self::ResourceShortage(_) => 0xa1,
            Self::DeleteSource(_) => 0xa2,
            Self::IllegalAsconfAck => 0xa3,
            Self::RequestRefused(_) => 0xa4,
            Self::UnsupportedHmacId(_) => 0x105,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Appends the cause and its padding.
    ///
    /// Information beyond 65,531 bytes, which a cause cannot carry, is cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.encode_unpadded(out);
        pad(out, start);
    }

    pub(crate) fn encode_unpadded(&self, out: &mut Vec<u8>) {
        put_tlv(out, self.code(), |out| self.put_value(out));
    }

    fn put_value(&self, out: &mut Vec<u8>) {
        match *self {
            Self::InvalidStreamId(stream) => {
                out.extend_from_slice(&stream.0.to_be_bytes());
                out.extend_from_slice(&[0; 2]);
            }
            Self::MissingParameters(types) => {
                out.extend_from_slice(&(types.len() as u32).to_be_bytes());
                types.encode(out);
            }
            Self::StaleCookie { measure_us } => out.extend_from_slice(&measure_us.to_be_bytes()),
            Self::NoUserData(tsn) => out.extend_from_slice(&tsn.0.to_be_bytes()),
            Self::UnsupportedHmacId(id) => out.extend_from_slice(&id.0.to_be_bytes()),
            Self::OutOfResource
            | Self::InvalidMandatoryParameter
            | Self::CookieWhileShuttingDown
            | Self::IllegalAsconfAck => (),
            Self::UnresolvableAddress(bytes)
            | Self::UnrecognizedChunk(bytes)
            | Self::UnrecognizedParameters(bytes)
            | Self::RestartWithNewAddresses(bytes)
            | Self::UserInitiatedAbort(bytes)
            | Self::ProtocolViolation(bytes)
            | Self::DeleteLastAddress(bytes)
            | Self::ResourceShortage(bytes)
            | Self::DeleteSource(bytes)
            | Self::RequestRefused(bytes)
            | Self::Unknown { value: bytes, .. } => out.extend_from_slice(bytes),
        }
    }

    fn decode(tlv: Tlv<'a>) -> Result<Self, DecodeError> {
        let value = tlv.value;
        let empty = |what| exactly::<0>(value, TLV_HEADER_LEN, what);
        Ok(match tlv.kind {
            1 => {
                let [high, low, _, _] =
                    exactly(value, TLV_HEADER_LEN, "Invalid Stream Identifier")?;
                Self::InvalidStreamId(StreamId(u16::from_be_bytes([high, low])))
            }
            2 => Self::MissingParameters(decode_missing(value)?),
            3 => Self::StaleCookie {
                measure_us: number(value, "Stale Cookie")?,
            },
            4 => empty("Out of Resource").map(|_| Self::OutOfResource)?,
            5 => Self::UnresolvableAddress(value),
            6 => Self::UnrecognizedChunk(value),
            7 => empty("Invalid Mandatory Parameter").map(|_| Self::InvalidMandatoryParameter)?,
            8 => Self::UnrecognizedParameters(value),
            9 => Self::NoUserData(Tsn(number(value, "No User Data")?)),
            10 => empty("Cookie Received While Shutting Down")
                .map(|_| Self::CookieWhileShuttingDown)?,
            11 => Self::RestartWithNewAddresses(value),
            12 => Self::UserInitiatedAbort(value),
            13 => Self::ProtocolViolation(value),
            0xa0 => Self::DeleteLastAddress(value),
            0xa1 => Self::ResourceShortage(value),
            0xa2 => Self::DeleteSource(value),
            0xa3 => empty("Illegal ASCONF-ACK").map(|_| Self::IllegalAsconfAck)?,
            0xa4 => Self::RequestRefused(value),
            0x105 => {
                let id = exactly(value, TLV_HEADER_LEN, "Unsupported HMAC Identifier")?;
                Self::UnsupportedHmacId(HmacId(u16::from_be_bytes(id)))
            }
            code => Self::Unknown { code, value },
        })
    }
}

fn number(value: &[u8], what: &'static str) -> Result<u32, DecodeError> {
    Ok(u32::from_be_bytes(exactly::<4>(
        value,
        TLV_HEADER_LEN,
        what,
    )?))
}

fn decode_missing(value: &[u8]) -> Result<FixedList<'_, ParameterType>, DecodeError> {
    const WHAT: &str = "Missing Mandatory Parameter";
    let (count, types) = take_u32(value, WHAT)?;
    // Both operands are compared without overflow: the list is at most 65,527 bytes long.
    if !types.len().is_multiple_of(2) || (types.len() / 2) as u32 != count {
        return Err(DecodeError::BadLength {
            what: WHAT,
            length: TLV_HEADER_LEN + value.len(),
        });
    }
    Ok(FixedList::from_bytes(types))
}

#[cfg(test)]
mod tests;
