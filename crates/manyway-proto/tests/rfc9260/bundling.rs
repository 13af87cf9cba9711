//! Chunks that share a packet.

use std::time::Duration;

use manyway_proto::Message;
use manyway_wire::{ChunkType, CookieAck, Heartbeat, ShutdownComplete};

use crate::pair::{Pair, acknowledged, kinds, packet};

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.10
//= type=test
//# An endpoint MUST NOT bundle INIT, INIT ACK, or SHUTDOWN COMPLETE chunks with any other chunks.
#[test]
fn the_chunks_of_the_handshake_that_have_to_be_alone_are() {
    let mut pair = Pair::new();
    pair.connect();
    pair.command(0, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    let init = pair.take(0);
    assert_eq!(kinds(&init), [ChunkType::INIT]);
    pair.deliver(1, init[0].bytes.clone());
    let init_ack = pair.take(1);
    assert_eq!(kinds(&init_ack), [ChunkType::INIT_ACK]);
    pair.deliver(0, init_ack[0].bytes.clone());
    let cookie = pair.take(0).remove(0).kinds();
    assert_eq!(cookie[..2], [ChunkType::COOKIE_ECHO, ChunkType::DATA]);
}

#[test]
fn a_shutdown_complete_is_alone() {
    let mut pair = Pair::established();
    let now = pair.now;
    pair.command(1, |assoc| assoc.shutdown(now));
    pair.take(1);
    let answers = pair.inject(&[&manyway_wire::ShutdownAck]);
    assert_eq!(kinds(&answers), [ChunkType::SHUTDOWN_COMPLETE]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6
//= type=test
//# Control chunks MUST come before DATA chunks in the packet.
#[test]
fn control_chunks_come_before_data() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
        assoc.send(Message::new(1, "more")).unwrap();
    });
    let answers = pair.inject(&[&Heartbeat { info: b"here" }, &data]);
    let mixed = answers
        .iter()
        .map(|seen| seen.kinds())
        .find(|kinds| kinds.contains(&ChunkType::DATA))
        .unwrap();
    let first_data = mixed.iter().position(|k| *k == ChunkType::DATA).unwrap();
    assert!(first_data > 0, "{mixed:?}");
    assert!(mixed[first_data..].iter().all(|k| *k == ChunkType::DATA));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6
//= type=test
//# an endpoint MUST properly receive and process bundled or fragmented data.
#[test]
fn every_chunk_of_a_packet_is_taken_in() {
    let mut pair = Pair::established();
    let mut data = [pair.data(0, 0), pair.data(1, 1), pair.data(2, 2)];
    data[2].flags.immediate = true;
    let answers = pair.inject(&[&CookieAck, &data[0], &data[1], &data[2]]);
    let acked = acknowledged(&answers).map(|a| a.cumulative);
    assert_eq!(acked, Some(data[2].tsn));
    let received = pair.assoc(1).stats().bytes_received;
    assert_eq!(received, 3 * data[0].payload.len() as u64);
}

#[test]
fn a_shutdown_complete_that_shares_its_packet_ends_nothing_early() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    let complete = ShutdownComplete {
        reflected_tag: false,
    };
    pair.inject(&[&complete, &data]);
    assert_eq!(pair.end_of(1), None);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.7
//= type=test
//# DATA chunks MUST NOT be bundled with ABORT chunks.
//# Control chunks (except for INIT, INIT ACK, and SHUTDOWN COMPLETE) MAY be bundled with an ABORT chunk, but they MUST be placed before the ABORT chunk in the SCTP packet; otherwise, they will be ignored by the receiver.
#[test]
fn nothing_goes_with_an_abort() {
    for abort in [false, true] {
        let mut pair = Pair::established();
        let later = pair.now + Duration::from_secs(30);
        while pair.ends[1].poll_timeout().is_some_and(|at| at < later) {
            pair.next_timeout(1);
        }
        let now = pair.now;
        let data = pair.data(0, 0);
        let bytes = packet(pair.headers[0], &[&Heartbeat { info: b"here" }, &data]);
        pair.deliver(1, bytes);
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, "news")).unwrap();
            if abort {
                assoc.abort(now, "enough".into());
            }
        });
        let sent = kinds(&pair.take(1));
        match abort {
            true => assert_eq!(sent, [ChunkType::ABORT]),
            // What would have gone with it.
            false => {
                for kind in [
                    ChunkType::HEARTBEAT,
                    ChunkType::HEARTBEAT_ACK,
                    ChunkType::DATA,
                ] {
                    assert!(sent.contains(&kind), "{sent:?}");
                }
            }
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.12
//= type=test
//# This chunk MUST precede any DATA or SACK chunk sent within the association
//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
//= type=test
//# the COOKIE ACK chunk MUST be the first chunk in the SCTP packet
//# if the SACK chunk is bundled with the COOKIE ACK chunk, the COOKIE ACK chunk MUST appear first in the SCTP packet
#[test]
fn a_cookie_ack_leaves_before_everything_else() {
    let mut pair = Pair::new();
    pair.connect();
    pair.command(0, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    let init = pair.take(0).remove(0).bytes;
    pair.deliver(1, init);
    let ack = pair.take(1).remove(0).bytes;
    pair.deliver(0, ack);
    let echo = pair.take(0).remove(0);
    assert!(echo.kinds().contains(&ChunkType::DATA));
    pair.deliver(1, echo.bytes.clone());
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "more")).unwrap();
    });
    let first = pair.take(1).remove(0).kinds();
    assert_eq!(first[0], ChunkType::COOKIE_ACK);
    assert!(first.contains(&ChunkType::DATA), "{first:?}");

    // And again, when the cookie comes a second time and other answers wait.
    let bytes = packet(echo.header, &[&Heartbeat { info: b"here" }]);
    pair.deliver(1, bytes);
    pair.deliver(1, echo.bytes);
    let first = pair.take(1).remove(0).kinds();
    assert_eq!(first[0], ChunkType::COOKIE_ACK);
    assert!(first.contains(&ChunkType::HEARTBEAT_ACK), "{first:?}");
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
//= type=test
//# The implementation MUST also take into account the space required for a SACK chunk if bundling a SACK chunk with the DATA chunk.
#[test]
fn an_acknowledgement_and_data_share_a_packet_of_the_usual_size() {
    let mut pair = Pair::established();
    let mtu = pair.assoc(1).paths().next().unwrap().mtu;
    for size in [40, 700, 1400, 5000] {
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, vec![7; size])).unwrap();
        });
        let mut data = pair.data(size as u32, size as u16);
        data.flags.immediate = true;
        let answers = pair.inject(&[&data]);
        assert!(acknowledged(&answers).is_some());
        assert!(kinds(&answers).contains(&ChunkType::DATA));
        assert!(answers.iter().all(|seen| seen.bytes.len() <= mtu));
    }
}
