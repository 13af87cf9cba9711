//! Many streams: whose data leave first, and what does not wait for what.

use std::collections::BTreeMap;
use std::time::Duration;

use manyway_proto::{
    EndpointConfig, Extension, Message, MessagePart, PartStatus, StreamId, StreamSchedulerKind,
};
use manyway_sim::network::Verdict;
use manyway_sim::{LinkConfig, Loss, Rate, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

fn config(interleaving: bool) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.transport.outbound_streams = 64;
    if interleaving {
        let extensions = config.transport.extensions;
        config.transport.extensions = extensions.with(Extension::Interleaving);
    }
    config
}

fn pair_over(link: LinkConfig, config: EndpointConfig, seed: u64) -> Pair {
    let paths = [ScenePath::direct(link)];
    let mut pair = Pair::establish(Scene::with_engines(&paths, config.clone(), config, seed));
    let server = pair.server.0;
    pair.scene.network.with_node(server, |s| {
        s.keeping = true;
    });
    pair
}

fn send(pair: &mut Pair, message: Message) {
    let client = pair.client;
    let sent = pair.command(client, |_, assoc| assoc.send(message));
    sent.expect("there is room");
}

fn schedule(pair: &mut Pair, kind: StreamSchedulerKind) {
    let client = pair.client;
    pair.command(client, |_, a| a.set_stream_scheduler(kind.build()));
}

/// Bytes that have arrived, by stream.
fn arrived(pair: &Pair) -> BTreeMap<u16, usize> {
    let mut bytes = BTreeMap::new();
    for (_, message) in &pair.scene.network.node(pair.server.0).inbox {
        *bytes.entry(message.stream.0).or_default() += message.payload.len();
    }
    bytes
}

/// How long an urgent message takes that is sent in the middle of a giant.
fn overtaking(interleaving: bool) -> Duration {
    let link = LinkConfig::new(Rate::from_mbit(10), 10 * MS);
    let mut pair = pair_over(link, config(interleaving), 81);
    schedule(&mut pair, StreamSchedulerKind::Priority);
    let client = pair.client;
    pair.command(client, |_, a| a.set_stream_priority(StreamId(0), 5))
        .expect("the stream is open");
    // 0.84 s on this link.
    send(&mut pair, Message::new(0, vec![1; 1 << 20]));
    pair.run(200 * MS);
    send(&mut pair, Message::new(1, "urgent"));
    pair.wait("the urgent message arrives", 5 * SECOND, |pair| {
        arrived(pair).contains_key(&1)
    })
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.4
//= type=test
//# When using user message interleaving, the sending of large lower-priority user messages will not delay the sending of higher-priority user messages.
#[test]
fn an_urgent_message_overtakes_a_giant_if_messages_are_interleaved() {
    let (with, without) = (overtaking(true), overtaking(false));
    assert!(with < 200 * MS, "{with:?}");
    assert!(without > 500 * MS, "{without:?}");
}

/// Bytes of three streams with messages of different sizes, in the middle of a transfer.
fn shares(kind: StreamSchedulerKind, interleaving: bool) -> BTreeMap<u16, usize> {
    let mut pair = pair_over(link(20, 10 * MS), config(interleaving), 82);
    schedule(&mut pair, kind);
    let client = pair.client;
    for (stream, weight) in [(1, 1), (2, 2), (3, 5)] {
        pair.command(client, |_, assoc| {
            let weight = std::num::NonZeroU16::new(weight).expect("it is not zero");
            assoc.set_stream_weight(StreamId(stream), weight)
        })
        .expect("the stream is open");
    }
    let sizes = [(1, 200), (2, 1400), (3, 9000)];
    let mut left = sizes.map(|(stream, size)| (stream, size, 1_300_000 / size));
    // All queues are filled before anything leaves.
    pair.command(client, |_, assoc| {
        for (stream, size, count) in &mut left {
            for _ in 0..*count {
                let message = Message::new(*stream, vec![0; *size]);
                assoc.send(message).expect("there is room");
            }
        }
    });
    pair.wait("half of it has arrived", 10 * SECOND, |pair| {
        arrived(pair).values().sum::<usize>() > 1_200_000
    });
    arrived(&pair)
}

fn assert_shares(bytes: &BTreeMap<u16, usize>, weights: [(u16, usize); 3]) {
    let total: usize = bytes.values().sum();
    let sum: usize = weights.iter().map(|(_, weight)| weight).sum();
    for (stream, weight) in weights {
        // What waits behind a lost packet has not arrived, hence the tolerance.
        let error = bytes[&stream].abs_diff(total * weight / sum);
        assert!(error < total / 20, "{bytes:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.5
//= type=test
//# A fair capacity distribution between the streams is used.
//= https://www.rfc-editor.org/rfc/rfc8260#section-3.6
//= type=test
//# A weighted fair queueing scheduler between the streams is used.
#[test]
fn shares_of_the_capacity_are_measured_in_bytes() {
    for interleaving in [false, true] {
        let fair = shares(StreamSchedulerKind::FairCapacity, interleaving);
        assert_shares(&fair, [(1, 1), (2, 1), (3, 1)]);
        let weighted = shares(StreamSchedulerKind::WeightedFair, interleaving);
        assert_shares(&weighted, [(1, 1), (2, 2), (3, 5)]);
        let by_message = shares(StreamSchedulerKind::RoundRobin, false);
        assert!(by_message[&3] > 4 * by_message[&2], "{by_message:?}");
    }
}

#[test]
fn a_lost_packet_holds_up_only_the_stream_it_carried() {
    for interleaving in [false, true] {
        let mut pair = pair_over(link(50, 100 * MS), config(interleaving), 83);
        schedule(&mut pair, StreamSchedulerKind::RoundRobinPerPacket);
        let client = pair.client;
        let mut lost = false;
        pair.scene.network.set_hook(move |sent| {
            if sent.payload.len() > 1000 && !lost {
                lost = true;
                return Verdict::Drop;
            }
            Verdict::Pass
        });
        pair.command(client, |_, assoc| {
            for stream in 0..8 {
                let message = Message::new(stream, vec![stream as u8; 1150]);
                assoc.send(message).expect("there is room");
            }
        });
        pair.run(150 * MS);
        let streams: Vec<u16> = arrived(&pair).into_keys().collect();
        assert_eq!(streams, [1, 2, 3, 4, 5, 6, 7]);
        pair.wait("the lost one arrives too", 5 * SECOND, |pair| {
            arrived(pair).len() == 8
        });
    }
}

/// Puts parts together; gives the messages that are complete, without their payload protocol.
#[derive(Default)]
struct Parts {
    open: BTreeMap<u64, Vec<u8>>,
    largest: usize,
    whole: Vec<(u16, Vec<u8>)>,
}

impl Parts {
    fn add(&mut self, part: MessagePart) {
        let so_far = self.open.entry(part.message).or_default();
        assert_eq!(part.begin, so_far.is_empty());
        so_far.extend_from_slice(&part.payload);
        self.largest = self.largest.max(part.payload.len());
        if part.status == PartStatus::Complete {
            let bytes = self.open.remove(&part.message).unwrap_or_default();
            self.whole.push((part.stream.0, bytes));
        }
    }
}

#[test]
fn giants_larger_than_both_buffers_come_in_parts_over_a_lossy_path() {
    for interleaving in [false, true] {
        let mut config = config(interleaving);
        config.transport.max_message_size = 8 << 20;
        config.transport.send_buffer = 1 << 20;
        config.transport.receive_buffer = 64 << 10;
        config.transport.partial_delivery_point = Some(16 << 10);
        let lossy = LinkConfig {
            loss: Loss::Bernoulli(0.01),
            ..link(50, 5 * MS)
        };
        let mut pair = pair_over(lossy, config, 84);
        schedule(&mut pair, StreamSchedulerKind::RoundRobin);
        let (client, server) = (pair.client, pair.server);
        pair.scene
            .network
            .with_node(server.0, |s| s.reading = false);
        let payload: Vec<u8> = (0..2_000_000_u32).map(|at| (at % 251) as u8).collect();
        let mut parts = Parts::default();
        let mut given = 0;
        for _ in 0..3000 {
            pair.run(10 * MS);
            pair.command(server, |_, assoc| {
                std::iter::from_fn(|| assoc.recv_part()).for_each(|part| parts.add(part));
            });
            if given < 3 {
                // The next one once the buffer is empty: it is larger than the buffer.
                let message = Message::new(given, payload.clone());
                let sent = pair.command(client, |_, assoc| assoc.send(message));
                given += u16::from(sent.is_ok());
            }
            if parts.whole.len() == 3 {
                break;
            }
        }
        let streams: Vec<u16> = parts.whole.iter().map(|(stream, _)| *stream).collect();
        assert_eq!(streams, [0, 1, 2], "{}", pair.describe());
        assert!(parts.whole.iter().all(|(_, bytes)| *bytes == payload));
        assert!(parts.largest < 2000);
        assert_eq!(pair.assoc(server).stats().partial_messages, 3);
    }
}

#[test]
fn every_scheduler_delivers_everything_on_many_streams_over_a_lossy_path() {
    for (seed, interleaving) in [(85, false), (86, true)] {
        let lossy = LinkConfig {
            loss: Loss::Bernoulli(0.02),
            ..link(30, 15 * MS)
        };
        let mut pair = pair_over(lossy, config(interleaving), seed);
        let client = pair.client;
        let mut sent: BTreeMap<u16, Vec<Message>> = BTreeMap::new();
        for round in 0..12_u32 {
            // The scheduler changes while messages wait and are half sent.
            let kind = StreamSchedulerKind::ALL[round as usize % 6];
            schedule(&mut pair, kind);
            for number in 0..100_u32 {
                let stream = ((round * 31 + number * 7) % 64) as u16;
                let len = 4 + ((round + 3) * (number + 5) * 97) as usize % 6000;
                let mut payload = vec![stream as u8; len];
                payload[..4].copy_from_slice(&(round * 100 + number).to_be_bytes());
                let message = Message {
                    unordered: number % 9 == 0,
                    ..Message::new(stream, payload)
                };
                sent.entry(stream).or_default().push(message.clone());
                send(&mut pair, message);
                let priority = (number % 5) as u16;
                pair.command(client, |_, a| {
                    a.set_stream_priority(StreamId(stream), priority)
                })
                .expect("the stream is open");
            }
            pair.run(40 * MS);
        }
        let count = sent.values().flatten().count();
        pair.wait("everything has arrived", 60 * SECOND, |pair| {
            pair.scene.network.node(pair.server.0).inbox.len() == count
        });
        let inbox = &pair.scene.network.node(pair.server.0).inbox;
        for (stream, messages) in &sent {
            let of = inbox
                .iter()
                .map(|(_, m)| m)
                .filter(|m| m.stream.0 == *stream);
            let (mut unordered, ordered): (Vec<_>, Vec<_>) = of.partition(|m| m.unordered);
            let mut expected: Vec<_> = messages.iter().filter(|m| m.unordered).collect();
            assert!(messages.iter().filter(|m| !m.unordered).eq(ordered));
            unordered.sort_by(|a, b| a.payload.cmp(&b.payload));
            expected.sort_by(|a, b| a.payload.cmp(&b.payload));
            assert!(unordered == expected, "stream {stream}");
        }
    }
}

#[test]
fn beginnings_of_interleaved_messages_do_not_fill_the_receive_buffer() {
    for kind in [
        StreamSchedulerKind::RoundRobin,
        StreamSchedulerKind::Priority,
        StreamSchedulerKind::FairCapacity,
    ] {
        let mut config = config(true);
        config.transport.receive_buffer = 64 << 10;
        config.transport.max_message_size = 32 << 10;
        config.transport.partial_delivery_point = None;
        let lossy = LinkConfig {
            loss: Loss::Bernoulli(0.01),
            ..link(30, 15 * MS)
        };
        let mut pair = pair_over(lossy, config, 87);
        schedule(&mut pair, kind);
        // Eight times the peer's whole buffer, and more than it ever holds.
        for stream in 0..16 {
            send(&mut pair, Message::new(stream, vec![1; 32 << 10]));
        }
        pair.wait("everything has arrived", 20 * SECOND, |pair| {
            pair.scene.network.node(pair.server.0).inbox.len() == 16
        });
        assert!(pair.end_of(pair.server).is_none(), "{kind:?}");
    }
}
