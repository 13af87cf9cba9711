//! Chunks that share a packet.

use manyway_proto::Message;
use manyway_wire::{ChunkType, CookieAck, Heartbeat, ShutdownComplete};

use crate::pair::{Pair, acknowledged, kinds};

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
