//! Paths that carry packets of different sizes.

use std::time::Duration;

use manyway_sim::{LinkConfig, Rate, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND};

fn link(mtu: usize) -> LinkConfig {
    let mut link = LinkConfig::new(Rate::from_mbit(20), 10 * MS);
    link.mtu = mtu;
    link
}

/// Sets what both directions of a path carry, in bytes of IP packet.
fn narrow(pair: &mut Pair, path: usize, mtu: usize) {
    let interface = pair.scene.paths[path].client;
    let both = manyway_sim::network::Direction::Both;
    pair.scene
        .network
        .each_link(interface, both, |l| l.set_config(link(mtu)));
}

#[test]
fn a_flow_moves_from_a_wide_path_to_a_narrow_one_that_is_left() {
    let paths = [1500, 1280].map(|mtu| ScenePath::behind_nat(link(mtu)));
    let mut pair = Pair::establish(Scene::new(&paths, 5));
    pair.run(Duration::from_secs(3));
    let ids = pair.ids();
    let (from, to) = (pair.client, pair.server);
    pair.scene
        .network
        .with_node(from.0, |s| s.send_bulk(from.1, None, 60_000));
    pair.run(SECOND);
    pair.scene.cut(0);
    let before = pair.received(to).bytes;
    pair.run(3 * SECOND);
    let after = pair.received(to).bytes;
    assert!(
        after > before + 3_000_000,
        "{ids:?}: {} bytes",
        after - before
    );
}

#[test]
fn a_path_that_narrows_in_mid_transfer_goes_on() {
    let paths = [ScenePath::behind_nat(link(1500))];
    let mut pair = Pair::establish(Scene::new(&paths, 6));
    pair.run(Duration::from_secs(3));
    let (from, to) = (pair.client, pair.server);
    pair.scene
        .network
        .with_node(from.0, |s| s.send_bulk(from.1, None, 60_000));
    pair.run(SECOND);
    narrow(&mut pair, 0, 1400);
    pair.run(5 * SECOND);
    let before = pair.received(to).bytes;
    pair.run(3 * SECOND);
    let after = pair.received(to).bytes;
    assert!(after > before + 3_000_000, "{} bytes", after - before);
}
