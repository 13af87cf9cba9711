//! Optional and variable-length parameters (RFC 9260 section 3.2.1).

mod auth;
mod kind;
mod list;

pub use auth::{AUTH_RANDOM_LEN, ChunkTypes, EDMID_SCTP_OVER_DTLS, HmacIds};
pub use kind::ParameterType;
pub use list::{ParameterIter, ParameterList, Parameters};

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bytes::{
    TLV_HEADER_LEN, Tlv, decode_ipv4, decode_ipv6, exactly, pad, put_address, put_tlv,
    take_address, take_u32,
};
use crate::error::DecodeError;
use crate::list::FixedList;

/// The address types of a Supported Address Types parameter: 5 for IPv4, 6 for IPv6.
pub type AddressTypes<'a> = FixedList<'a, u16>;

/// A parameter whose length is known to be sound, of a type that this crate does not decode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawParameter<'a> {
    /// The parameter type.
    pub kind: ParameterType,
    /// What follows type and length, without padding.
    pub value: &'a [u8],
    wire: &'a [u8],
}

impl<'a> RawParameter<'a> {
    /// Reads the one parameter that fills `bytes`; up to three bytes of padding may follow it.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::BadLength`] when `bytes` are not one
    /// parameter.
    pub fn from_wire(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (tlv, rest) = Tlv::decode(bytes, "parameter")?;
        if rest.is_empty() {
            Ok(tlv.into())
        } else {
            Err(DecodeError::BadLength {
                what: "parameter",
                length: tlv.wire.len(),
            })
        }
    }

    /// The whole parameter with type and length and without padding, as an Unrecognized
    /// Parameter reports it.
    #[must_use]
    pub const fn wire_bytes(&self) -> &'a [u8] {
        self.wire
    }
}

impl<'a> From<Tlv<'a>> for RawParameter<'a> {
    fn from(tlv: Tlv<'a>) -> Self {
        Self {
            kind: ParameterType(tlv.kind),
            value: tlv.value,
            wire: tlv.wire,
        }
    }
}

/// A parameter of an INIT or INIT ACK chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parameter<'a> {
    /// An address of the sender (RFC 9260 section 3.3.2.1.1).
    Ipv4(Ipv4Addr),
    /// An address of the sender (RFC 9260 section 3.3.2.1.2).
    Ipv6(Ipv6Addr),
    /// What the receiver has to return in a COOKIE ECHO (RFC 9260 section 3.3.3.1.1).
    StateCookie(&'a [u8]),
    /// A parameter of the INIT that its receiver does not know, with type and length
    /// (RFC 9260 section 3.3.3.1.2).
    Unrecognized(&'a [u8]),
    /// By how many milliseconds the cookie's life should be longer
    /// (RFC 9260 section 3.3.2.1.3).
    CookiePreservative(u32),
    /// A host name, which must not be sent and is answered with an ABORT
    /// (RFC 9260 section 3.3.2.1.4).
    HostName(&'a [u8]),
    /// Address types the sender can use (RFC 9260 section 3.3.2.1.5).
    SupportedAddressTypes(AddressTypes<'a>),
    /// The sender understands ECNE and CWR (RFC 4960 appendix A).
    EcnCapable,
    /// The sender accepts a zero checksum under this error detection method (RFC 9653
    /// section 4), such as [`EDMID_SCTP_OVER_DTLS`].
    ZeroChecksumAcceptable(u32),
    /// The sender's random number for authentication, of [`AUTH_RANDOM_LEN`] bytes (RFC 4895
    /// section 3.1).
    Random(&'a [u8]),
    /// Chunk types the sender wants authenticated (RFC 4895 section 3.2); see
    /// [`chunk_types`](Self::chunk_types).
    Chunks(&'a [u8]),
    /// HMAC identifiers of two bytes each, the sender's favourite first (RFC 4895 section 3.3);
    /// see [`hmac_ids`](Self::hmac_ids).
    HmacAlgo(&'a [u8]),
    /// Padding with this many bytes of value (RFC 4820 section 4).
    Padding(usize),
    /// Chunk types of the extensions that the sender supports (RFC 5061 section 4.2.7); see
    /// [`chunk_types`](Self::chunk_types).
    SupportedExtensions(&'a [u8]),
    /// The sender supports FORWARD-TSN (RFC 3758 section 3.1).
    ForwardTsnSupported,
    /// A code point for the upper layer (RFC 5061 section 4.2.6).
    AdaptationIndication(u32),
    /// Where the sender would like packets to be sent first (RFC 5061 section 4.2.4). With an
    /// address that is neither IPv4 nor IPv6 it is [`Self::Unknown`].
    SetPrimary {
        /// Without meaning here: nothing responds to it.
        correlation_id: u32,
        /// The address; the unspecified one is the packet's source.
        address: IpAddr,
    },
    /// A parameter of another type.
    Unknown(RawParameter<'a>),
}

impl<'a> Parameter<'a> {
    /// The parameter type.
    #[must_use]
    pub const fn kind(&self) -> ParameterType {
        match self {
            Self::Ipv4(_) => ParameterType::IPV4_ADDRESS,
            Self::Ipv6(_) => ParameterType::IPV6_ADDRESS,
            Self::StateCookie(_) => ParameterType::STATE_COOKIE,
            Self::Unrecognized(_) => ParameterType::UNRECOGNIZED_PARAMETER,
            Self::CookiePreservative(_) => ParameterType::COOKIE_PRESERVATIVE,
            Self::HostName(_) => ParameterType::HOST_NAME_ADDRESS,
            Self::SupportedAddressTypes(_) => ParameterType::SUPPORTED_ADDRESS_TYPES,
            Self::EcnCapable => ParameterType::ECN_CAPABLE,
            Self::ZeroChecksumAcceptable(_) => ParameterType::ZERO_CHECKSUM_ACCEPTABLE,
            Self::Random(_) => ParameterType::RANDOM,
            Self::Chunks(_) => ParameterType::CHUNKS,
            Self::HmacAlgo(_) => ParameterType::HMAC_ALGO,
            Self::Padding(_) => ParameterType::PADDING,
            Self::SupportedExtensions(_) => ParameterType::SUPPORTED_EXTENSIONS,
            Self::ForwardTsnSupported => ParameterType::FORWARD_TSN_SUPPORTED,
            Self::AdaptationIndication(_) => ParameterType::ADAPTATION_INDICATION,
            Self::SetPrimary { .. } => ParameterType::SET_PRIMARY_ADDRESS,
            Self::Unknown(raw) => raw.kind,
        }
    }

    /// Appends the parameter and its padding.
    ///
    /// A value beyond 65,531 bytes, which a parameter cannot carry, is cut.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.encode_unpadded(out);
        pad(out, start);
    }

    /// Appends the parameter without padding, as it goes into the key vectors of authentication
    /// (RFC 4895 section 6.1). A value too long is cut as by [`encode`](Self::encode).
    pub fn encode_unpadded(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ipv4(address) => put_address(out, IpAddr::V4(*address)),
            Self::Ipv6(address) => put_address(out, IpAddr::V6(*address)),
            Self::Unknown(raw) => out.extend_from_slice(raw.wire),
            _ => put_tlv(out, self.kind().0, |out| self.put_value(out)),
        }
    }

    /// Appends the value alone.
    fn put_value(&self, out: &mut Vec<u8>) {
        match *self {
            Self::StateCookie(bytes)
            | Self::Unrecognized(bytes)
            | Self::HostName(bytes)
            | Self::Random(bytes)
            | Self::Chunks(bytes)
            | Self::HmacAlgo(bytes)
            | Self::SupportedExtensions(bytes) => out.extend_from_slice(bytes),
            Self::CookiePreservative(number)
            | Self::ZeroChecksumAcceptable(number)
            | Self::AdaptationIndication(number) => out.extend_from_slice(&number.to_be_bytes()),
            Self::SupportedAddressTypes(types) => types.encode(out),
            Self::Padding(len) => out.resize(out.len() + len.min(usize::from(u16::MAX)), 0),
            Self::SetPrimary {
                correlation_id,
                address,
            } => {
                out.extend_from_slice(&correlation_id.to_be_bytes());
                put_address(out, address);
            }
            Self::EcnCapable | Self::ForwardTsnSupported => (),
            Self::Ipv4(_) | Self::Ipv6(_) | Self::Unknown(_) => (),
        }
    }

    fn decode(tlv: Tlv<'a>) -> Result<Self, DecodeError> {
        let value = tlv.value;
        Ok(match ParameterType(tlv.kind) {
            ParameterType::IPV4_ADDRESS => Self::Ipv4(decode_ipv4(value)?),
            ParameterType::IPV6_ADDRESS => Self::Ipv6(decode_ipv6(value)?),
            ParameterType::STATE_COOKIE => Self::StateCookie(value),
            ParameterType::UNRECOGNIZED_PARAMETER => Self::Unrecognized(value),
            ParameterType::COOKIE_PRESERVATIVE => {
                Self::CookiePreservative(number(value, "Cookie Preservative parameter")?)
            }
            ParameterType::HOST_NAME_ADDRESS => Self::HostName(value),
            ParameterType::SUPPORTED_ADDRESS_TYPES => {
                whole_pairs(value, "Supported Address Types parameter")?;
                Self::SupportedAddressTypes(AddressTypes::from_bytes(value))
            }
            ParameterType::ECN_CAPABLE => {
                exactly::<0>(value, TLV_HEADER_LEN, "ECN Capable parameter")?;
                Self::EcnCapable
            }
            ParameterType::ZERO_CHECKSUM_ACCEPTABLE => {
                Self::ZeroChecksumAcceptable(number(value, "Zero Checksum Acceptable parameter")?)
            }
            ParameterType::RANDOM => Self::Random(value),
            ParameterType::CHUNKS => Self::Chunks(value),
            ParameterType::HMAC_ALGO => {
                whole_pairs(value, "Requested HMAC Algorithm parameter")?;
                Self::HmacAlgo(value)
            }
            ParameterType::PADDING => Self::Padding(value.len()),
            ParameterType::SUPPORTED_EXTENSIONS => Self::SupportedExtensions(value),
            ParameterType::FORWARD_TSN_SUPPORTED => {
                exactly::<0>(value, TLV_HEADER_LEN, "Forward-TSN-Supported parameter")?;
                Self::ForwardTsnSupported
            }
            ParameterType::ADAPTATION_INDICATION => {
                Self::AdaptationIndication(number(value, "Adaptation Layer Indication parameter")?)
            }
            ParameterType::SET_PRIMARY_ADDRESS => set_primary(tlv)?,
            _ => Self::Unknown(tlv.into()),
        })
    }
}

fn set_primary(tlv: Tlv<'_>) -> Result<Parameter<'_>, DecodeError> {
    let what = "Set Primary Address parameter";
    let (correlation_id, rest) = take_u32(tlv.value, what)?;
    match take_address(rest) {
        Ok((address, [])) => Ok(Parameter::SetPrimary {
            correlation_id,
            address,
        }),
        Ok(_) => Err(DecodeError::BadLength {
            what,
            length: tlv.wire.len(),
        }),
        // An address, but of a type that nobody knows.
        Err(DecodeError::InvalidValue { .. }) => Ok(Parameter::Unknown(tlv.into())),
        Err(error) => Err(error),
    }
}

fn number(value: &[u8], what: &'static str) -> Result<u32, DecodeError> {
    Ok(u32::from_be_bytes(exactly::<4>(
        value,
        TLV_HEADER_LEN,
        what,
    )?))
}

fn whole_pairs(value: &[u8], what: &'static str) -> Result<(), DecodeError> {
    if value.len().is_multiple_of(2) {
        Ok(())
    } else {
        Err(DecodeError::BadLength {
            what,
            length: TLV_HEADER_LEN + value.len(),
        })
    }
}

#[cfg(test)]
mod tests;
