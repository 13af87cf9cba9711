//! Interfaces of the client that vanish, appear, and change their address.

use manyway_proto::PathState;
use manyway_sim::Scene;
use manyway_sim::network::Action;

use crate::support::{MS, Pair, SECOND};

#[test]
fn an_interface_that_vanishes_takes_its_path_along_and_brings_it_back() {
    let mut pair = Pair::reference(71);
    let (client, server) = (pair.client, pair.server);
    pair.send_thinly(client, 200, 20 * MS, 500);
    pair.run(SECOND);
    let interface = pair.scene.paths[0].client;
    pair.restart_gap(server);
    pair.scene.network.apply(Action::SetUp(interface, false));
    pair.run(2 * SECOND);
    assert_eq!(pair.paths(client).len(), 1, "{}", pair.describe());
    assert!(pair.received(server).longest_gap <= 500 * MS);
    pair.scene.network.apply(Action::SetUp(interface, true));
    pair.wait("both paths work on both sides", SECOND, |pair| {
        pair.active_paths(pair.client) == 2 && pair.active_paths(pair.server) == 2
    });
    pair.run(8 * SECOND);
    assert_eq!(
        (pair.paths(client).len(), pair.paths(server).len()),
        (2, 2),
        "{}",
        pair.describe()
    );
    assert_eq!(pair.received(server).messages, 500);
}

#[test]
fn the_only_interface_may_vanish_and_return() {
    for seconds in [1, 10, 40] {
        let mut pair = Pair::establish(crate::support::one_path(72));
        let (client, server) = (pair.client, pair.server);
        pair.send_thinly(client, 200, 100 * MS, 600);
        pair.run(SECOND);
        let interface = pair.scene.paths[0].client;
        pair.scene.network.apply(Action::SetUp(interface, false));
        pair.run(seconds * SECOND);
        pair.scene.network.apply(Action::SetUp(interface, true));
        let before = pair.received(server).messages;
        pair.wait("data flow again", SECOND, |pair| {
            pair.received(pair.server).messages > before
        });
        pair.run(60 * SECOND);
        assert_eq!(
            pair.received(server).messages,
            600,
            "{seconds} s away\n{}",
            pair.describe()
        );
        assert_eq!(pair.active_paths(client), 1);
    }
}

#[test]
fn a_new_address_is_used_within_a_round_trip_and_the_old_path_goes() {
    for paths in [1, 2] {
        let scene = if paths == 1 {
            crate::support::one_path(73)
        } else {
            Scene::reference(73)
        };
        let mut pair = Pair::establish(scene);
        let (client, server) = (pair.client, pair.server);
        pair.scene
            .network
            .with_node(client.0, |s| s.send_bulk(client.1, None, 1400));
        pair.run(2 * SECOND);
        let interface = pair.scene.paths[0].client;
        pair.scene
            .network
            .apply(Action::SetAddress(interface, "10.1.0.77".parse().unwrap()));
        pair.wait("the new address carries data", 500 * MS, |pair| {
            let found = pair
                .paths(client)
                .into_iter()
                .find(|p| p.four_tuple.local.ip().to_string() == "10.1.0.77");
            found.is_some_and(|p| p.state == PathState::Active && p.bytes_sent > 20_000)
        });
        pair.run(10 * SECOND);
        assert_eq!(pair.paths(client).len(), paths, "{}", pair.describe());
        assert_eq!(pair.active_paths(server), paths, "{}", pair.describe());
        assert_eq!(pair.received(server).corrupt, 0);
    }
}

#[test]
fn an_address_that_is_gone_leaves_no_path_at_the_peer() {
    let mut pair = Pair::reference(74);
    pair.send_thinly(pair.server, 200, 100 * MS, 1600);
    pair.run(SECOND);
    let interface = pair.scene.paths[0].client;
    pair.scene
        .network
        .apply(Action::SetAddress(interface, "10.1.0.77".parse().unwrap()));
    pair.run(150 * SECOND);
    assert_eq!(
        (pair.paths(pair.client).len(), pair.paths(pair.server).len()),
        (2, 2),
        "{}",
        pair.describe()
    );
}
