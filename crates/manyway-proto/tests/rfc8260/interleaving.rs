//! Negotiation (section 2.2.1), sending (section 2.2.2) and scheduling (section 3).

use manyway_proto::{
    CloseReason, EndpointConfig, Message, SendOptions, StreamId, StreamSchedulerKind,
};
use manyway_wire::{ChunkType, Parameter};

use crate::pair::{Pair, causes_of};
use crate::support::{Place, assoc, data_of, established, i_data, interleaving, received};

/// The chunk types that the first packet of the client lists.
fn listed(config: EndpointConfig) -> Vec<u8> {
    let mut pair = Pair::with_configs([config.clone(), config]);
    pair.connect();
    let init = &pair.take(0)[0];
    let kinds = init.with(ChunkType::INIT, |chunk, _| match chunk {
        manyway_wire::Chunk::Init(init) => init
            .parameters
            .iter()
            .find_map(|p| match p.unwrap() {
                Parameter::SupportedExtensions(kinds) => Some(kinds.to_vec()),
                _ => None,
            })
            .unwrap_or_default(),
        _ => unreachable!(),
    });
    kinds.unwrap()
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.1
//= type=test
//# The crucial point is that the SCTP stack MUST know that the application can handle interleaved messages before indicating the I-DATA support.
#[test]
fn interleaving_is_offered_only_if_the_application_asks_for_it() {
    assert!(listed(interleaving()).contains(&ChunkType::I_DATA.0));
    assert!(!listed(EndpointConfig::default()).contains(&ChunkType::I_DATA.0));
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.1
//= type=test
//# If user message interleaving support has been negotiated for an association, I-DATA chunks MUST be used for all user messages and DATA chunks MUST NOT be used.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.1
//= type=test
//# If user message interleaving support has not been negotiated for an association, DATA chunks MUST be used for all user messages and I-DATA chunks MUST NOT be used.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2
//= type=test
//# An SCTP implementation supporting user message interleaving is REQUIRED to support the coexistence of associations using DATA chunks and associations using I-DATA chunks.
#[test]
fn i_data_is_used_if_and_only_if_both_ends_offered_it() {
    let plain = EndpointConfig::default;
    for (client, server, expected) in [
        (interleaving(), interleaving(), true),
        (interleaving(), plain(), false),
        (plain(), interleaving(), false),
        (plain(), plain(), false),
    ] {
        let mut pair = Pair::with_configs([client, server]).establish();
        for end in [0, 1] {
            let message = Message::new(3, vec![1; 5000]);
            assoc(&mut pair, end).send(message).unwrap();
            let packets = pair.take(end);
            let data = data_of(&packets);
            assert!(data.len() > 3);
            assert!(data.iter().all(|chunk| chunk.interleaved == expected));
            for seen in packets {
                pair.deliver(1 - end, seen.bytes);
            }
            pair.settle();
        }
        assert_eq!(received(&mut pair).len(), 1);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
//= type=test
//# If I-DATA support has been negotiated for an association, the reception of a DATA chunk is a violation of the above rules and therefore the receiver of the DATA chunk MUST abort the association by sending an ABORT chunk.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
//= type=test
//# The same applies if I-DATA support has not been negotiated for an association and an I-DATA chunk is received.
#[test]
fn the_wrong_kind_of_chunk_aborts() {
    let mut pair = established();
    let data = pair.data(0, 0);
    let answers = pair.inject(&[&data]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));

    let mut pair = Pair::established();
    let data = i_data(&pair, 0, 0, 0, true);
    let answers = pair.inject(&[&data]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

/// Stream, message and fragment of what is sent when streams 0 and 2 have a message of three chunks
/// each and stream 1 has three of one.
fn order(config: EndpointConfig, kind: StreamSchedulerKind) -> Vec<Place> {
    let mut pair = Pair::with_configs([config.clone(), config]).establish();
    let client = assoc(&mut pair, 0);
    client.set_stream_scheduler(kind.build());
    let chunk = client.max_message_payload();
    for (stream, chunks) in [(0, 3), (1, 1), (1, 1), (1, 1), (2, 3)] {
        let message = Message::new(stream, vec![1; chunks * chunk]);
        client.send(message).unwrap();
    }
    data_of(&pair.take(0))
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.2
//= type=test
//# When not using user message interleaving, this scheduler provides a fair scheduling based on the number of user messages by cycling around non-empty stream queues.
//= https://www.rfc-editor.org/rfc/rfc8260#section-3.2
//= type=test
//# When using user message interleaving, this scheduler provides a fair scheduling based on the number of I-DATA chunks by cycling around non-empty stream queues.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.2
//= type=test
//# The first fragment MUST have the B bit set. The last fragment MUST have the E bit set. All other fragments MUST NOT have the B or E bit set.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.2
//= type=test
//# The sender MUST assign TSNs to I-DATA chunks in a way that the receiver can make progress.
#[test]
fn round_robin_sends_as_the_figures_of_the_rfc_show() {
    // Figure 1.
    let plain = order(EndpointConfig::default(), StreamSchedulerKind::RoundRobin);
    let shape: Vec<_> = plain.iter().map(|c| (c.stream, c.message)).collect();
    assert_eq!(
        shape,
        [
            (0, 0),
            (0, 0),
            (0, 0),
            (1, 0),
            (2, 0),
            (2, 0),
            (2, 0),
            (1, 1),
            (1, 2)
        ]
    );
    // Figure 2.
    let interleaved = order(interleaving(), StreamSchedulerKind::RoundRobin);
    let shape: Vec<_> = interleaved
        .iter()
        .map(|c| (c.stream, c.message, c.fragment))
        .collect();
    let expected = [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        (0, 0, 1),
        (1, 1, 0),
        (2, 0, 1),
        (0, 0, 2),
        (1, 2, 0),
        (2, 0, 2),
    ];
    assert_eq!(shape, expected);
    for chunk in interleaved {
        let whole = chunk.stream == 1;
        assert_eq!(chunk.begin, whole || chunk.fragment == 0);
        assert_eq!(chunk.end, whole || chunk.fragment == 2);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.1
//= type=test
//# The usage of user message interleaving does not affect the sending of the chunks, except that I-DATA chunks are used instead of DATA chunks.
#[test]
fn first_come_first_served_does_not_interleave() {
    let kind = StreamSchedulerKind::FirstComeFirstServed;
    for config in [EndpointConfig::default(), interleaving()] {
        let streams: Vec<_> = order(config, kind).iter().map(|c| c.stream).collect();
        assert_eq!(streams, [0, 0, 0, 1, 1, 1, 2, 2, 2]);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.2
//= type=test
//# The sender MUST NOT process (move user data into I-DATA chunks and assign a TSN to it) more than one user message in any given stream at any time.
#[test]
fn messages_of_one_stream_are_not_interleaved() {
    for kind in StreamSchedulerKind::ALL {
        let mut pair = established();
        let client = assoc(&mut pair, 0);
        client.set_stream_scheduler(kind.build());
        for unordered in [false, true, false] {
            let message = Message {
                unordered,
                ..Message::new(0, vec![1; 3000])
            };
            client.send(message).unwrap();
        }
        let data = data_of(&pair.take(0));
        let ends: Vec<_> = data.iter().map(|c| c.end).collect();
        assert_eq!(ends, [false, false, true].repeat(3), "{kind:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.3
//= type=test
//# It bundles only DATA or I-DATA chunks referring to the same stream in a packet.
#[test]
fn round_robin_per_packet_fills_each_packet_from_one_stream() {
    for config in [EndpointConfig::default(), interleaving()] {
        let mut pair = Pair::with_configs([config.clone(), config]).establish();
        let client = assoc(&mut pair, 0);
        client.set_stream_scheduler(StreamSchedulerKind::RoundRobinPerPacket.build());
        for number in 0..60 {
            client.send(Message::new(number % 3, vec![1; 100])).unwrap();
        }
        let data = data_of(&pair.take(0));
        assert_eq!(data.len(), 60);
        let mut of_packet = std::collections::BTreeMap::new();
        for chunk in &data {
            let streams: &mut Vec<u16> = of_packet.entry(chunk.packet).or_default();
            streams.push(chunk.stream);
        }
        let mut firsts = Vec::new();
        for streams in of_packet.values() {
            assert!(
                streams.iter().all(|stream| *stream == streams[0]),
                "{streams:?}"
            );
            firsts.push(streams[0]);
        }
        assert_eq!(firsts[..6], [0, 1, 2, 0, 1, 2]);
    }
}

#[test]
fn an_urgent_message_asks_for_its_acknowledgement() {
    let mut pair = established();
    let client = assoc(&mut pair, 0);
    let urgent = SendOptions::default().with_immediate(true);
    client.send_with(Message::new(0, "now"), urgent).unwrap();
    client.send(Message::new(1, "later")).unwrap();
    client.send(Message::new(1, "last")).unwrap();
    let flags: Vec<_> = data_of(&pair.take(0)).iter().map(|c| c.immediate).collect();
    // The last one has the bit because nothing follows it.
    assert_eq!(flags, [true, false, true]);
}

#[test]
fn streams_that_are_not_open_have_no_settings() {
    let mut pair = established();
    let client = assoc(&mut pair, 0);
    assert!(client.set_stream_priority(StreamId(15), 3).is_ok());
    assert!(client.set_stream_priority(StreamId(16), 3).is_err());
    assert!(
        client
            .set_stream_weight(StreamId(16), 3.try_into().unwrap())
            .is_err()
    );
    assert_eq!(client.stream_priority(StreamId(15)), 3);
    assert_eq!(client.stream_weight(StreamId(15)).get(), 1);
    assert_eq!(client.stream_scheduler(), "first-come-first-served");
}
