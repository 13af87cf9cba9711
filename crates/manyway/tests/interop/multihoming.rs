//! A peer with two addresses: paths, their failure and their return.

use std::time::Duration;

use manyway::PathState;
use manyway_bed::DirectionCounters;

use crate::network::{self, Ip, Pair, Side, World, until};
use crate::transfer::{check_arrival, exchange, receive, send, their_send};

/// Bytes of user data that each direction has to carry while a path is down.
const COUNT: u64 = 100;
const LENGTH: usize = 5000;

/// A peer that looks at its paths often and gives up on them soon.
fn quick(world: &mut World<'_>, cmt: u32) {
    world.options = vec![
        ("cmt", cmt),
        ("heartbeat-ms", 200),
        ("rto-initial-ms", 300),
        ("rto-min-ms", 200),
        ("rto-max-ms", 1000),
        ("path-retransmits", 1),
    ];
    world.config.transport.heartbeat_interval = Duration::from_millis(300);
    world.config.transport.path_max_retransmits = 1;
}

/// The peer opens an association and both sides verify two paths.
async fn associate(world: &World<'_>) -> Pair {
    let mut pair = world.associate(Side::They).await;
    let active = || {
        let paths = pair.ours.paths();
        let active = paths.iter().filter(|p| p.state == PathState::Active);
        active.count() == 2
    };
    until("two active paths", active).await;
    let second = world.ip.ours()[1];
    pair.peer.event(&format!("path {second} confirmed")).await;
    pair
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

/// With concurrent multipath transfer at the peer its data come over both paths.
#[test]
fn both_sides_use_both_paths_at_once() {
    network::run(async |mut world| {
        quick(&mut world, 1);
        let mut pair = associate(&world).await;
        exchange(&mut pair, 1000, LENGTH).await;
        let carried = |counters: DirectionCounters| counters.bytes > 200_000;
        for path in world.bed.paths() {
            let counters = path.counters();
            assert!(carried(counters.up), "ours: {counters:?}");
            assert!(carried(counters.down), "theirs: {counters:?}");
        }
    });
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
