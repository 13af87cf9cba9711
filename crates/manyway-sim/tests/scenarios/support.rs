//! What scenarios share.

use std::time::Duration;

use manyway_proto::{AssocId, Association, Event, PathId, PathInfo, PathState};
use manyway_sim::network::{HostId, Sent, Verdict};
use manyway_sim::{LinkConfig, Rate, Scene, ScenePath};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// One side of an association.
pub(crate) type Side = (HostId, AssocId);

/// A scene with an established association.
pub(crate) struct Pair {
    pub(crate) scene: Scene,
    pub(crate) client: Side,
    pub(crate) server: Side,
}

impl Pair {
    /// Connects and waits until all paths of the client are up.
    pub(crate) fn establish(mut scene: Scene) -> Self {
        let (client, server) = scene.establish(5 * SECOND).expect("the handshake succeeds");
        let mut pair = Self {
            client: (scene.client, client),
            server: (scene.server, server),
            scene,
        };
        let paths = pair.scene.paths.len();
        pair.wait("all paths are up on both sides", 2 * SECOND, |pair| {
            [pair.client, pair.server]
                .into_iter()
                .all(|side| pair.active_paths(side) == paths)
        });
        pair
    }

    pub(crate) fn reference(seed: u64) -> Self {
        Self::establish(Scene::reference(seed))
    }

    pub(crate) fn ids(&self) -> (AssocId, AssocId) {
        (self.client.1, self.server.1)
    }

    pub(crate) fn assoc(&self, (host, id): Side) -> &Association {
        let found = self.scene.network.node(host).endpoint.association(id);
        found.expect("the association is still kept")
    }

    /// Gives commands to an association and lets it send.
    pub(crate) fn command<R>(
        &mut self,
        (host, id): Side,
        f: impl FnOnce(manyway_sim::Instant, &mut Association) -> R,
    ) -> R {
        let now = self.scene.network.now();
        self.scene.network.with_node(host, |station| {
            let assoc = station.endpoint.association_mut(now, id);
            f(now, assoc.expect("the association is still kept"))
        })
    }

    pub(crate) fn paths(&self, side: Side) -> Vec<PathInfo> {
        self.assoc(side).paths().collect()
    }

    pub(crate) fn path(&self, side: Side, id: PathId) -> PathInfo {
        let found = self.paths(side).into_iter().find(|p| p.id == id);
        found.expect("the path still exists")
    }

    pub(crate) fn active_paths(&self, side: Side) -> usize {
        self.paths(side)
            .iter()
            .filter(|p| p.state == PathState::Active)
            .count()
    }

    /// The path of one side that runs over the scene's path `index`.
    pub(crate) fn path_over(&self, side: Side, index: usize) -> PathId {
        let network = &self.scene.network;
        let client = network.addresses(self.scene.client)[index];
        let server = network.addresses(self.scene.server)[index];
        let local = if side == self.client { client } else { server };
        let found = self
            .paths(side)
            .into_iter()
            .find(|p| p.four_tuple.local == local);
        found
            .expect("each path of the scene has a path of the association")
            .id
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.scene.network.run_for(time);
        self.check();
    }

    /// Waits until `done`, in steps of a millisecond.
    pub(crate) fn wait(
        &mut self,
        what: &str,
        most: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Duration {
        let start = self.scene.network.now();
        while !done(self) {
            let waited = self.scene.network.now() - start;
            assert!(
                waited < most,
                "after {waited:?} still not: {what}\n{}",
                self.describe()
            );
            self.scene.network.run_for(MS);
        }
        self.check();
        self.scene.network.now() - start
    }

    pub(crate) fn check(&self) {
        for side in [self.client, self.server] {
            if let Some(assoc) = self.scene.network.node(side.0).endpoint.association(side.1)
                && let Err(broken) = assoc.check_invariants()
            {
                panic!("{broken}\n{}", self.describe());
            }
        }
    }

    /// Sends messages of `len` bytes on stream 0 every `every`, `count` times.
    pub(crate) fn send_thinly(&mut self, from: Side, len: usize, every: Duration, count: u32) {
        let now = self.scene.network.now();
        for number in 0..count {
            self.scene
                .network
                .schedule_with(now + every * number, move |network| {
                    let now = network.now();
                    network.with_node(from.0, |station| {
                        if let Some(assoc) = station.endpoint.association_mut(now, from.1) {
                            let _ = assoc.send(manyway_proto::Message::new(0, vec![7; len]));
                        }
                    });
                });
        }
    }

    pub(crate) fn received(&self, (host, id): Side) -> manyway_sim::station::Received {
        self.scene.network.node(host).received(id)
    }

    /// Measures the longest gap at `side` anew.
    pub(crate) fn restart_gap(&mut self, (host, id): Side) {
        let now = self.scene.network.now();
        self.scene
            .network
            .with_node(host, |s| s.received_mut(id).restart_gap(now));
    }

    pub(crate) fn events(&self, (host, id): Side) -> Vec<Event> {
        let all = self.scene.network.node(host).events.iter();
        all.filter(|(_, of, _)| *of == id)
            .map(|(_, _, e)| e.clone())
            .collect()
    }

    pub(crate) fn end_of(&self, side: Side) -> Option<manyway_proto::CloseReason> {
        self.events(side).into_iter().find_map(|event| match event {
            Event::Closed { reason } => Some(reason),
            _ => None,
        })
    }

    /// Everything that helps to understand a failure.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("at {:?}\n", self.scene.network.now());
        for (name, side) in [("client", self.client), ("server", self.server)] {
            let station = self.scene.network.node(side.0);
            if let Some(assoc) = station.endpoint.association(side.1) {
                text += &format!("{name} {} {:?}\n", assoc.state(), assoc.stats());
                for p in assoc.paths() {
                    text += &format!("  {p:?}\n");
                }
            }
            for (at, _, event) in &station.events {
                if !matches!(event, Event::Readable | Event::Writable) {
                    text += &format!("  {at:?} {event:?}\n");
                }
            }
        }
        text
    }
}

/// A path of this rate and one-way delay without NAT.
pub(crate) fn link(mbit: u64, delay: Duration) -> LinkConfig {
    LinkConfig::new(Rate::from_mbit(mbit), delay)
}

/// One direct path of 50 Mbit/s and 20 ms of round trip.
pub(crate) fn one_path(seed: u64) -> Scene {
    Scene::new(&[ScenePath::direct(link(50, 10 * MS))], seed)
}

/// Whether a packet contains a chunk of this type.
pub(crate) fn has_chunk(sent: &Sent<'_>, kind: u8) -> bool {
    chunk_types(sent.payload).contains(&kind)
}

pub(crate) fn chunk_types(packet: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    let mut at = 12;
    while let Some(&[kind, _, high, low]) =
        packet.get(at..at + 4).and_then(|h| h.first_chunk::<4>())
    {
        types.push(kind);
        let len = usize::from(u16::from_be_bytes([high, low])).max(4);
        at += len.next_multiple_of(4);
    }
    types
}

/// A hook that drops the `n`th packet (from 0) that `wanted` accepts.
pub(crate) fn drop_nth(
    n: usize,
    wanted: impl Fn(&Sent<'_>) -> bool + 'static,
) -> impl FnMut(&Sent<'_>) -> Verdict {
    let mut seen = 0;
    move |sent| {
        if !wanted(sent) {
            return Verdict::Pass;
        }
        seen += 1;
        if seen == n + 1 {
            Verdict::Drop
        } else {
            Verdict::Pass
        }
    }
}
