//! Ends of associations: shutdown and abort, from either side, in every state that lasts.

use std::time::Duration;

use manyway::{AssocState, CloseReason};
use manyway_bed::BedPath;

use crate::auth::demand;
use crate::capture::chunk;
use crate::network::{self, Pair, SCTP_PORT, Side, World, soon, their_udp, until};
use crate::peer::Stack;
use crate::rows::{self, ALL, BOTH, Playing, Row, interleave};
use crate::transfer::{check_arrival, receive, send, their_send};

/// Long enough for the link to be in use when the end is asked for.
const COUNT: u64 = 100;
const LENGTH: usize = 20_000;

/// What the peer's abort with a reason looks like here.
pub(crate) fn aborted_by_peer(reason: &CloseReason, wanted: &[u8]) {
    let CloseReason::PeerAbort { user, .. } = reason else {
        panic!("{reason:?}");
    };
    assert_eq!(user.as_deref(), Some(wanted));
}

#[test]
fn we_shut_down_an_idle_association() {
    for &initiator in BOTH {
        network::run(async move |world| {
            let Pair { mut peer, ours, .. } = world.associate(initiator).await;
            soon("shutdown", ours.shutdown()).await.unwrap();
            peer.event("shutdown").await;
            peer.event("closed").await;
            peer.event("end").await;
        });
    }
}

#[test]
fn they_shut_down_an_idle_association() {
    for &initiator in BOTH {
        network::run(async move |world| {
            let Pair { mut peer, ours, .. } = world.associate(initiator).await;
            peer.command("shutdown").await;
            assert_eq!(soon("end of data", ours.recv()).await, Ok(None));
            assert_eq!(soon("end", ours.closed()).await, CloseReason::Graceful);
            peer.event("closed").await;
        });
    }
}

#[test]
fn what_was_sent_before_our_shutdown_arrives_first() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        send(&ours, COUNT, LENGTH).await;
        let (ended, ()) = tokio::join!(
            soon("shutdown", ours.shutdown()),
            check_arrival(&mut peer, COUNT, LENGTH)
        );
        ended.unwrap();
        peer.event("closed").await;
    });
}

#[test]
fn what_was_sent_before_their_shutdown_arrives_first() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        peer.begin(&their_send(COUNT, LENGTH));
        peer.begin("shutdown");
        receive(&ours, COUNT, LENGTH).await;
        assert_eq!(soon("end of data", ours.recv()).await, Ok(None));
        assert_eq!(soon("end", ours.closed()).await, CloseReason::Graceful);
        peer.event("closed").await;
    });
}

/// Whoever is asked to end still gets rid of what it has.
#[test]
fn data_of_both_sides_survive_our_shutdown() {
    network::run(async |mut world| {
        world.options = vec![("send-buffer", 4 << 20)];
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        // It takes all before it learns of the end: afterwards it would take no more.
        peer.command(&their_send(COUNT, LENGTH)).await;
        send(&ours, COUNT, LENGTH).await;
        let (ended, (), ()) = tokio::join!(
            soon("shutdown", ours.shutdown()),
            receive(&ours, COUNT, LENGTH),
            check_arrival(&mut peer, COUNT, LENGTH)
        );
        ended.unwrap();
        peer.event("closed").await;
    });
}

#[test]
fn data_of_both_sides_survive_their_shutdown() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        send(&ours, COUNT, LENGTH).await;
        peer.begin(&their_send(COUNT, LENGTH));
        peer.begin("shutdown");
        tokio::join!(
            receive(&ours, COUNT, LENGTH),
            check_arrival(&mut peer, COUNT, LENGTH)
        );
        assert_eq!(soon("end", ours.closed()).await, CloseReason::Graceful);
        peer.event("closed").await;
    });
}

#[test]
fn both_sides_shut_down_at_once() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        peer.begin("shutdown");
        soon("shutdown", ours.shutdown()).await.unwrap();
        peer.event("closed").await;
    });
}

#[test]
fn a_shutdown_survives_loss() {
    for &initiator in BOTH {
        network::run(async move |world| {
            let Pair { mut peer, ours, .. } = world.associate(initiator).await;
            world.bed.path(0).cut();
            let (ended, ()) = tokio::join!(soon("shutdown", ours.shutdown()), async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                world.bed.path(0).restore();
            });
            ended.unwrap();
            peer.event("closed").await;
        });
    }
}

#[test]
fn we_abort_an_established_association() {
    for &initiator in BOTH {
        network::run(async move |world| {
            let Pair { mut peer, ours, .. } = world.associate(initiator).await;
            ours.abort(b"enough");
            assert_eq!(soon("end", ours.closed()).await, CloseReason::LocalAbort);
            peer.event("lost").await;
        });
    }
}

#[test]
fn they_abort_an_established_association() {
    for &initiator in BOTH {
        network::run(async move |world| {
            let Pair { mut peer, ours, .. } = world.associate(initiator).await;
            peer.command("abort enough").await;
            aborted_by_peer(&soon("end", ours.closed()).await, b"enough");
        });
    }
}

/// Neither side reads or hears enough for the shutdown to go on: it stays where it is.
async fn stuck_in_shutdown_pending(pair: &mut Pair) {
    pair.peer.command("pause").await;
    send(&pair.ours, COUNT, LENGTH).await;
    let ours = pair.ours.clone();
    tokio::spawn(async move { ours.shutdown().await });
    let pending = || pair.ours.state() == AssocState::ShutdownPending;
    until("shutdown-pending", pending).await;
}

#[test]
fn we_abort_while_our_shutdown_waits_for_acknowledgements() {
    network::run(async |mut world| {
        world.options = vec![("receive-buffer", 65_536)];
        let mut pair = world.associate(Side::We).await;
        stuck_in_shutdown_pending(&mut pair).await;
        pair.ours.abort(b"no patience");
        pair.peer.command("resume").await;
        pair.peer.event("lost").await;
    });
}

#[test]
fn they_abort_while_our_shutdown_waits_for_acknowledgements() {
    network::run(async |mut world| {
        world.options = vec![("receive-buffer", 65_536)];
        let mut pair = world.associate(Side::We).await;
        stuck_in_shutdown_pending(&mut pair).await;
        pair.peer.command("abort no patience").await;
        aborted_by_peer(&soon("end", pair.ours.closed()).await, b"no patience");
    });
}

/// The peer has sent SHUTDOWN only after we acknowledged everything, and we have data left.
async fn stuck_in_shutdown_received(pair: &mut Pair) {
    pair.peer.command("pause").await;
    send(&pair.ours, COUNT, LENGTH).await;
    pair.peer.command("shutdown").await;
    let received = || pair.ours.state() == AssocState::ShutdownReceived;
    until("shutdown-received", received).await;
}

#[test]
fn we_abort_after_their_shutdown() {
    network::run(async |mut world| {
        world.options = vec![("receive-buffer", 65_536)];
        let mut pair = world.associate(Side::They).await;
        stuck_in_shutdown_received(&mut pair).await;
        pair.ours.abort(b"no patience");
        pair.peer.command("resume").await;
        pair.peer.event("lost").await;
    });
}

/// This side has sent SHUTDOWN and hears nothing; its ABORT gets through.
#[test]
fn we_abort_after_our_shutdown_was_sent() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        world.bed.path(0).set_cut(false, true);
        let waiting = ours.clone();
        tokio::spawn(async move { waiting.shutdown().await });
        until("shutdown-sent", || ours.state() == AssocState::ShutdownSent).await;
        peer.event("shutdown").await;
        ours.abort(b"no patience");
        peer.event("lost").await;
        world.bed.path(0).restore();
    });
}

/// The peer's SHUTDOWN arrives, our SHUTDOWN-ACK does not.
#[test]
fn we_abort_after_our_shutdown_ack_was_sent() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        world.bed.path(0).set_cut(true, true);
        peer.command("shutdown").await;
        let sent = || ours.state() == AssocState::ShutdownAckSent;
        until("shutdown-ack-sent", sent).await;
        world.bed.path(0).set_cut(true, false);
        ours.abort(b"no patience");
        peer.event("end").await;
    });
}

/// The peer has data for us, asks for the end and changes its mind.
#[test]
fn they_abort_while_their_shutdown_waits_for_acknowledgements() {
    network::run(async |mut world| {
        world.config.transport.receive_buffer = 65_536;
        world.options = vec![("send-buffer", 1 << 20)];
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        peer.command(&their_send(20, LENGTH)).await;
        peer.command("shutdown").await;
        receive(&ours, 2, LENGTH).await;
        assert_eq!(ours.state(), AssocState::Established);
        peer.command("abort no patience").await;
        aborted_by_peer(&soon("end", ours.closed()).await, b"no patience");
    });
}

/// The peer hears nothing of our SHUTDOWN-ACK and gives up waiting.
#[test]
fn they_abort_after_their_shutdown_was_sent() {
    network::run(async |world| {
        let Pair { mut peer, ours, .. } = world.associate(Side::They).await;
        // It may go by either path.
        for path in world.bed.paths() {
            path.set_cut(true, true);
        }
        peer.command("shutdown").await;
        let sent = || ours.state() == AssocState::ShutdownAckSent;
        until("shutdown-ack-sent", sent).await;
        peer.command("abort no patience").await;
        aborted_by_peer(&soon("end", ours.closed()).await, b"no patience");
    });
}

/// The peer has data that we do not take, and we have asked for the end.
#[test]
fn they_abort_after_our_shutdown_was_sent() {
    network::run(async |mut world| {
        world.config.transport.receive_buffer = 65_536;
        world.options = vec![("send-buffer", 1 << 20)];
        let Pair { mut peer, ours, .. } = world.associate(Side::We).await;
        peer.command(&their_send(20, LENGTH)).await;
        receive(&ours, 2, LENGTH).await;
        let waiting = ours.clone();
        tokio::spawn(async move { waiting.shutdown().await });
        peer.event("shutdown").await;
        assert_eq!(ours.state(), AssocState::ShutdownSent);
        peer.command("abort no patience").await;
        aborted_by_peer(&soon("end", ours.closed()).await, b"no patience");
    });
}

/// COOKIE-ECHO is on its way, and the ABORT follows it.
#[test]
fn we_abort_while_the_cookie_is_on_its_way() {
    network::run(async |mut world| {
        world.config.transport.handshake_timeout = Duration::from_secs(10);
        let mut peer = world.peer().await;
        peer.command("listen").await;
        let endpoint = world.endpoint().await;
        let remotes = their_udp();
        let path = world.bed.path(0);
        path.set_delay(Duration::from_millis(500));
        {
            let connecting = endpoint.connect(&remotes, SCTP_PORT);
            let cookie_sent = until("cookie-echoed", || path.counters().up.packets_in >= 2);
            tokio::select! {
                _ = connecting => panic!("connected before the cookie could arrive"),
                () = cookie_sent => {}
            }
        }
        peer.event("up").await;
        peer.event("lost").await;
    });
}

#[test]
fn a_peer_that_vanished_is_given_up() {
    network::run(async |mut world| {
        world.config.transport.peer_timeout = Duration::from_secs(2);
        world.config.transport.rto_max = Duration::from_millis(300);
        let Pair { peer, ours, .. } = world.associate(Side::We).await;
        world.bed.path(0).cut();
        send(&ours, 10, LENGTH).await;
        let reason = soon("end", ours.closed()).await;
        assert_eq!(reason, CloseReason::PeerUnreachable);
        drop(peer);
    });
}

#[test]
fn our_attempt_to_connect_may_be_given_up_and_begun_again() {
    network::run(async |world| {
        let mut peer = world.peer().await;
        peer.command("listen").await;
        let endpoint = world.endpoint().await;
        let remotes = their_udp();
        // Its answers get lost: cookie-wait.
        world
            .bed
            .paths()
            .iter()
            .for_each(|path| path.set_cut(false, true));
        let connecting = endpoint.connect(&remotes, SCTP_PORT);
        let patience = Duration::from_millis(500);
        let early = tokio::time::timeout(patience, connecting).await;
        assert!(early.is_err(), "connected without an answer");
        world.bed.paths().iter().for_each(BedPath::restore);
        let ours = soon("connect", endpoint.connect(&remotes, SCTP_PORT)).await;
        let ours = ours.unwrap();
        peer.event("up").await;
        send(&ours, 10, 1000).await;
        check_arrival(&mut peer, 10, 1000).await;
    });
}

/// All extensions that both stacks have, and data and acknowledgements authenticated.
fn everything(world: &mut World<'_>) {
    demand(world);
    world.prepare.push("set allow-resets 7");
    if world.stack == Stack::Usrsctp {
        interleave(world);
        world.options.push(("nr-sack", 1));
    }
}

/// In the middle of data both ways.
async fn busy(pair: &mut Pair) {
    pair.peer.begin(&their_send(20, 5000));
    send(&pair.ours, 20, 5000).await;
    receive(&pair.ours, 5, 5000).await;
}

async fn we_abort(pair: &mut Pair) {
    busy(pair).await;
    pair.ours.abort(b"enough");
    pair.peer.event("lost").await;
}

async fn they_abort(world: &World<'_>, pair: &mut Pair) {
    busy(pair).await;
    pair.peer.done("send").await;
    pair.peer.command("abort enough").await;
    let reason = soon("end", pair.ours.closed()).await;
    match world.stack {
        Stack::Usrsctp => aborted_by_peer(&reason, b"enough"),
        Stack::Linux => {
            aborted_by_peer(&reason, b"");
            pair.peer.event("ready").await;
        }
    }
}

async fn we_shut_down(pair: &mut Pair) {
    send(&pair.ours, COUNT, LENGTH).await;
    let (ended, ()) = tokio::join!(
        soon("shutdown", pair.ours.shutdown()),
        check_arrival(&mut pair.peer, COUNT, LENGTH)
    );
    ended.unwrap();
    pair.peer.event("end").await;
}

async fn they_shut_down(pair: &mut Pair) {
    pair.peer.begin(&their_send(COUNT, LENGTH));
    pair.peer.begin("shutdown");
    receive(&pair.ours, COUNT, LENGTH).await;
    assert_eq!(soon("end of data", pair.ours.recv()).await, Ok(None));
    assert_eq!(soon("end", pair.ours.closed()).await, CloseReason::Graceful);
}

/// A row with all extensions on.
const fn with_everything(
    name: &'static str,
    play: for<'a> fn(&'a World<'_>, &'a mut Pair) -> Playing<'a>,
) -> Row {
    Row {
        name,
        stacks: ALL,
        initiators: BOTH,
        prepare: everything,
        play,
        crossed: |crossed| {
            crossed.had(&[chunk::AUTH]);
        },
    }
}

pub(crate) const ROWS: &[Row] = &[
    with_everything("we abort with all extensions on", |_, pair| {
        Box::pin(we_abort(pair))
    }),
    with_everything("they abort with all extensions on", |world, pair| {
        Box::pin(they_abort(world, pair))
    }),
    with_everything("we shut down with all extensions on", |_, pair| {
        Box::pin(we_shut_down(pair))
    }),
    with_everything("they shut down with all extensions on", |_, pair| {
        Box::pin(they_shut_down(pair))
    }),
];

#[test]
fn ends_with_all_extensions_on() {
    rows::play_on_usrsctp(ROWS);
}
