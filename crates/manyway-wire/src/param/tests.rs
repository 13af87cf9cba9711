//! Tests of parameters.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Every kind of parameter beside its bytes, padding included.
fn known() -> Vec<(Parameter<'static>, Vec<u8>)> {
    let host = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let ipv6 = [&[0, 6, 0, 20][..], &host.octets()].concat();
    let types = AddressTypes::new(&[5, 6]);
    let unknown: &[u8] = &[0xc1, 0x23, 0, 6, 1, 2];
    vec![
        (
            Parameter::Ipv4(Ipv4Addr::new(192, 0, 2, 1)),
            vec![0, 5, 0, 8, 192, 0, 2, 1],
        ),
        (Parameter::Ipv6(host), ipv6),
        (
            Parameter::StateCookie(&[1, 2, 3]),
            vec![0, 7, 0, 7, 1, 2, 3, 0],
        ),
        (
            Parameter::Unrecognized(&[0x40, 1, 0, 4]),
            vec![0, 8, 0, 8, 0x40, 1, 0, 4],
        ),
        (
            Parameter::CookiePreservative(1000),
            vec![0, 9, 0, 8, 0, 0, 3, 0xe8],
        ),
        (
            Parameter::HostName(b"a\0"),
            vec![0, 11, 0, 6, b'a', 0, 0, 0],
        ),
        (
            Parameter::SupportedAddressTypes(types),
            vec![0, 12, 0, 8, 0, 5, 0, 6],
        ),
        (Parameter::EcnCapable, vec![0x80, 0, 0, 4]),
        (
            Parameter::ZeroChecksumAcceptable(1),
            vec![0x80, 1, 0, 8, 0, 0, 0, 1],
        ),
        (Parameter::Random(&[9]), vec![0x80, 2, 0, 5, 9, 0, 0, 0]),
        (
            Parameter::Chunks(&[0xc1, 0x80]),
            vec![0x80, 3, 0, 6, 0xc1, 0x80, 0, 0],
        ),
        (
            Parameter::HmacAlgo(&[0, 3, 0, 1]),
            vec![0x80, 4, 0, 8, 0, 3, 0, 1],
        ),
        (Parameter::Padding(2), vec![0x80, 5, 0, 6, 0, 0, 0, 0]),
        (
            Parameter::SupportedExtensions(&[0xc0]),
            vec![0x80, 8, 0, 5, 0xc0, 0, 0, 0],
        ),
        (Parameter::ForwardTsnSupported, vec![0xc0, 0, 0, 4]),
        (
            Parameter::AdaptationIndication(0xdead_beef),
            vec![0xc0, 6, 0, 8, 0xde, 0xad, 0xbe, 0xef],
        ),
        (
            Parameter::SetPrimary {
                correlation_id: 9,
                address: [192, 0, 2, 1].into(),
            },
            vec![0xc0, 4, 0, 16, 0, 0, 0, 9, 0, 5, 0, 8, 192, 0, 2, 1],
        ),
        (
            Parameter::Unknown(RawParameter::from_wire(unknown).unwrap()),
            vec![0xc1, 0x23, 0, 6, 1, 2, 0, 0],
        ),
    ]
}

#[test]
fn every_parameter_decodes_and_encodes() {
    for (parameter, wire) in known() {
        let mut out = Vec::new();
        parameter.encode(&mut out);
        assert_eq!(out, wire, "{parameter:?}");
        let decoded: Vec<_> = Parameters::from_bytes(&wire).iter().collect();
        assert_eq!(decoded, [Ok(parameter)]);
    }
}

#[test]
fn a_list_keeps_order_and_leaves_the_last_padding_out() {
    let mut list = ParameterList::new();
    let mut wire = Vec::new();
    for (parameter, bytes) in known() {
        list.push(&parameter);
        wire.extend_from_slice(&bytes);
    }
    assert_eq!(list.padded_len(), wire.len());
    assert_eq!(list.as_parameters().as_bytes(), &wire[..wire.len() - 2]);
    let expected = known().into_iter().map(|(parameter, _)| Ok(parameter));
    assert!(list.as_parameters().iter().eq(expected));
}

#[test]
fn malformed_parameters_are_errors_and_end_the_walk() {
    for wire in [
        &[0][..],
        &[0, 5, 0][..],
        &[0, 7, 0, 0][..],
        &[0, 7, 0, 3][..],
        &[0, 7, 0, 9, 1, 2, 3, 4][..],
        &[0, 5, 0, 7, 1, 2, 3, 0, 0, 7, 0, 5, 1][..],
        &[0, 6, 0, 8, 1, 2, 3, 4][..],
        &[0, 9, 0, 4][..],
        &[0, 12, 0, 7, 0, 5, 0][..],
        &[0x80, 0, 0, 5, 1][..],
        &[0x80, 1, 0, 4][..],
        &[0x80, 4, 0, 5, 0][..],
        &[0xc0, 0, 0, 8, 0, 0, 0, 0][..],
        &[0xc0, 4, 0, 6, 0, 0][..],
        &[0xc0, 4, 0, 8, 0, 0, 0, 9][..],
        &[
            0xc0, 4, 0, 20, 0, 0, 0, 9, 0, 5, 0, 8, 1, 2, 3, 4, 0, 0, 0, 0,
        ][..],
        &[0xc0, 6, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0][..],
    ] {
        let items: Vec<_> = Parameters::from_bytes(wire).iter().collect();
        assert!(matches!(items[..], [Err(_)]), "{wire:?} gave {items:?}");
    }
}

#[test]
fn the_two_high_bits_say_what_to_do_with_an_unknown_type() {
    use crate::packet::UnrecognizedAction::{Skip, SkipAndReport, Stop, StopAndReport};
    let actions = [0x0001, 0x4001, 0x8001, 0xc001].map(|k| ParameterType(k).unrecognized_action());
    assert_eq!(actions, [Stop, StopAndReport, Skip, SkipAndReport]);
}

#[test]
fn a_value_that_no_length_field_can_count_is_cut() {
    let cookie = vec![1; 70_000];
    let mut out = Vec::new();
    Parameter::StateCookie(&cookie).encode(&mut out);
    assert_eq!(out.len(), 65_536);
    let items: Vec<_> = Parameters::from_bytes(&out).iter().collect();
    assert_eq!(items, [Ok(Parameter::StateCookie(&cookie[..65_531]))]);
}
