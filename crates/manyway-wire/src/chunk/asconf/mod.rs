//! ASCONF (RFC 5061 section 4.1.1).

mod list;

pub use list::AsconfRequestList;

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::bytes::{Tlv, TlvIter, address_len, put_address, put_tlv, take_address, take_u32};
use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::param::ParameterType;
use crate::serial::AsconfSerial;

/// Bytes of a request before its address: parameter header and correlation id.
const REQUEST_HEADER_LEN: usize = 8;

/// An ASCONF chunk: asks for changes of the sender's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asconf<'a> {
    /// Numbers the chunk; its acknowledgement carries the same.
    pub serial: AsconfSerial,
    /// The mandatory Address Parameter, an address of the association. The unspecified address
    /// tells the receiver to find the association by other means.
    pub address: IpAddr,
    /// What is asked for, to be done in this order.
    pub requests: AsconfRequests<'a>,
}

impl<'a> Asconf<'a> {
    /// Reads an ASCONF chunk; its requests are checked as they are walked.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::BadLength`] when the serial number or the
    /// Address Parameter is not whole, and [`DecodeError::InvalidValue`] when that parameter is
    /// neither an IPv4 nor an IPv6 address.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::ASCONF)?;
        let (serial, rest) = take_u32(raw.value, "ASCONF")?;
        //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
        //# This parameter MUST be present in every ASCONF message, i.e. it is a mandatory TLV parameter.
        let (address, requests) = take_address(rest)?;
        let requests = AsconfRequests::from_bytes(requests);
        Ok(Self {
            serial: AsconfSerial(serial),
            address,
            requests,
        })
    }
}

impl Asconf<'_> {
    /// Whether the Address Parameter is a wildcard, 0.0.0.0 or ::, so that the receiver has to
    /// find the association by other means than an address.
    #[must_use]
    pub const fn is_wildcard(&self) -> bool {
        self.address.is_unspecified()
    }
}

impl EncodeChunk for Asconf<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + 4 + address_len(self.address) + self.requests.wire_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::ASCONF, 0, self.encoded_len());
        out.extend_from_slice(&self.serial.0.to_be_bytes());
        put_address(out, self.address);
        self.requests.encode(out);
    }
}

/// One change of addresses, an ASCONF Parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AsconfRequest {
    /// Chosen by the sender; the response carries the same.
    pub correlation_id: u32,
    /// What is asked for.
    pub action: AsconfAction,
}

/// What an ASCONF Parameter asks for. The unspecified address stands for the source address of
/// the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsconfAction {
    /// Add an address (RFC 5061 section 4.2.1).
    Add(IpAddr),
    /// Delete an address; the unspecified one deletes all but the packet's source
    /// (RFC 5061 section 4.2.2).
    Delete(IpAddr),
    /// Make an address the primary destination (RFC 5061 section 4.2.4).
    SetPrimary(IpAddr),
    /// A parameter of another type, or one of these with an address that is neither IPv4 nor IPv6,
    /// such as a host name. [`AsconfRequests::with_values`] gives what its correlation id
    /// is followed by, and [`AsconfRequestList`](crate::AsconfRequestList) sends it; this value
    /// alone encodes to no more than the correlation id.
    Unknown {
        /// The parameter type.
        kind: u16,
    },
}

impl AsconfAction {
    /// The parameter type.
    #[must_use]
    pub const fn kind(self) -> ParameterType {
        match self {
            Self::Add(_) => ParameterType::ADD_IP_ADDRESS,
            Self::Delete(_) => ParameterType::DELETE_IP_ADDRESS,
            Self::SetPrimary(_) => ParameterType::SET_PRIMARY_ADDRESS,
            Self::Unknown { kind } => ParameterType(kind),
        }
    }

    /// The address it is about, or `None` for a parameter of another type.
    #[must_use]
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Add(address) | Self::Delete(address) | Self::SetPrimary(address) => Some(address),
            Self::Unknown { .. } => None,
        }
    }

    /// Whether it is about the source address of its packet, whatever that is: the address is a
    /// wildcard, 0.0.0.0 or ::. Authentication does not protect a source address
    /// (RFC 5061 section 6).
    #[must_use]
    pub const fn is_wildcard(self) -> bool {
        match self.address() {
            Some(address) => address.is_unspecified(),
            None => false,
        }
    }
}

impl AsconfRequest {
    /// Appends the request as the parameter of an ASCONF chunk, which is also what an error
    /// response copies. Its length is always a multiple of 4.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_tlv(out, self.action.kind().0, |out| {
            out.extend_from_slice(&self.correlation_id.to_be_bytes());
            if let Some(address) = self.action.address() {
                put_address(out, address);
            }
        });
    }

    fn wire_len(&self) -> usize {
        REQUEST_HEADER_LEN + self.action.address().map_or(0, address_len)
    }

    /// Also returns what follows the correlation id.
    fn decode(tlv: Tlv<'_>) -> Result<(Self, &[u8]), DecodeError> {
        let (correlation_id, rest) = take_u32(tlv.value, "ASCONF Parameter")?;
        let known: Option<fn(IpAddr) -> AsconfAction> = match ParameterType(tlv.kind) {
            ParameterType::ADD_IP_ADDRESS => Some(AsconfAction::Add),
            ParameterType::DELETE_IP_ADDRESS => Some(AsconfAction::Delete),
            ParameterType::SET_PRIMARY_ADDRESS => Some(AsconfAction::SetPrimary),
            _ => None,
        };
        let unknown = AsconfAction::Unknown { kind: tlv.kind };
        let action = match known {
            None => unknown,
            Some(action) => match take_address(rest) {
                Ok((address, [])) => action(address),
                Ok(_) => {
                    return Err(DecodeError::BadLength {
                        what: "ASCONF Parameter",
                        length: tlv.wire.len(),
                    });
                }
                // An address, but of a type that nobody knows.
                Err(DecodeError::InvalidValue { .. }) => unknown,
                Err(error) => return Err(error),
            },
        };
        Ok((
            Self {
                correlation_id,
                action,
            },
            rest,
        ))
    }
}

/// The requests of an ASCONF chunk: a view on the bytes of a decoded one, or on values to encode.
///
/// Two views are equal when their requests are.
#[derive(Clone, Copy, Debug)]
pub struct AsconfRequests<'a>(Repr<'a>);

#[derive(Clone, Copy, Debug)]
enum Repr<'a> {
    Values(&'a [AsconfRequest]),
    Wire(&'a [u8]),
}

impl<'a> AsconfRequests<'a> {
    /// No requests.
    pub const EMPTY: Self = Self(Repr::Values(&[]));

    /// The list of `requests`.
    #[must_use]
    pub const fn new(requests: &'a [AsconfRequest]) -> Self {
        Self(Repr::Values(requests))
    }

    /// The list that `bytes` encode; its items are checked as they are walked.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(Repr::Wire(bytes))
    }

    /// The requests in wire order; a malformed one is the last item.
    #[must_use]
    pub fn iter(&self) -> AsconfRequestIter<'a> {
        AsconfRequestIter(match self.0 {
            Repr::Values(values) => Source::Values(values.iter()),
            Repr::Wire(bytes) => Source::Wire(TlvIter::new(bytes, "ASCONF Parameter")),
        })
    }

    /// The requests as by [`iter`](Self::iter), each with the bytes that follow its correlation
    /// id. Those of values are empty.
    pub fn with_values(
        &self,
    ) -> impl Iterator<Item = Result<(AsconfRequest, &'a [u8]), DecodeError>> + use<'a> {
        let mut requests = self.iter();
        core::iter::from_fn(move || requests.next_with_value())
    }

    fn wire_len(&self) -> usize {
        match self.0 {
            Repr::Values(values) => values.iter().map(AsconfRequest::wire_len).sum(),
            Repr::Wire(bytes) => bytes.len(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self.0 {
            Repr::Values(values) => values.iter().for_each(|request| request.encode(out)),
            Repr::Wire(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl PartialEq for AsconfRequests<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for AsconfRequests<'_> {}

impl<'a> From<&'a [AsconfRequest]> for AsconfRequests<'a> {
    fn from(requests: &'a [AsconfRequest]) -> Self {
        Self::new(requests)
    }
}

/// Iterator over [`AsconfRequests`].
#[derive(Clone, Debug)]
pub struct AsconfRequestIter<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Values(core::slice::Iter<'a, AsconfRequest>),
    Wire(TlvIter<'a>),
}

impl<'a> AsconfRequestIter<'a> {
    fn next_with_value(&mut self) -> Option<Result<(AsconfRequest, &'a [u8]), DecodeError>> {
        match &mut self.0 {
            Source::Values(values) => Some(Ok((*values.next()?, &[]))),
            Source::Wire(tlvs) => tlvs.next_with(AsconfRequest::decode),
        }
    }
}

impl Iterator for AsconfRequestIter<'_> {
    type Item = Result<AsconfRequest, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with_value()
            .map(|item| item.map(|(request, _)| request))
    }
}

#[cfg(test)]
mod tests;
