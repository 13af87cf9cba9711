//! Packets that belong to no association.

use manyway_wire::{
    Abort, CauseList, ChunkType, CommonHeader, CookieAck, EncodeChunk, Heartbeat, ShutdownAck,
    ShutdownComplete, VerificationTag,
};

use crate::pair::{Pair, no_header, packet, raw};

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

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
//= type=test
//# The receiver of an ABORT chunk MUST accept the packet if the Verification Tag field of the packet matches its own tag and the T bit is not set OR if it is set to its Peer's Tag and the T bit is set in the Chunk Flags.
#[test]
fn an_abort_counts_under_the_own_tag_or_the_peers_and_the_t_bit_says_which() {
    for (own_tag, reflected, ends) in [
        (true, false, true),
        (true, true, false),
        (false, true, true),
        (false, false, false),
    ] {
        let mut pair = Pair::established();
        let tag = pair.headers[1 - usize::from(own_tag)].verification_tag;
        let header = CommonHeader {
            verification_tag: tag,
            ..pair.headers[0]
        };
        assert_ne!(tag, VerificationTag(0));
        let causes = CauseList::new();
        let abort = Abort {
            reflected_tag: reflected,
            causes: causes.as_causes(),
        };
        pair.deliver(1, packet(header, &[&abort]));
        assert_eq!(pair.end_of(1).is_some(), ends, "{own_tag} {reflected}");
    }
}
