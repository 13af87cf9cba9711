//! Paths that die silently and come back.

use std::time::Duration;

use manyway_proto::PathState;
use manyway_sim::network::{Action, Direction};

use crate::support::{MS, Pair, SECOND};

const DIRECTIONS: [Direction; 3] = [Direction::Up, Direction::Down, Direction::Both];

fn cut_during(pair: &mut Pair, path: usize, direction: Direction, from: Duration, until: Duration) {
    let now = pair.scene.network.now();
    let interface = pair.scene.paths[path].client;
    pair.scene
        .network
        .schedule(now + from, Action::Cut(interface, direction));
    pair.scene
        .network
        .schedule(now + until, Action::Restore(interface, direction));
}

fn bytes_over(pair: &Pair, path: usize) -> (u64, u64) {
    let interface = pair.scene.paths[path].client;
    let network = &pair.scene.network;
    (
        network.uplink(interface).counters().delivered_bytes,
        network.downlink(interface).counters().delivered_bytes,
    )
}

#[test]
fn a_bulk_flow_outlives_the_cut_of_either_path_and_uses_it_again() {
    for path in [0, 1] {
        for direction in DIRECTIONS {
            for download in [false, true] {
                let what = format!("path {path}, {direction:?}, download {download}");
                let mut pair = Pair::reference(3);
                let (from, to) = if download {
                    (pair.server, pair.client)
                } else {
                    (pair.client, pair.server)
                };
                pair.scene
                    .network
                    .with_node(from.0, |s| s.send_bulk(from.1, None, 1400));
                pair.run(SECOND);
                pair.restart_gap(to);
                cut_during(&mut pair, path, direction, Duration::ZERO, 2 * SECOND);
                pair.run(2 * SECOND);
                let gap = pair.received(to).longest_gap;
                assert!(gap <= 500 * MS, "{what}: a gap of {gap:?}");
                let before = bytes_over(&pair, path);
                pair.run(2 * SECOND);
                let after = bytes_over(&pair, path);
                let carried = if download {
                    after.1 - before.1
                } else {
                    after.0 - before.0
                };
                assert!(
                    carried > 200_000,
                    "{what}: only {carried} bytes in two seconds\n{}",
                    pair.describe()
                );
                let received = pair.received(to);
                assert_eq!(received.corrupt, 0);
            }
        }
    }
}

#[test]
fn a_thin_flow_outlives_the_cut_of_either_path() {
    for path in [0, 1] {
        for direction in DIRECTIONS {
            for download in [false, true] {
                let what = format!("path {path}, {direction:?}, download {download}");
                let mut pair = Pair::reference(4);
                let (from, to) = if download {
                    (pair.server, pair.client)
                } else {
                    (pair.client, pair.server)
                };
                pair.send_thinly(from, 200, 100 * MS, 65);
                pair.run(2 * SECOND);
                pair.restart_gap(to);
                cut_during(&mut pair, path, direction, 30 * MS, 4 * SECOND);
                pair.run(4 * SECOND);
                let gap = pair.received(to).longest_gap;
                assert!(
                    gap <= 500 * MS,
                    "{what}: a gap of {gap:?}\n{}",
                    pair.describe()
                );
                pair.wait("the path works again on both sides", 2 * SECOND, |pair| {
                    pair.active_paths(pair.client) == 2 && pair.active_paths(pair.server) == 2
                });
                pair.run(SECOND);
                assert_eq!(pair.received(to).messages, 65, "{what}");
            }
        }
    }
}

#[test]
fn a_flow_on_a_single_path_goes_on_after_its_cut() {
    for direction in DIRECTIONS {
        let mut pair = Pair::establish(crate::support::one_path(5));
        let (from, to) = (pair.client, pair.server);
        pair.scene
            .network
            .with_node(from.0, |s| s.send_bulk(from.1, None, 1400));
        pair.run(SECOND);
        cut_during(&mut pair, 0, direction, Duration::ZERO, 20 * SECOND);
        pair.run(20 * SECOND);
        let before = pair.received(to).bytes;
        pair.run(2 * SECOND);
        assert!(
            pair.received(to).bytes > before + 1_000_000,
            "{direction:?}\n{}",
            pair.describe()
        );
    }
}

#[test]
fn when_all_paths_stay_dead_both_sides_end() {
    let mut pair = Pair::reference(6);
    pair.send_thinly(pair.client, 200, 100 * MS, 2000);
    pair.run(SECOND);
    pair.scene.cut(0);
    pair.scene.cut(1);
    pair.run(150 * SECOND);
    for side in [pair.client, pair.server] {
        assert_eq!(
            pair.end_of(side),
            Some(manyway_proto::CloseReason::PeerUnreachable),
            "{}",
            pair.describe()
        );
    }
}

#[test]
fn an_idle_association_notices_a_dead_path_and_its_return() {
    let mut pair = Pair::reference(7);
    pair.scene.cut(1);
    let dead = pair.path_over(pair.client, 1);
    pair.wait("the dead path is noticed", 30 * SECOND, |pair| {
        pair.path(pair.client, dead).state != PathState::Active
    });
    pair.run(60 * SECOND);
    assert_eq!(pair.active_paths(pair.client), 1);
    pair.scene.restore(1);
    pair.wait("the path is up again", 16 * SECOND, |pair| {
        pair.active_paths(pair.client) == 2
    });
}
