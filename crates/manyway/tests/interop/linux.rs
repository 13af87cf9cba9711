//! The Linux kernel's SCTP. The machine boots once, so the scenarios follow each other in one test.

use std::net::SocketAddr;
use std::time::Duration;

use manyway::{AssocState, CloseReason, ConnectError, PathState, UDP_PORT};

use crate::endings::aborted_by_peer;
use crate::network::{self, OURS, Pair, SCTP_PORT, Side, World, soon, until};
use crate::peer::Peer;
use crate::rows::{self, play_on_linux};
use crate::transfer::{check_arrival, exchange, receive, send, their_send};
use crate::vm;
use crate::{
    asconf, auth, ecn, endings, linux_extensions, multihoming, partial, reconfig, streams, transfer,
};

const BOTH: [Side; 2] = [Side::We, Side::They];
const COUNT: u64 = 50;
const LENGTH: usize = 20_000;

#[test]
fn the_linux_kernel_interoperates() {
    let mut played = Vec::new();
    let crossed = network::run_against_linux(async |mut world| {
        world.config.transport.heartbeat_interval = Duration::from_millis(300);
        world.config.transport.path_max_retransmits = 1;
        let mut peer = vm::start(world.bed).await;
        for option in [
            "sctp/rto_initial 300",
            "sctp/rto_min 200",
            "sctp/rto_max 1000",
            "sctp/hb_interval 200",
            "sctp/path_max_retrans 1",
            "sctp/intl_enable 1",
            "sctp/reconf_enable 1",
            "sctp/addip_enable 1",
            "sctp/auth_enable 1",
        ] {
            peer.command(&format!("option {option}")).await;
        }
        if rows::wanted().is_none() {
            peer = scenarios(&mut world, peer).await;
        }
        for rows in [
            transfer::ROWS,
            streams::ROWS,
            reconfig::ROWS,
            partial::ROWS,
            auth::ROWS,
            asconf::ROWS,
            multihoming::ROWS,
            ecn::ROWS,
            endings::ROWS,
        ] {
            peer = play_on_linux(&mut world, peer, rows, &mut played).await;
        }
    });
    played.iter().for_each(|row| row.check(&crossed));
}

/// What no table of rows has.
async fn scenarios(world: &mut World<'_>, mut peer: Peer) -> Peer {
    for asconf in [0, 1] {
        peer.command(&format!("option sctp/addip_enable {asconf}"))
            .await;
        peer.command(&format!("option sctp/auth_enable {asconf}"))
            .await;
        for initiator in BOTH {
            peer = transfers(world, peer, initiator).await;
        }
    }
    for initiator in BOTH {
        peer = shutdowns(world, peer, initiator).await;
        peer = aborts(world, peer, initiator).await;
    }
    peer = refusals(world, peer).await;
    peer = failover(world, peer).await;
    peer = linux_extensions::carriers(world, peer).await;
    linux_extensions::authentication(world, peer).await
}

/// The association between this side and a fresh peer in the machine.
pub(crate) async fn associate(world: &World<'_>, mut peer: Peer, initiator: Side) -> Pair {
    let addresses = world.theirs();
    peer.command(&format!("start {}", world.their_port())).await;
    let bound = addresses[..world.bound].join(" ");
    peer.command(&format!("bind {SCTP_PORT} {bound}")).await;
    for command in &world.prepare {
        peer.command(command).await;
    }
    let first = SocketAddr::new(addresses[0].parse().unwrap(), world.their_port());
    world.associate_with(peer, &[first], initiator).await
}

/// Ends what is left of an association, on both sides.
pub(crate) async fn reset(pair: Pair) -> Peer {
    let Pair {
        mut peer, endpoint, ..
    } = pair;
    peer.begin("exit");
    peer.event("ready").await;
    endpoint.close();
    drop(endpoint);
    // The next endpoint needs the UDP port.
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.forget();
    peer
}

pub(crate) async fn transfers(world: &World<'_>, peer: Peer, initiator: Side) -> Peer {
    let mut pair = associate(world, peer, initiator).await;
    assert_eq!(pair.streams, "16 64");
    for size in [1, 3, 4, 1204, 1205, 1473, 5000, 65_536] {
        exchange(&mut pair, 5, size).await;
    }
    exchange(&mut pair, 1000, 50).await;
    assert!(!pair.peer.has_said("remote-error"));
    reset(pair).await
}

async fn shutdowns(world: &World<'_>, peer: Peer, initiator: Side) -> Peer {
    let mut pair = associate(world, peer, initiator).await;
    send(&pair.ours, COUNT, LENGTH).await;
    let (ended, ()) = tokio::join!(
        soon("shutdown", pair.ours.shutdown()),
        check_arrival(&mut pair.peer, COUNT, LENGTH)
    );
    ended.unwrap();
    pair.peer.event("end").await;
    let peer = reset(pair).await;

    let mut pair = associate(world, peer, initiator).await;
    pair.peer.begin(&their_send(COUNT, LENGTH));
    pair.peer.begin("shutdown");
    receive(&pair.ours, COUNT, LENGTH).await;
    assert_eq!(soon("end of data", pair.ours.recv()).await, Ok(None));
    assert_eq!(soon("end", pair.ours.closed()).await, CloseReason::Graceful);
    reset(pair).await
}

async fn aborts(world: &World<'_>, peer: Peer, initiator: Side) -> Peer {
    let mut pair = associate(world, peer, initiator).await;
    pair.ours.abort(b"enough");
    pair.peer.event("lost").await;
    let peer = reset(pair).await;

    let mut pair = associate(world, peer, initiator).await;
    their_abort(&mut pair).await;
    let peer = reset(pair).await;

    // With a shutdown under way.
    let mut pair = associate(world, peer, initiator).await;
    pair.peer.command("pause").await;
    send(&pair.ours, COUNT, LENGTH).await;
    let waiting = pair.ours.clone();
    tokio::spawn(async move { waiting.shutdown().await });
    let pending = || pair.ours.state() == AssocState::ShutdownPending;
    until("shutdown-pending", pending).await;
    their_abort(&mut pair).await;
    reset(pair).await
}

async fn their_abort(pair: &mut Pair) {
    pair.peer.command("abort").await;
    aborted_by_peer(&soon("end", pair.ours.closed()).await, b"");
    pair.peer.event("ready").await;
}

async fn refusals(world: &World<'_>, peer: Peer) -> Peer {
    let pair = associate(world, peer, Side::We).await;
    let address = vm::addresses(world.ip)[0];
    let first = SocketAddr::new(address.parse().unwrap(), UDP_PORT);
    let connecting = pair.endpoint.connect(&[first], SCTP_PORT + 1).await;
    assert!(
        matches!(connecting, Err(ConnectError::Refused)),
        "{connecting:?}"
    );
    let mut peer = reset(pair).await;

    let endpoint = world.endpoint().await;
    peer.command(&format!("start {UDP_PORT}")).await;
    peer.command(&format!("bind {SCTP_PORT} {address}")).await;
    peer.connect(UDP_PORT, &OURS[..1]).await;
    peer.event("refused").await;
    endpoint.close();
    peer.begin("exit");
    peer.event("ready").await;
    drop(endpoint);
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer
}

async fn failover(world: &World<'_>, peer: Peer) -> Peer {
    let mut pair = associate(world, peer, Side::They).await;
    let both_active = || {
        let paths = pair.ours.paths();
        let active = paths.iter().filter(|p| p.state == PathState::Active);
        active.count() == 2
    };
    until("two active paths", both_active).await;
    pair.peer
        .event(&format!("path {} confirmed", OURS[1]))
        .await;
    exchange(&mut pair, 10, LENGTH).await;
    for cut in [0, 1] {
        let line = their_send(COUNT, LENGTH);
        pair.peer.begin(&line);
        world.bed.path(cut).cut();
        tokio::join!(
            send(&pair.ours, COUNT, LENGTH),
            receive(&pair.ours, COUNT, LENGTH),
            check_arrival(&mut pair.peer, COUNT, LENGTH)
        );
        pair.peer.done(&line).await;
        pair.peer.event(&format!("path {} down", OURS[cut])).await;
        world.bed.path(cut).restore();
        let whole = || {
            pair.ours
                .paths()
                .iter()
                .all(|p| p.state == PathState::Active)
        };
        until("the path returns", whole).await;
        pair.peer.event(&format!("path {} up", OURS[cut])).await;
        exchange(&mut pair, 10, LENGTH).await;
    }
    reset(pair).await
}
