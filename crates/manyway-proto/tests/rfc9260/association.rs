//! Chunks that arrive at an established association.

use manyway_proto::{AssocState, CloseReason, Message};
use manyway_wire::{
    Cause, Chunk, ChunkType, CommonHeader, CookieAck, Data, DataFlags, EncodeChunk, GapBlock,
    GapBlocks, Heartbeat, Shutdown, ShutdownAck, ShutdownComplete, StreamId, VerificationTag,
};

use crate::pair::{MS, Pair, acknowledged, causes_of, kinds, packet, raw};

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5
//= type=test
//# When receiving an SCTP packet, the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag
#[test]
fn packets_with_another_tag_do_not_reach_the_association() {
    let mut pair = Pair::established();
    let header = CommonHeader {
        verification_tag: VerificationTag(pair.headers[0].verification_tag.0 ^ 1),
        ..pair.headers[0]
    };
    let data = pair.data(0, 0);
    pair.deliver(1, packet(header, &[&data]));
    let id = pair.ids[1].unwrap();
    assert_eq!(
        pair.ends[1].association(id).unwrap().stats().bytes_received,
        0
    );
    assert_eq!(pair.state(1), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it SHOULD send an ABORT chunk with a "No User Data" error cause
#[test]
fn data_without_user_data_aborts() {
    let mut pair = Pair::established();
    let tsn = pair.next_tsn[0];
    let empty = raw(0, 3, &[&tsn.0.to_be_bytes()[..], &[0; 8]].concat());
    let answers = pair.inject(&[&empty]);
    assert_eq!(
        causes_of(&answers, ChunkType::ABORT),
        [Cause::NoUserData(tsn).code()]
    );
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
//= type=test
//# Chunk Types are encoded such that the highest-order 2 bits specify the action that is taken if the processing endpoint does not recognize the Chunk Type
#[test]
fn unknown_chunks_stop_or_skip_and_are_reported_as_their_type_says() {
    for (kind, goes_on, reported) in [
        (0x3f, false, false),
        (0x7f, false, true),
        (0xbf, true, false),
        (0xff, true, true),
    ] {
        let mut pair = Pair::established();
        let (unknown, data) = (raw(kind, 0, b"odd"), pair.data(0, 0));
        let answers = pair.inject(&[&unknown, &data]);
        let id = pair.ids[1].unwrap();
        let received = pair.ends[1].association(id).unwrap().stats().bytes_received;
        assert_eq!(received > 0, goes_on, "type {kind:#x}");
        let causes = causes_of(&answers, ChunkType::ERROR);
        assert_eq!(causes == [6], reported, "type {kind:#x}: {causes:?}");
        assert_eq!(pair.state(1), AssocState::Established);
    }
}

#[test]
fn an_unknown_chunk_that_fills_its_packet_does_not_silence_the_endpoint() {
    let mut pair = Pair::established();
    let id = pair.ids[1].unwrap();
    let now = pair.now;
    pair.ends[1]
        .association_mut(now, id)
        .unwrap()
        .send(Message::new(0, "news"))
        .unwrap();
    let bytes = packet(pair.headers[0], &[&raw(0xff, 0, &[1; 1440])]);
    pair.deliver(1, bytes);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::DATA));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_aborts() {
    for gap in [false, true] {
        let mut pair = Pair::established();
        let next = pair.next_tsn[1];
        let blocks = [GapBlock { start: 2, end: 9 }];
        let mut sack = pair.sack(if gap { next.sub(1) } else { next.add(3) });
        if gap {
            sack.gaps = GapBlocks::new(&blocks);
        }
        let answers = pair.inject(&[&sack]);
        assert_eq!(
            causes_of(&answers, ChunkType::ABORT),
            [13],
            "gap block {gap}"
        );
        assert!(matches!(
            pair.end_of(1),
            Some(CloseReason::ProtocolViolation(_))
        ));
    }
}

#[test]
fn a_stream_sequence_number_used_twice_aborts() {
    let mut pair = Pair::established();
    let (first, second) = (pair.data(0, 0), pair.data(1, 0));
    let answers = pair.inject(&[&first, &second]);
    assert!(kinds(&answers).contains(&ChunkType::ABORT));
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.5
//= type=test
//# immediately send an ERROR chunk with cause set to "Invalid Stream Identifier"
#[test]
fn an_invalid_stream_is_acknowledged_and_reported() {
    let mut pair = Pair::established();
    let data = Data {
        stream: StreamId(60_000),
        flags: DataFlags {
            immediate: true,
            begin: true,
            end: true,
            unordered: false,
        },
        ..pair.data(0, 0)
    };
    let answers = pair.inject(&[&data]);
    assert_eq!(causes_of(&answers, ChunkType::ERROR), [1]);
    let acked = acknowledged(&answers).map(|a| a.cumulative);
    assert_eq!(acked, Some(data.tsn));
    let id = pair.ids[1].unwrap();
    assert!(!pair.ends[1].association(id).unwrap().has_message());
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# While in the SHUTDOWN-SENT state, the SHUTDOWN chunk sender MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk
#[test]
fn data_during_shutdown_are_answered_with_shutdown() {
    let mut pair = Pair::established();
    let id = pair.ids[1].unwrap();
    let now = pair.now;
    pair.ends[1].association_mut(now, id).unwrap().shutdown(now);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::SHUTDOWN));
    assert_eq!(pair.state(1), AssocState::ShutdownSent);
    let data = pair.data(0, 0);
    let answers = pair.inject(&[&data]);
    let acked = answers.iter().find_map(|seen| {
        seen.with(ChunkType::SHUTDOWN, |chunk, _| match chunk {
            Chunk::Shutdown(shutdown) => shutdown.cumulative_tsn_ack,
            _ => unreachable!(),
        })
    });
    assert_eq!(acked, Some(data.tsn));
}

#[test]
fn a_shutdown_is_acknowledged_and_completed() {
    let mut pair = Pair::established();
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    assert!(kinds(&pair.inject(&[&shutdown])).contains(&ChunkType::SHUTDOWN_ACK));
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    pair.inject(&[&ShutdownComplete {
        reflected_tag: false,
    }]);
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.5
//= type=test
//# At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard a received COOKIE ACK chunk
#[test]
fn chunks_that_do_not_fit_the_state_change_nothing() {
    let mut pair = Pair::established();
    let complete = ShutdownComplete {
        reflected_tag: false,
    };
    let chunks: [&dyn EncodeChunk; 3] = [&CookieAck, &ShutdownAck, &complete];
    for chunk in chunks {
        pair.inject(&[chunk]);
        assert_eq!(pair.state(1), AssocState::Established);
    }
    assert_eq!(pair.end_of(1), None);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.3
//= type=test
//# The receiver of the HEARTBEAT chunk SHOULD immediately respond with a HEARTBEAT ACK chunk that contains the Heartbeat Information TLV
#[test]
fn a_heartbeat_is_returned_as_it_came() {
    let mut pair = Pair::established();
    let answers = pair.inject(&[&Heartbeat {
        info: b"where am I",
    }]);
    let info = answers[0].with(ChunkType::HEARTBEAT_ACK, |chunk, _| match chunk {
        Chunk::HeartbeatAck(ack) => ack.info.to_vec(),
        _ => unreachable!(),
    });
    assert_eq!(info.as_deref(), Some(&b"where am I"[..]));
}

#[test]
fn a_heartbeat_answer_with_a_guessed_nonce_proves_nothing() {
    let mut pair = Pair::established();
    let id = pair.ids[1].unwrap();
    let before = pair.ends[1]
        .association(id)
        .unwrap()
        .paths()
        .next()
        .unwrap();
    pair.now += 50 * MS;
    let info = [&[0, 1, 0, 24][..], &1_u32.to_be_bytes(), &[0; 16]].concat();
    pair.inject(&[&raw(5, 0, &info)]);
    let after = pair.ends[1]
        .association(id)
        .unwrap()
        .paths()
        .next()
        .unwrap();
    assert_eq!((before.srtt, before.state), (after.srtt, after.state));
}
