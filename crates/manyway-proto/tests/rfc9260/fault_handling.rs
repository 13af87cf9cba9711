//! How failing paths are found: heartbeats.

use std::time::Duration;

use manyway_proto::{AssocState, CloseReason, Message};
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

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.3
//= type=test
//# On an idle destination address that is allowed to heartbeat, it is RECOMMENDED that a HEARTBEAT chunk is sent once per RTO of that destination address plus the protocol parameter 'HB.interval'
#[test]
fn an_idle_path_is_asked_about_once_per_interval() {
    let mut pair = Pair::established();
    let mut asked = 0;
    let start = pair.now;
    while pair.now < start + Duration::from_secs(300) {
        for end in 0..2 {
            let sent = pair.take(end);
            asked += sent
                .iter()
                .filter(|seen| end == 1 && seen.kinds().contains(&ChunkType::HEARTBEAT))
                .count();
            sent.into_iter()
                .for_each(|seen| pair.deliver(1 - end, seen.bytes));
        }
        if pair
            .ends
            .iter()
            .all(|end| !end.associations().any(|a| a.wants_to_send()))
        {
            let next = pair.ends.iter_mut().filter_map(|e| e.poll_timeout()).min();
            pair.now = pair.now.max(next.unwrap());
            let now = pair.now;
            pair.ends.iter_mut().for_each(|end| end.handle_timeout(now));
        }
    }
    // Every 15 s, give or take a quarter.
    assert!((15..=27).contains(&asked), "{asked}");
    assert_eq!(pair.state(1), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.1
//= type=test
//# If the value of this counter exceeds the limit indicated in the protocol parameter 'Association.Max.Retrans', the endpoint SHOULD consider the peer endpoint unreachable
#[test]
fn a_peer_that_answers_nothing_is_given_up() {
    for with_data in [false, true] {
        let mut pair = Pair::established();
        if with_data {
            pair.command(1, |assoc| {
                assoc.send(Message::new(0, "anybody there")).unwrap();
            });
        }
        pair.take(1);
        while pair.ends[1].poll_timeout().is_some() {
            pair.next_timeout(1);
            pair.take(1);
        }
        assert_eq!(pair.end_of(1), Some(CloseReason::PeerUnreachable));
        assert!(pair.take(1).is_empty());
    }
}
