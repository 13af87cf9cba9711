//! Commands from outside: primary, wishes, paths added and removed.

use manyway_proto::{PathError, PathId, Wish};
use manyway_sim::network::{Action, Direction};

use crate::support::{MS, Pair, SECOND};

fn data_sent(pair: &Pair, side: crate::support::Side, path: PathId) -> u64 {
    pair.path(side, path).bytes_sent
}

#[test]
fn set_primary_at_the_receiver_moves_the_senders_flow_within_a_round_trip() {
    let mut pair = Pair::reference(21);
    pair.send_thinly(pair.server, 200, 5 * MS, 1200);
    pair.run(SECOND);
    for round in 0..4 {
        let index = round % 2;
        let (mine, theirs) = (
            pair.path_over(pair.client, index),
            pair.path_over(pair.server, index),
        );
        let client = pair.client;
        pair.command(client, |now, assoc| assoc.set_primary(now, mine))
            .unwrap();
        pair.run(30 * MS);
        assert!(
            pair.path(pair.server, theirs).primary,
            "round {round}\n{}",
            pair.describe()
        );
        let other = pair.path_over(pair.server, 1 - index);
        pair.run(10 * MS);
        let before = (
            data_sent(&pair, pair.server, theirs),
            data_sent(&pair, pair.server, other),
        );
        pair.run(200 * MS);
        let after = (
            data_sent(&pair, pair.server, theirs),
            data_sent(&pair, pair.server, other),
        );
        assert!(
            after.0 - before.0 > 40 * 200,
            "round {round}: {before:?} {after:?}"
        );
        assert!(
            after.1 - before.1 < 1_000,
            "round {round}: {before:?} {after:?}"
        );
    }
    pair.run(8 * SECOND);
    assert_eq!(pair.received(pair.client).messages, 1200);
}

#[test]
fn a_backup_path_carries_no_data_in_either_direction_until_it_is_active_again() {
    let mut pair = Pair::reference(22);
    let (client, server) = (pair.client, pair.server);
    for side in [client, server] {
        pair.scene
            .network
            .with_node(side.0, |s| s.send_bulk(side.1, None, 1400));
    }
    pair.run(SECOND);
    let path = pair.path_over(client, 0);
    let interface = pair.scene.paths[0].client;
    let carried = |pair: &Pair| {
        let network = &pair.scene.network;
        let bytes = |link: &manyway_sim::Link| link.counters().delivered_bytes;
        (
            bytes(network.uplink(interface)),
            bytes(network.downlink(interface)),
        )
    };
    pair.command(client, |now, assoc| assoc.set_wish(now, path, Wish::Backup))
        .unwrap();
    pair.run(SECOND);
    let before = carried(&pair);
    pair.run(SECOND);
    let after = carried(&pair);
    assert!(
        after.0 - before.0 < 10_000 && after.1 - before.1 < 10_000,
        "{before:?} {after:?}"
    );
    pair.command(client, |now, assoc| assoc.set_wish(now, path, Wish::Active))
        .unwrap();
    pair.run(SECOND);
    let again = carried(&pair);
    assert!(
        again.0 - after.0 > 500_000 && again.1 - after.1 > 500_000,
        "{after:?} {again:?}"
    );
}

#[test]
fn a_backup_path_is_used_when_the_active_one_dies_and_left_when_it_returns() {
    let mut pair = Pair::reference(23);
    let (client, server) = (pair.client, pair.server);
    let backup = pair.path_over(client, 0);
    pair.command(client, |now, assoc| {
        assoc.set_wish(now, backup, Wish::Backup)
    })
    .unwrap();
    pair.run(100 * MS);
    pair.scene
        .network
        .with_node(client.0, |s| s.send_bulk(client.1, None, 1400));
    pair.run(SECOND);
    pair.restart_gap(server);
    pair.scene.cut(1);
    pair.run(SECOND);
    let before = pair.received(server).bytes;
    pair.run(SECOND);
    assert!(
        pair.received(server).bytes - before > 3_000_000,
        "{}",
        pair.describe()
    );
    assert!(
        pair.received(server).longest_gap <= 500 * MS,
        "{:?}",
        pair.received(server).longest_gap
    );
    pair.scene.restore(1);
    pair.run(3 * SECOND);
    let interface = pair.scene.paths[0].client;
    let carried = |pair: &Pair| {
        pair.scene
            .network
            .uplink(interface)
            .counters()
            .delivered_bytes
    };
    let before = carried(&pair);
    pair.run(SECOND);
    assert!(carried(&pair) - before < 10_000, "{}", pair.describe());
}

#[test]
fn requests_about_a_dead_path_do_not_hold_up_those_about_a_living_one() {
    let mut pair = Pair::reference(24);
    let (client, server) = (pair.client, pair.server);
    pair.send_thinly(server, 200, 20 * MS, 500);
    pair.run(200 * MS);
    pair.scene.cut(0);
    let (dead, alive) = (pair.path_over(client, 0), pair.path_over(client, 1));
    pair.command(client, |now, assoc| assoc.set_wish(now, dead, Wish::Backup))
        .unwrap();
    pair.command(client, |now, assoc| assoc.set_primary(now, alive))
        .unwrap();
    let theirs = pair.path_over(server, 1);
    pair.wait("the peer has heard of the new primary", 1500 * MS, |pair| {
        pair.path(pair.server, theirs).primary
    });
    pair.scene.restore(0);
    let theirs = pair.path_over(server, 0);
    pair.wait("the wish has reached the peer", 3 * SECOND, |pair| {
        pair.path(pair.server, theirs).peer_wish == Wish::Backup
    });
}

#[test]
fn requests_get_through_after_one_that_was_given_up() {
    let mut pair = Pair::reference(25);
    let (client, server) = (pair.client, pair.server);
    let (first, second) = (pair.path_over(client, 0), pair.path_over(client, 1));
    // Nothing gets through on the path of the request until it is taken out.
    let interface = pair.scene.paths[1].client;
    pair.scene
        .network
        .apply(Action::Cut(interface, Direction::Up));
    pair.command(client, |now, assoc| {
        assoc.set_wish(now, second, Wish::Backup)
    })
    .unwrap();
    pair.run(50 * MS);
    pair.command(client, |now, assoc| assoc.remove_path(now, second))
        .unwrap();
    pair.command(client, |now, assoc| assoc.set_primary(now, first))
        .unwrap();
    let theirs = pair.path_over(server, 0);
    pair.wait("the peer has heard of the new primary", SECOND, |pair| {
        pair.path(pair.server, theirs).primary
    });
}

#[test]
fn a_removed_path_stays_away_though_the_peer_still_sends_there() {
    let mut pair = Pair::reference(26);
    let (client, server) = (pair.client, pair.server);
    for side in [client, server] {
        pair.scene
            .network
            .with_node(side.0, |s| s.send_bulk(side.1, None, 1400));
    }
    pair.run(SECOND);
    let path = pair.path_over(client, 1);
    pair.command(client, |now, assoc| assoc.remove_path(now, path))
        .unwrap();
    pair.run(5 * SECOND);
    assert_eq!(
        (pair.paths(client).len(), pair.paths(server).len()),
        (1, 1),
        "{}",
        pair.describe()
    );
    for side in [client, server] {
        assert_eq!(pair.received(side).corrupt, 0);
    }
    let local = pair.scene.network.addresses(pair.scene.client)[1];
    let again = pair
        .command(client, |now, assoc| assoc.add_path(now, local, None))
        .unwrap();
    pair.wait("the path is back", SECOND, |pair| {
        pair.path(pair.client, again).state == manyway_proto::PathState::Active
            && pair.paths(pair.server).len() == 2
    });
}

#[test]
fn the_last_path_cannot_be_removed_and_unknown_ones_are_refused() {
    let mut pair = Pair::reference(27);
    let client = pair.client;
    let ids: Vec<PathId> = pair.paths(client).iter().map(|p| p.id).collect();
    for id in &ids {
        let id = *id;
        let _ = pair.command(client, |now, assoc| assoc.remove_path(now, id));
        pair.run(SECOND);
    }
    assert_eq!(pair.paths(client).len(), 1);
    let unknown = PathId::new(99);
    assert_eq!(
        pair.command(client, |now, a| a.remove_path(now, unknown)),
        Err(PathError::Unknown)
    );
    assert_eq!(
        pair.command(client, |now, a| a.set_primary(now, unknown)),
        Err(PathError::Unknown)
    );
    assert_eq!(
        pair.command(client, |now, a| a.set_wish(now, unknown, Wish::Backup)),
        Err(PathError::Unknown)
    );
}
