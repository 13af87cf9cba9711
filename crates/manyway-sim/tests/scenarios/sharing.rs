//! Several flows on one bottleneck: who gets how much.

use std::time::Duration;

use manyway_proto::{AssocId, Association, Connect, ControllerKind, PathState};
use manyway_sim::network::HostId;
use manyway_sim::scene::SCTP_PORT;
use manyway_sim::{LinkConfig, QueueLimit, Rate, Scene, ScenePath};

use crate::support::{MS, SECOND, link};

const COUPLED: [ControllerKind; 3] = [
    ControllerKind::Lia,
    ControllerKind::Olia,
    ControllerKind::Balia,
];

/// Two flows of a client through its first interface, which is the bottleneck.
struct Bottleneck {
    scene: Scene,
    /// The flows: at the client and at the server.
    flows: Vec<(AssocId, AssocId)>,
}

impl Bottleneck {
    fn new(link: LinkConfig, seed: u64) -> Self {
        // The second path is there for the server's second address.
        let scene = Scene::new(&[ScenePath::direct(link), ScenePath::direct(link)], seed);
        Self {
            scene,
            flows: Vec::new(),
        }
    }

    /// Opens a flow with as many paths (one or two) over the bottleneck, and sends without end.
    fn open(&mut self, paths: usize, kind: ControllerKind) {
        let (client, server) = (self.scene.client, self.scene.server);
        let network = &mut self.scene.network;
        let local = network.addresses(client)[0];
        let remotes = network.addresses(server)[..paths].to_vec();
        let other = remotes.get(1).copied();
        let request = Connect {
            locals: vec![local],
            remotes,
            port: SCTP_PORT,
        };
        let now = network.now();
        let flow = network.with_node(client, |s| s.endpoint.connect(now, request));
        let flow = flow.expect("a valid request is accepted");
        network.run_for(200 * MS);
        self.command(client, flow, |now, assoc| {
            assoc.set_congestion_control(now, kind);
            if let Some(remote) = other {
                assoc
                    .add_path(now, local, Some(remote))
                    .expect("a path over the same interface is possible");
            }
        });
        let network = &mut self.scene.network;
        network.run_for(200 * MS);
        let active = self.command(client, flow, |_, assoc| {
            assoc
                .paths()
                .filter(|p| p.state == PathState::Active)
                .count()
        });
        assert_eq!(active, paths);
        let network = &mut self.scene.network;
        let peer = network.node(server).incoming().last();
        self.flows.push((flow, peer.expect("the server accepted")));
        network.with_node(client, |s| s.send_bulk(flow, None, 1440));
    }

    fn command<R>(
        &mut self,
        host: HostId,
        id: AssocId,
        f: impl FnOnce(manyway_sim::Instant, &mut Association) -> R,
    ) -> R {
        let now = self.scene.network.now();
        self.scene.network.with_node(host, |station| {
            let assoc = station.endpoint.association_mut(now, id);
            f(now, assoc.expect("the association is kept"))
        })
    }

    /// What each flow carries in this time, in bytes.
    fn measure(&mut self, time: Duration) -> Vec<u64> {
        let before = self.received();
        self.scene.network.run_for(time);
        let after = self.received();
        after.iter().zip(before).map(|(a, b)| a - b).collect()
    }

    fn received(&self) -> Vec<u64> {
        let server = self.scene.network.node(self.scene.server);
        let peers = self.flows.iter().map(|(_, peer)| *peer);
        peers.map(|peer| server.received(peer).bytes).collect()
    }
}

/// 5 Mbit/s with 40 ms of round trip and as much of queue: windows go up and down often enough for
/// the shares to settle.
fn shared() -> LinkConfig {
    let mut link = link(5, 20 * MS);
    link.queue = QueueLimit::from_time(Rate::from_mbit(5), 40 * MS);
    link
}

/// What a flow of two paths with `kind` carries over a bottleneck in a minute, and what one of one
/// path with `single` beside it does, over several runs.
fn beside(kind: ControllerKind, single: ControllerKind) -> (f64, f64) {
    let (mut coupled, mut alone) = (0, 0);
    for seed in 1..=2 {
        let mut bottleneck = Bottleneck::new(shared(), seed);
        bottleneck.open(1, single);
        bottleneck.open(2, kind);
        bottleneck.scene.network.run_for(10 * SECOND);
        let carried = bottleneck.measure(60 * SECOND);
        let all = carried.iter().sum::<u64>() as f64 * 8.0 / 60.0;
        assert!(all > 0.9 * 5e6 * 1444.0 / 1500.0, "{kind}: {all} bit/s");
        alone += carried[0];
        coupled += carried[1];
    }
    (coupled as f64, alone as f64)
}

#[test]
fn coupled_paths_take_as_much_of_a_bottleneck_as_one_flow_with_cubic() {
    for kind in COUPLED {
        let (coupled, alone) = beside(kind, ControllerKind::Cubic);
        let ratio = coupled / alone;
        assert!((0.8..=1.25).contains(&ratio), "{kind}: {ratio:.2}");
    }
}

/// Reno grows by whole packets and loses at each reduction what was on the way to one; with windows
/// of twenty packets that counts.
#[test]
fn coupled_paths_take_little_more_than_their_half_beside_a_flow_with_reno() {
    for kind in COUPLED {
        let (coupled, alone) = beside(kind, ControllerKind::Reno);
        let share = 2.0 * coupled / (coupled + alone);
        assert!((0.8..=1.25).contains(&share), "{kind}: {share:.2}");
    }
}

#[test]
fn uncoupled_paths_take_nearly_twice_as_much() {
    let (two, one) = beside(ControllerKind::Reno, ControllerKind::Reno);
    assert!(two / one > 1.5, "{:.2}", two / one);
}

#[test]
fn neither_bbr_nor_cubic_starves_the_other() {
    let mut bottleneck = Bottleneck::new(shared(), 3);
    bottleneck.open(1, ControllerKind::Cubic);
    bottleneck.open(1, ControllerKind::Bbr);
    bottleneck.scene.network.run_for(5 * SECOND);
    let carried = bottleneck.measure(40 * SECOND);
    let total = carried.iter().sum::<u64>() as f64;
    for bytes in carried {
        let share = bytes as f64 / total;
        assert!(share > 0.2, "{share:.2}");
    }
}

#[test]
fn two_flows_with_bbr_share_alike() {
    let mut bottleneck = Bottleneck::new(shared(), 4);
    bottleneck.open(1, ControllerKind::Bbr);
    bottleneck.open(1, ControllerKind::Bbr);
    bottleneck.scene.network.run_for(10 * SECOND);
    let carried = bottleneck.measure(40 * SECOND);
    let total = carried.iter().sum::<u64>() as f64;
    for bytes in carried {
        let share = bytes as f64 / total;
        assert!(share > 0.3, "{share:.2}");
    }
}
