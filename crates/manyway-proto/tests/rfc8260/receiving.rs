//! Receiving (section 2.2.3), and what does not fit the receive buffer.

use manyway_proto::{CloseReason, EndpointConfig, Message, PartStatus, StreamId};
use manyway_wire::{Chunk, ChunkType, IData};

use crate::pair::{MS, Pair, causes_of, kinds};
use crate::support::{assoc, established, i_data, interleaving, parts, received};

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
//= type=test
//# The receiver MUST NOT make any assumption about the TSN assignments of the sender.
#[test]
fn fragments_are_put_together_whatever_their_tsns() {
    let mut pair = established();
    let chunks = [
        i_data(&pair, 0, 1, 2, true),
        i_data(&pair, 1, 0, 1, true),
        i_data(&pair, 2, 1, 0, false),
        i_data(&pair, 3, 1, 1, false),
    ];
    pair.inject(&[&chunks[0], &chunks[1], &chunks[2], &chunks[3]]);
    assert!(received(&mut pair).is_empty());
    let first = i_data(&pair, 4, 0, 0, false);
    pair.inject(&[&first]);
    let lens: Vec<_> = received(&mut pair)
        .iter()
        .map(|m| (m.ppid.0, m.payload.len()))
        .collect();
    assert_eq!(lens, [(0, 10), (1, 15)]);
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
//= type=test
//# The (I)mmediate Bit, if set, indicates that the receiver SHOULD NOT delay the sending of the corresponding SACK chunk.
#[test]
fn the_immediate_bit_is_answered_at_once() {
    let mut pair = established();
    // The first chunk of all is acknowledged at once anyway.
    let first = i_data(&pair, 0, 0, 0, true);
    pair.inject(&[&first]);
    let patient = i_data(&pair, 1, 1, 0, true);
    let answers = pair.inject(&[&patient]);
    assert!(!kinds(&answers).contains(&ChunkType::SACK));
    let urgent = IData {
        immediate: true,
        ..i_data(&pair, 2, 2, 0, true)
    };
    let answers = pair.inject(&[&urgent]);
    assert!(kinds(&answers).contains(&ChunkType::SACK));
}

#[test]
fn contradicting_fragments_abort() {
    let mut pair = established();
    let (first, second) = (i_data(&pair, 0, 0, 1, false), i_data(&pair, 1, 0, 1, false));
    let answers = pair.inject(&[&first, &second]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
}

fn many_streams() -> EndpointConfig {
    let mut config = interleaving();
    config.transport.outbound_streams = 100;
    config
}

fn small(partial: Option<usize>) -> EndpointConfig {
    let mut config = interleaving();
    config.transport.receive_buffer = 20_000;
    config.transport.max_message_size = 10_000;
    config.transport.partial_delivery_point = partial;
    config
}

const PIECE: [u8; 1000] = [9; 1000];

/// The beginnings of `count` messages, on as many streams.
fn begin_many(pair: &mut Pair, count: u16) -> Vec<crate::pair::Seen> {
    let mut answers = Vec::new();
    for stream in 0..count {
        let piece = IData {
            stream: StreamId(stream),
            payload: &PIECE,
            ..i_data(pair, u32::from(stream), 0, 0, false)
        };
        answers.extend(pair.inject(&[&piece]));
    }
    answers
}

#[test]
fn beginnings_that_fill_the_buffer_end_the_association_rather_than_stall_it() {
    let mut pair = Pair::with_configs([many_streams(), small(None)]).establish();
    let answers = begin_many(&mut pair, 100);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [4]);
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::OutOfResources(_))
    ));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
//= type=test
//# If the data receiver runs out of buffer space while still waiting for more fragments to complete the reassembly of the message, it SHOULD dispatch part of its inbound message through a partial delivery API
#[test]
fn beginnings_that_fill_the_buffer_are_given_to_an_application_that_takes_parts() {
    let mut pair = Pair::with_configs([many_streams(), small(Some(1 << 20))]).establish();
    begin_many(&mut pair, 40);
    let given = parts(&mut pair);
    assert!((15..=20).contains(&given.len()), "{}", given.len());
    let follows = |p: &manyway_proto::MessagePart| p.begin && p.status == PartStatus::MoreFollows;
    assert!(given.iter().all(follows));
    // The window is open again, and a message that was begun goes on.
    let answers = pair.take(1);
    let sack = answers.iter().rev().find_map(|seen| {
        seen.with(ChunkType::SACK, |chunk, _| match chunk {
            Chunk::Sack(sack) => (sack.cumulative_tsn_ack, sack.a_rwnd),
            _ => unreachable!(),
        })
    });
    let (cumulative, window) = sack.unwrap();
    assert!(window >= 18_000, "{window}");
    let end = IData {
        tsn: cumulative.next(),
        payload: &PIECE,
        ..i_data(&pair, 0, 0, 1, true)
    };
    pair.inject(&[&end]);
    let last = parts(&mut pair);
    assert_eq!(
        (last.len(), last[0].message, last[0].begin),
        (1, given[0].message, false)
    );
    assert_eq!(last[0].status, PartStatus::Complete);
    let stats = assoc(&mut pair, 1).stats();
    assert_eq!(
        (stats.partial_messages, stats.messages_received),
        (given.len() as u64, 1)
    );
}

#[test]
fn whole_messages_are_read_either_way() {
    let mut config = EndpointConfig::default();
    config.transport.partial_delivery_point = Some(2000);
    let mut pair = Pair::with_configs([EndpointConfig::default(), config]).establish();
    for len in [10, 5000, 20] {
        assoc(&mut pair, 0)
            .send(Message::new(0, vec![7; len]))
            .unwrap();
    }
    pair.settle();
    pair.now += 50 * MS;
    let server = assoc(&mut pair, 1);
    assert_eq!(server.recv().map(|m| m.payload.len()), Some(10));
    // The next one comes in parts, which are not messages.
    assert_eq!(server.recv(), None);
    assert!(server.has_message());
    let rest = parts(&mut pair);
    assert_eq!(rest.iter().map(|p| p.payload.len()).sum::<usize>(), 5020);
    let complete = rest.iter().filter(|p| p.status == PartStatus::Complete);
    assert_eq!(complete.count(), 2);
}
