//! What leaves when: windows, retransmissions and their timer (RFC 9260, sections 6 and 7).

use manyway_proto::{EndpointConfig, Message, PathInfo};
use manyway_wire::{
    ChecksumPolicy, Chunk, ChunkType, Data, GapBlock, GapBlocks, Packet, Sack, Tsn,
};

use crate::pair::{MS, Pair, Seen, acknowledged, kinds};

fn path(pair: &Pair) -> PathInfo {
    pair.assoc(1).paths().next().unwrap()
}

/// The TSNs of each packet's DATA chunks.
fn tsns(packets: &[Seen]) -> Vec<Vec<Tsn>> {
    let of = |seen: &Seen| {
        let packet = Packet::decode(&seen.bytes, ChecksumPolicy::Verify).unwrap();
        let chunks = packet.chunks().flatten();
        let data = chunks.filter_map(|raw| match Chunk::decode(&raw) {
            Ok(Chunk::Data(data)) => Some(data.tsn),
            _ => None,
        });
        data.collect::<Vec<_>>()
    };
    packets.iter().map(of).collect()
}

/// The server has a hundred messages to send, and has sent what it may; the first TSN.
fn flooded(pair: &mut Pair) -> (Tsn, Vec<Seen>) {
    let first = pair.next_tsn[1];
    pair.command(1, |assoc| {
        for _ in 0..100 {
            assoc.send(Message::new(0, vec![7; 400])).unwrap();
        }
    });
    let mut sent = pair.take(1);
    // The pacer lets packets go one after the other.
    while path(pair).in_flight < path(pair).cwnd {
        pair.next_timeout(1);
        sent.extend(pair.take(1));
    }
    (first, sent)
}

fn with_gaps<'a>(sack: Sack<'a>, gaps: &'a [GapBlock]) -> Sack<'a> {
    Sack {
        gaps: GapBlocks::new(gaps),
        ..sack
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# The breach of cwnd MUST constitute one packet only.
#[test]
fn the_window_is_exceeded_by_less_than_a_packet() {
    let mut pair = Pair::established();
    flooded(&mut pair);
    let path = path(&pair);
    assert!(path.in_flight < path.cwnd + path.mtu as u64, "{path:?}");
    assert!(pair.assoc(1).send_backlog() > path.in_flight as usize);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# When the time comes for the sender to transmit, before sending new DATA chunks, the sender MUST first transmit any DATA chunks that are marked for retransmission (limited by the current cwnd).
//= https://www.rfc-editor.org/rfc/rfc9260#section-6.10
//= type=test
//# The transmitter MUST transmit DATA chunks within an SCTP packet in increasing order of TSN.
#[test]
fn what_was_lost_leaves_before_what_is_new_and_in_its_order() {
    let mut pair = Pair::established();
    let (first, sent) = flooded(&mut pair);
    let before = tsns(&sent);
    let count: usize = before.iter().map(Vec::len).sum();
    let lost = before[0].len() + before[1].len();
    pair.now += 30 * MS;
    let blocks = [GapBlock {
        start: lost as u16 + 1,
        end: count as u16,
    }];
    let mut again = pair.inject(&[&with_gaps(pair.sack(first.sub(1)), &blocks)]);
    while pair.assoc(1).stats().bytes_sent <= count as u64 * 400 {
        pair.next_timeout(1);
        again.extend(pair.take(1));
    }
    let again: Vec<_> = tsns(&again).into_iter().filter(|p| !p.is_empty()).collect();
    for packet in &again {
        assert!(
            packet.windows(2).all(|w| w[0].is_before(w[1])),
            "{packet:?}"
        );
    }
    let order: Vec<Tsn> = again.concat();
    let expected: Vec<Tsn> = (0..lost as u32).map(|n| first.add(n)).collect();
    assert_eq!(order[..lost], expected);
    assert_eq!(order[lost], first.add(count as u32));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# If the timer for that address is already running, the sender MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA chunk sent to that address is being retransmitted.
#[test]
fn the_timer_begins_anew_when_the_earliest_chunk_is_sent_again() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    for _ in 0..5 {
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, vec![7; 400])).unwrap();
        });
        pair.take(1);
    }
    pair.now += 30 * MS;
    let blocks = [GapBlock { start: 2, end: 5 }];
    let again = pair.inject(&[&with_gaps(pair.sack(first.sub(1)), &blocks)]);
    assert_eq!(tsns(&again).concat(), [first]);
    let (resent_at, rto) = (pair.now, path(&pair).rto);
    while pair.assoc(1).stats().timeouts == 0 {
        pair.next_timeout(1);
        let sent = pair.take(1);
        let timed_out = pair.assoc(1).stats().timeouts > 0;
        assert_eq!(kinds(&sent).contains(&ChunkType::DATA), timed_out);
    }
    assert_eq!(pair.now - resent_at, rto);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# Otherwise, the data sender MUST NOT restart the timer.
//= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.1
//= type=test
//# Karn's algorithm: RTT measurements MUST NOT be made using chunks that were retransmitted (and thus for which it is ambiguous whether the reply was for the first instance of the chunk or for a later instance).
#[test]
fn new_data_do_not_put_the_timer_off_and_answers_to_retransmissions_measure_nothing() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    let send = |pair: &mut Pair| {
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, vec![7; 400])).unwrap();
        });
        tsns(&pair.take(1)).concat()
    };
    send(&mut pair);
    while pair.assoc(1).stats().timeouts == 0 {
        pair.next_timeout(1);
    }
    // No tail loss probe comes between one timeout and the next.
    assert_eq!(tsns(&pair.take(1)).concat(), [first]);
    let (resent_at, rto) = (pair.now, path(&pair).rto);
    pair.now += rto / 2;
    assert_eq!(send(&mut pair), [first.add(1)]);
    while pair.assoc(1).stats().timeouts == 1 {
        pair.next_timeout(1);
    }
    assert_eq!(pair.now - resent_at, rto);

    let before = path(&pair).srtt;
    pair.take(1);
    pair.now += 77 * MS;
    pair.inject(&[&pair.sack(first.add(1))]);
    assert_eq!(pair.assoc(1).send_backlog(), 0);
    assert_eq!(path(&pair).srtt, before);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# When the receiver's advertised window is 0, the receiver MUST drop any new incoming DATA chunk with a TSN larger than the largest TSN received so far.
//# In either case, if such a DATA chunk is dropped, the receiver MUST immediately send back a SACK chunk with the current receive window showing only DATA chunks received and accepted so far.
#[test]
fn what_does_not_fit_is_dropped_and_answered_at_once() {
    let mut pair = Pair::with(|config: &mut EndpointConfig| {
        config.transport.receive_buffer = 4000;
    })
    .establish();
    let mut taken = 0;
    let dropped = |pair: &Pair| pair.assoc(1).stats().receive_buffer_drops;
    for refused in 1..=3 {
        while dropped(&pair) < refused {
            let data = Data {
                payload: &[7; 1000],
                ..pair.data(taken, taken as u16)
            };
            let answers = pair.inject(&[&data]);
            if dropped(&pair) < refused {
                taken += 1;
                assert!(taken < 100, "nothing is ever refused");
                continue;
            }
            let sack = acknowledged(&answers).expect("an answer at once");
            let last = pair.next_tsn[0].add(taken).sub(1);
            assert_eq!((sack.cumulative, sack.a_rwnd), (last, 0));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# The SCTP endpoint MUST report as many Gap Ack Blocks as can fit in a single SACK chunk such that the size of the SCTP packet does not exceed the current PMTU.
//= https://www.rfc-editor.org/rfc/rfc9260#section-6.7
//= type=test
//# When a single SACK chunk cannot cover all the Gap Ack Blocks needed to be reported due to the PMTU limitation, the endpoint MUST send only one SACK chunk.
#[test]
fn as_many_gaps_are_reported_as_fit_one_packet_and_in_no_second_one() {
    let mut pair = Pair::with(|config: &mut EndpointConfig| {
        config.transport.max_gap_blocks = usize::MAX;
    })
    .establish();
    let mut answers = Vec::new();
    for gap in 1..=500_u16 {
        answers = pair.inject(&[&pair.data(2 * u32::from(gap), gap)]);
    }
    let mtu = path(&pair).mtu;
    let [only] = &answers[..] else {
        panic!("{} packets", answers.len());
    };
    assert_eq!(only.kinds(), [ChunkType::NR_SACK]);
    assert!(only.bytes.len() <= mtu && only.bytes.len() + 4 > mtu);
    let blocks = acknowledged(&answers).unwrap().non_renegable;
    assert_eq!(blocks.len(), (mtu - 12 - 20) / 4);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
//= type=test
//# When the TCB is created, each endpoint MUST set its internal Cumulative TSN Ack Point to the value of its transmitted Initial TSN minus one.
#[test]
fn what_is_acknowledged_at_first_ends_just_before_the_initial_tsn() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    pair.inject(&[&pair.sack(first.sub(1))]);
    assert_eq!(pair.assoc(1).stats().stale_sacks, 0);
    pair.inject(&[&pair.sack(first.sub(2))]);
    assert_eq!(pair.assoc(1).stats().stale_sacks, 1);
}

//= https://www.rfc-editor.org/rfc/rfc9937#section-6.2
//= type=test
//# subtracting out bytes SACKed in the scoreboard, subtracting out bytes marked lost in the scoreboard, and adding bytes in the scoreboard that have been retransmitted since they were last marked lost
#[test]
fn bytes_in_flight_are_those_neither_acknowledged_nor_lost_and_those_sent_again() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    let mut each = 0;
    for count in 1..=10 {
        pair.command(1, |assoc| {
            assoc.send(Message::new(0, vec![7; 400])).unwrap();
        });
        assert_eq!(tsns(&pair.take(1)).concat().len(), 1);
        each = path(&pair).in_flight / count;
    }
    assert!(each >= 400);
    pair.now += 30 * MS;
    // One acknowledged, two and three lost, four to ten acknowledged by a gap block.
    let blocks = [GapBlock { start: 3, end: 9 }];
    let bytes = crate::pair::packet(pair.headers[0], &[&with_gaps(pair.sack(first), &blocks)]);
    pair.deliver(1, bytes);
    assert_eq!(path(&pair).in_flight, 0);
    let again = tsns(&pair.take(1)).concat();
    assert_eq!(again, [first.add(1), first.add(2)]);
    assert_eq!(path(&pair).in_flight, 2 * each);
}
