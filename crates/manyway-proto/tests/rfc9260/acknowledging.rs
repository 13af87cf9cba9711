//! Acknowledgements: what is sent, and what is believed of a peer's.

use manyway_proto::{AssocState, CloseReason, Message, PathState};
use manyway_wire::{
    Cause, ChunkType, DuplicateTsns, EncodeChunk, GapBlock, GapBlocks, Sack, Shutdown, Tsn,
};

use crate::pair::{Pair, Seen, acknowledged, causes_of, kinds};

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

fn with_gaps<'a>(sack: Sack<'a>, gaps: &'a [GapBlock]) -> Sack<'a> {
    Sack {
        gaps: GapBlocks::new(gaps),
        ..sack
    }
}

fn aborts_with_violation(answers: &[Seen]) -> bool {
    causes_of(answers, ChunkType::ABORT) == [Cause::ProtocolViolation(&[]).code()]
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
//= type=test
//# If the SACK chunk is missing a TSN that was previously acknowledged via a Gap Ack Block (e.g., the data receiver reneged on the data), then consider the corresponding DATA that might be possibly missing
#[test]
fn what_the_peer_takes_back_is_sent_again() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 4);
    let blocks = [GapBlock { start: 2, end: 3 }];
    pair.inject(&[&with_gaps(pair.sack(first.sub(1)), &blocks)]);
    let answers = pair.inject(&[&pair.sack(first)]);
    assert!(kinds(&answers).contains(&ChunkType::DATA));
    let stats = pair.assoc(1).stats();
    assert_eq!((stats.reneged_chunks, stats.retransmitted_bytes), (2, 200));
    pair.inject(&[&pair.sack(first.add(3))]);
    assert_eq!(pair.assoc(1).send_backlog(), 0);
}

#[test]
fn who_takes_back_too_often_is_aborted() {
    for (times, survives) in [(3, true), (4, false)] {
        let mut pair = Pair::with(|config| config.transport.max_reneges = 3).establish();
        let first = sent(&mut pair, 10);
        let mut last = Vec::new();
        for time in 0..times {
            let blocks = [GapBlock { start: 2, end: 3 }];
            pair.inject(&[&with_gaps(pair.sack(first.add(time).sub(1)), &blocks)]);
            last = pair.inject(&[&pair.sack(first.add(time))]);
        }
        assert_eq!(pair.end_of(1).is_none(), survives, "{times} times");
        assert_eq!(aborts_with_violation(&last), !survives);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
//= type=test
//# If Cumulative TSN Ack is less than the Cumulative TSN Ack Point, then drop the SACK chunk
#[test]
fn an_old_sack_is_dropped_with_all_it_says() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 4);
    pair.inject(&[&pair.sack(first.add(1))]);
    let blocks = [GapBlock { start: 3, end: 60 }];
    let closed = Sack {
        a_rwnd: 0,
        ..with_gaps(pair.sack(first), &blocks)
    };
    pair.inject(&[&closed]);
    assert_eq!(pair.assoc(1).stats().stale_sacks, 1);
    assert_eq!(pair.assoc(1).send_backlog(), 200);
    assert_eq!(pair.state(1), AssocState::Established);
}

#[test]
fn blocks_in_any_order_and_number_are_bounded_and_change_nothing_twice() {
    let limit = |config: &mut manyway_proto::EndpointConfig| {
        config.transport.max_gap_blocks_taken = 4;
    };
    let mut pair = Pair::with(limit).establish();
    let first = sent(&mut pair, 12);
    let block = |start, end| GapBlock { start, end };
    let odd = [
        block(8, 9),
        block(2, 3),
        block(3, 3),
        block(5, 4),
        block(11, 11),
    ];
    for _ in 0..2 {
        pair.inject(&[&with_gaps(pair.sack(first.sub(1)), &odd)]);
    }
    let stats = pair.assoc(1).stats();
    assert_eq!(
        (stats.bytes_acknowledged, stats.ignored_gap_blocks),
        (400, 4)
    );
    assert_eq!(pair.state(1), AssocState::Established);
}

#[test]
fn optimistic_acknowledgements_abort() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 2);
    for optimistic in [1, 1 << 30] {
        let mut pair = Pair::established();
        let first = sent(&mut pair, 2);
        let answers = pair.inject(&[&pair.sack(first.add(1 + optimistic))]);
        assert!(aborts_with_violation(&answers), "{optimistic} too far");
    }
    let answers = pair.inject(&[&Shutdown {
        cumulative_tsn_ack: first.add(2),
    }]);
    assert!(aborts_with_violation(&answers));
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

#[test]
fn a_flood_of_sacks_is_answered_by_nothing() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 2);
    for _ in 0..10_000 {
        let answers = pair.inject(&[&pair.sack(first.sub(1))]);
        assert!(answers.is_empty());
    }
    assert_eq!(pair.assoc(1).stats().sacks_received, 10_000);
    assert_eq!(pair.assoc(1).send_backlog(), 200);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# When a packet arrives with duplicate DATA chunk(s) and with no new DATA chunk(s), the endpoint MUST immediately send a SACK chunk with no delay
#[test]
fn duplicates_are_reported_at_once_and_their_number_is_bounded() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    pair.inject(&[&data]);
    let acked = acknowledged(&pair.inject(&[&data])).unwrap();
    assert_eq!(acked.duplicates, [data.tsn]);

    let many: Vec<&dyn EncodeChunk> = vec![&data; 40];
    let acked = acknowledged(&pair.inject(&many)).unwrap();
    assert_eq!(acked.duplicates, [data.tsn; 16]);
    assert_eq!(pair.assoc(1).stats().duplicate_chunks, 41);
}

#[test]
fn duplicates_that_the_peer_reports_are_counted() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 2);
    let twice = [first, first];
    let sack = Sack {
        duplicates: DuplicateTsns::new(&twice),
        ..pair.sack(first)
    };
    pair.inject(&[&sack]);
    assert_eq!(pair.assoc(1).stats().duplicates_reported, 2);
}

#[test]
fn no_more_gap_blocks_are_sent_than_are_allowed_and_the_lowest_come_first() {
    let limit = |config: &mut manyway_proto::EndpointConfig| config.transport.max_gap_blocks = 3;
    let mut pair = Pair::with(limit).establish();
    let mut answers = Vec::new();
    for gap in (1..=5_u16).rev() {
        answers = pair.inject(&[&pair.data(2 * u32::from(gap), gap)]);
    }
    let acked = acknowledged(&answers).unwrap();
    assert_eq!(acked.non_renegable, [(3, 3), (5, 5), (7, 7)]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# At any given time, the data sender MUST NOT transmit new data to any destination transport address if its peer's rwnd indicates that the peer has no buffer space
#[test]
fn a_closed_window_is_probed_by_one_chunk_and_its_refusals_are_no_errors() {
    // No heartbeats: the test answers none.
    let quiet = |config: &mut manyway_proto::EndpointConfig| {
        config.transport.heartbeat_interval = crate::pair::MS * 1_000_000;
    };
    let mut pair = Pair::with(quiet).establish();
    let first = sent(&mut pair, 1);
    let closed = |sack| Sack { a_rwnd: 0, ..sack };
    pair.inject(&[&closed(pair.sack(first))]);
    sent(&mut pair, 3);
    assert_eq!(pair.next_tsn[1], first.add(2), "one probe left");
    for _ in 0..20 {
        let refusal = closed(pair.sack(first));
        pair.now += crate::pair::MS;
        pair.inject(&[&refusal]);
        pair.next_timeout(1);
        let packets = pair.take(1);
        let probes = kinds(&packets)
            .into_iter()
            .filter(|k| *k == ChunkType::DATA);
        assert!(probes.count() <= 1);
    }
    let path = pair.assoc(1).paths().next().unwrap();
    assert_eq!((path.error_count, path.state), (0, PathState::Active));
    let refused = pair.assoc(1).stats().retransmitted_bytes;
    assert!(refused >= 300, "{refused} bytes of probes");

    pair.inject(&[&pair.sack(first)]);
    let sent = pair.assoc(1).stats().bytes_sent;
    assert_eq!(sent, 400, "everything leaves when the window opens");
}

#[test]
fn a_window_that_shrinks_below_what_is_in_flight_stops_new_data_only() {
    let mut pair = Pair::established();
    let first = sent(&mut pair, 4);
    let shrunk = Sack {
        a_rwnd: 150,
        ..pair.sack(first)
    };
    pair.inject(&[&shrunk]);
    sent(&mut pair, 2);
    assert_eq!(
        pair.next_tsn[1],
        first.add(4),
        "300 of 150 bytes are in flight"
    );
    let opened = pair.sack(first.add(1));
    pair.inject(&[&opened]);
    assert_eq!(pair.assoc(1).stats().bytes_sent, 600);
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
fn a_gap_is_reported_at_once_and_so_is_its_end() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let acked = acknowledged(&pair.inject(&[&pair.data(1, 1)])).expect("at once");
    assert_eq!(
        (acked.cumulative, acked.non_renegable),
        (first.sub(1), vec![(2, 2)])
    );
    let acked = acknowledged(&pair.inject(&[&pair.data(0, 0)])).expect("at once");
    assert_eq!(
        (acked.cumulative, acked.non_renegable),
        (first.add(1), vec![])
    );
}

#[test]
fn reading_opens_a_window_that_was_closed() {
    let mut pair = Pair::with(|config| config.transport.receive_buffer = 4000).establish();
    let mut last = 1;
    for number in 0.. {
        let mut data = pair.data(number, number as u16);
        data.payload = &[7; 1000];
        data.flags.immediate = true;
        last = acknowledged(&pair.inject(&[&data])).unwrap().a_rwnd;
        if last == 0 {
            break;
        }
    }
    assert_eq!(last, 0);
    while pair.command(1, |assoc| assoc.recv()).is_some() {}
    let news = acknowledged(&pair.take(1)).expect("the peer is told");
    assert_eq!(news.a_rwnd, 4000);
}
