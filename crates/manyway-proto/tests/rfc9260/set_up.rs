//! Set-up of associations.

use std::time::Duration;

use manyway_proto::{CloseReason, ConnectError, Event, FourTuple};
use manyway_wire::{Chunk, ChunkType, CommonHeader, CookieAck, VerificationTag};

use crate::pair::{Pair, Raw, address, causes_of, kinds, no_header, packet, raw};

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
    let echo = pair.cookie_echo();
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

#[test]
fn an_altered_cookie_is_discarded_silently() {
    let mut pair = Pair::new();
    let echo = pair.cookie_echo();
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

//= https://www.rfc-editor.org/rfc/rfc9260#section-10
//= type=test
//# If the ICMP message is too short or the chunk type or the Initiate Tag does not match, silently discard the packet.
//= https://www.rfc-editor.org/rfc/rfc6951#section-5.5
//= type=test
//# If a received ICMP or ICMPv6 packet cannot be related to a specific SCTP association or the verification tag cannot be verified, it MUST be discarded silently.
#[test]
fn a_refusal_by_icmp_must_quote_the_init() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0).bytes;
    let path = FourTuple {
        local: address(0),
        remote: address(1),
    };
    let other = FourTuple {
        remote: address(2),
        ..path
    };
    let changed = |at: usize| {
        let mut quoted = init[..20].to_vec();
        quoted[at] ^= 1;
        quoted
    };
    // Short, not an INIT, with a tag, with another initiate tag, from elsewhere.
    let forged = [
        (path, init[..19].to_vec()),
        (path, Vec::new()),
        (path, changed(12)),
        (path, changed(7)),
        (path, changed(19)),
        (other, init[..20].to_vec()),
    ];
    let now = pair.now;
    for (path, quoted) in &forged {
        pair.ends[0].handle_unreachable(now, *path, quoted);
    }
    assert_eq!(
        pair.ends[0].stats().ignored_unreachable,
        forged.len() as u64
    );
    assert_eq!(pair.ends[0].poll_event(), None);
    pair.ends[0].handle_unreachable(now, path, &init[..20]);
    let closed = pair.ends[0].poll_event().map(|(_, event)| event);
    let reason = CloseReason::Refused;
    assert_eq!(closed, Some(Event::Closed { reason }));
}
