//! Non-renegable acknowledgements: draft-natarajan-tsvwg-sctp-nrsack-08.

use manyway_proto::{AssocState, CloseReason, Extension, Message};
use manyway_wire::{Cause, ChunkType, DuplicateTsns, GapBlock, GapBlocks, NrSack, Tsn};

use crate::pair::{Pair, acknowledged, causes_of, kinds};

/// Two endpoints without NR-SACK.
fn without_nr_sack() -> Pair {
    Pair::with(|config| {
        let offered = config.transport.extensions;
        config.transport.extensions = offered.without(Extension::NrSack);
    })
}

fn nr_sack<'a>(cumulative: Tsn, non_renegable: &'a [GapBlock]) -> NrSack<'a> {
    NrSack {
        cumulative_tsn_ack: cumulative,
        a_rwnd: 1 << 20,
        flags: 0,
        gaps: GapBlocks::EMPTY,
        non_renegable: GapBlocks::new(non_renegable),
        duplicates: DuplicateTsns::EMPTY,
    }
}

/// The server has sent four messages of 100 bytes; the TSN of the first.
fn four_messages(pair: &mut Pair) -> Tsn {
    let first = pair.next_tsn[1];
    pair.command(1, |assoc| {
        for _ in 0..4 {
            assoc.send(Message::new(0, vec![7; 100])).unwrap();
        }
    });
    assert!(kinds(&pair.take(1)).contains(&ChunkType::DATA));
    first
}

// Section 4.3: all that is beyond a gap here is never dropped again, and said to be so.
#[test]
fn what_is_beyond_a_gap_is_acknowledged_for_good() {
    let mut pair = Pair::established();
    let answers = pair.inject(&[&pair.data(1, 1), &pair.data(2, 2), &pair.data(4, 4)]);
    assert!(!kinds(&answers).contains(&ChunkType::SACK));
    let acked = acknowledged(&answers).unwrap();
    assert_eq!(acked.cumulative, pair.next_tsn[0].sub(1));
    assert_eq!(
        (acked.gaps, acked.non_renegable),
        (vec![], vec![(2, 3), (5, 5)])
    );
    pair.inject(&[&pair.data(3, 3), &pair.data(0, 0)]);
    let numbers = std::iter::from_fn(|| pair.command(1, |assoc| assoc.recv()));
    assert_eq!(numbers.count(), 5, "all of it is delivered");
}

// Section 4.2: NR-SACK is used only if both ends listed it.
#[test]
fn without_the_other_ends_offer_plain_sacks_are_sent_and_nr_sacks_not_understood() {
    let mut pair = without_nr_sack().establish();
    let answers = pair.inject(&[&pair.data(1, 1)]);
    let acked = acknowledged(&answers).unwrap();
    assert_eq!((acked.gaps, acked.non_renegable), (vec![(2, 2)], vec![]));

    let first = four_messages(&mut pair);
    let before = pair.assoc(1).stats();
    pair.inject(&[&nr_sack(first.add(3), &[])]);
    assert_eq!(pair.assoc(1).stats().sacks_received, before.sacks_received);
    assert_eq!(pair.assoc(1).send_backlog(), 400);
    assert_eq!(pair.state(1), AssocState::Established);
}

// Section 4.4: the data sender removes what is acknowledged non-renegably from its queue.
#[test]
fn what_is_acknowledged_for_good_leaves_the_send_buffer_at_once() {
    let mut pair = Pair::established();
    let first = four_messages(&mut pair);
    let blocks = [GapBlock { start: 2, end: 4 }];
    let renegable = NrSack {
        gaps: GapBlocks::new(&blocks),
        ..nr_sack(first.sub(1), &[])
    };
    pair.inject(&[&renegable]);
    assert_eq!(pair.assoc(1).send_backlog(), 400, "it may be taken back");
    pair.inject(&[&nr_sack(first.sub(1), &blocks)]);
    assert_eq!(pair.assoc(1).send_backlog(), 100);
    pair.inject(&[&nr_sack(first.add(3), &[])]);
    assert_eq!(pair.assoc(1).send_backlog(), 0);
    assert_eq!(pair.assoc(1).stats().bytes_acknowledged, 400);
}

#[test]
fn a_plain_sack_is_understood_where_nr_sack_was_agreed() {
    let mut pair = Pair::established();
    let first = four_messages(&mut pair);
    pair.inject(&[&pair.sack(first.add(3))]);
    assert_eq!(pair.assoc(1).send_backlog(), 0);
}

#[test]
fn claims_for_good_of_what_was_never_sent_abort() {
    let mut pair = Pair::established();
    let first = four_messages(&mut pair);
    let blocks = [GapBlock { start: 2, end: 5 }];
    let answers = pair.inject(&[&nr_sack(first.sub(1), &blocks)]);
    let violation = Cause::ProtocolViolation(&[]).code();
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [violation]);
}

#[test]
fn what_was_acknowledged_for_good_cannot_be_taken_back() {
    let mut pair = Pair::established();
    let first = four_messages(&mut pair);
    pair.inject(&[&nr_sack(first.sub(1), &[GapBlock { start: 2, end: 2 }])]);
    // The peer lacks the second of them now.
    let answers = pair.inject(&[&nr_sack(first, &[])]);
    let violation = Cause::ProtocolViolation(&[]).code();
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [violation]);
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(what)) if what.contains("non-renegable")
    ));
}
