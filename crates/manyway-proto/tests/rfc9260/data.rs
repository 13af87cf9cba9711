//! User data: streams and their order.

use manyway_proto::{CloseReason, Message};
use manyway_wire::{Chunk, ChunkType, Data, StreamId};

use crate::pair::{Pair, kinds};

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

/// The chunks of a message of the client: `count` fragments of its next TSNs.
fn fragments(pair: &Pair, count: u32) -> Vec<Data<'static>> {
    (0..count)
        .map(|n| {
            let mut data = pair.data(n, 0);
            data.flags.begin = n == 0;
            data.flags.end = n + 1 == count;
            data
        })
        .collect()
}

fn read(pair: &mut Pair) -> Vec<String> {
    pair.command(1, |assoc| {
        std::iter::from_fn(|| assoc.recv())
            .map(|m| String::from_utf8(m.payload.to_vec()).unwrap())
            .collect()
    })
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
//= type=test
//# The data sender MUST then set the B bit of the first DATA chunk and the E bit of the last
#[test]
fn a_large_message_leaves_in_fragments_with_one_beginning_and_one_end() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    pair.command(1, |assoc| {
        assoc.send(Message::new(3, vec![7; 5000])).unwrap();
    });
    let mut seen = Vec::new();
    for packet in pair.take(1) {
        packet.with(ChunkType::DATA, |chunk, _| match chunk {
            Chunk::Data(d) => seen.push((d.tsn, d.stream.0, d.ssn.0, d.flags, d.payload.len())),
            _ => unreachable!(),
        });
    }
    let last = seen.len() - 1;
    assert!(last > 0);
    assert_eq!(seen.iter().map(|s| s.4).sum::<usize>(), 5000);
    for (at, (tsn, stream, ssn, flags, _)) in seen.into_iter().enumerate() {
        assert_eq!((tsn, stream, ssn), (first.add(at as u32), 3, 0));
        assert_eq!((flags.begin, flags.end), (at == 0, at == last));
    }
}

#[test]
fn fragments_that_arrive_in_any_order_make_the_message() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut pair = Pair::established();
        let fragments = fragments(&pair, 3);
        for at in order {
            assert_eq!(read(&mut pair), Vec::<String>::new());
            pair.inject(&[&fragments[at]]);
        }
        assert_eq!(read(&mut pair), ["hellohellohello"], "{order:?}");
    }
}

#[test]
fn a_message_that_comes_early_waits_for_its_turn_and_others_do_not() {
    let mut pair = Pair::established();
    let mut early = pair.data(1, 1);
    early.payload = b"early";
    let mut elsewhere = pair.data(2, 0);
    (elsewhere.stream, elsewhere.payload) = (StreamId(1), b"elsewhere");
    // The stream sequence number of an unordered message means nothing.
    let mut unordered = pair.data(3, 1);
    (unordered.flags.unordered, unordered.payload) = (true, b"unordered");
    pair.inject(&[&early, &elsewhere, &unordered]);
    assert_eq!(read(&mut pair), ["elsewhere", "unordered"]);
    let first = pair.data(0, 0);
    pair.inject(&[&first]);
    assert_eq!(read(&mut pair), ["hello", "early"]);
}

#[test]
fn stream_sequence_numbers_wrap() {
    let mut pair = Pair::established();
    for number in 0..=0x1_0001_u32 {
        pair.inject(&[&pair.data(number, number as u16)]);
        assert_eq!(read(&mut pair).len(), 1, "message {number}");
    }
}
