//! Messages that their sender gives up on (RFC 3758, RFC 7496), with DATA and with I-DATA.

use std::collections::HashMap;
use std::time::Duration;

use manyway::{Message, Reliability, SendOptions};
use manyway_bed::{BedPath, Loss};

use crate::capture::{Crossed, chunk};
use crate::network::{Pair, Side, World, soon, until};
use crate::rows::{self, ALL, BOTH, LINUX, Row, USRSCTP};
use crate::transfer::{contents, exchange, hex_digest};

/// Messages that may be given up, and their bytes.
const COUNT: u64 = 300;
const LENGTH: usize = 3000;
/// The contents of the first one, and of one that comes behind them all and arrives in any case.
const FIRST: u64 = 1_000;
const LAST: u64 = 5_000;

/// What became of the messages: those that arrived, by their number, in their order.
fn check_survivors(arrived: &[u64], ordered: bool) {
    let mut sorted = arrived.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), arrived.len(), "twice: {arrived:?}");
    assert!(!ordered || arrived.is_sorted(), "{arrived:?}");
}

/// The peer sends [`COUNT`] messages, of which those that get lost are given up, and then the last
/// one; this side receives.
async fn they_send(pair: &mut Pair, order: char, policy: &str) -> usize {
    let lines = [
        format!("send 1 {order} {LENGTH} {COUNT} {FIRST} 0 {policy}"),
        format!("send 1 o {LENGTH} 1 {LAST}"),
    ];
    lines.iter().for_each(|line| pair.peer.begin(line));
    let numbers = numbers(|bytes| bytes.to_vec());
    let mut arrived = Vec::new();
    loop {
        let message = soon("a message", pair.ours.recv()).await.unwrap().unwrap();
        assert_eq!(message.stream.0, 1);
        match numbers[&message.payload.to_vec()] {
            COUNT => break,
            number => arrived.push(number),
        }
    }
    for line in &lines {
        pair.peer.done(line).await;
    }
    // Unordered ones may come behind it, when the peer has said what will not come.
    let late = Duration::from_millis(if order == 'u' { 1500 } else { 0 });
    while let Ok(message) = tokio::time::timeout(late, pair.ours.recv()).await {
        arrived.push(numbers[&message.unwrap().unwrap().payload.to_vec()]);
    }
    check_survivors(&arrived, order == 'o');
    arrived.len()
}

/// The same the other way round. Behind unordered messages the last one has a stream of its own:
/// where usrsctp skips unordered ones it takes ordered ones of that stream for skipped too.
async fn we_send(pair: &mut Pair, unordered: bool, reliability: Reliability) -> usize {
    let mut options = SendOptions::default();
    options.reliability = Some(reliability);
    let reliable = SendOptions::default();
    let peer = &mut pair.peer;
    let sending = async {
        let all = (FIRST..FIRST + COUNT).map(|seed| (seed, 1, unordered, options));
        let last = (LAST, if unordered { 2 } else { 1 }, false, reliable);
        for (seed, stream, unordered, options) in all.chain([last]) {
            let mut message = Message::new(stream, contents(seed, LENGTH));
            message.unordered = unordered;
            let sent = pair.ours.send_with(message, options);
            soon("room to send", sent).await.unwrap();
        }
    };
    let numbers = numbers(hex_digest);
    let mut arrived = Vec::new();
    let receiving = async {
        loop {
            let message = peer.message().await;
            assert_eq!(message.length, LENGTH);
            match numbers[&message.digest] {
                COUNT => break,
                number => arrived.push(number),
            }
        }
    };
    tokio::join!(sending, receiving);
    // Unordered ones may come behind it, when the peer has learned what will not come.
    until("everything acknowledged", || pair.ours.send_backlog() == 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    while pair.peer.has_said("message") {
        arrived.push(numbers[&pair.peer.message().await.digest]);
    }
    check_survivors(&arrived, !unordered);
    let given_up = pair.ours.stats().abandoned;
    let missing = COUNT - arrived.len() as u64;
    assert!(
        missing <= given_up.unsent + given_up.sent,
        "{missing} missing, {given_up:?}"
    );
    arrived.len()
}

/// The numbers of messages by what is known of their contents.
fn numbers<T: Eq + std::hash::Hash>(of: impl Fn(&[u8]) -> T) -> HashMap<T, u64> {
    let seeds = (FIRST..FIRST + COUNT).chain([LAST]);
    let contents = seeds.map(|seed| of(&contents(seed, LENGTH)));
    contents.zip(0..).collect()
}

async fn we_give_up(world: &World<'_>, pair: &mut Pair, unordered: bool, how: Reliability) {
    assert!(pair.ours.can_abandon_sent());
    let path = world.bed.path(0);
    path.set_loss(Loss::Bernoulli(0.05));
    let arrived = we_send(pair, unordered, how).await;
    assert!((1..COUNT as usize).contains(&arrived), "{arrived}");
    assert!(pair.ours.stats().forward_tsns_sent > 0);
    path.set_loss(Loss::None);
    exchange(pair, 20, 5000).await;
}

/// What has not arrived when the network stands still for longer than it may take is given up.
async fn we_give_up_in_time(world: &World<'_>, pair: &mut Pair) {
    let paths = world.bed.paths();
    let carried = || {
        paths
            .iter()
            .map(|path| path.counters().up.bytes)
            .sum::<u64>()
    };
    let before = carried();
    let standstill = async {
        until("some arrive", || carried() > before + 100_000).await;
        paths.iter().for_each(BedPath::cut);
        tokio::time::sleep(Duration::from_millis(400)).await;
        paths.iter().for_each(BedPath::restore);
    };
    let briefly = Reliability::RELIABLE.with_lifetime(Duration::from_millis(200));
    let (arrived, ()) = tokio::join!(we_send(pair, false, briefly), standstill);
    assert!((1..COUNT as usize).contains(&arrived), "{arrived}");
    assert!(pair.ours.stats().forward_tsns_sent > 0);
    exchange(pair, 20, 5000).await;
}

async fn they_give_up(world: &World<'_>, pair: &mut Pair, order: char, policy: &str) {
    let path = world.bed.path(0);
    path.set_loss(Loss::Bernoulli(0.05));
    let arrived = they_send(pair, order, policy).await;
    assert!((1..COUNT as usize).contains(&arrived), "{arrived}");
    pair.peer.event("given-up 1").await;
    path.set_loss(Loss::None);
    exchange(pair, 20, 5000).await;
}

/// Without loss nothing is given up, whatever might have been.
async fn nothing_is_given_up(pair: &mut Pair) {
    assert_eq!(they_send(pair, 'o', "rtx 0").await as u64, COUNT);
    let once = Reliability::RELIABLE.with_max_retransmissions(0);
    assert_eq!(we_send(pair, false, once).await as u64, COUNT);
}

const ONCE: Reliability = Reliability::RELIABLE.with_max_retransmissions(0);

/// Who skipped messages, and how.
fn skipped(crossed: &Crossed, who: Side, by: u8) {
    let kinds = [chunk::FORWARD_TSN, chunk::I_FORWARD_TSN];
    let others = kinds.into_iter().filter(|kind| *kind != by);
    crossed.from(who).had(&[by]);
    crossed.had_no(&others.collect::<Vec<_>>());
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "we never send again",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(we_give_up(world, pair, false, ONCE)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::FORWARD_TSN),
    },
    Row {
        name: "we never send unordered messages again",
        stacks: LINUX,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(we_give_up(world, pair, true, ONCE)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::FORWARD_TSN),
    },
    Row {
        name: "we give up in time",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(we_give_up_in_time(world, pair)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::FORWARD_TSN),
    },
    Row {
        name: "we never send I-DATA again",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(we_give_up(world, pair, false, ONCE)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::I_FORWARD_TSN),
    },
    Row {
        name: "we never send unordered I-DATA again",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(we_give_up(world, pair, true, ONCE)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::I_FORWARD_TSN),
    },
    Row {
        name: "we give up I-DATA in time",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(we_give_up_in_time(world, pair)),
        crossed: |crossed| skipped(crossed, Side::We, chunk::I_FORWARD_TSN),
    },
    Row {
        name: "they never send again",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(they_give_up(world, pair, 'o', "rtx 0")),
        crossed: |crossed| skipped(crossed, Side::They, chunk::FORWARD_TSN),
    },
    Row {
        name: "they never send unordered messages again",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(they_give_up(world, pair, 'u', "rtx 0")),
        crossed: |crossed| skipped(crossed, Side::They, chunk::FORWARD_TSN),
    },
    Row {
        name: "they give up in time",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(they_give_up(world, pair, 'o', "ttl 30")),
        crossed: |crossed| skipped(crossed, Side::They, chunk::FORWARD_TSN),
    },
    Row {
        name: "they never send I-DATA again",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(they_give_up(world, pair, 'o', "rtx 0")),
        crossed: |crossed| skipped(crossed, Side::They, chunk::I_FORWARD_TSN),
    },
    Row {
        name: "they never send unordered I-DATA again",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(they_give_up(world, pair, 'u', "rtx 0")),
        crossed: |crossed| skipped(crossed, Side::They, chunk::I_FORWARD_TSN),
    },
    Row {
        name: "nothing lost, nothing given up",
        // Linux gives up the rest of messages that were sent once, whether or not anything was lost.
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: |_| {},
        play: |_, pair| Box::pin(nothing_is_given_up(pair)),
        crossed: |crossed| {
            crossed.had_no(&[chunk::FORWARD_TSN]);
        },
    },
];

#[test]
fn partial_reliability() {
    rows::play_on_usrsctp(ROWS);
}
