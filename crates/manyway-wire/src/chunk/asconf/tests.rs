//! Tests of ASCONF chunks and their requests.

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
fn an_address_of_another_type_does_not_hide_the_requests_behind_it() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
    //= type=test
    //# Note: The host name address MUST NOT be sent and MUST be ignored if received in any ASCONF message.
    let value = [
        0xc0, 0x01, 0, 16, 0, 0, 0, 1, 0, 11, 0, 8, b'h', b'o', b's', b't', // a host name
        0xc0, 0x02, 0, 16, 0, 0, 0, 2, 0, 5, 0, 8, 192, 0, 2, 1,
    ];
    let items: Vec<_> = AsconfRequests::from_bytes(&value).with_values().collect();
    let (first, rest) = items[0].unwrap();
    assert_eq!(first.action, AsconfAction::Unknown { kind: 0xc001 });
    assert_eq!(rest, &value[8..16]);
    let second = items[1].unwrap().0.action;
    assert_eq!(
        second,
        AsconfAction::Delete(Ipv4Addr::new(192, 0, 2, 1).into())
    );
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
