//! Shutdown and abort, in every order and under loss.

use bytes::Bytes;
use manyway_proto::{AssocState, CloseReason, Event};
use manyway_sim::Scene;

use crate::support::{MS, Pair, SECOND, Side, chunk_types, drop_nth, has_chunk};

const GRACEFUL: Option<CloseReason> = Some(CloseReason::Graceful);
const SHUTDOWN: u8 = 7;
const SHUTDOWN_ACK: u8 = 8;
const SHUTDOWN_COMPLETE: u8 = 14;

fn shutdown(pair: &mut Pair, side: Side) {
    pair.command(side, |now, assoc| assoc.shutdown(now));
}

#[test]
fn a_shutdown_with_data_outstanding_delivers_them_first() {
    for by_client in [true, false] {
        for both_send in [false, true] {
            let mut pair = Pair::reference(41);
            let (closer, other) = if by_client {
                (pair.client, pair.server)
            } else {
                (pair.server, pair.client)
            };
            pair.scene
                .network
                .with_node(closer.0, |s| s.send_bulk(closer.1, Some(2_000_000), 1400));
            if both_send {
                pair.scene
                    .network
                    .with_node(other.0, |s| s.send_bulk(other.1, Some(2_000_000), 1400));
            }
            shutdown(&mut pair, closer);
            pair.run(5 * SECOND);
            assert_eq!(pair.received(other).bytes, 2_000_000);
            if both_send {
                assert_eq!(pair.received(closer).bytes, 2_000_000);
            }
            assert_eq!(
                (pair.end_of(closer), pair.end_of(other)),
                (GRACEFUL, GRACEFUL),
                "{}",
                pair.describe()
            );
            assert!(pair.events(other).contains(&Event::PeerShutdown));
            pair.run(60 * SECOND);
            assert!(pair.scene.network.next_time().is_none(), "no timer runs on");
        }
    }
}

#[test]
fn both_sides_may_shut_down_at_once() {
    for data in [0, 1_000_000] {
        let mut pair = Pair::reference(42);
        for side in [pair.client, pair.server] {
            if data > 0 {
                pair.scene
                    .network
                    .with_node(side.0, |s| s.send_bulk(side.1, Some(data), 1400));
            }
            shutdown(&mut pair, side);
        }
        pair.run(5 * SECOND);
        for side in [pair.client, pair.server] {
            assert_eq!(pair.end_of(side), GRACEFUL, "{}", pair.describe());
            assert_eq!(pair.received(side).bytes, data);
        }
    }
}

#[test]
fn a_shutdown_survives_the_loss_of_each_of_its_packets() {
    for kind in [SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE] {
        for nth in 0..2 {
            let mut pair = Pair::reference(43);
            pair.scene
                .network
                .set_hook(drop_nth(nth, move |sent| has_chunk(sent, kind)));
            let client = pair.client;
            shutdown(&mut pair, client);
            pair.run(10 * SECOND);
            for side in [pair.client, pair.server] {
                assert_eq!(
                    pair.end_of(side),
                    GRACEFUL,
                    "chunk {kind}, loss {nth}\n{}",
                    pair.describe()
                );
            }
        }
    }
}

#[test]
fn a_shutdown_waits_for_a_peer_that_needs_minutes_to_send_its_rest() {
    let mut pair = Pair::establish(crate::support::one_path(44));
    let (client, server) = (pair.client, pair.server);
    pair.scene
        .network
        .apply(manyway_sim::network::Action::SetRate(
            pair.scene.paths[0].client,
            manyway_sim::network::Direction::Down,
            Some(manyway_sim::Rate::from_bits_per_second(256_000)),
        ));
    pair.scene
        .network
        .with_node(server.0, |s| s.send_bulk(server.1, Some(3_000_000), 1400));
    pair.run(SECOND);
    shutdown(&mut pair, client);
    pair.run(150 * SECOND);
    assert_eq!(
        pair.received(client).bytes,
        3_000_000,
        "{}",
        pair.describe()
    );
    assert_eq!(
        (pair.end_of(client), pair.end_of(server)),
        (GRACEFUL, GRACEFUL)
    );
}

#[test]
fn a_peer_that_vanishes_during_shutdown_is_given_up() {
    let mut pair = Pair::reference(45);
    pair.scene.cut(0);
    pair.scene.cut(1);
    let client = pair.client;
    shutdown(&mut pair, client);
    pair.run(90 * SECOND);
    assert_eq!(pair.end_of(pair.client), Some(CloseReason::PeerUnreachable));
}

#[test]
fn an_abort_tells_the_reason_in_every_state_after_set_up() {
    let delays = [0, 5, 10, 15, 20, 25, 30, 35, 40, 60, 100, 200];
    for delay in delays {
        let mut pair = Pair::reference(46);
        let (client, server) = (pair.client, pair.server);
        pair.scene
            .network
            .with_node(server.0, |s| s.send_bulk(server.1, Some(500_000), 1400));
        shutdown(&mut pair, client);
        pair.run(delay * MS);
        if pair.assoc(client).state() == AssocState::Closed {
            continue;
        }
        pair.command(client, |now, assoc| {
            assoc.abort(now, Bytes::from_static(b"enough"));
        });
        pair.run(200 * MS);
        assert_eq!(
            pair.end_of(client),
            Some(CloseReason::LocalAbort),
            "after {delay} ms"
        );
        let Some(CloseReason::PeerAbort { user, .. }) = pair.end_of(server) else {
            panic!("after {delay} ms: {:?}", pair.end_of(server));
        };
        assert_eq!(user.as_deref(), Some(&b"enough"[..]));
    }
}

#[test]
fn an_abort_during_set_up_ends_quietly() {
    for delay in [0, 5, 15, 21, 25, 35] {
        let mut scene = Scene::reference(47);
        let id = scene.connect();
        let (client, server) = (scene.client, scene.server);
        scene.network.run_for(delay * MS);
        let now = scene.network.now();
        scene.network.with_node(client, |s| {
            s.endpoint
                .association_mut(now, id)
                .unwrap()
                .abort(now, Bytes::new());
        });
        scene.network.run_for(SECOND);
        let closed = |e: &Event| {
            matches!(
                e,
                Event::Closed {
                    reason: CloseReason::LocalAbort
                }
            )
        };
        assert!(scene.network.node(client).first_event(id, closed).is_some());
        let incoming: Vec<_> = scene.network.node(server).incoming().collect();
        for peer in incoming {
            let over = |e: &Event| matches!(e, Event::Closed { .. });
            assert!(
                scene.network.node(server).first_event(peer, over).is_some(),
                "after {delay} ms"
            );
        }
    }
}

#[test]
fn a_lost_abort_is_repeated_when_the_peer_goes_on() {
    let mut pair = Pair::reference(48);
    let (client, server) = (pair.client, pair.server);
    pair.send_thinly(server, 100, 50 * MS, 20);
    pair.run(100 * MS);
    pair.scene
        .network
        .set_hook(drop_nth(0, |sent| chunk_types(sent.payload).contains(&6)));
    pair.command(client, |now, assoc| assoc.abort(now, Bytes::new()));
    pair.run(SECOND);
    let end = pair.end_of(server);
    assert!(
        matches!(end, Some(CloseReason::PeerAbort { .. })),
        "{end:?}"
    );
}
