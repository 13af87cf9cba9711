//! Congestion controllers: what each carries, what queue it builds, and changes while data flow.

use std::time::Duration;

use manyway_proto::ControllerKind;
use manyway_sim::network::{Action, Direction};
use manyway_sim::{LinkConfig, Loss, QueueLimit, Rate, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// User data of full packets per byte on the wire: 1,444 of 1,500 (IPv4, UDP, SCTP, DATA headers).
const PAYLOAD_SHARE: f64 = 1444.0 / 1500.0;

fn with(kind: ControllerKind, link: LinkConfig, seed: u64) -> Pair {
    let mut pair = Pair::establish(Scene::new(&[ScenePath::direct(link)], seed));
    set(&mut pair, kind);
    pair
}

fn set(pair: &mut Pair, kind: ControllerKind) {
    pair.command(pair.client, |now, assoc| {
        assoc.set_congestion_control(now, kind);
    });
}

fn srtt(pair: &Pair) -> Duration {
    let path = pair.paths(pair.client)[0];
    path.srtt.expect("the path was measured")
}

#[test]
fn each_controller_fills_a_clean_link() {
    for kind in ControllerKind::ALL {
        let mut pair = with(kind, link(20, 10 * MS), 21);
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 10_000_000, 20 * SECOND);
        assert!(report.complete && report.corrupt == 0, "{kind}: {report:?}");
        assert_eq!(pair.paths(pair.client)[0].controller, kind.name());
        let share = report.goodput() / (20e6 * PAYLOAD_SHARE);
        assert!(share >= 0.9, "{kind}: {share:.3}\n{}", pair.describe());
        pair.check();
    }
}

/// Goodput of an upload over 20 Mbit/s and 40 ms, 5 % of whose packets are lost, as a share of what
/// gets through at most.
fn under_loss(kind: ControllerKind, bytes: u64) -> f64 {
    let mut pair = with(kind, link(20, 20 * MS), 22);
    let interface = pair.scene.paths[0].client;
    let loss = Action::SetLoss(interface, Direction::Both, Loss::Bernoulli(0.05));
    pair.scene.network.apply(loss);
    let ids = pair.ids();
    let report = pair.scene.upload(ids, bytes, 60 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{kind}: {report:?}");
    report.goodput() / (20e6 * PAYLOAD_SHARE * 0.95)
}

#[test]
fn bbr_keeps_its_rate_where_packets_are_lost_at_random() {
    let share = under_loss(ControllerKind::Bbr, 16_000_000);
    assert!(share >= 0.8, "{share:.3}");
    let share = under_loss(ControllerKind::Cubic, 1_000_000);
    assert!(share < 0.3, "then nothing is shown: {share:.3}");
}

#[test]
fn bbr_does_not_fill_a_deep_queue() {
    let mut deep = link(20, 20 * MS);
    deep.queue = QueueLimit::from_time(Rate::from_mbit(20), SECOND);
    let longest = |kind| {
        let mut pair = with(kind, deep, 23);
        let client = pair.client;
        pair.scene
            .network
            .with_node(client.0, |s| s.send_bulk(client.1, None, 1440));
        pair.run(2 * SECOND);
        let mut longest = Duration::ZERO;
        for _ in 0..60 {
            pair.run(100 * MS);
            longest = longest.max(srtt(&pair));
        }
        longest
    };
    let (bbr, cubic) = (longest(ControllerKind::Bbr), longest(ControllerKind::Cubic));
    assert!(bbr < 80 * MS, "{bbr:?} of 40 ms");
    assert!(cubic > 2 * bbr, "then nothing is shown: {cubic:?}");
}

#[test]
fn any_controller_takes_over_from_any_other_without_a_stall() {
    let mut pair = with(ControllerKind::Cubic, link(10, 10 * MS), 24);
    let (client, server) = (pair.client, pair.server);
    pair.scene
        .network
        .with_node(client.0, |s| s.send_bulk(client.1, None, 1440));
    for old in ControllerKind::ALL {
        for new in ControllerKind::ALL.into_iter().filter(|new| *new != old) {
            set(&mut pair, old);
            pair.run(500 * MS);
            let rtt = srtt(&pair);
            let before = pair.received(server).bytes;
            pair.restart_gap(server);
            set(&mut pair, new);
            pair.run(500 * MS);
            let received = pair.received(server);
            let (gap, rtt) = (received.longest_gap, rtt.max(srtt(&pair)));
            assert!(gap <= rtt + 10 * MS, "{old} to {new}: {gap:?} of {rtt:?}");
            let rate = (received.bytes - before) as f64 * 8.0 / 0.5;
            assert!(rate > 0.6 * 10e6, "{old} to {new}: {rate} bit/s");
        }
    }
    pair.scene
        .network
        .with_node(client.0, |s| s.stop_bulk(client.1));
    pair.run(6 * SECOND);
    let stats = pair.assoc(client).stats();
    assert_eq!(stats.bytes_acknowledged, stats.bytes_sent);
    let received = pair.received(server);
    assert_eq!((received.bytes, received.corrupt), (stats.bytes_sent, 0));
}

#[test]
fn each_controller_uses_two_paths_that_share_nothing() {
    for kind in ControllerKind::ALL {
        let mut pair = Pair::reference(25);
        set(&mut pair, kind);
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 15_000_000, 30 * SECOND);
        assert!(report.complete && report.corrupt == 0, "{kind}: {report:?}");
        let share = report.goodput() / (70e6 * PAYLOAD_SHARE);
        assert!(share >= 0.9, "{kind}: {share:.3}");
    }
}
