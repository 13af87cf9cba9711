//! Requests of an ASCONF whose values are kept as bytes.

use alloc::vec::Vec;

use crate::bytes::{pad, put_tlv};
use crate::chunk::{AsconfRequest, AsconfRequests};
use crate::param::ParameterType;

/// Encoded requests to be sent, of types that this crate knows and of others with their values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AsconfRequestList(Vec<u8>);

impl AsconfRequestList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a request.
    pub fn push(&mut self, request: &AsconfRequest) {
        pad(&mut self.0, 0);
        request.encode(&mut self.0);
    }

    /// Appends a request of any type; `value` is what follows the correlation id.
    ///
    /// A value beyond 65,527 bytes, which a parameter cannot carry, is cut.
    pub fn push_value(&mut self, kind: ParameterType, correlation_id: u32, value: &[u8]) {
        pad(&mut self.0, 0);
        put_tlv(&mut self.0, kind.0, |out| {
            out.extend_from_slice(&correlation_id.to_be_bytes());
            out.extend_from_slice(value);
        });
    }

    /// The requests, to be put into an [`Asconf`](crate::Asconf).
    #[must_use]
    pub fn as_requests(&self) -> AsconfRequests<'_> {
        AsconfRequests::from_bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::chunk::tests::assert_round_trip;
    use crate::chunk::{Asconf, AsconfAction, EncodeChunk};
    use crate::serial::AsconfSerial;

    #[test]
    fn values_of_unknown_requests_survive_beside_known_ones() {
        let wire = [
            0xc1, 0x00, 0x00, 0x2c, // type, flags, length 44
            0x00, 0x00, 0x00, 0x07, // serial number
            0x00, 0x05, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, // the packet's source
            0xc0, 0x7f, 0x00, 0x09, 0x00, 0x00, 0x00, 0x01, 0xaa, 0, 0, 0, // unknown
            0xc0, 0x01, 0x00, 0x10, 0x00, 0x00, 0x00, 0x02, // add
            0x00, 0x05, 0x00, 0x08, 0x00, 0x00, 0x00, 0x00, // the packet's source
        ];
        let mut list = AsconfRequestList::new();
        let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let add = AsconfRequest {
            correlation_id: 2,
            action: AsconfAction::Add(address),
        };
        let unknown = |correlation_id| AsconfRequest {
            correlation_id,
            action: AsconfAction::Unknown { kind: 0xc07f },
        };
        list.push_value(ParameterType(0xc07f), 1, &[0xaa]);
        list.push(&add);
        let asconf = Asconf {
            serial: AsconfSerial(7),
            address,
            requests: list.as_requests(),
        };
        let mut out = Vec::new();
        asconf.encode(&mut out);
        assert_eq!(out, wire);
        assert_round_trip(&wire);

        list.push_value(ParameterType(0xc07f), 3, &[1, 2]);
        let items: Vec<_> = list.as_requests().with_values().collect();
        let expected = [
            Ok((unknown(1), &[0xaa][..])),
            Ok((add, &[0, 5, 0, 8, 0, 0, 0, 0][..])),
            Ok((unknown(3), &[1, 2][..])),
        ];
        assert_eq!(items, expected);
    }
}
