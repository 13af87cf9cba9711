//! Forgers: those who do not know the tag, and those who do but receive nothing.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use manyway_proto::{Instant, PathInfo};
use manyway_sim::network::Verdict;
use manyway_wire::{
    Abort, CauseList, CommonHeader, CookieAck, EncodeChunk, Heartbeat, PacketWriter, Port,
    Shutdown, ShutdownAck, Tsn, VerificationTag,
};

use crate::support::{MS, Pair, SECOND};

/// Ports and tag of the packets that the client sends, learned by listening.
fn header_of_client(pair: &mut Pair) -> CommonHeader {
    let found = std::rc::Rc::new(std::cell::Cell::new(None));
    let (cell, client) = (std::rc::Rc::clone(&found), pair.client.0);
    pair.scene.network.set_hook(move |sent| {
        if sent.from.host == client {
            let word = |at: usize| u16::from_be_bytes([sent.payload[at], sent.payload[at + 1]]);
            let tag = u32::from(word(4)) << 16 | u32::from(word(6));
            cell.set(Some(CommonHeader {
                source_port: Port(word(0)),
                destination_port: Port(word(2)),
                verification_tag: VerificationTag(tag),
            }));
        }
        Verdict::Pass
    });
    pair.send_thinly(pair.client, 100, MS, 1);
    pair.run(100 * MS);
    pair.scene.network.clear_hook();
    found.get().expect("the client has sent something")
}

fn packet(header: CommonHeader, chunk: &dyn EncodeChunk) -> Bytes {
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes, &header, 1400);
    assert!(writer.push(chunk));
    writer.finish(true);
    bytes.into()
}

/// What an attacker must not be able to change.
fn essence(paths: Vec<PathInfo>) -> Vec<String> {
    let show = |p: PathInfo| {
        format!(
            "{} {:?} {} {} {}",
            p.id, p.four_tuple, p.state, p.primary, p.cwnd
        )
    };
    paths.into_iter().map(show).collect()
}

#[test]
fn packets_with_a_wrong_tag_from_the_peers_own_address_change_nothing() {
    let mut pair = Pair::reference(81);
    let right = header_of_client(&mut pair);
    let from = pair.paths(pair.server)[0].four_tuple.remote;
    let to = pair.scene.server_address(0);
    let before = (
        essence(pair.paths(pair.server)),
        pair.assoc(pair.server).stats(),
    );
    let causes = CauseList::new();
    let abort = Abort {
        reflected_tag: false,
        causes: causes.as_causes(),
    };
    let reflected = Abort {
        reflected_tag: true,
        causes: causes.as_causes(),
    };
    let chunks: [&dyn EncodeChunk; 6] = [
        &abort,
        &reflected,
        &Shutdown {
            cumulative_tsn_ack: Tsn(1),
        },
        &ShutdownAck,
        &CookieAck,
        &Heartbeat { info: b"x" },
    ];
    for chunk in chunks {
        for flip in [1, 0x8000_0000, u32::MAX] {
            let tag = VerificationTag(right.verification_tag.0 ^ flip);
            let forged = packet(
                CommonHeader {
                    verification_tag: tag,
                    ..right
                },
                chunk,
            );
            pair.scene.network.inject(from, to, forged);
        }
        let wrong_port = CommonHeader {
            source_port: Port(right.source_port.0 ^ 1),
            ..right
        };
        pair.scene
            .network
            .inject(from, to, packet(wrong_port, chunk));
        let mut corrupt = packet(right, chunk).to_vec();
        corrupt[9] ^= 4;
        pair.scene.network.inject(from, to, corrupt.into());
    }
    pair.run(200 * MS);
    let stats = pair.assoc(pair.server).stats();
    assert_eq!(essence(pair.paths(pair.server)), before.0);
    assert_eq!(
        (stats.bytes_received, stats.timeouts),
        (before.1.bytes_received, before.1.timeouts)
    );
    assert!(pair.end_of(pair.server).is_none() && pair.end_of(pair.client).is_none());
}

#[test]
fn a_host_that_knows_the_tag_but_receives_nothing_moves_no_path() {
    let mut pair = Pair::reference(82);
    let right = header_of_client(&mut pair);
    let before: Vec<_> = pair
        .paths(pair.server)
        .iter()
        .map(|p| (p.id, p.four_tuple))
        .collect();
    let attacker: SocketAddr = "203.0.113.66:4000".parse().unwrap();
    for _ in 0..20 {
        let to = pair.scene.server_address(0);
        pair.scene.network.inject(
            attacker,
            to,
            packet(right, &Heartbeat { info: b"let me in" }),
        );
        pair.run(300 * MS);
        let primary = pair
            .paths(pair.server)
            .into_iter()
            .find(|p| p.primary)
            .unwrap();
        assert_ne!(primary.four_tuple.remote, attacker);
    }
    pair.run(30 * SECOND);
    let after: Vec<_> = pair
        .paths(pair.server)
        .iter()
        .map(|p| (p.id, p.four_tuple))
        .collect();
    assert_eq!(after, before, "{}", pair.describe());
}

#[test]
fn thousands_of_forged_sources_are_bounded_and_counted() {
    let mut pair = Pair::reference(83);
    let right = header_of_client(&mut pair);
    let forged = packet(right, &Heartbeat { info: &[9; 64] });
    let to = pair.scene.server_address(0);
    let sent_before = bytes_sent(&pair);
    let mut most = 0;
    for number in 0..5000_u32 {
        let source = Ipv4Addr::from(0xcb00_7100 | (number & 0xff));
        let source = SocketAddr::new(source.into(), 1024 + (number >> 8) as u16);
        pair.scene.network.inject(source, to, forged.clone());
        if number % 100 == 0 {
            pair.scene.network.run_for(10 * MS);
            most = most.max(pair.paths(pair.server).len());
        }
    }
    assert!(most <= 2 + 4, "{most} paths");
    let refused = pair.assoc(pair.server).stats().refused_candidates;
    assert!(refused > 4800, "{refused} refused");
    assert!(
        bytes_sent(&pair) - sent_before < 20_000,
        "forged packets are not amplified"
    );
    pair.run(20 * SECOND);
    assert_eq!(pair.paths(pair.server).len(), 2, "{}", pair.describe());
    // A real change of address still gets through afterwards.
    pair.scene.rebind(0);
    pair.send_thinly(pair.client, 100, 50 * MS, 20);
    pair.run(3 * SECOND);
    assert_eq!(pair.received(pair.server).messages, 21);
}

fn bytes_sent(pair: &Pair) -> u64 {
    pair.paths(pair.server).iter().map(|p| p.bytes_sent).sum()
}

#[test]
fn a_cookie_presented_from_another_address_is_no_proof_for_that_address() {
    let mut scene = crate::support::one_path(84);
    let (client, server) = (scene.client, scene.server);
    let stolen = std::rc::Rc::new(std::cell::RefCell::new(None));
    let log = std::rc::Rc::clone(&stolen);
    scene.network.set_hook(move |sent| {
        if sent.from.host == client && sent.payload.get(12) == Some(&10) {
            *log.borrow_mut() = Some(sent.payload.clone());
            return Verdict::Drop;
        }
        Verdict::Pass
    });
    scene.connect();
    scene.network.run_for(50 * MS);
    let echo = stolen.borrow_mut().take().expect("the cookie was sent");
    let to = scene.server_address(0);
    let victim: SocketAddr = "203.0.113.7:9899".parse().unwrap();
    scene.network.inject(victim, to, echo);
    scene.network.run_for(SECOND);
    let id = scene
        .network
        .node(server)
        .incoming()
        .next()
        .expect("the cookie itself is good");
    scene
        .network
        .with_node(server, |s| s.send_bulk(id, Some(1_000_000), 1400));
    let before = scene.network.counters().sent;
    scene.network.run_for(5 * SECOND);
    let assoc = scene.network.node(server).endpoint.association(id).unwrap();
    assert!(
        assoc
            .paths()
            .all(|p| p.state == manyway_proto::PathState::Unconfirmed)
    );
    assert!(
        assoc.paths().all(|p| p.bytes_sent < 2_000),
        "the victim is not flooded"
    );
    assert!(scene.network.counters().sent - before < 40);
    assert!(scene.network.now() > Instant::ZERO);
}
