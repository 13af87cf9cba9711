//! Reading and writing the shapes that all elements share.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::DecodeError;

/// Bytes of a parameter's or error cause's type and length fields.
pub(crate) const TLV_HEADER_LEN: usize = 4;

/// The first `N` bytes and what follows them.
pub(crate) fn take<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(&'a [u8; N], &'a [u8]), DecodeError> {
    bytes.split_first_chunk().ok_or(DecodeError::Truncated {
        what,
        need: N,
        have: bytes.len(),
    })
}

/// The first four bytes as a number, and what follows them.
pub(crate) fn take_u32<'a>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<(u32, &'a [u8]), DecodeError> {
    let (field, rest) = take::<4>(bytes, what)?;
    Ok((u32::from_be_bytes(*field), rest))
}

/// All of `bytes`, which must be exactly `N`; the error counts the element's header too.
pub(crate) fn exactly<const N: usize>(
    bytes: &[u8],
    header_len: usize,
    what: &'static str,
) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::BadLength {
        what,
        length: header_len + bytes.len(),
    })
}

/// The next multiple of four.
pub(crate) const fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Appends zero bytes until the bytes since `start` fill whole words.
pub(crate) fn pad(out: &mut Vec<u8>, start: usize) {
    out.resize(start + padded(out.len() - start), 0);
}

/// A length as its field holds it. Longer elements are kept out by
/// [`PacketWriter::push`](crate::PacketWriter::push), so that the limit is never reached on
/// the wire.
pub(crate) fn length_field(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// One type-length-value element (RFC 9260 sections 3.2.1 and 3.3.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) kind: u16,
    pub(crate) value: &'a [u8],
    /// Type, length and value, without padding.
    pub(crate) wire: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Reads the first element; also returns what follows it and its padding.
    pub(crate) fn decode(
        bytes: &'a [u8],
        what: &'static str,
    ) -> Result<(Self, &'a [u8]), DecodeError> {
        let (&[kind_high, kind_low, length_high, length_low], _) =
            take::<TLV_HEADER_LEN>(bytes, what)?;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if length < TLV_HEADER_LEN {
            return Err(DecodeError::BadLength { what, length });
        }
        let Some(wire) = bytes.get(..length) else {
            return Err(DecodeError::Truncated {
                what,
                need: length,
                have: bytes.len(),
            });
        };
        // The last element's padding may be left out of the enclosing chunk's length.
        let rest = bytes.get(padded(length)..).unwrap_or_default();
        let kind = u16::from_be_bytes([kind_high, kind_low]);
        Ok((
            Self {
                kind,
                value: &wire[TLV_HEADER_LEN..],
                wire,
            },
            rest,
        ))
    }
}

/// Walks type-length-value elements; ends after the first malformed one.
#[derive(Clone, Debug)]
pub(crate) struct TlvIter<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> TlvIter<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// Decodes the next element by `read`; any error is the last item.
    pub(crate) fn next_with<T>(
        &mut self,
        read: impl FnOnce(Tlv<'a>) -> Result<T, DecodeError>,
    ) -> Option<Result<T, DecodeError>> {
        if self.rest.is_empty() {
            return None;
        }
        let item = Tlv::decode(self.rest, self.what).and_then(|(tlv, rest)| {
            self.rest = rest;
            read(tlv)
        });
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// Appends one element without padding. A value beyond what the length field can count is cut.
pub(crate) fn put_tlv(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0; 2]);
    value(out);
    out.truncate(start + usize::from(u16::MAX));
    let length = length_field(out.len() - start);
    out[start + 2..start + TLV_HEADER_LEN].copy_from_slice(&length);
}

/// Parameter types of the two address parameters (RFC 9260 sections 3.3.2.1.1 and 3.3.2.1.2).
const IPV4_ADDRESS: u16 = 5;
const IPV6_ADDRESS: u16 = 6;

/// Reads an address parameter that is wrapped in another element; returns what follows it.
pub(crate) fn take_address(bytes: &[u8]) -> Result<(IpAddr, &[u8]), DecodeError> {
    let (tlv, rest) = Tlv::decode(bytes, "Address Parameter")?;
    let address = match tlv.kind {
        IPV4_ADDRESS => decode_ipv4(tlv.value)?.into(),
        IPV6_ADDRESS => decode_ipv6(tlv.value)?.into(),
        _ => {
            return Err(DecodeError::InvalidValue {
                what: "type of the Address Parameter",
            });
        }
    };
    Ok((address, rest))
}

/// Value of an IPv4 Address parameter.
pub(crate) fn decode_ipv4(value: &[u8]) -> Result<Ipv4Addr, DecodeError> {
    Ok(exactly::<4>(value, TLV_HEADER_LEN, "IPv4 Address parameter")?.into())
}

/// Value of an IPv6 Address parameter.
pub(crate) fn decode_ipv6(value: &[u8]) -> Result<Ipv6Addr, DecodeError> {
    Ok(exactly::<16>(value, TLV_HEADER_LEN, "IPv6 Address parameter")?.into())
}

/// Bytes of an address parameter.
pub(crate) fn address_len(address: IpAddr) -> usize {
    TLV_HEADER_LEN + if address.is_ipv4() { 4 } else { 16 }
}

/// Appends an address parameter.
pub(crate) fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => put_tlv(out, IPV4_ADDRESS, |out| out.extend_from_slice(&v4.octets())),
        IpAddr::V6(v6) => put_tlv(out, IPV6_ADDRESS, |out| out.extend_from_slice(&v6.octets())),
    }
}
