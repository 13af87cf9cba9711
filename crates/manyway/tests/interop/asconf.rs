//! Addresses that come and go while an association lives (RFC 5061).

use std::net::{IpAddr, SocketAddr};

use manyway::{AddressChange, Association, Event, PathInfo, PathState};

use crate::capture::{Crossed, chunk, parameter};
use crate::network::{self, Ip, OURS, Pair, SCTP_PORT, Side, World, until};
use crate::peer::Stack;
use crate::reconfig::wait_for;
use crate::rows::{self, ALL, BOTH, Row};
use crate::transfer::exchange;

fn quick(world: &mut World<'_>) {
    // The machine's variables are set when it starts.
    if world.stack == Stack::Usrsctp {
        world.options = vec![("asconf", 1), ("auth", 1), ("heartbeat-ms", 200)];
    }
}

fn reaches(ours: &Association, remote: &str) -> bool {
    let remote: IpAddr = remote.parse().unwrap();
    let mut paths = ours.paths().into_iter();
    paths.any(|p| p.four_tuple.remote.ip() == remote && p.state == PathState::Active)
}

/// usrsctp wants ASCONF authenticated.
#[test]
fn we_tell_the_peer_of_our_second_address() {
    for ip in [Ip::V4, Ip::V6] {
        let crossed = network::run_over(ip, async move |mut world| {
            quick(&mut world);
            let mut pair = world.associate(Side::We).await;
            // On a busy machine the handshake may have gone by either of our addresses.
            let first = pair.ours.paths()[0].four_tuple.local.ip().to_string();
            let second = ip.ours().into_iter().find(|ours| *ours != first).unwrap();
            pair.peer.event(&format!("path {second} added")).await;
            pair.peer.path_to(second).await;
            exchange(&mut pair, 40, 5000).await;
            assert!(!pair.peer.has_said("remote-error"));
        });
        crossed.had(&[chunk::AUTH, chunk::ASCONF, chunk::ASCONF_ACK]);
    }
}

/// Without AUTH there is no ASCONF, and usrsctp knows of one address.
#[test]
fn a_peer_without_asconf_gets_none_and_stays_on_our_first_address() {
    for auth in [1, 0] {
        let crossed = network::run(async move |mut world| {
            world.options = vec![("asconf", 0), ("auth", auth), ("heartbeat-ms", 200)];
            let mut pair = world.associate(Side::We).await;
            exchange(&mut pair, 40, 5000).await;
            pair.peer.command("paths").await;
            let path = pair.peer.event("path").await;
            assert!(path.starts_with(OURS[0]), "{path}");
            assert!(!pair.peer.has_said("path 10.2"));
            assert!(!pair.peer.has_said("remote-error"));
        });
        crossed.had_no(&[chunk::ASCONF]);
    }
}

/// This side's path from its second address, when both sides use it.
async fn second_path(pair: &mut Pair) -> PathInfo {
    let from = |p: &PathInfo| p.four_tuple.local.ip().to_string() == OURS[1];
    let paths = || pair.ours.paths().into_iter().find(from);
    let active = || paths().is_some_and(|p| p.state == PathState::Active);
    until("a path from our second address", active).await;
    pair.peer.path_to(OURS[1]).await;
    paths().unwrap()
}

async fn we_remove_and_add(pair: &mut Pair) {
    let second = second_path(pair).await.four_tuple.local;
    let ours = pair.ours.clone();
    let mut events = ours.events();
    pair.peer.forget();
    let removing = async { ours.delete_address(second) };
    let (removed, ()) = tokio::join!(removing, exchange(pair, 50, 5000));
    removed.unwrap();
    let change = AddressChange::Delete(second);
    wait_for(&mut events, &Event::AddressChanged { change }).await;
    pair.peer.event(&format!("path {} removed", OURS[1])).await;
    exchange(pair, 10, 5000).await;

    pair.ours.add_address(second).unwrap();
    let change = AddressChange::Add(second);
    wait_for(&mut events, &Event::AddressChanged { change }).await;
    pair.peer.event(&format!("path {} added", OURS[1])).await;
    second_path(pair).await;
    exchange(pair, 10, 5000).await;
}

async fn they_add_and_remove(world: &World<'_>, pair: &mut Pair) {
    exchange(pair, 10, 5000).await;
    let second = world.theirs()[1];
    assert!(!reaches(&pair.ours, second));
    let command = format!("add-address {SCTP_PORT} {second}");
    pair.peer.command(&command).await;
    until("a path to the new address", || reaches(&pair.ours, second)).await;
    exchange(pair, 10, 5000).await;

    // The first one cannot go: encapsulated, usrsctp's packets would still come from it.
    let command = format!("remove-address {SCTP_PORT} {second}");
    pair.peer.command(&command).await;
    let left = || {
        let paths = pair.ours.paths();
        let gone: IpAddr = second.parse().unwrap();
        paths.iter().all(|p| p.four_tuple.remote.ip() != gone)
    };
    until("the address goes", left).await;
    exchange(pair, 10, 5000).await;
}

/// The peer sends to the second address first when asked to, and to the first one again.
async fn we_ask_for_a_primary(world: &World<'_>, pair: &mut Pair) {
    let second = second_path(pair).await.four_tuple.local;
    let first = SocketAddr::new(OURS[0].parse().unwrap(), second.port());
    for (at, local) in [(1, second), (0, first)] {
        let mut events = pair.ours.events();
        pair.ours.set_peer_primary(local).unwrap();
        let change = AddressChange::SetPrimary(local);
        wait_for(&mut events, &Event::AddressChanged { change }).await;
        let carried = || world.bed.path(at).counters().down.bytes;
        let before = carried();
        exchange(pair, 50, 5000).await;
        let carried = carried() - before;
        assert!(carried > 200_000, "{carried} bytes to {local}");
    }
}

async fn they_ask_for_a_primary(world: &World<'_>, pair: &mut Pair) {
    second_path(pair).await;
    let theirs = world.theirs();
    for wanted in [theirs[1], theirs[0]] {
        let is_primary = || {
            let paths = pair.ours.paths();
            let primary = paths.iter().find(|p| p.primary);
            primary.is_some_and(|p| p.four_tuple.remote.ip().to_string() == wanted)
        };
        let command = format!("ask-primary {SCTP_PORT} {wanted}");
        pair.peer.command(&command).await;
        until("the new primary", is_primary).await;
        exchange(pair, 20, 5000).await;
    }
}

/// On the second path usrsctp would answer from an address that it has not told of.
fn one_address_each(world: &mut World<'_>) {
    quick(world);
    world.bound = 1;
    world.config.addresses.truncate(1);
}

/// What the side asked for by ASCONF, and that the other one answered.
fn asked(crossed: &Crossed, who: Side, parameters: &[u16]) {
    let [answerer] = BOTH.iter().filter(|side| **side != who).collect::<Vec<_>>()[..] else {
        panic!("two sides");
    };
    let asked = crossed.from(who);
    asked
        .had(&[chunk::AUTH, chunk::ASCONF])
        .had_parameters(parameters);
    crossed
        .from(*answerer)
        .had(&[chunk::AUTH, chunk::ASCONF_ACK]);
}

const ADD: u16 = parameter::ADD_ADDRESS;
const DELETE: u16 = parameter::DELETE_ADDRESS;
const PRIMARY: u16 = parameter::SET_PRIMARY;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "we take an address away and add it again",
        stacks: ALL,
        initiators: BOTH,
        prepare: quick,
        play: |_, pair| Box::pin(we_remove_and_add(pair)),
        crossed: |crossed| asked(crossed, Side::We, &[ADD, DELETE]),
    },
    Row {
        name: "they add an address and take it away again",
        stacks: ALL,
        initiators: BOTH,
        prepare: one_address_each,
        play: |world, pair| Box::pin(they_add_and_remove(world, pair)),
        crossed: |crossed| asked(crossed, Side::They, &[ADD, DELETE]),
    },
    Row {
        name: "we ask for a primary",
        stacks: ALL,
        initiators: BOTH,
        prepare: quick,
        play: |world, pair| Box::pin(we_ask_for_a_primary(world, pair)),
        crossed: |crossed| asked(crossed, Side::We, &[PRIMARY]),
    },
    Row {
        name: "they ask for a primary",
        stacks: ALL,
        initiators: BOTH,
        prepare: quick,
        play: |world, pair| Box::pin(they_ask_for_a_primary(world, pair)),
        crossed: |crossed| asked(crossed, Side::They, &[PRIMARY]),
    },
];

#[test]
fn addresses_change() {
    rows::play_on_usrsctp(ROWS);
}
