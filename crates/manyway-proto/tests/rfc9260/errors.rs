//! What is reported to the peer: chunks and streams that are not known.

use manyway_proto::{AssocState, Event, Message};
use manyway_wire::{Cause, CauseList, ChunkType, Data, DataFlags, ErrorChunk, StreamId};

use crate::pair::{Pair, acknowledged, causes_of, kinds, packet, raw};

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
//= type=test
//# Chunk Types are encoded such that the highest-order 2 bits specify the action that is taken if the processing endpoint does not recognize the Chunk Type
#[test]
fn unknown_chunks_stop_or_skip_and_are_reported_as_their_type_says() {
    for (kind, goes_on, reported) in [
        (0x3f, false, false),
        (0x7f, false, true),
        (0xbf, true, false),
        (0xff, true, true),
    ] {
        let mut pair = Pair::established();
        let (unknown, data) = (raw(kind, 0, b"odd"), pair.data(0, 0));
        let answers = pair.inject(&[&unknown, &data]);
        let id = pair.ids[1].unwrap();
        let received = pair.ends[1].association(id).unwrap().stats().bytes_received;
        assert_eq!(received > 0, goes_on, "type {kind:#x}");
        let causes = causes_of(&answers, ChunkType::ERROR);
        assert_eq!(causes == [6], reported, "type {kind:#x}: {causes:?}");
        assert_eq!(pair.state(1), AssocState::Established);
    }
}

#[test]
fn an_unknown_chunk_that_fills_its_packet_does_not_silence_the_endpoint() {
    let mut pair = Pair::established();
    let id = pair.ids[1].unwrap();
    let now = pair.now;
    pair.ends[1]
        .association_mut(now, id)
        .unwrap()
        .send(Message::new(0, "news"))
        .unwrap();
    let bytes = packet(pair.headers[0], &[&raw(0xff, 0, &[1; 1440])]);
    pair.deliver(1, bytes);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::DATA));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.5
//= type=test
//# immediately send an ERROR chunk with cause set to "Invalid Stream Identifier"
#[test]
fn an_invalid_stream_is_acknowledged_and_reported() {
    let mut pair = Pair::established();
    let data = Data {
        stream: StreamId(60_000),
        flags: DataFlags {
            immediate: true,
            begin: true,
            end: true,
            unordered: false,
        },
        ..pair.data(0, 0)
    };
    let answers = pair.inject(&[&data]);
    assert_eq!(causes_of(&answers, ChunkType::ERROR), [1]);
    let acked = acknowledged(&answers).map(|a| a.cumulative);
    assert_eq!(acked, Some(data.tsn));
    let id = pair.ids[1].unwrap();
    assert!(!pair.ends[1].association(id).unwrap().has_message());
}

//= https://www.rfc-editor.org/rfc/rfc6458#section-6.1.3
//= type=test
//# A remote peer may send an Operation Error message to its peer.  This message indicates a variety of error conditions on an association.
#[test]
fn errors_of_the_peer_are_told_up_to_a_bound_and_counted_beyond() {
    let mut pair = Pair::established();
    while pair.ends[1].poll_event().is_some() {}
    let mut causes = CauseList::new();
    causes.push(&Cause::InvalidStreamId(StreamId(9)));
    pair.inject(&[&ErrorChunk {
        causes: causes.as_causes(),
    }]);
    let (_, event) = pair.ends[1].poll_event().unwrap();
    let Event::PeerError { code, description } = event else {
        panic!("{event:?}");
    };
    assert_eq!(code, 1);
    assert_eq!(description, "invalid stream identifier (1): stream 9");
    for _ in 0..69 {
        causes.push(&Cause::OutOfResource);
    }
    pair.inject(&[&ErrorChunk {
        causes: causes.as_causes(),
    }]);
    let told = std::iter::from_fn(|| pair.ends[1].poll_event()).count();
    let id = pair.ids[1].unwrap();
    let stats = pair.ends[1].association(id).unwrap().stats();
    assert_eq!((told, stats.unreported_errors), (64, 6));
    assert_eq!(stats.errors_received, 71);
    assert_eq!(pair.state(1), AssocState::Established);
}
