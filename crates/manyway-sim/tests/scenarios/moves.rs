//! NATs that rebind and renumber.

use std::time::Duration;

use manyway_proto::{Event, PathState};
use manyway_sim::{Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, Side, link};

#[derive(Clone, Copy, Debug)]
enum Move {
    Rebind,
    Renumber,
}

fn apply(pair: &mut Pair, what: Move, path: usize) {
    let address = [[192, 0, 2, 77], [198, 51, 100, 77]][path];
    match what {
        Move::Rebind => pair.scene.rebind(path),
        Move::Renumber => pair.scene.renumber(path, address.into()),
    }
}

fn single_path(seed: u64) -> Scene {
    Scene::new(&[ScenePath::behind_nat(link(50, 10 * MS))], seed)
}

/// Moves the NAT of `path` under a bulk flow and checks that the same path resumes.
fn moves_under_load(mut pair: Pair, what: Move, path: usize, download: bool) {
    let case = format!("{what:?} of path {path}, download {download}");
    let (from, to): (Side, Side) = if download {
        (pair.server, pair.client)
    } else {
        (pair.client, pair.server)
    };
    let paths = pair.scene.paths.len();
    let ids: Vec<_> = pair.paths(pair.server).iter().map(|p| p.id).collect();
    let moved = pair.path_over(pair.server, path);
    pair.scene
        .network
        .with_node(from.0, |s| s.send_bulk(from.1, None, 1400));
    pair.run(2 * SECOND);
    let old = pair.path(pair.server, moved).four_tuple;
    apply(&mut pair, what, path);
    pair.wait("the path has followed the peer", SECOND, |pair| {
        let info = pair.path(pair.server, moved);
        info.four_tuple != old && info.state == PathState::Active
    });
    let interface = pair.scene.paths[path].client;
    let carried = |pair: &Pair| {
        let network = &pair.scene.network;
        let link = if download {
            network.downlink(interface)
        } else {
            network.uplink(interface)
        };
        link.counters().delivered_bytes
    };
    let before = carried(&pair);
    pair.run(SECOND);
    assert!(
        carried(&pair) - before > 500_000,
        "{case}\n{}",
        pair.describe()
    );
    assert!(
        pair.events(pair.server)
            .contains(&Event::PathMoved { path: moved }),
        "{case}"
    );
    pair.run(8 * SECOND);
    let now: Vec<_> = pair.paths(pair.server).iter().map(|p| p.id).collect();
    assert_eq!(now, ids, "{case}: other paths\n{}", pair.describe());
    assert_eq!(
        pair.paths(pair.client).len(),
        paths,
        "{case}\n{}",
        pair.describe()
    );
    assert_eq!(pair.received(to).corrupt, 0, "{case}");
}

#[test]
fn a_path_follows_its_nat_under_load_and_keeps_its_name() {
    for what in [Move::Rebind, Move::Renumber] {
        for path in [0, 1] {
            for download in [false, true] {
                moves_under_load(Pair::reference(11), what, path, download);
            }
        }
    }
}

#[test]
fn the_only_path_follows_its_nat_also_when_the_client_only_receives() {
    for what in [Move::Rebind, Move::Renumber] {
        for download in [false, true] {
            moves_under_load(Pair::establish(single_path(12)), what, 0, download);
        }
    }
}

#[test]
fn a_thin_flow_follows_a_rebinding_within_a_second() {
    for paths in [1, 2] {
        for download in [false, true] {
            let scene = if paths == 1 {
                single_path(13)
            } else {
                Scene::reference(13)
            };
            let mut pair = Pair::establish(scene);
            let (from, to) = if download {
                (pair.server, pair.client)
            } else {
                (pair.client, pair.server)
            };
            pair.send_thinly(from, 200, 100 * MS, 60);
            pair.run(2 * SECOND);
            pair.restart_gap(to);
            for path in 0..paths {
                apply(&mut pair, Move::Rebind, path);
            }
            pair.run(6 * SECOND);
            let received = pair.received(to);
            assert_eq!(
                received.messages,
                60,
                "{paths} paths, download {download}\n{}",
                pair.describe()
            );
            assert!(
                received.longest_gap < SECOND,
                "{paths} paths, download {download}: {:?}",
                received.longest_gap
            );
        }
    }
}

#[test]
fn an_idle_association_survives_rebindings_of_both_nats() {
    let mut pair = Pair::reference(14);
    for path in [0, 1] {
        apply(&mut pair, Move::Rebind, path);
    }
    pair.run(40 * SECOND);
    pair.wait("both paths work on both sides", 10 * SECOND, |pair| {
        pair.active_paths(pair.client) == 2 && pair.active_paths(pair.server) == 2
    });
    assert_eq!(
        (pair.paths(pair.client).len(), pair.paths(pair.server).len()),
        (2, 2),
        "{}",
        pair.describe()
    );
}

#[test]
fn idle_mappings_of_short_lived_nats_are_kept_open() {
    let mut pair = Pair::reference(15);
    pair.run(Duration::from_secs(300));
    let moved = |e: &Event| matches!(e, Event::PathMoved { .. } | Event::PathDown { .. });
    assert!(
        !pair.events(pair.server).iter().any(moved),
        "{}",
        pair.describe()
    );
}
