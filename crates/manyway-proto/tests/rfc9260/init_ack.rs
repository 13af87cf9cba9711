//! INIT-ACKs that an initiator cannot take, and errors that are reported around them.

use manyway_proto::{AssocState, CloseReason};
use manyway_wire::{
    Cause, CauseList, Chunk, ChunkType, CommonHeader, CookieEcho, ErrorChunk, Init, Parameter,
    ParameterType, Parameters, Tsn, VerificationTag,
};

use crate::pair::{Pair, SERVER_PORT, Seen, acknowledged, kinds, no_header, packet, raw};

const SERVER_TAG: u32 = 0x0505_0505;
const COOKIE: [u8; 8] = [0, 7, 0, 8, 1, 2, 3, 4];

/// A client that has sent INIT, and what the server's packets to it look like.
fn waiting() -> (Pair, CommonHeader) {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    let tag = init.with(ChunkType::INIT, |chunk, _| match chunk {
        Chunk::Init(init) => init.initiate_tag,
        _ => unreachable!(),
    });
    let header = CommonHeader {
        source_port: SERVER_PORT,
        destination_port: init.header.source_port,
        verification_tag: tag.unwrap(),
    };
    (pair, header)
}

fn init_ack(tag: u32, a_rwnd: u32, streams: u16, parameters: &[u8]) -> crate::pair::Raw {
    let streams = streams.to_be_bytes();
    let fixed = [
        &tag.to_be_bytes()[..],
        &a_rwnd.to_be_bytes(),
        &streams,
        &streams,
        &7_u32.to_be_bytes(),
    ];
    raw(2, 0, &[&fixed.concat(), parameters].concat())
}

/// What the client answers to an INIT-ACK.
fn answer(tag: u32, a_rwnd: u32, streams: u16, parameters: &[u8]) -> (Pair, Vec<Seen>) {
    let (mut pair, header) = waiting();
    pair.deliver(
        0,
        packet(header, &[&init_ack(tag, a_rwnd, streams, parameters)]),
    );
    let answers = pair.take(0);
    (pair, answers)
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
//= type=test
//# If an endpoint receives an INIT, INIT ACK, or COOKIE ECHO chunk but decides not to establish the new association due to missing mandatory parameters in the received INIT or INIT ACK chunk, invalid parameter values, or lack of local resources, it SHOULD respond with an ABORT chunk.
#[test]
fn an_init_ack_without_a_cookie_is_answered_with_what_is_missing() {
    let (mut pair, answers) = answer(SERVER_TAG, 65_536, 1, &[]);
    let missing = answers[0].with(ChunkType::ABORT, |chunk, flags| {
        assert_eq!(flags, 0);
        let Chunk::Abort(abort) = chunk else {
            unreachable!()
        };
        let causes: Vec<_> = abort.causes.iter().flatten().collect();
        let [Cause::MissingParameters(types)] = causes[..] else {
            panic!("{causes:?}");
        };
        types.iter().collect::<Vec<_>>()
    });
    assert_eq!(missing, Some(vec![ParameterType::STATE_COOKIE]));
    assert_eq!(
        answers[0].header.verification_tag,
        VerificationTag(SERVER_TAG)
    );
    assert!(matches!(
        pair.end_of(0),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set.
#[test]
fn an_init_ack_with_a_zero_tag_is_answered_with_its_own_tag() {
    let (mut pair, header) = waiting();
    pair.deliver(0, packet(header, &[&init_ack(0, 65_536, 1, &COOKIE)]));
    let answers = pair.take(0);
    assert_eq!(answers[0].with(ChunkType::ABORT, |_, flags| flags), Some(1));
    assert_eq!(answers[0].header.verification_tag, header.verification_tag);
    assert!(pair.end_of(0).is_some());
}

#[test]
fn invalid_values_and_host_names_are_answered_with_their_cause() {
    let host_name = [0, 11, 0, 8, b'h', b'o', b's', 0];
    let with_name = [&host_name[..], &COOKIE].concat();
    let cases = [
        (0, &COOKIE[..], Cause::InvalidMandatoryParameter),
        (1, &with_name, Cause::UnresolvableAddress(&host_name)),
    ];
    for (streams, parameters, cause) in cases {
        let (mut pair, answers) = answer(SERVER_TAG, 65_536, streams, parameters);
        let same = answers[0].with(ChunkType::ABORT, |chunk, _| match chunk {
            Chunk::Abort(abort) => abort.causes.iter().flatten().eq([cause]),
            _ => unreachable!(),
        });
        assert_eq!(same, Some(true), "{cause:?}");
        assert!(pair.end_of(0).is_some());
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# A receiver of an INIT ACK chunk with the a_rwnd value set to a value smaller than 1500 MUST discard the packet
#[test]
fn a_window_below_1500_bytes_is_refused_and_1500_is_not() {
    let (pair, answers) = answer(SERVER_TAG, 1499, 1, &COOKIE);
    assert!(answers.is_empty());
    assert_eq!(pair.state(0), AssocState::CookieWait);
    let (pair, _) = answer(SERVER_TAG, 1500, 1, &COOKIE);
    assert_eq!(pair.state(0), AssocState::CookieEchoed);

    for (a_rwnd, expected) in [(1499_u32, ChunkType::ABORT), (1500, ChunkType::INIT_ACK)] {
        let mut pair = Pair::new();
        let fixed = [0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
        let mut init = raw(1, 0, &fixed);
        init.0[8..12].copy_from_slice(&a_rwnd.to_be_bytes());
        pair.deliver(1, packet(no_header(), &[&init]));
        assert_eq!(kinds(&pair.take(1)), [expected]);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.2.2
//= type=test
//# it SHOULD bundle the ERROR chunk containing the "Unrecognized Parameters" error cause with the chunk sent in response (e.g., COOKIE ECHO).
#[test]
fn unknown_parameters_of_an_init_ack_are_reported_with_the_cookie() {
    let unknown = |kind: u16, len: u8| {
        let value = vec![1; usize::from(len) - 4];
        [&kind.to_be_bytes()[..], &[0, len], &value].concat()
    };
    let cases = [
        (vec![(0xc0aa, 8)], vec![(0xc0aa, 8)]),
        (vec![(0x80aa, 8), (0xc0bb, 8)], vec![(0xc0bb, 8)]),
        (vec![(0x40aa, 8), (0xc0bb, 8)], vec![(0x40aa, 8)]),
        (vec![(0x00aa, 8), (0xc0bb, 8)], vec![]),
        // 512 bytes are reported, and no more.
        (
            vec![(0xc0aa, 248), (0xc0bb, 248), (0xc0cc, 20), (0xc0dd, 16)],
            vec![(0xc0aa, 248), (0xc0bb, 248), (0xc0dd, 16)],
        ),
    ];
    for (sent, reported) in cases {
        let bytes = |list: &[(u16, u8)]| -> Vec<u8> {
            list.iter()
                .flat_map(|(kind, len)| unknown(*kind, *len))
                .collect()
        };
        let parameters = [&COOKIE[..], &bytes(&sent)].concat();
        let (pair, answers) = answer(SERVER_TAG, 65_536, 1, &parameters);
        assert_eq!(pair.state(0), AssocState::CookieEchoed);
        let expected = bytes(&reported);
        let found = answers[0].with(ChunkType::ERROR, |chunk, _| match chunk {
            Chunk::Error(error) => error
                .causes
                .iter()
                .flatten()
                .eq([Cause::UnrecognizedParameters(&expected)]),
            _ => unreachable!(),
        });
        assert_eq!(answers[0].kinds()[0], ChunkType::COOKIE_ECHO);
        assert_eq!(found, (!reported.is_empty()).then_some(true), "{sent:x?}");
    }
}

#[test]
fn who_does_not_know_nr_sack_after_all_gets_plain_sacks() {
    let mut pair = Pair::established();
    let mut causes = CauseList::new();
    causes.push(&Cause::UnrecognizedChunk(&[16, 0, 0, 20]));
    pair.inject(&[&ErrorChunk {
        causes: causes.as_causes(),
    }]);
    assert_eq!(pair.assoc(1).stats().errors_received, 1);
    let answers = pair.inject(&[&pair.data(1, 1)]);
    assert_eq!(kinds(&answers), [ChunkType::SACK]);
}

#[test]
fn reports_are_as_long_as_configured_and_heartbeats_beyond_the_limit_unanswered() {
    let mut pair = Pair::with(|config| {
        config.transport.max_error_report = 16;
        // Our own heartbeats have 20 bytes.
        config.transport.max_heartbeat_info = 20;
    })
    .establish();
    let answers = pair.inject(&[&raw(0xff, 0, &[7; 100])]);
    let report = answers[0].with(ChunkType::ERROR, |chunk, _| match chunk {
        Chunk::Error(error) => match error.causes.iter().flatten().next() {
            Some(Cause::UnrecognizedChunk(bytes)) => bytes.len(),
            other => panic!("{other:?}"),
        },
        _ => unreachable!(),
    });
    assert_eq!(report, Some(16));
    for (info, answered) in [(&[1; 20][..], true), (&[1; 21], false)] {
        let answers = pair.inject(&[&manyway_wire::Heartbeat { info }]);
        assert_eq!(!answers.is_empty(), answered);
    }
    assert_eq!(pair.assoc(1).stats().dropped_answers, 1);
}

/// A client whose first TSN is the last but one before the wrap: numbers, gaps and
/// duplicates go on beyond it.
#[test]
fn the_wrap_of_tsns_is_invisible_to_the_receiver() {
    let mut pair = Pair::new();
    let init = Init {
        initiate_tag: VerificationTag(99),
        a_rwnd: 1 << 20,
        outbound_streams: 4,
        inbound_streams: 4,
        initial_tsn: Tsn(u32::MAX - 1),
        parameters: Parameters::default(),
    };
    pair.deliver(1, packet(no_header(), &[&init]));
    let ack = pair.take(1).remove(0);
    let (tag, cookie) = ack
        .with(ChunkType::INIT_ACK, |chunk, _| match chunk {
            Chunk::InitAck(ack) => {
                let cookies = ack.parameters.iter().flatten();
                let cookie = cookies.filter_map(|p| match p {
                    Parameter::StateCookie(bytes) => Some(bytes.to_vec()),
                    _ => None,
                });
                (ack.initiate_tag, cookie.last().unwrap())
            }
            _ => unreachable!(),
        })
        .unwrap();
    pair.headers[0] = CommonHeader {
        verification_tag: tag,
        ..no_header()
    };
    pair.inject(&[&CookieEcho { cookie: &cookie }]);
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    pair.next_tsn[0] = Tsn(u32::MAX - 1);

    let answers = pair.inject(&[&pair.data(0, 0), &pair.data(2, 2), &pair.data(4, 4)]);
    let acked = acknowledged(&answers).unwrap();
    assert_eq!(
        (acked.cumulative, acked.gaps),
        (Tsn(u32::MAX - 1), vec![(2, 2), (4, 4)])
    );
    let again = pair.data(2, 2);
    let acked = acknowledged(&pair.inject(&[&again])).unwrap();
    assert_eq!(acked.duplicates, [Tsn(0)]);
    let answers = pair.inject(&[&pair.data(1, 1), &pair.data(3, 3)]);
    assert_eq!(acknowledged(&answers).map(|a| a.cumulative), Some(Tsn(2)));
    let read = std::iter::from_fn(|| pair.command(1, |assoc| assoc.recv()));
    assert_eq!(read.count(), 5);
}
