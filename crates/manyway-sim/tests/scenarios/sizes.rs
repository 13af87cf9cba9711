//! Paths that carry packets of different sizes.

use std::time::Duration;

use manyway_proto::EndpointConfig;
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

/// A bulk flow on one path whose link is narrowed from 1,500 to `mtu` bytes in mid-transfer; how
/// long nothing arrived then, and the packet size at last.
fn narrowed(mtu: usize, icmp: bool) -> (Duration, usize) {
    let paths = [ScenePath::behind_nat(link(1500))];
    let mut pair = Pair::establish(Scene::new(&paths, 7));
    pair.scene.network.set_icmp(icmp);
    pair.run(SECOND);
    assert_eq!(pair.paths(pair.client)[0].mtu, 1472);
    let (from, to) = (pair.client, pair.server);
    pair.scene
        .network
        .with_node(from.0, |s| s.send_bulk(from.1, None, 60_000));
    pair.run(SECOND);
    pair.restart_gap(to);
    narrow(&mut pair, 0, mtu);
    pair.run(30 * SECOND);
    let gap = pair.received(to).longest_gap;
    (gap, pair.paths(from)[0].mtu)
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-4.3
//= type=test
//# A DPLPMTUD method MUST NOT rely solely on this method.
#[test]
fn a_black_hole_for_large_packets_is_left_within_a_few_timeouts() {
    let (gap, size) = narrowed(1400, false);
    // Two retransmission timeouts and a round trip; 1,392 is no common size, 1,372 is.
    assert!(gap < 1200 * MS, "{gap:?}");
    assert!((1340..=1372).contains(&size), "{size}");
}

#[test]
fn a_router_that_reports_its_mtu_saves_the_timeouts_and_the_search() {
    let (gap, size) = narrowed(1400, true);
    assert!(gap < 400 * MS, "{gap:?}");
    assert_eq!(size, 1372);
}

#[test]
fn a_path_below_the_base_size_still_carries_everything() {
    for icmp in [false, true] {
        let (gap, size) = narrowed(1000, icmp);
        assert!(gap < 3 * SECOND, "ICMP {icmp}: {gap:?}");
        assert_eq!(size, 548, "ICMP {icmp}");
    }
}

#[test]
fn jumbo_frames_are_used_where_they_are_allowed_and_pass() {
    for (mtu, allowed, expected) in [(9000, 8972, 8972), (9000, 65_507, 8972), (1500, 8972, 1472)] {
        let mut config = EndpointConfig::default();
        config.transport.max_packet_size = allowed;
        let path = ScenePath::direct(link(mtu));
        let mut scene = Scene::with_engines(&[path], config.clone(), config, 8);
        let (server, both) = (scene.paths[0].server, manyway_sim::network::Direction::Both);
        scene.network.each_link(server, both, |link| {
            let mut config = *link.config();
            config.mtu = mtu;
            link.set_config(config);
        });
        let mut pair = Pair::establish(scene);
        pair.run(40 * SECOND);
        let size = pair.paths(pair.client)[0].mtu;
        assert!(size * 33 / 32 >= expected, "{mtu}, {allowed}: {size}");
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 3_000_000, 20 * SECOND);
        assert!(report.complete && report.corrupt == 0, "{report:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
//= type=test
//# A PTB message that does not complete the validation MUST NOT be further utilized by the DPLPMTUD method
#[test]
fn a_report_that_quotes_none_of_our_packets_is_ignored() {
    let paths = [ScenePath::direct(link(1500))];
    let mut pair = Pair::establish(Scene::new(&paths, 9));
    pair.run(SECOND);
    let (host, now) = (pair.client.0, pair.scene.network.now());
    let path = pair.paths(pair.client)[0].four_tuple;
    let ports = pair.assoc(pair.client);
    let (local, peer) = (ports.local_port().0, ports.peer_port().0);
    let mut quoted = [local.to_be_bytes(), peer.to_be_bytes()].concat();
    quoted.extend_from_slice(&0x1234_5678_u32.to_be_bytes());
    for quote in [&quoted[..], &quoted[..7], &[]] {
        pair.scene.network.with_node(host, |station| {
            station
                .endpoint
                .handle_packet_too_big(now, path, quote, 1300);
        });
    }
    assert_eq!(pair.paths(pair.client)[0].mtu, 1472);
    let stats = pair.scene.network.node(host).endpoint.stats();
    assert_eq!(stats.ignored_too_big, 3);
}
