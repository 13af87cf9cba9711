//! Set-up, and packets that belong to no association.

use std::time::Duration;

use manyway_proto::ConnectError;
use manyway_wire::{
    Abort, CauseList, Chunk, ChunkType, CommonHeader, CookieAck, EncodeChunk, Heartbeat,
    ShutdownAck, ShutdownComplete, VerificationTag,
};

use crate::pair::{Pair, Raw, causes_of, kinds, no_header, packet, raw};

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
//= type=test
//# it SHOULD verify that the packet contains only an INIT chunk. Otherwise, the receiver MUST silently discard the packet
#[test]
fn an_init_among_other_chunks_or_with_a_tag_is_discarded() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0).bytes;
    let bundled = packet(no_header(), &[&Raw(init[12..].to_vec()), &CookieAck]);
    let tagged = packet(
        CommonHeader {
            verification_tag: VerificationTag(9),
            ..no_header()
        },
        &[&Raw(init[12..].to_vec())],
    );
    for bytes in [bundled, tagged] {
        pair.deliver(1, bytes);
        assert!(pair.take(1).is_empty());
    }
    assert_eq!(pair.ends[1].stats().inits_answered, 0);
    pair.deliver(1, init);
    assert_eq!(kinds(&pair.take(1)), [ChunkType::INIT_ACK]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.2.1
//= type=test
//# Stop processing this parameter, do not process any further parameters within this chunk, and report the unrecognized parameter
#[test]
fn unknown_parameters_of_an_init_are_reported_as_their_type_says() {
    let cases = [
        (0x00aa_u16, false, true),
        (0x40aa, true, true),
        (0x80aa, false, false),
        (0xc0aa, true, false),
    ];
    for (kind, reported, stops) in cases {
        let mut pair = Pair::new();
        let parameter = |kind: u16| [&kind.to_be_bytes()[..], &[0, 8, 1, 2, 3, 4]].concat();
        let fixed = [0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
        let init = raw(
            1,
            0,
            &[&fixed[..], &parameter(kind), &parameter(0xc0bb)].concat(),
        );
        pair.deliver(1, packet(no_header(), &[&init]));
        let answer = pair.take(1).remove(0);
        let unrecognized: Vec<u8> = answer
            .with(ChunkType::INIT_ACK, |chunk, _| match chunk {
                Chunk::InitAck(ack) => {
                    let all = ack.parameters.iter().flatten();
                    all.filter_map(|p| match p {
                        manyway_wire::Parameter::Unrecognized(raw) => Some(raw[1]),
                        _ => None,
                    })
                    .collect()
                }
                _ => unreachable!(),
            })
            .expect("an INIT with unknown parameters is answered");
        assert_eq!(unrecognized.contains(&0xaa), reported, "type {kind:#x}");
        assert_eq!(unrecognized.contains(&0xbb), !stops, "type {kind:#x}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
//= type=test
//# the endpoint MUST transmit an ERROR chunk with a "Stale Cookie" error cause to the peer endpoint
#[test]
fn a_stale_cookie_is_reported_and_the_initiator_begins_anew() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.bytes);
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    assert_eq!(echo.kinds(), [ChunkType::COOKIE_ECHO]);
    pair.now += Duration::from_secs(61);
    pair.deliver(1, echo.bytes);
    let error = pair.take(1);
    assert_eq!(causes_of(&error, ChunkType::ERROR), [3]);
    for seen in error {
        pair.deliver(0, seen.bytes);
    }
    assert_eq!(kinds(&pair.take(0)), [ChunkType::INIT]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# If both Verification Tags in the State Cookie match the Verification Tags of the current association, consider the State Cookie valid
#[test]
fn a_repeated_cookie_is_acknowledged_again_also_when_it_is_stale() {
    for late in [Duration::ZERO, Duration::from_secs(61)] {
        let mut pair = Pair::new();
        pair.connect();
        let init = pair.take(0).remove(0);
        pair.deliver(1, init.bytes);
        let ack = pair.take(1).remove(0);
        pair.deliver(0, ack.bytes);
        let echo = pair.take(0).remove(0).bytes;
        pair.deliver(1, echo.clone());
        assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
        pair.now += late;
        pair.deliver(1, echo);
        assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
        assert_eq!(pair.ends[1].associations().count(), 1);
    }
}

#[test]
fn an_altered_cookie_is_discarded_silently() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.bytes);
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    let mut chunk = echo.bytes[12..].to_vec();
    chunk[30] ^= 1;
    pair.deliver(1, packet(echo.header, &[&Raw(chunk)]));
    assert!(pair.take(1).is_empty());
    assert_eq!(
        (
            pair.ends[1].associations().count(),
            pair.ends[1].stats().cookies_refused
        ),
        (0, 1)
    );
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.4
//= type=test
//# If the OOTB packet contains an ABORT chunk, the receiver MUST silently discard the OOTB packet and take no further action
#[test]
fn packets_out_of_the_blue_are_answered_by_the_rules() {
    let header = CommonHeader {
        verification_tag: VerificationTag(0x0101_0101),
        ..no_header()
    };
    let causes = CauseList::new();
    let abort = Abort {
        reflected_tag: false,
        causes: causes.as_causes(),
    };
    let complete = ShutdownComplete {
        reflected_tag: false,
    };
    let heartbeat = Heartbeat { info: b"anybody" };
    let error = raw(9, 0, &[]);
    let silent: [&[&dyn EncodeChunk]; 5] = [
        &[&abort],
        &[&complete],
        &[&CookieAck],
        &[&error],
        &[&heartbeat, &abort],
    ];
    for chunks in silent {
        let mut pair = Pair::new();
        pair.deliver(1, packet(header, chunks));
        assert!(pair.take(1).is_empty());
    }
    let mut pair = Pair::new();
    pair.deliver(1, packet(header, &[&heartbeat]));
    let answer = pair.take(1).remove(0);
    assert_eq!(answer.header.verification_tag, header.verification_tag);
    assert_eq!(
        answer.with(ChunkType::ABORT, |_, flags| flags),
        Some(1),
        "the T bit says that the tag is reflected"
    );
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.4
//= type=test
//# the receiver SHOULD respond to the sender of the OOTB packet with a SHUTDOWN COMPLETE chunk
#[test]
fn a_shutdown_ack_out_of_the_blue_is_answered_with_a_reflected_shutdown_complete() {
    let header = CommonHeader {
        verification_tag: VerificationTag(0x0202_0202),
        ..no_header()
    };
    let mut pair = Pair::new();
    pair.deliver(1, packet(header, &[&ShutdownAck]));
    let answer = pair.take(1).remove(0);
    assert_eq!(answer.header.verification_tag, header.verification_tag);
    assert_eq!(
        answer.with(ChunkType::SHUTDOWN_COMPLETE, |_, flags| flags),
        Some(1)
    );
}

#[test]
fn answers_out_of_the_blue_are_limited() {
    let mut pair = Pair::new();
    let heartbeat = Heartbeat { info: b"anybody" };
    let mut answers = 0;
    for tag in 1..=2000 {
        let header = CommonHeader {
            verification_tag: VerificationTag(tag),
            ..no_header()
        };
        pair.deliver(1, packet(header, &[&heartbeat]));
        answers += pair.take(1).len();
    }
    assert_eq!(answers, 200);
    assert_eq!(pair.ends[1].stats().stray_unanswered, 1800);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-1.3
//= type=test
//# Two SCTP endpoints MUST NOT have more than one SCTP association between them at any given time
#[test]
fn associations_to_one_listener_never_share_a_port() {
    let mut pair = Pair::new();
    let mut open = 0;
    let refused = loop {
        match pair.try_connect() {
            Ok(_) => open += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((open, refused), (32_768, ConnectError::TooManyAssociations));
    let ports: std::collections::HashSet<_> = pair.ends[0]
        .associations()
        .map(|assoc| assoc.local_port())
        .collect();
    assert_eq!(ports.len(), open);
    let any = pair.ends[0].associations().next().unwrap().id();
    pair.ends[0].release(any);
    assert!(pair.try_connect().is_ok(), "a port is free again");
}
