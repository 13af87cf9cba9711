//! ASCONF (RFC 5061 section 4.1.1).

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
    /// A parameter of another type. [`AsconfRequests::with_values`] gives what its correlation id
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
        let address = || match take_address(rest)? {
            (address, []) => Ok(address),
            _ => {
                let length = tlv.wire.len();
                Err(DecodeError::BadLength {
                    what: "ASCONF Parameter",
                    length,
                })
            }
        };
        let action = match ParameterType(tlv.kind) {
            ParameterType::ADD_IP_ADDRESS => AsconfAction::Add(address()?),
            ParameterType::DELETE_IP_ADDRESS => AsconfAction::Delete(address()?),
            ParameterType::SET_PRIMARY_ADDRESS => AsconfAction::SetPrimary(address()?),
            ParameterType(kind) => AsconfAction::Unknown { kind },
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
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::chunk::tests::{assert_round_trip, raw};

    const WIRE: [u8; 60] = [
        0xc1, 0x00, 0x00, 0x3c, // type, flags, length 60
        0x00, 0x00, 0x00, 0x07, // serial number
        0x00, 0x05, 0x00, 0x08, 0x0a, 0x00, 0x00, 0x01, // address 10.0.0.1
        0xc0, 0x01, 0x00, 0x10, 0x01, 0x02, 0x34, 0x74, // add, correlation id
        0x00, 0x05, 0x00, 0x08, 0xc0, 0x00, 0x02, 0x01, // 192.0.2.1
        0xc0, 0x04, 0x00, 0x1c, 0x01, 0x02, 0x34, 0x79, // set primary, correlation id
        0x00, 0x06, 0x00, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ::
    ];

    #[test]
    fn the_examples_of_the_rfc_decode_and_encode() {
        let add = AsconfAction::Add(Ipv4Addr::new(192, 0, 2, 1).into());
        let primary = AsconfAction::SetPrimary(Ipv6Addr::UNSPECIFIED.into());
        let requests = [
            AsconfRequest {
                correlation_id: 0x0102_3474,
                action: add,
            },
            AsconfRequest {
                correlation_id: 0x0102_3479,
                action: primary,
            },
        ];
        let asconf = Asconf {
            serial: AsconfSerial(7),
            address: Ipv4Addr::new(10, 0, 0, 1).into(),
            requests: AsconfRequests::new(&requests),
        };
        assert_eq!(Asconf::decode(&raw(&WIRE)), Ok(asconf));
        let mut out = Vec::new();
        asconf.encode(&mut out);
        assert_eq!(out, WIRE);
        assert_eq!(asconf.encoded_len(), WIRE.len());
        assert_round_trip(&WIRE);
    }

    #[test]
    fn an_unknown_request_keeps_its_correlation_id() {
        let requests = AsconfRequests::from_bytes(&[0xc0, 0x7f, 0, 10, 0, 0, 0, 3, 1, 2]);
        let action = AsconfAction::Unknown { kind: 0xc07f };
        let request = AsconfRequest {
            correlation_id: 3,
            action,
        };
        assert_eq!(requests.iter().collect::<Vec<_>>(), [Ok(request)]);
        let with_values: Vec<_> = requests.with_values().collect();
        assert_eq!(with_values, [Ok((request, &[1, 2][..]))]);
        assert_eq!(action.address(), None);
        assert!(!action.is_wildcard());
    }

    #[test]
    fn the_unspecified_address_is_a_wildcard_in_every_place() {
        let wildcards: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let actions = [
            AsconfAction::Add,
            AsconfAction::Delete,
            AsconfAction::SetPrimary,
        ];
        for address in wildcards {
            let requests = actions.map(|action| AsconfRequest {
                correlation_id: 1,
                action: action(address),
            });
            let asconf = Asconf {
                serial: AsconfSerial(1),
                address,
                requests: AsconfRequests::new(&requests),
            };
            let mut wire = Vec::new();
            asconf.encode(&mut wire);
            let decoded = Asconf::decode(&raw(&wire)).unwrap();
            assert_eq!(decoded, asconf);
            assert!(decoded.is_wildcard());
            for request in decoded.requests.iter() {
                assert!(request.unwrap().action.is_wildcard());
            }
            assert_round_trip(&wire);
        }
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        for action in actions {
            assert_eq!(action(address).address(), Some(address));
            assert!(!action(address).is_wildcard());
        }
        assert!(!Asconf::decode(&raw(&WIRE)).unwrap().is_wildcard());
    }

    #[test]
    fn a_chunk_without_its_address_is_an_error() {
        //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
        //= type=test
        //# This parameter MUST be present in every ASCONF message, i.e. it is a mandatory TLV parameter.
        let wire = [0xc1, 0, 0, 8, 0, 0, 0, 7];
        assert!(matches!(
            Asconf::decode(&raw(&wire)),
            Err(DecodeError::Truncated { .. })
        ));
        let mut host_name = WIRE;
        host_name[9] = 11;
        assert!(matches!(
            Asconf::decode(&raw(&host_name)),
            Err(DecodeError::InvalidValue { .. })
        ));
    }

    #[test]
    fn malformed_requests_are_errors_and_end_the_walk() {
        for (value, ok_before) in [
            (&[0xc0, 0x01, 0, 7, 0, 0, 0, 0][..], 0),
            (&[0xc0, 0x01, 0, 8, 0, 0, 0, 1][..], 0),
            (
                &[0xc0, 0x02, 0, 15, 0, 0, 0, 1, 0, 5, 0, 7, 1, 2, 3, 0][..],
                0,
            ),
            (
                &[0xc0, 0x02, 0, 16, 0, 0, 0, 1, 0, 5, 0, 4, 0, 0, 0, 0][..],
                0,
            ),
            (
                &[
                    0xc0, 0x01, 0, 20, 0, 0, 0, 1, 0, 5, 0, 8, 1, 2, 3, 4, 0, 0, 0, 0,
                ][..],
                0,
            ),
            (
                &[0xc0, 0x01, 0, 16, 0, 0, 0, 1, 0, 5, 0, 8, 1, 2, 3, 4, 0xc0][..],
                1,
            ),
        ] {
            let items: Vec<_> = AsconfRequests::from_bytes(value).iter().collect();
            assert_eq!(items.len(), ok_before + 1, "{value:?}");
            assert!(items[ok_before].is_err(), "{value:?}");
        }
    }
}
