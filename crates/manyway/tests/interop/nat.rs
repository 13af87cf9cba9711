//! This side behind NATs, as clients mostly are: the peer learns our UDP port from what we send
//! (RFC 6951, section 5.4).

use manyway_bed::BedPath;

use crate::network::{self, Side};
use crate::transfer::exchange;

#[test]
fn a_peer_talks_to_us_behind_a_nat() {
    network::run_behind_nats(async |world| {
        let mut pair = world.associate(Side::We).await;
        exchange(&mut pair, 100, 5000).await;
        assert!(!pair.peer.has_said("remote-error"));
    });
}

#[test]
fn a_peer_follows_us_when_the_nat_gives_us_another_port() {
    network::run_behind_nats(async |world| {
        let mut pair = world.associate(Side::We).await;
        exchange(&mut pair, 20, 5000).await;
        world.bed.paths().iter().for_each(BedPath::rebind);
        exchange(&mut pair, 20, 5000).await;
    });
}
