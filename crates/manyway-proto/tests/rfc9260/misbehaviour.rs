//! What a peer may do that no honest one does, and what comes of it. Each has an answer and a
//! counter; these are also tested elsewhere, under the requirement that they break:
//!
//! | misbehaviour | answer | test |
//! |---|---|---|
//! | acknowledging what was never sent | ABORT | `acknowledging::optimistic_acknowledgements_abort` |
//! | taking gap blocks back | sent again, ABORT beyond a bound | `acknowledging::who_takes_back_too_often_is_aborted` |
//! | taking back what was held for good | ABORT | `nr_sack::what_was_acknowledged_for_good_cannot_be_taken_back` |
//! | a window that shrinks | no new data | `acknowledging::a_window_that_shrinks_below_what_is_in_flight_stops_new_data_only` |
//! | refusing data in an open window | one packet per timeout | here |
//! | messages without a byte | ABORT | `invalid_messages::data_without_user_data_aborts`, here for I-DATA |
//! | TSNs far ahead | dropped | `bounds::a_tsn_may_lie_as_far_ahead_as_configured_and_no_further`, here for FORWARD-TSN |
//! | a stream sequence number used twice | ABORT | `data::a_stream_sequence_number_used_twice_aborts` |
//! | beginnings without ends | ABORT when the buffer is full | `tests/rfc8260/receiving.rs` |

use manyway_proto::{AssocState, Extension, Message};
use manyway_wire::{ChunkType, ForwardTsn, GapBlock, GapBlocks, Sack, SkippedStreams, Tsn};

use crate::invalid_messages::no_user_data_aborts;
use crate::pair::{MS, Pair, acknowledged, causes_of};

/// The server has sent `count` messages of 100 bytes in packets of their own; the first TSN.
fn sent(pair: &mut Pair, count: usize) -> Tsn {
    let first = pair.next_tsn[1];
    for _ in 0..count {
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, vec![7; 100])).unwrap();
        });
        pair.take(1);
    }
    first
}

#[test]
fn an_optimistic_gap_block_aborts_however_little_it_claims_too_much() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 3);
    let blocks = [GapBlock { start: 2, end: 4 }];
    let sack = Sack {
        gaps: GapBlocks::new(&blocks),
        ..pair.sack(first.sub(1))
    };
    let answers = pair.inject(&[&sack]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
}

#[test]
fn a_withdrawn_gap_block_is_noticed_when_the_cumulative_point_gets_there_and_no_earlier() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 4);
    let blocks = [GapBlock { start: 3, end: 4 }];
    let claim = Sack {
        gaps: GapBlocks::new(&blocks),
        ..pair.sack(first.sub(1))
    };
    pair.inject(&[&claim]);
    // Without its gap blocks: an older SACK may come later, and proves nothing.
    pair.inject(&[&pair.sack(first.sub(1))]);
    assert_eq!(pair.assoc(1).stats().reneged_chunks, 0);
    pair.inject(&[&pair.sack(first.add(1))]);
    assert_eq!(pair.assoc(1).stats().reneged_chunks, 2);
}

/// The window is open, and what is sent into it is never acknowledged, though the peer answers.
#[test]
fn a_window_that_is_open_and_takes_nothing_costs_one_packet_per_timeout_that_doubles() {
    let mut pair = Pair::with(|config| {
        config.transport.heartbeat_interval = MS * 1_000_000;
    })
    .establish();
    let first = sent(&mut pair, 1);
    let began = pair.now;
    let mut data = 0;
    for _ in 0..55 {
        pair.next_timeout(1);
        let mut sent = pair.take(1);
        let answer = pair.sack(first.sub(1));
        sent.extend(pair.inject(&[&answer]));
        let has_data = |s: &&crate::pair::Seen| s.kinds().contains(&ChunkType::DATA);
        data += sent.iter().filter(has_data).count();
    }
    let seconds = (pair.now - began).as_secs();
    assert!(
        seconds > 45 && (4..=7).contains(&data),
        "{data} in {seconds} s"
    );
    assert_eq!(pair.state(1), AssocState::Established, "it is there");
    let answer = pair.sack(first);
    pair.inject(&[&answer]);
    assert_eq!(pair.assoc(1).send_backlog(), 0);
}

#[test]
fn a_forward_tsn_that_jumps_too_far_is_dropped_and_counted() {
    let mut pair = Pair::with(|config| {
        config.transport.max_tsn_distance = 100;
        let extensions = config.transport.extensions;
        config.transport.extensions = extensions.with(Extension::PartialReliability);
    })
    .establish();
    let next = pair.next_tsn[0];
    for (jump, dropped) in [(101, 1), (1 << 30, 2), (100, 2)] {
        let forward = ForwardTsn {
            new_cumulative_tsn: next.add(jump),
            skipped: SkippedStreams::new(&[]),
        };
        pair.inject(&[&forward]);
        assert_eq!(pair.assoc(1).stats().dropped_packets, dropped, "{jump}");
    }
    assert_eq!(pair.assoc(1).stats().skipped_tsns, 101);
    assert_eq!(pair.state(1), AssocState::Established);
}

#[test]
fn an_interleaved_message_without_a_byte_aborts() {
    let mut pair = Pair::with(|config| {
        let extensions = config.transport.extensions;
        config.transport.extensions = extensions.with(Extension::Interleaving);
    })
    .establish();
    no_user_data_aborts(&mut pair, ChunkType::I_DATA, 16);
}

#[test]
fn nothing_is_sent_for_a_flood_of_old_tsns_but_one_sack_each() {
    let mut pair = Pair::established();
    let old = pair.data(0, 0);
    pair.inject(&[&old]);
    for _ in 0..1000 {
        let answers = pair.inject(&[&old]);
        assert!(answers.len() == 1 && acknowledged(&answers).is_some());
    }
    assert_eq!(pair.assoc(1).stats().duplicate_chunks, 1000);
}
