//! A peer with two addresses: paths, their failure and their return.

use std::time::Duration;

use manyway::PathState;
use manyway_bed::{LinkConfig, Rate};

use crate::capture::chunk;
use crate::network::{self, Ip, Pair, Side, World, until};
use crate::peer::Stack;
use crate::rows::{self, ALL, BOTH, Row, USRSCTP};
use crate::transfer::{check_arrival, exchange, receive, send, their_send};

/// Bytes of user data that each direction has to carry while a path is down.
const COUNT: u64 = 100;
const LENGTH: usize = 5000;

/// A peer that looks at its paths often and gives up on them soon.
fn quick(world: &mut World<'_>, cmt: u32) {
    world.config.transport.heartbeat_interval = Duration::from_millis(300);
    world.config.transport.path_max_retransmits = 1;
    // The machine's variables are set when it starts.
    if world.stack == Stack::Linux {
        return;
    }
    world.options = vec![
        ("cmt", cmt),
        ("heartbeat-ms", 200),
        ("rto-initial-ms", 300),
        ("rto-min-ms", 200),
        ("rto-max-ms", 1000),
        ("path-retransmits", 1),
    ];
}

/// The peer opens an association and both sides verify two paths.
async fn associate(world: &World<'_>) -> Pair {
    let mut pair = world.associate(Side::They).await;
    both_paths(world, &mut pair).await;
    pair
}

async fn both_paths(world: &World<'_>, pair: &mut Pair) {
    let active = || {
        let paths = pair.ours.paths();
        let active = paths.iter().filter(|p| p.state == PathState::Active);
        active.count() == 2
    };
    until("two active paths", active).await;
    let second = world.ip.ours()[1];
    pair.peer.path_to(second).await;
}

fn both_addresses_become_paths(ip: Ip) {
    for cmt in [0, 1] {
        network::run_over(ip, async move |mut world| {
            quick(&mut world, cmt);
            let mut pair = associate(&world).await;
            let mut remotes: Vec<String> = pair
                .ours
                .paths()
                .iter()
                .map(|p| p.four_tuple.remote.ip().to_string())
                .collect();
            let mut theirs = ip.theirs();
            remotes.sort();
            theirs.sort_unstable();
            assert_eq!(remotes, theirs);
            exchange(&mut pair, COUNT, LENGTH).await;
        });
    }
}

#[test]
fn both_addresses_of_a_peer_become_paths() {
    both_addresses_become_paths(Ip::V4);
}

#[test]
fn both_ipv6_addresses_of_a_peer_become_paths() {
    both_addresses_become_paths(Ip::V6);
}

fn survives(ip: Ip, cmt: u32, cut: usize) {
    network::run_over(ip, async move |mut world| {
        let ours = ip.ours()[cut];
        quick(&mut world, cmt);
        let mut pair = associate(&world).await;
        exchange(&mut pair, 10, LENGTH).await;
        // In the middle of transfers both ways.
        let line = their_send(COUNT, LENGTH);
        pair.peer.begin(&line);
        world.bed.path(cut).cut();
        send(&pair.ours, COUNT, LENGTH).await;
        receive(&pair.ours, COUNT, LENGTH).await;
        check_arrival(&mut pair.peer, COUNT, LENGTH).await;
        pair.peer.done(&line).await;

        let dead = || {
            let paths = pair.ours.paths();
            paths.iter().any(|p| {
                p.four_tuple.local.ip().to_string() == ours && p.state == PathState::Failed
            })
        };
        until("the cut path fails", dead).await;
        pair.peer.event(&format!("path {ours} down")).await;
        exchange(&mut pair, COUNT, LENGTH).await;

        world.bed.path(cut).restore();
        until("the path returns", || {
            pair.ours
                .paths()
                .iter()
                .all(|p| p.state == PathState::Active)
        })
        .await;
        pair.peer.event(&format!("path {ours} up")).await;
        exchange(&mut pair, COUNT, LENGTH).await;
    });
}

#[test]
fn the_first_path_may_fail_and_return_under_a_peer_that_uses_one_at_a_time() {
    survives(Ip::V4, 0, 0);
}

#[test]
fn the_second_path_may_fail_and_return_under_a_peer_that_uses_one_at_a_time() {
    survives(Ip::V4, 0, 1);
}

#[test]
fn the_first_path_may_fail_and_return_under_a_peer_that_uses_all() {
    survives(Ip::V4, 1, 0);
}

#[test]
fn the_second_path_may_fail_and_return_under_a_peer_that_uses_all() {
    survives(Ip::V4, 1, 1);
}

#[test]
fn an_ipv6_path_may_fail_and_return() {
    survives(Ip::V6, 0, 0);
}

/// Messages, and the bytes of them that each path has to carry at least if both are used. The one
/// that the peer's data cross the other way has the longer round trip and gets less.
const BULK: u64 = 500;
const SHARE: u64 = BULK * LENGTH as u64 / 20;

/// Both sides have two addresses and two links that are each slower than the ends. This side always
/// uses both at once; a peer without concurrent multipath transfer uses one.
async fn share_paths(world: &World<'_>, pair: &mut Pair, theirs: bool) {
    both_paths(world, pair).await;
    let link = LinkConfig::new(Rate::from_mbit(20), Duration::from_millis(5));
    for path in world.bed.paths() {
        path.set_links(link, link);
    }
    let carried = || {
        let counters = world.bed.paths().iter().map(|path| path.counters());
        counters
            .map(|c| (c.up.bytes, c.down.bytes))
            .collect::<Vec<_>>()
    };
    let before = carried();
    exchange(pair, BULK, LENGTH).await;
    let after = carried();
    let bytes = |at: usize| (after[at].0 - before[at].0, after[at].1 - before[at].1);
    let (first, second) = (bytes(0), bytes(1));
    println!("bytes out and in: {first:?} and {second:?}");
    assert!(first.0.min(second.0) > SHARE, "ours");
    // Where none of their data go there are acknowledgements of ours, a tenth of the data at most.
    let (least, most) = (first.1.min(second.1), first.1.max(second.1));
    assert_eq!(least > most / 8, theirs, "theirs");
}

/// A row with one of usrsctp's ways of concurrent multipath transfer.
const fn cmt(name: &'static str, prepare: fn(&mut World<'_>)) -> Row {
    Row {
        name,
        stacks: USRSCTP,
        initiators: BOTH,
        prepare,
        play: |world, pair| Box::pin(share_paths(world, pair, true)),
        crossed: |crossed| {
            crossed.had(&[chunk::DATA]);
        },
    }
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "we use both paths, they use one",
        stacks: ALL,
        initiators: BOTH,
        prepare: |world| quick(world, 0),
        play: |world, pair| Box::pin(share_paths(world, pair, false)),
        crossed: |crossed| {
            crossed.had(&[chunk::DATA]);
        },
    },
    cmt("CMT", |world| quick(world, 1)),
    cmt("CMT with NR-SACK, DAC and buffer splitting", |world| {
        quick(world, 1);
        let more = [("nr-sack", 1), ("dac", 1), ("buffer-splitting", 3)];
        world.options.extend(more);
    }),
    cmt("CMT with resource pooling 1", |world| quick(world, 2)),
    cmt("CMT with resource pooling 2", |world| quick(world, 3)),
    cmt("CMT as MPTCP", |world| quick(world, 4)),
];

#[test]
fn several_paths_at_once() {
    rows::play_on_usrsctp(ROWS);
}
