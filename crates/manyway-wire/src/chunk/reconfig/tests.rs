//! Tests of RE-CONFIG chunks and their parameters.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::chunk::tests::{assert_round_trip, raw};
use crate::param::RawParameter;
use crate::serial::{ReconfigSerial, StreamId, Tsn};

const SERIAL: ReconfigSerial = ReconfigSerial(0x0102_0304);

/// Every kind of parameter beside its bytes, padding included.
fn known() -> Vec<(ReconfigParameter<'static>, Vec<u8>)> {
    use ReconfigParameter as P;
    let streams = StreamIds::new(&[StreamId(1), StreamId(0x0203), StreamId(0xffff)]);
    let response = |result, next_tsns| P::Response {
        response: SERIAL,
        result,
        next_tsns,
    };
    let next_tsns = NextTsns {
        sender: Tsn(5),
        receiver: Tsn(0xffff_ffff),
    };
    let unknown = RawParameter::from_wire(&[0x80, 0x13, 0, 5, 9]).unwrap();
    vec![
        (
            P::OutgoingSsnReset {
                request: SERIAL,
                response: ReconfigSerial(7),
                last_tsn: Tsn(9),
                streams,
            },
            vec![
                0, 13, 0, 22, 1, 2, 3, 4, 0, 0, 0, 7, 0, 0, 0, 9, // type to last assigned TSN
                0, 1, 2, 3, 0xff, 0xff, 0, 0, // streams
            ],
        ),
        (
            P::IncomingSsnReset {
                request: SERIAL,
                streams: StreamIds::EMPTY,
            },
            vec![0, 14, 0, 8, 1, 2, 3, 4],
        ),
        (
            P::SsnTsnReset { request: SERIAL },
            vec![0, 15, 0, 8, 1, 2, 3, 4],
        ),
        (
            response(ReconfigResult::IN_PROGRESS, None),
            vec![0, 16, 0, 12, 1, 2, 3, 4, 0, 0, 0, 6],
        ),
        (
            response(ReconfigResult::PERFORMED, Some(next_tsns)),
            vec![
                0, 16, 0, 20, 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff,
            ],
        ),
        (
            P::AddOutgoingStreams {
                request: SERIAL,
                count: 300,
            },
            vec![0, 17, 0, 12, 1, 2, 3, 4, 1, 44, 0, 0],
        ),
        (
            P::AddIncomingStreams {
                request: SERIAL,
                count: 2,
            },
            vec![0, 18, 0, 12, 1, 2, 3, 4, 0, 2, 0, 0],
        ),
        (P::Unknown(unknown), vec![0x80, 0x13, 0, 5, 9, 0, 0, 0]),
    ]
}

#[test]
fn every_parameter_decodes_and_encodes() {
    for (parameter, wire) in known() {
        let mut out = Vec::new();
        parameter.encode(&mut out);
        assert_eq!(out, wire, "{parameter:?}");
        let decoded: Vec<_> = ReconfigParameters::from_bytes(&wire).iter().collect();
        assert_eq!(decoded, [Ok(parameter)]);
    }
}

#[test]
fn requests_have_a_number_and_answers_have_none() {
    for (parameter, _) in known() {
        let is_request = !matches!(
            parameter,
            ReconfigParameter::Response { .. } | ReconfigParameter::Unknown(_)
        );
        assert_eq!(parameter.request(), is_request.then_some(SERIAL));
    }
}

#[test]
fn the_figure_of_the_rfc_decodes_and_encodes() {
    let wire = [
        0x82, 0x00, 0x00, 0x26, // type, flags, length 38
        0x00, 0x10, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x07, // response to request 7
        0x00, 0x00, 0x00, 0x01, // performed
        0x00, 0x0d, 0x00, 0x16, 0x01, 0x02, 0x03, 0x04, // outgoing reset, request
        0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x09, // response 7, last TSN 9
        0x00, 0x01, 0x02, 0x03, 0xff, 0xff, // streams
    ];
    let mut list = ReconfigParameterList::new();
    list.push(&ReconfigParameter::Response {
        response: ReconfigSerial(7),
        result: ReconfigResult::PERFORMED,
        next_tsns: None,
    });
    list.push(&known()[0].0);
    let chunk = Reconfig {
        parameters: list.as_parameters(),
    };
    assert_eq!(Reconfig::decode(&raw(&wire)), Ok(chunk));
    assert!(chunk.is_allowed_combination());
    assert_round_trip(&wire);
    assert_round_trip(&[0x82, 0, 0, 4]);
}

#[test]
fn the_reserved_field_is_ignored() {
    let wire = [0, 17, 0, 12, 1, 2, 3, 4, 1, 44, 0xff, 0xff];
    let decoded: Vec<_> = ReconfigParameters::from_bytes(&wire).iter().collect();
    assert_eq!(decoded, [Ok(known()[5].0)]);
}

#[test]
fn malformed_parameters_are_errors_and_end_the_walk() {
    //= https://www.rfc-editor.org/rfc/rfc6525#section-4.4
    //= type=test
    //# Either both optional fields (Sender's Next TSN and Receiver's Next TSN) MUST be present, or no field.
    let one_tsn = [0, 16, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5];
    for wire in [
        &[0, 13, 0][..],
        &[0, 13, 0, 15, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0][..],
        &[0, 13, 0, 17, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1][..],
        &[0, 14, 0, 7, 0, 0, 0, 0][..],
        &[0, 14, 0, 9, 0, 0, 0, 1, 1, 0, 0, 0, 0, 15, 0, 8, 0, 0, 0, 1][..],
        &[0, 15, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0][..],
        &[0, 16, 0, 8, 0, 0, 0, 1][..],
        &one_tsn[..],
        &[0, 17, 0, 10, 0, 0, 0, 1, 0, 1][..],
        &[0, 18, 0, 8, 0, 0, 0, 1][..],
    ] {
        let items: Vec<_> = ReconfigParameters::from_bytes(wire).iter().collect();
        assert!(matches!(items[..], [Err(_)]), "{wire:?} gave {items:?}");
    }
    let error = DecodeError::BadLength {
        what: "Re-configuration Response parameter",
        length: 16,
    };
    let one_tsn = ReconfigParameters::from_bytes(&one_tsn);
    assert_eq!(one_tsn.iter().next(), Some(Err(error)));
}

#[test]
fn ten_combinations_of_parameters_are_allowed() {
    let all = known();
    let allowed = |indices: &[usize]| {
        let mut list = ReconfigParameterList::new();
        indices.iter().for_each(|&i| list.push(&all[i].0));
        Reconfig {
            parameters: list.as_parameters(),
        }
        .is_allowed_combination()
    };
    assert!(!allowed(&[]));
    let singles: Vec<_> = (0..8).filter(|&i| allowed(&[i])).collect();
    assert_eq!(singles, [0, 1, 2, 3, 4, 5, 6]);
    let mut pairs = Vec::new();
    for i in 0..8 {
        for j in i..8 {
            assert_eq!(allowed(&[i, j]), allowed(&[j, i]));
            if allowed(&[i, j]) {
                pairs.push((i, j));
            }
        }
    }
    // Both 3 and 4 are responses.
    let expected = [(0, 1), (0, 3), (0, 4), (3, 3), (3, 4), (4, 4), (5, 6)];
    assert_eq!(pairs, expected);
    assert!(!allowed(&[3, 3, 3]));
    let malformed = Reconfig {
        parameters: ReconfigParameters::from_bytes(&[0, 15, 0, 8, 0, 0, 0, 1, 0]),
    };
    assert!(!malformed.is_allowed_combination());
}
