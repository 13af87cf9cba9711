//! Bounds of one association that hostile peers lean on, at their edges. Those of a whole endpoint
//! are in `tests/budget.rs`, those of capabilities with the tests of these.

use manyway_proto::{AssocState, Message, SendError, StreamId};
use manyway_wire::{ChunkType, Data, DataFlags, EncodeChunk};

use crate::pair::{MS, Pair, acknowledged, causes_of};

#[test]
fn a_tsn_may_lie_as_far_ahead_as_configured_and_no_further() {
    let mut pair = Pair::with(|config| config.transport.max_tsn_distance = 100).establish();
    for (ahead, dropped) in [(100, 0), (101, 1), (1 << 30, 2)] {
        pair.inject(&[&pair.data(ahead, 9)]);
        assert_eq!(pair.assoc(1).stats().out_of_range_chunks, dropped);
    }
    assert_eq!(pair.assoc(1).stats().bytes_received, 5);
    assert_eq!(pair.state(1), AssocState::Established);
}

#[test]
fn as_many_gaps_as_configured_are_remembered_and_what_was_dropped_comes_again() {
    let mut pair = Pair::with(|config| config.transport.max_gaps = 3).establish();
    let mut answers = Vec::new();
    for gap in 1..=4_u16 {
        answers = pair.inject(&[&pair.data(2 * u32::from(gap), 2 * gap)]);
        let dropped = u64::from(gap > 3);
        assert_eq!(pair.assoc(1).stats().out_of_range_chunks, dropped);
    }
    let acked = acknowledged(&answers);
    assert!(acked.is_none_or(|a| a.non_renegable == [(3, 3), (5, 5), (7, 7)]));
    for number in [0, 1, 3, 5, 7, 8] {
        pair.inject(&[&pair.data(number, number as u16)]);
    }
    let (now, id) = (pair.now, pair.ids[1].unwrap());
    let assoc = pair.ends[1].association_mut(now, id).unwrap();
    assert_eq!(std::iter::from_fn(|| assoc.recv()).count(), 9);
}

#[test]
fn as_many_duplicates_as_configured_are_reported_and_the_others_counted() {
    let mut pair = Pair::with(|config| config.transport.max_duplicates_reported = 2).establish();
    let data = pair.data(0, 0);
    pair.inject(&[&data]);
    for (repeated, unreported) in [(2, 0), (3, 1)] {
        let many: Vec<&dyn EncodeChunk> = vec![&data; repeated];
        let acked = acknowledged(&pair.inject(&many)).unwrap();
        assert_eq!(acked.duplicates, [data.tsn; 2]);
        assert_eq!(pair.assoc(1).stats().unreported_duplicates, unreported);
    }
    assert_eq!(pair.assoc(1).stats().duplicate_chunks, 5);
}

#[test]
fn data_on_the_last_stream_are_delivered_and_on_the_next_one_refused() {
    let mut pair = Pair::with(|config| config.transport.inbound_streams = 3).establish();
    for (ahead, stream, refused) in [(0, 2, false), (1, 3, true)] {
        let data = Data {
            stream: StreamId(stream),
            ..pair.data(ahead, 0)
        };
        let answers = pair.inject(&[&data]);
        let causes: &[u16] = if refused { &[1] } else { &[] };
        assert_eq!(causes_of(&answers, ChunkType::ERROR), causes);
    }
    let sent = pair.command(0, |assoc| {
        [2, 3].map(|stream| assoc.send(Message::new(stream, "x")))
    });
    assert_eq!(sent, [Ok(()), Err(SendError::InvalidStream(3))]);
}

/// Pieces of 1,000 bytes of one message that never ends.
fn fragments(pair: &mut Pair, count: u32) {
    const PIECE: [u8; 1000] = [7; 1000];
    for number in 0..count {
        let flags = DataFlags {
            begin: number == 0,
            ..DataFlags::default()
        };
        let data = Data {
            flags,
            payload: &PIECE,
            ..pair.data(number, 0)
        };
        pair.inject(&[&data]);
    }
}

#[test]
fn a_message_may_be_as_large_as_configured_and_no_larger() {
    let mut pair = Pair::with(|config| config.transport.max_message_size = 10_000).establish();
    fragments(&mut pair, 10);
    assert_eq!(pair.state(1), AssocState::Established);
    let one_more = Data {
        payload: b"x",
        flags: DataFlags::default(),
        ..pair.data(10, 0)
    };
    let answers = pair.inject(&[&one_more]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
    let large = pair.command(0, |assoc| {
        [10_000, 10_001].map(|len| assoc.send(Message::new(0, vec![1; len])))
    });
    assert_eq!(large, [Ok(()), Err(SendError::BadLength(10_001))]);
}

/// Nothing is lost by a full buffer: what fills the first gap is taken beyond it, up to twice the
/// buffer and a message.
#[test]
fn what_is_held_for_reassembly_is_bounded_and_the_rest_comes_again() {
    const BUFFER: usize = 20_000;
    let mut pair = Pair::with(|config| {
        config.transport.receive_buffer = BUFFER;
        config.transport.max_message_size = 5000;
    })
    .establish();
    const PIECE: [u8; 1000] = [7; 1000];
    // The first one is missing, so that nothing can be delivered.
    for number in 1..=100 {
        let data = Data {
            payload: &PIECE,
            ..pair.data(number, number as u16)
        };
        pair.inject(&[&data]);
    }
    let stats = pair.assoc(1).stats();
    assert_eq!(stats.bytes_received, BUFFER as u64);
    assert_eq!(stats.receive_buffer_drops, 80);
    let first = pair.data(0, 0);
    let acked = acknowledged(&pair.inject(&[&first])).unwrap();
    assert_eq!(acked.cumulative, first.tsn.add(20));
    assert_eq!(pair.state(1), AssocState::Established);
}

#[test]
fn used_cookies_beyond_what_is_remembered_make_all_of_them_stale() {
    for (remembered, stale) in [(2, false), (1, true)] {
        let mut pair = Pair::with(|config| config.max_used_cookies = remembered);
        pair.connect();
        for end in [0, 1] {
            // INIT and INIT-ACK.
            for seen in pair.take(end) {
                pair.deliver(1 - end, seen.bytes);
            }
        }
        let echo = pair.take(0).remove(0);
        pair.now += MS;
        let others: Vec<_> = (0..2)
            .map(|_| {
                let id = pair.try_connect().unwrap();
                pair.settle();
                id
            })
            .collect();
        for id in others {
            let now = pair.now;
            let assoc = pair.ends[0].association_mut(now, id).unwrap();
            assoc.abort(now, "over".into());
            pair.settle();
        }
        pair.deliver(1, echo.bytes);
        let answers = pair.take(1);
        let causes: &[u16] = if stale { &[3] } else { &[] };
        assert_eq!(
            causes_of(&answers, ChunkType::ERROR),
            causes,
            "{remembered}"
        );
    }
}
