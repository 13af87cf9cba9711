//! IPv6, and both families in one association.

use std::net::{IpAddr, Ipv6Addr};

use manyway_sim::{Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// The documentation prefix's addresses of hosts, one per path.
fn ipv6(host: u16, path: usize) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, host, path as u16 + 1, 0, 0, 0, 2).into()
}

/// Two direct paths, those with these numbers over IPv6.
fn scene(over_ipv6: &[usize], seed: u64) -> Scene {
    let links = [link(50, 10 * MS), link(20, 10 * MS)];
    let mut scene = Scene::new(&links.map(ScenePath::direct), seed);
    for &path in over_ipv6 {
        let ids = scene.paths[path];
        scene.network.set_address(ids.client, ipv6(0, path));
        scene.network.set_address(ids.server, ipv6(1, path));
    }
    scene
}

fn families(pair: &Pair) -> (usize, usize) {
    let paths = pair.paths(pair.client);
    let six = paths.iter().filter(|p| p.four_tuple.local.is_ipv6());
    let six = six.count();
    (paths.len() - six, six)
}

#[test]
fn every_mix_of_families_carries_bulk_over_both_paths() {
    for (over_ipv6, wanted) in [
        (&[0, 1][..], (0, 2)),
        (&[0], (1, 1)),
        (&[1], (1, 1)),
        (&[], (2, 0)),
    ] {
        let mut pair = Pair::establish(scene(over_ipv6, 7));
        assert_eq!(families(&pair), wanted);
        let report = pair.scene.upload(pair.ids(), 10_000_000, 10 * SECOND);
        assert!(report.complete, "{over_ipv6:?}");
        for ids in &pair.scene.paths {
            let sent = pair.scene.network.uplink(ids.client).counters();
            assert!(sent.delivered_bytes > 1_000_000, "{over_ipv6:?}: {sent:?}");
        }
        pair.check();
    }
}

/// The IPv6 header is 20 bytes longer, so chunks of one family's size do not fit the other's.
#[test]
fn either_family_takes_over_from_the_other_in_the_middle_of_bulk() {
    for cut in [0, 1] {
        let mut pair = Pair::establish(scene(&[0], 11));
        let (client, assoc) = pair.client;
        pair.scene
            .network
            .with_node(client, |s| s.send_bulk(assoc, Some(8_000_000), 60_000));
        pair.run(500 * MS);
        pair.scene.cut(cut);
        pair.wait("everything arrives", 20 * SECOND, |pair| {
            pair.received(pair.server).bytes == 8_000_000
        });
        pair.scene.restore(cut);
        pair.wait("the path returns", 20 * SECOND, |pair| {
            pair.active_paths(pair.client) == 2
        });
    }
}
