//! How failing paths are found: heartbeats.

use manyway_wire::{Chunk, ChunkType, Heartbeat};

use crate::pair::{MS, Pair, raw};

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
