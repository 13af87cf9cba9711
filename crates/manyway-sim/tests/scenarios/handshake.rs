//! Set-up under loss, refusal and restart.

use std::time::Duration;

use manyway_proto::{
    AssocState, CloseReason, Connect, Endpoint, EndpointConfig, Event, Message, Port,
};
use manyway_sim::network::Verdict;
use manyway_sim::scene::SCTP_PORT;
use manyway_sim::{Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, chunk_types, drop_nth, link, one_path};

const COOKIE_ECHO: u8 = 10;

#[test]
fn the_handshake_survives_the_loss_of_each_of_its_packets() {
    for lost in 0..12 {
        let mut scene = Scene::reference(31);
        scene.network.set_hook(drop_nth(lost, |_| true));
        let id = scene.connect();
        let client = scene.client;
        scene.network.with_node(client, |s| {
            let assoc = s
                .endpoint
                .association_mut(manyway_sim::Instant::ZERO, id)
                .unwrap();
            assoc.send(Message::new(0, "early")).unwrap();
        });
        let server = scene.server;
        let done = scene.network.run_to(2 * SECOND, |network| {
            let node = network.node(server);
            let incoming = node.incoming().next();
            incoming.is_some_and(|id| node.received(id).messages == 1)
        });
        assert!(done, "packet {lost} lost: the message did not arrive");
        let took = scene.network.now();
        assert!(
            took < manyway_sim::Instant::ZERO + 700 * MS,
            "packet {lost} lost: took {took:?}"
        );
        scene.network.run_for(2 * SECOND);
        let paths = scene
            .network
            .node(client)
            .endpoint
            .association(id)
            .unwrap()
            .paths()
            .count();
        assert_eq!(paths, 2, "packet {lost} lost");
    }
}

#[test]
fn nothing_but_the_cookie_leaves_before_it_is_acknowledged() {
    let mut scene = one_path(32);
    // Half a second of round trip: everything that must wait would show.
    scene.network.apply(manyway_sim::network::Action::SetDelay(
        scene.paths[0].client,
        manyway_sim::network::Direction::Both,
        250 * MS,
    ));
    let (seen, client) = (
        std::rc::Rc::new(std::cell::RefCell::new(Vec::new())),
        scene.client,
    );
    let log = std::rc::Rc::clone(&seen);
    scene.network.set_hook(move |sent| {
        if sent.from.host == client {
            log.borrow_mut().push((sent.now, chunk_types(sent.payload)));
        }
        Verdict::Pass
    });
    let id = scene.connect();
    scene
        .network
        .with_node(client, |s| s.send_bulk(id, Some(100_000), 1000));
    scene.network.run_for(999 * MS);
    let seen = seen.borrow();
    let odd: Vec<_> = seen
        .iter()
        .filter(|(_, kinds)| !matches!(kinds[0], 1 | COOKIE_ECHO))
        .collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(
        seen.iter()
            .any(|(_, kinds)| kinds[0] == COOKIE_ECHO && kinds.contains(&0)),
        "data ride along"
    );
}

#[test]
fn a_port_without_a_listener_refuses() {
    let mut scene = Scene::reference(33);
    let (now, client) = (scene.network.now(), scene.client);
    let request = Connect {
        locals: scene.network.addresses(client),
        remotes: scene.network.addresses(scene.server),
        port: Port(4444),
    };
    let id = scene
        .network
        .with_node(client, |s| s.endpoint.connect(now, request))
        .unwrap();
    scene.network.run_for(100 * MS);
    let closed = Event::Closed {
        reason: CloseReason::Refused,
    };
    assert!(
        scene
            .network
            .node(client)
            .first_event(id, |e| *e == closed)
            .is_some()
    );
    assert_eq!(SCTP_PORT, Port(5001));
}

#[test]
fn a_silent_peer_ends_the_handshake_after_all_repetitions() {
    let mut scene = one_path(34);
    scene.cut(0);
    let id = scene.connect();
    let client = scene.client;
    scene.network.run_for(Duration::from_secs(200));
    let closed = Event::Closed {
        reason: CloseReason::HandshakeTimeout,
    };
    assert!(
        scene
            .network
            .node(client)
            .first_event(id, |e| *e == closed)
            .is_some()
    );
    assert!(scene.network.next_time().is_none(), "no timer runs on");
}

#[test]
fn the_second_address_of_a_server_is_tried_when_the_first_is_silent() {
    let mut scene = Scene::reference(35);
    scene.cut(0);
    let (client, _) = scene.establish(3 * SECOND).expect("the other path serves");
    let host = scene.client;
    assert!(
        scene
            .network
            .node(host)
            .endpoint
            .association(client)
            .unwrap()
            .is_established()
    );
}

#[test]
fn a_restarted_server_is_noticed_by_its_abort() {
    let mut pair = Pair::reference(36);
    let mut fresh = Endpoint::new(EndpointConfig::default(), [99; 32]);
    fresh.listen(SCTP_PORT).unwrap();
    pair.scene
        .network
        .with_node(pair.server.0, |s| s.endpoint = fresh);
    pair.send_thinly(pair.client, 100, SECOND, 3);
    pair.scene.network.run_for(SECOND);
    let end = pair.end_of(pair.client);
    assert!(
        matches!(end, Some(CloseReason::PeerAbort { .. })),
        "{end:?}"
    );
    // And it can be reached again.
    let again = pair.scene.establish(SECOND);
    assert!(again.is_some());
}

#[test]
fn a_server_that_vanished_ends_an_idle_client_by_timeouts() {
    let mut pair = Pair::reference(37);
    pair.scene.cut(0);
    pair.scene.cut(1);
    pair.run(Duration::from_secs(120));
    assert_eq!(
        pair.end_of(pair.client),
        Some(CloseReason::PeerUnreachable),
        "{}",
        pair.describe()
    );
}

#[test]
fn what_is_sent_and_shut_down_before_the_answer_still_arrives() {
    let mut scene = one_path(38);
    let id = scene.connect();
    let (client, server) = (scene.client, scene.server);
    scene.network.with_node(client, |s| {
        let now = manyway_sim::Instant::ZERO;
        let assoc = s.endpoint.association_mut(now, id).unwrap();
        for _ in 0..100 {
            assoc.send(Message::new(0, vec![1; 1000])).unwrap();
        }
        assoc.shutdown(now);
        assert!(assoc.send(Message::new(0, "late")).is_err());
    });
    scene.network.run_for(SECOND);
    let node = scene.network.node(server);
    let peer = node.incoming().next().expect("the handshake went on");
    assert_eq!(node.received(peer).messages, 100);
    let closed = Event::Closed {
        reason: CloseReason::Graceful,
    };
    assert!(
        scene
            .network
            .node(client)
            .first_event(id, |e| *e == closed)
            .is_some()
    );
}

#[test]
fn duplicated_packets_open_one_association() {
    let mut scene = Scene::new(&[ScenePath::behind_nat(link(50, 10 * MS))], 39);
    scene.network.set_hook(|_| Verdict::Duplicate);
    let (client, _) = scene.establish(SECOND).unwrap();
    scene.network.run_for(SECOND);
    let (host, server) = (scene.client, scene.server);
    assert_eq!(
        scene
            .network
            .node(host)
            .endpoint
            .association(client)
            .unwrap()
            .state(),
        AssocState::Established
    );
    assert_eq!(scene.network.node(server).incoming().count(), 1);
    assert_eq!(
        scene.network.node(server).endpoint.associations().count(),
        1
    );
}
