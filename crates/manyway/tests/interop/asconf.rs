//! Addresses that come and go while an association lives (RFC 5061).

use std::net::IpAddr;

use manyway::{Association, PathState};

use crate::capture::chunk;
use crate::network::{self, Ip, OURS, Pair, SCTP_PORT, Side, THEIRS, World, until};
use crate::transfer::exchange;

fn quick(world: &mut World<'_>) {
    world.options = vec![("asconf", 1), ("auth", 1), ("heartbeat-ms", 200)];
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
            pair.peer.event(&format!("path {second} confirmed")).await;
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

#[test]
fn the_peer_adds_an_address_and_takes_it_away_again() {
    for initiator in [Side::We, Side::They] {
        let crossed = network::run(async move |mut world| {
            quick(&mut world);
            world.bound = 1;
            // On the second path usrsctp would answer from an address that it has not told of.
            world.config.addresses.truncate(1);
            let mut pair: Pair = world.associate(initiator).await;
            exchange(&mut pair, 10, 5000).await;
            let second = THEIRS[1];
            assert!(!reaches(&pair.ours, second));

            let command = format!("add-address {SCTP_PORT} {second}");
            pair.peer.command(&command).await;
            until("a path to the new address", || reaches(&pair.ours, second)).await;
            exchange(&mut pair, 10, 5000).await;

            // The first one cannot go: encapsulated, usrsctp's packets would still come from it.
            let command = format!("remove-address {SCTP_PORT} {second}");
            pair.peer.command(&command).await;
            let left = || {
                let paths = pair.ours.paths();
                let gone: IpAddr = second.parse().unwrap();
                paths.iter().all(|p| p.four_tuple.remote.ip() != gone)
            };
            until("the address goes", left).await;
            exchange(&mut pair, 10, 5000).await;
        });
        crossed.had(&[chunk::ASCONF, chunk::ASCONF_ACK]);
    }
}
