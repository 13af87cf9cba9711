//! Streams that are reset while messages fly, over lossy paths that reorder (RFC 6525).

use manyway_proto::{Event, Message, StreamDirection, StreamId};
use manyway_sim::network::Verdict;

use crate::support::{MS, Pair, SECOND, Side, has_chunk};

const RE_CONFIG: u8 = 130;

/// A pair of two paths on which every tenth packet is lost and every seventh is late.
fn rough(seed: u64) -> Pair {
    let mut pair = Pair::reference(seed);
    for side in [pair.client, pair.server] {
        pair.scene.network.with_node(side.0, |s| s.keeping = true);
    }
    let mut dice = seed as u32;
    pair.scene.network.set_hook(move |_| {
        dice = dice.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        match dice >> 16 {
            n if n.is_multiple_of(10) => Verdict::Drop,
            n if n.is_multiple_of(7) => Verdict::Delay(15 * MS),
            _ => Verdict::Pass,
        }
    });
    pair
}

fn send(pair: &mut Pair, side: Side, stream: u16, number: u32) {
    let len = 100 + (number as usize * 37) % 2500;
    let mut payload = vec![7; len];
    payload[..4].copy_from_slice(&number.to_be_bytes());
    pair.command(side, |_, assoc| assoc.send(Message::new(stream, payload)))
        .expect("there is room");
}

/// Messages with these numbers in both directions, on four streams.
fn send_both(pair: &mut Pair, numbers: std::ops::Range<u32>) {
    for number in numbers {
        for side in [pair.client, pair.server] {
            send(pair, side, (number % 4) as u16, number);
        }
    }
}

/// The numbers of the messages of a stream, in the order in which they were read.
fn received(pair: &Pair, side: Side, stream: u16) -> Vec<u32> {
    let inbox = &pair.scene.network.node(side.0).inbox;
    let of = inbox.iter().filter(|(_, m)| m.stream == StreamId(stream));
    of.map(|(_, m)| u32::from_be_bytes([m.payload[0], m.payload[1], m.payload[2], m.payload[3]]))
        .collect()
}

fn count(pair: &Pair, side: Side, wanted: impl Fn(&Event) -> bool) -> usize {
    pair.events(side).iter().filter(|e| wanted(e)).count()
}

fn resets(direction: StreamDirection) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::StreamsReset { direction: d, .. } if *d == direction)
}

#[test]
fn both_ends_reset_streams_again_and_again_and_lose_nothing() {
    let mut pair = rough(81);
    let sides = [pair.client, pair.server];
    for epoch in 0..10 {
        for number in 0..40 {
            let stream = (number % 3) as u16;
            for side in sides {
                send(&mut pair, side, stream, epoch * 40 + number);
            }
        }
        for side in sides {
            pair.command(side, |now, a| {
                a.reset_streams(now, &[StreamId(0), StreamId(2)])
            })
            .expect("ten requests may wait");
        }
        pair.run(5 * MS);
    }
    pair.wait("all resets are done", 120 * SECOND, |pair| {
        [pair.client, pair.server].iter().all(|side| {
            count(pair, *side, resets(StreamDirection::Outgoing)) == 10
                && count(pair, *side, resets(StreamDirection::Incoming)) == 10
        })
    });
    for side in sides {
        for stream in 0..3 {
            let sent: Vec<u32> = (0..400)
                .filter(|n| (n % 40 % 3) == u32::from(stream))
                .collect();
            assert_eq!(received(&pair, side, stream), sent, "stream {stream}");
        }
        assert_eq!(
            count(&pair, side, |e| matches!(e, Event::ReconfigFailed { .. })),
            0
        );
    }
}

#[test]
fn the_event_of_a_reset_falls_between_the_old_messages_and_the_new_ones() {
    let mut pair = rough(82);
    let (client, server) = (pair.client, pair.server);
    (0..100).for_each(|number| send(&mut pair, client, 1, number));
    pair.command(client, |now, a| a.reset_streams(now, &[StreamId(1)]))
        .expect("nothing waits");
    (100..200).for_each(|number| send(&mut pair, client, 1, number));
    pair.wait("the reset is done", 60 * SECOND, |pair| {
        count(pair, pair.server, resets(StreamDirection::Incoming)) == 1
    });
    // The station reads at once what it may.
    assert_eq!(received(&pair, server, 1).len(), 100);
    pair.wait("all has arrived", 60 * SECOND, |pair| {
        received(pair, pair.server, 1).len() == 200
    });
    assert!(received(&pair, server, 1).is_sorted());
}

#[test]
fn a_reset_of_the_association_loses_nothing_in_either_direction() {
    for seed in 83..88 {
        let mut pair = rough(seed);
        let sides = [pair.client, pair.server];
        send_both(&mut pair, 0..200);
        pair.run(20 * MS);
        for side in sides {
            pair.command(side, |now, a| a.reset_association(now))
                .expect("the first one");
        }
        send_both(&mut pair, 200..400);
        pair.wait("all has arrived", 120 * SECOND, |pair| {
            [pair.client, pair.server].iter().all(|side| {
                (0..4)
                    .map(|stream| received(pair, *side, stream).len())
                    .sum::<usize>()
                    == 400
                    && count(pair, *side, |e| *e == Event::AssociationReset) == 1
            })
        });
        for side in sides {
            (0..4).for_each(|stream| assert!(received(&pair, side, stream).is_sorted()));
        }
    }
}

#[test]
fn requests_change_to_another_path_when_theirs_is_cut() {
    let mut pair = Pair::reference(88);
    let client = pair.client;
    pair.run(100 * MS);
    let before = pair.scene.network.now();
    // The path of the first request is cut in the instant in which it leaves.
    let mut dropped = None;
    pair.scene.network.set_hook(move |sent| {
        if dropped.is_none() && has_chunk(sent, RE_CONFIG) {
            dropped = Some(sent.from);
        }
        match dropped {
            Some(from) if from == sent.from => Verdict::Drop,
            _ => Verdict::Pass,
        }
    });
    pair.command(client, |now, a| a.reset_streams(now, &[]))
        .expect("nothing waits");
    pair.wait("the reset is done", 2 * SECOND, |pair| {
        count(pair, pair.client, resets(StreamDirection::Outgoing)) == 1
    });
    assert!(pair.scene.network.now() - before < SECOND);
}

#[test]
fn streams_are_added_both_ways_over_lossy_paths() {
    let mut pair = rough(89);
    let client = pair.client;
    pair.command(client, |now, a| a.add_streams(now, 10, 20))
        .expect("nothing waits");
    let added = |pair: &Pair, side: Side, direction| {
        let events = pair.events(side);
        events
            .iter()
            .any(|e| matches!(e, Event::StreamsAdded { direction: d, .. } if *d == direction))
    };
    pair.wait("streams were added", 60 * SECOND, |pair| {
        [pair.client, pair.server].iter().all(|side| {
            added(pair, *side, StreamDirection::Outgoing)
                && added(pair, *side, StreamDirection::Incoming)
        })
    });
    let (client, server) = (pair.client, pair.server);
    send(&mut pair, client, 25, 1);
    send(&mut pair, server, 35, 2);
    pair.wait("messages pass on the new streams", 10 * SECOND, |pair| {
        received(pair, pair.server, 25) == [1] && received(pair, pair.client, 35) == [2]
    });
}

#[test]
fn what_waits_for_a_reset_is_delivered_before_a_shutdown() {
    let mut pair = rough(90);
    let (client, server) = (pair.client, pair.server);
    (0..50).for_each(|number| send(&mut pair, client, 0, number));
    pair.command(client, |now, a| a.reset_streams(now, &[]))
        .expect("nothing waits");
    (50..100).for_each(|number| send(&mut pair, client, 0, number));
    pair.command(client, |now, a| a.shutdown(now));
    pair.wait("the end", 60 * SECOND, |pair| {
        pair.end_of(pair.client).is_some()
    });
    assert_eq!(received(&pair, server, 0), (0..100).collect::<Vec<_>>());
    assert_eq!(
        pair.end_of(client),
        Some(manyway_proto::CloseReason::Graceful)
    );
}
