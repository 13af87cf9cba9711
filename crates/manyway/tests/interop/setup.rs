//! Opening associations.

use manyway::{AssocState, ConnectError, Message, UDP_PORT};
use manyway_bed::Loss;

use crate::network::{self, OURS, SCTP_PORT, Side, soon, their_udp};

#[test]
fn we_open_an_association_with_as_many_streams_as_both_sides_take() {
    network::run(async |world| {
        let pair = world.associate(Side::We).await;
        assert_eq!(pair.ours.state(), AssocState::Established);
        assert_eq!(pair.streams, "16 64");
    });
}

#[test]
fn they_open_an_association_with_as_many_streams_as_both_sides_take() {
    network::run(async |world| {
        let pair = world.associate(Side::They).await;
        assert_eq!(pair.ours.state(), AssocState::Established);
        assert_eq!(pair.streams, "16 64");
    });
}

#[test]
fn a_port_where_the_peer_does_not_listen_refuses() {
    network::run(async |world| {
        let mut peer = world.peer().await;
        peer.command("listen").await;
        let endpoint = world.endpoint().await;
        let remotes = their_udp();
        let connecting = endpoint.connect(&remotes, SCTP_PORT + 1);
        let refused = soon("refusal", connecting).await;
        assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    });
}

#[test]
fn a_port_where_we_do_not_listen_refuses_the_peer() {
    network::run(async |world| {
        let mut peer = world.peer().await;
        let endpoint = world.endpoint().await;
        peer.connect(UDP_PORT, &OURS[..1]).await;
        peer.event("refused").await;
        assert_eq!(endpoint.stats().associations_accepted, 0);
    });
}

/// The peer learns the UDP port from our packets (RFC 6951, section 5.4).
#[test]
fn we_may_use_any_udp_port() {
    network::run(async |mut world| {
        world.config.udp_port = 0;
        let mut pair = world.associate(Side::We).await;
        crate::transfer::exchange(&mut pair, 20, 3000).await;
    });
}

#[test]
fn a_peer_that_lost_its_memory_may_connect_again_from_the_same_port() {
    network::run(async |world| {
        // On the second path the new peer would be asked for the old association, and end it.
        world.bed.path(1).cut();
        let mut pair = world.associate(Side::They).await;
        let mut listener = pair.listener.take().unwrap();
        let old = pair.ours.clone();
        // Killed without a word.
        drop(pair.peer);
        let mut peer = world.peer().await;
        peer.connect(UDP_PORT, &OURS[..1]).await;
        let ours = soon("second association", listener.accept()).await.unwrap();
        assert_eq!(old.closed().await, manyway::CloseReason::Restarted);
        (pair.peer, pair.ours) = (peer, ours);
        crate::transfer::exchange(&mut pair, 20, 3000).await;
    });
}

#[test]
fn every_part_of_the_handshake_may_get_lost() {
    for initiator in [Side::We, Side::They] {
        for _ in 0..3 {
            network::run(async move |mut world| {
                world.options = vec![("rto-initial-ms", 100), ("init-rto-max-ms", 400)];
                world.bed.path(0).set_loss(Loss::Bernoulli(0.2));
                let mut pair = world.associate(initiator).await;
                crate::transfer::exchange(&mut pair, 5, 3000).await;
            });
        }
    }
}

/// DATA bundled with COOKIE-ECHO.
#[test]
fn a_first_message_may_travel_with_the_handshake() {
    network::run(async |world| {
        let mut peer = world.peer().await;
        peer.command("listen").await;
        let endpoint = world.endpoint().await;
        let remotes = their_udp();
        let first = Message::new(0, vec![b'1'; 600]);
        let connecting = endpoint.connect_with(&remotes, SCTP_PORT, first);
        let ours = soon("connect", connecting).await.unwrap();
        let arrived = peer.message().await;
        assert_eq!((arrived.stream, arrived.length), (0, 600));
        soon("shutdown", ours.shutdown()).await.unwrap();
    });
}
