//! Messages both ways: contents, boundaries, streams, order.

use manyway::{Association, Message};
use manyway_bed::Loss;
use sha2::{Digest, Sha256};

use crate::capture::chunk;
use crate::network::{self, Ip, Pair, Side, World, soon};
use crate::peer::{Arrived, Peer};
use crate::rows::{self, ALL, BOTH, Row, USRSCTP};

/// Seeds of the two directions' contents.
const OUR_SEED: u64 = 1_000_000;
const THEIR_SEED: u64 = 2_000_000;

/// Around everything that changes with size: padding, one packet, several, a 16-bit length.
const SIZES: [usize; 18] = [
    1, 2, 3, 4, 5, 100, 1163, 1164, 1165, 1203, 1204, 1205, 1400, 1473, 5000, 16_384, 65_535,
    65_536,
];

/// The contents of a message; the peer's `fill` makes the same.
pub(crate) fn contents(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expected(stream: u16, unordered: bool, seed: u64, length: usize) -> Arrived {
    Arrived {
        stream,
        unordered,
        length,
        digest: hex_digest(&contents(seed, length)),
        ppid: 0,
    }
}

/// Sends `count` messages of `length` bytes on stream 0.
pub(crate) async fn send(ours: &Association, count: u64, length: usize) {
    for i in 0..count {
        let message = Message::new(0, contents(OUR_SEED + i, length));
        soon("room to send", ours.send(message)).await.unwrap();
    }
}

/// Checks that the peer receives what [`send`] sends.
pub(crate) async fn check_arrival(peer: &mut Peer, count: u64, length: usize) {
    for i in 0..count {
        let wanted = expected(0, false, OUR_SEED + i, length);
        assert_eq!(peer.message().await, wanted, "message {i}");
    }
}

/// Receives and checks `count` messages that the peer sends on stream 0.
pub(crate) async fn receive(ours: &Association, count: u64, length: usize) {
    for i in 0..count {
        let message = soon("a message", ours.recv()).await.unwrap().unwrap();
        assert_eq!((message.stream.0, message.unordered), (0, false));
        assert!(
            message.payload == contents(THEIR_SEED + i, length),
            "contents of message {i}"
        );
    }
}

/// The command that makes the peer send what [`receive`] checks.
pub(crate) fn their_send(count: u64, length: usize) -> String {
    format!("send 0 o {length} {count} {THEIR_SEED}")
}

/// Sends messages both ways at once and checks them.
pub(crate) async fn exchange(pair: &mut Pair, count: u64, length: usize) {
    let line = their_send(count, length);
    pair.peer.begin(&line);
    tokio::join!(
        send(&pair.ours, count, length),
        receive(&pair.ours, count, length),
        check_arrival(&mut pair.peer, count, length),
    );
    pair.peer.done(&line).await;
}

fn every_size(ip: Ip, initiator: Side) {
    network::run_over(ip, async move |world| {
        let mut pair = world.associate(initiator).await;
        for size in SIZES {
            exchange(&mut pair, 3, size).await;
        }
    });
}

#[test]
fn messages_of_every_size_pass_over_ipv6() {
    every_size(Ip::V6, Side::We);
    every_size(Ip::V6, Side::They);
}

#[test]
fn messages_of_every_size_pass_over_an_association_that_we_opened() {
    every_size(Ip::V4, Side::We);
}

#[test]
fn messages_of_every_size_pass_over_an_association_that_they_opened() {
    every_size(Ip::V4, Side::They);
}

#[test]
fn bulk_passes_both_ways_at_once() {
    network::run(async |world| {
        let mut pair = world.associate(Side::We).await;
        exchange(&mut pair, 100, 65_536).await;
    });
}

#[test]
fn many_small_messages_pass_both_ways_at_once() {
    network::run(async |world| {
        let mut pair = world.associate(Side::They).await;
        exchange(&mut pair, 5000, 20).await;
    });
}

#[test]
fn a_peer_without_nr_sack_gets_and_sends_sack() {
    let crossed = network::run(async |world| {
        let mut pair = world.associate(Side::We).await;
        exchange(&mut pair, 20, 5000).await;
    });
    crossed.had(&[chunk::SACK]).had_no(&[chunk::NR_SACK]);
}

/// The peer's window closes and opens again.
#[test]
fn a_peer_that_does_not_read_for_a_while_gets_everything_later() {
    network::run(async |mut world| {
        world.options = vec![("receive-buffer", 65_536)];
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        peer.command("pause").await;
        send(&ours, 200, 5000).await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert!(ours.send_backlog() > 500_000, "{}", ours.send_backlog());
        peer.command("resume").await;
        check_arrival(&mut peer, 200, 5000).await;
    });
}

/// Our window closes and opens again.
#[test]
fn a_peer_waits_while_we_do_not_read_for_a_while() {
    network::run(async |mut world| {
        world.config.transport.receive_buffer = 65_536;
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        let line = their_send(200, 5000);
        peer.begin(&line);
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        receive(&ours, 200, 5000).await;
        peer.done(&line).await;
    });
}

async fn lossy_bulk(world: &World<'_>, pair: &mut Pair) {
    let path = world.bed.path(0);
    path.set_loss(Loss::Bernoulli(0.01));
    exchange(pair, 150, 20_000).await;
    let lost = path.counters();
    assert!(lost.up.dropped_loss > 0 && lost.down.dropped_loss > 0);
    path.set_loss(Loss::None);
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "bulk under a loss of 1 %",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(lossy_bulk(world, pair)),
        crossed: |crossed| {
            crossed.had(&[chunk::DATA, chunk::SACK]);
        },
    },
    Row {
        name: "bulk under a loss of 1 %, with NR-SACK",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: |world| world.options.push(("nr-sack", 1)),
        play: |world, pair| Box::pin(lossy_bulk(world, pair)),
        crossed: |crossed| {
            for &side in BOTH {
                let sent = crossed.from(side);
                sent.had(&[chunk::NR_SACK]).had_no(&[chunk::SACK]);
            }
        },
    },
];

#[test]
fn bulk_under_loss() {
    rows::play_on_usrsctp(ROWS);
}
