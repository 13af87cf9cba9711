//! What programs hand over arrives whole, in order, once; also when the reader is slow.

use manyway_proto::{EndpointConfig, Message, SendError, StreamId};
use manyway_sim::network::Verdict;
use manyway_sim::{Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, drop_nth, has_chunk, link};

fn send_all(pair: &mut Pair, messages: Vec<Message>) {
    let client = pair.client;
    let mut waiting = messages.into_iter().peekable();
    while waiting.peek().is_some() {
        pair.command(client, |_, assoc| {
            while let Some(message) = waiting.next() {
                if let Err(SendError::WouldBlock(back)) = assoc.send(message) {
                    let rest: Vec<_> = waiting.by_ref().collect();
                    waiting = std::iter::once(back)
                        .chain(rest)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .peekable();
                    break;
                }
            }
        });
        pair.run(10 * MS);
    }
}

fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..len).map(|at| (at as u32 ^ number) as u8).collect();
    let head = number.to_be_bytes();
    let part = head.len().min(len);
    payload[..part].copy_from_slice(&head[4 - part..]);
    payload
}

#[test]
fn messages_of_every_size_arrive_whole_and_in_order() {
    let sizes = [
        1,
        2,
        3,
        4,
        5,
        100,
        1187,
        1188,
        1189,
        1203,
        1204,
        1205,
        1443,
        1444,
        1445,
        1446,
        4000,
        65_535,
        65_536,
        1 << 20,
    ];
    let mut pair = Pair::reference(51);
    pair.scene
        .network
        .with_node(pair.server.0, |s| s.keeping = true);
    let messages: Vec<Message> = (0..3)
        .flat_map(|round| {
            sizes
                .iter()
                .enumerate()
                .map(move |(n, len)| (round * 100 + n as u32, *len))
        })
        .map(|(number, len)| Message::new(0, numbered(number, len)))
        .collect();
    send_all(&mut pair, messages.clone());
    pair.run(3 * SECOND);
    let inbox = &pair.scene.network.node(pair.server.0).inbox;
    assert_eq!(inbox.len(), messages.len());
    assert!(inbox.iter().map(|(_, m)| m).eq(&messages));
}

#[test]
fn every_stream_keeps_its_own_order_and_unordered_messages_arrive_once() {
    let mut pair = Pair::reference(52);
    pair.scene
        .network
        .with_node(pair.server.0, |s| s.keeping = true);
    let mut dice = 1_u32;
    pair.scene.network.set_hook(move |_| {
        dice = dice.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        if (dice >> 16).is_multiple_of(10) {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    });
    let messages: Vec<Message> = (0..2000_u32)
        .map(|number| Message {
            unordered: number % 3 == 0,
            ..Message::new(
                (number % 16) as u16,
                numbered(number, 40 + (number as usize * 37) % 3000),
            )
        })
        .collect();
    send_all(&mut pair, messages.clone());
    pair.run(30 * SECOND);
    let inbox: Vec<Message> = pair
        .scene
        .network
        .node(pair.server.0)
        .inbox
        .iter()
        .map(|(_, m)| m.clone())
        .collect();
    assert_eq!(inbox.len(), messages.len(), "{}", pair.describe());
    for stream in 0..16 {
        let of = |all: &[Message]| -> Vec<Message> {
            all.iter()
                .filter(|m| m.stream == StreamId(stream) && !m.unordered)
                .cloned()
                .collect()
        };
        assert!(of(&inbox) == of(&messages), "stream {stream}");
    }
    let sorted = |all: &[Message]| {
        let mut unordered: Vec<_> = all
            .iter()
            .filter(|m| m.unordered)
            .map(|m| m.payload.clone())
            .collect();
        unordered.sort();
        unordered
    };
    assert!(sorted(&inbox) == sorted(&messages));
}

fn small_buffers(receive: usize) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.transport.receive_buffer = receive;
    config
}

fn with_receive_buffer(receive: usize, seed: u64) -> Pair {
    let paths = [50, 20].map(|mbit| ScenePath::behind_nat(link(mbit, 10 * MS)));
    Pair::establish(Scene::with_engines(
        &paths,
        EndpointConfig::default(),
        small_buffers(receive),
        seed,
    ))
}

#[test]
fn a_reader_that_stops_and_goes_on_loses_nothing_also_when_the_window_update_is_lost() {
    for lose_updates in [false, true] {
        for len in [1, 20, 1400, 30_000] {
            let what = format!("updates lost: {lose_updates}, messages of {len} bytes");
            let mut pair = with_receive_buffer(65_536, 53);
            let (client, server) = (pair.client, pair.server);
            pair.scene
                .network
                .with_node(server.0, |s| s.reading = false);
            let total = (len as u64 * 5000).clamp(1000, 500_000);
            pair.scene
                .network
                .with_node(client.0, |s| s.send_bulk(client.1, Some(total), len));
            pair.run(20 * SECOND);
            assert_eq!(
                pair.active_paths(client),
                2,
                "{what}: a full peer is no dead one\n{}",
                pair.describe()
            );
            if lose_updates {
                let (host, mut left) = (server.0, 3);
                pair.scene.network.set_hook(move |sent| {
                    if sent.from.host == host && left > 0 {
                        left -= 1;
                        return Verdict::Drop;
                    }
                    Verdict::Pass
                });
            }
            pair.scene.network.with_node(server.0, |s| {
                s.reading = true;
                s.received_mut(server.1);
            });
            pair.wait(&what, 8 * SECOND, |pair| {
                pair.received(pair.server).bytes == total
            });
            assert_eq!(pair.received(server).corrupt, 0, "{what}");
        }
    }
}

#[test]
fn a_message_larger_than_the_receive_buffer_gets_through() {
    let mut pair = with_receive_buffer(65_536, 54);
    pair.command(pair.client, |_, assoc| {
        assoc.send(Message::new(0, numbered(1, 300_000)))
    })
    .unwrap();
    pair.wait("the giant has arrived", 30 * SECOND, |pair| {
        pair.received(pair.server).bytes == 300_000
    });
}

#[test]
fn tiny_messages_never_make_the_window_lie() {
    let mut pair = with_receive_buffer(65_536, 55);
    let (client, server) = (pair.client, pair.server);
    // One lost packet holds up thousands of later messages.
    pair.scene
        .network
        .set_hook(drop_nth(40, |sent| has_chunk(sent, 0)));
    pair.scene
        .network
        .with_node(client.0, |s| s.send_bulk(client.1, Some(50_000), 1));
    pair.wait("all have arrived", 20 * SECOND, |pair| {
        pair.received(pair.server).bytes == 50_000
    });
    assert_eq!(pair.received(server).corrupt, 0);
    assert!(pair.end_of(client).is_none(), "{}", pair.describe());
}

#[test]
fn more_tiny_messages_than_sequence_numbers_may_wait_for_one_lost_packet() {
    let mut pair = Pair::reference(56);
    let client = pair.client;
    let mut cut = 3;
    pair.scene.network.set_hook(move |sent| {
        // The same packet is lost again and again, so that the window fills behind it.
        if has_chunk(sent, 0) && cut > 0 {
            cut -= 1;
            return Verdict::Drop;
        }
        Verdict::Pass
    });
    pair.scene
        .network
        .with_node(client.0, |s| s.send_bulk(client.1, Some(200_000), 1));
    pair.wait("all have arrived", 30 * SECOND, |pair| {
        pair.received(pair.server).bytes == 200_000
    });
    assert_eq!(pair.received(pair.server).corrupt, 0);
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_reason() {
    let mut pair = Pair::reference(57);
    let client = pair.client;
    pair.command(client, |_, assoc| {
        assert_eq!(
            assoc.send(Message::new(0, vec![])),
            Err(SendError::BadLength(0))
        );
        let giant = (1 << 20) + 1;
        assert_eq!(
            assoc.send(Message::new(0, vec![0; giant])),
            Err(SendError::BadLength(giant))
        );
        assert_eq!(
            assoc.send(Message::new(16, "x")),
            Err(SendError::InvalidStream(16))
        );
    });
}
