//! Two hosts, and what the operations do to them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, Association, AuthSecret, ChunkType, ControllerKind, EndpointConfig, Extension, KeyId,
    Message, MessagePart, PartStatus, PathId, Reliability, RetransmissionPolicy, SchedulerKind,
    SendOptions, StreamId, StreamSchedulerKind, Wish,
};
use manyway_sim::network::{Action, Direction, HostId, Verdict};
use manyway_sim::{Instant, LinkConfig, Rate, Scene, ScenePath};

use crate::op::{KEYS, Meddling, Op, SCHEDULERS, STREAMS, Weather};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What kind of association it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Between two Manyway ends, over NATs.
    Nats,
    /// As [`Kind::Nats`], with keys; some chunks are taken only authenticated.
    Keys,
    /// Without NATs and without Manyway's own extensions, with keys.
    Plain,
    /// As [`Kind::Nats`], but the operations begin before the handshake does.
    Opening,
}

/// A network, both ends, and what must be true of them.
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) scene: Scene,
    pub(crate) hosts: [HostId; 2],
    /// The server has none before it knows of the client.
    pub(crate) ids: [Option<AssocId>; 2],
    pub(crate) sent: [Vec<Message>; 2],
    pub(crate) received: [Vec<Message>; 2],
    /// Messages of which a part was read.
    parts: [BTreeMap<u64, Vec<u8>>; 2],
    next: u32,
    pub(crate) aborted: bool,
}

/// Every kind of buffer has its turn, each extension is there and is not, messages are read whole
/// or in parts.
fn engine(kind: Kind, seed: u64) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    let transport = &mut config.transport;
    // The smallest is smaller than many a message.
    transport.receive_buffer = [4 << 20, 32 << 10, 8 << 10][seed as usize % 3];
    transport.send_buffer = [4 << 20, 64 << 10][seed as usize % 2];
    if seed % 5 < 2 {
        transport.extensions = transport.extensions.without(Extension::NrSack);
    }
    if seed / 6 % 2 == 1 {
        transport.extensions = transport.extensions.with(Extension::Interleaving);
    }
    if seed / 12 % 2 == 1 {
        transport.partial_delivery_point = Some(2000);
    }
    if kind == Kind::Plain {
        transport.extensions = transport.extensions.without(Extension::DynamicPaths);
    }
    if kind == Kind::Opening {
        transport.max_handshake_retransmits = 60;
    }
    if matches!(kind, Kind::Keys | Kind::Plain) {
        let data = [ChunkType::DATA, ChunkType::I_DATA];
        let control = [
            ChunkType::SACK,
            ChunkType::NR_SACK,
            ChunkType::HEARTBEAT,
            ChunkType::RE_CONFIG,
            ChunkType::FORWARD_TSN,
            ChunkType::SHUTDOWN,
        ];
        transport.auth.keys = (0..KEYS)
            .map(|key| (KeyId(key), secret(key, true)))
            .collect();
        match seed / 24 % 3 {
            0 => {}
            1 => transport.auth.chunks.extend(data),
            _ => transport
                .auth
                .chunks
                .extend(data.into_iter().chain(control)),
        }
    }
    config
}

fn secret(key: u16, right: bool) -> AuthSecret {
    AuthSecret::new([if right { key as u8 } else { 0xff }; 8])
}

/// Whether the client's first address goes.
fn takes_anchor(op: Op) -> bool {
    matches!(
        op,
        Op::SetAddress { path: 0, .. }
            | Op::SetUp { path: 0, .. }
            | Op::DeleteAddress { side: 0, path: 0 }
            | Op::DeleteOtherAddresses { side: 0, path: 1 }
    )
}

impl World {
    pub(crate) fn new(kind: Kind, seed: u64) -> Self {
        let delay = Duration::from_millis(10);
        let paths = [50, 20].map(|mbit| {
            let link = LinkConfig::new(Rate::from_mbit(mbit), delay);
            match kind {
                Kind::Plain => ScenePath::direct(link),
                _ => ScenePath::behind_nat(link),
            }
        });
        let config = engine(kind, seed);
        let mut scene = Scene::with_engines(&paths, config.clone(), config, seed);
        let hosts = [scene.client, scene.server];
        for host in hosts {
            scene
                .network
                .with_node(host, |station| station.reading = false);
        }
        let ids = if kind == Kind::Opening {
            [Some(scene.connect()), None]
        } else {
            let (client, server) = scene.establish(SECOND).expect("the handshake succeeds");
            [Some(client), Some(server)]
        };
        let mut world = Self {
            kind,
            scene,
            hosts,
            ids,
            sent: Default::default(),
            received: Default::default(),
            parts: Default::default(),
            next: 0,
            aborted: false,
        };
        for side in 0..2 {
            world.command(side, |_, assoc| assoc.report_abandoned(true));
        }
        world
    }

    /// The server may know of the client by now.
    pub(crate) fn meet(&mut self) {
        if self.ids[1].is_none() {
            let server = self.scene.network.node(self.hosts[1]);
            self.ids[1] = server.incoming().next();
            self.command(1, |_, assoc| assoc.report_abandoned(true));
        }
    }

    pub(crate) fn command<R>(
        &mut self,
        side: usize,
        f: impl FnOnce(Instant, &mut Association) -> R,
    ) -> Option<R> {
        let (host, id) = (self.hosts[side], self.ids[side]?);
        let now = self.scene.network.now();
        self.scene.network.with_node(host, |station| {
            let assoc = station.endpoint.association_mut(now, id);
            Some(f(now, assoc.expect("associations are kept")))
        })
    }

    pub(crate) fn assoc(&self, side: usize) -> Option<&Association> {
        let station = self.scene.network.node(self.hosts[side]);
        let assoc = station.endpoint.association(self.ids[side]?);
        Some(assoc.expect("associations are kept"))
    }

    fn send(&mut self, side: usize, stream: u16, len: usize, unordered: bool, limits: Reliability) {
        let mut payload = vec![stream as u8; len];
        payload[..4].copy_from_slice(&self.next.to_be_bytes());
        let options = SendOptions::default()
            .with_reliability(limits)
            .with_context(self.next.into());
        self.next += 1;
        let message = Message {
            unordered,
            ..Message::new(stream, payload)
        };
        let copy = message.clone();
        if let Some(Ok(())) = self.command(side, |_, assoc| assoc.send_with(copy, options)) {
            self.sent[side].push(message);
        }
    }

    pub(crate) fn read(&mut self, side: usize) {
        let parts: Option<Vec<_>> = self.command(side, |_, assoc| {
            std::iter::from_fn(|| assoc.recv_part()).collect()
        });
        for part in parts.into_iter().flatten() {
            self.put(side, part);
        }
    }

    /// Puts parts of messages together.
    fn put(&mut self, side: usize, part: MessagePart) {
        let so_far = self.parts[side].entry(part.message).or_default();
        assert_eq!(part.begin, so_far.is_empty(), "a part out of order");
        so_far.extend_from_slice(&part.payload);
        match part.status {
            PartStatus::MoreFollows => {}
            PartStatus::Aborted => {
                let begun = self.parts[side].remove(&part.message).unwrap_or_default();
                assert!(
                    self.abandoned(1 - side).contains(&begun[..4]),
                    "nobody gave up message {}",
                    part.message
                );
            }
            PartStatus::Complete => {
                let whole = self.parts[side].remove(&part.message).unwrap_or_default();
                self.received[side].push(Message {
                    stream: part.stream,
                    ppid: part.ppid,
                    unordered: part.unordered,
                    payload: whole.into(),
                });
            }
        }
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Send {
                side,
                stream,
                len,
                unordered,
            } => self.send(side, stream, len, unordered, Reliability::RELIABLE),
            Op::SendLimited {
                side,
                stream,
                len,
                unordered,
                limits,
            } => self.send(side, stream, len, unordered, limits),
            Op::Read { side } => self.read(side),
            Op::Advance { ms } => self.scene.network.run_for(Duration::from_millis(ms)),
            Op::Shutdown { side } => {
                self.command(side, |now, assoc| assoc.shutdown(now));
                // During set-up there may be nothing to end gracefully.
                self.aborted |= self.was_aborted(side);
            }
            Op::Abort { side } => {
                self.command(side, |now, assoc| assoc.abort(now, Bytes::new()));
                self.aborted |= self.was_aborted(side);
            }
            // Nobody can tell a plain peer of an address when it knows of no other one.
            op if self.kind == Kind::Plain && takes_anchor(op) => {}
            op => {
                self.apply_to_network(op);
                self.apply_to_paths(op);
                self.apply_to_streams(op);
                self.apply_to_keys(op);
            }
        }
        self.meet();
    }

    fn apply_to_network(&mut self, op: Op) {
        let interface = |path: usize| self.scene.paths[path].client;
        match op {
            Op::Cut { path, direction } => {
                let directions = [Direction::Up, Direction::Down, Direction::Both];
                let direction = directions[usize::from(direction)];
                let cut = Action::Cut(interface(path), direction);
                self.scene.network.apply(cut);
            }
            Op::Restore { path } => self.scene.restore(path),
            Op::Rebind { path } => self.scene.rebind(path),
            Op::Renumber { path, last } => {
                let public = [[192, 0, 2, last], [198, 51, 100, last]][path];
                self.scene.renumber(path, public.into());
            }
            Op::SetAddress { path, last } => {
                let address = [10, path as u8 + 1, 0, last].into();
                let change = Action::SetAddress(interface(path), address);
                self.scene.network.apply(change);
            }
            Op::SetUp { path, up } => {
                let change = Action::SetUp(interface(path), up);
                self.scene.network.apply(change);
            }
            Op::Meddle { what, nth } => self.meddle(what, nth),
            Op::Weather(weather) => self.set_weather(weather),
            _ => {}
        }
    }

    fn apply_to_paths(&mut self, op: Op) {
        let local = |side: usize, path: usize| {
            let all = self.scene.network.addresses(self.hosts[side]);
            all.get(path).copied()
        };
        // Whatever cannot be done is refused.
        match op {
            Op::SetPrimary { side, path } => {
                let _ = self.command(side, |now, a| a.set_primary(now, PathId::new(path)));
            }
            Op::SetWish { side, path, backup } => {
                let wish = if backup { Wish::Backup } else { Wish::Active };
                let _ = self.command(side, |now, a| a.set_wish(now, PathId::new(path), wish));
            }
            Op::RemovePath { side, path } => {
                let _ = self.command(side, |now, a| a.remove_path(now, PathId::new(path)));
            }
            Op::AddPath { path } => {
                if let Some(local) = local(0, path) {
                    let _ = self.command(0, |now, a| a.add_path(now, local, None));
                }
            }
            Op::AddAddress { side, path } => {
                if let Some(local) = local(side, path) {
                    let _ = self.command(side, |now, a| a.add_address(now, local));
                }
            }
            Op::DeleteAddress { side, path } => {
                if let Some(local) = local(side, path) {
                    let _ = self.command(side, |now, a| a.delete_address(now, local));
                }
            }
            Op::DeleteOtherAddresses { side, path } => {
                if let Some(local) = local(side, path) {
                    let _ = self.command(side, |now, a| a.delete_other_addresses(now, local));
                }
            }
            Op::SetPeerPrimary { side, path } => {
                if let Some(local) = local(side, path) {
                    let _ = self.command(side, |now, a| a.set_peer_primary(now, local));
                }
            }
            _ => {}
        }
    }

    fn apply_to_streams(&mut self, op: Op) {
        match op {
            Op::Schedule { side, kind } => {
                self.command(side, |_, assoc| {
                    assoc.set_stream_scheduler(StreamSchedulerKind::ALL[kind].build());
                });
            }
            Op::SchedulePaths { side, kind } => {
                let kind: SchedulerKind = SCHEDULERS[kind].parse().expect("it is one of ours");
                self.command(side, |_, a| a.set_scheduler(kind.build()));
            }
            Op::Retransmit { side, policy } => {
                let policy = RetransmissionPolicy::ALL[policy];
                self.command(side, |_, a| a.set_retransmission_policy(policy));
            }
            Op::Control { side, kind } => {
                let kind = ControllerKind::ALL[kind];
                self.command(side, |now, a| a.set_congestion_control(now, kind));
            }
            Op::Prefer {
                side,
                stream,
                value,
            } => {
                self.command(side, |_, assoc| {
                    let _ = assoc.set_stream_priority(StreamId(stream), value);
                    let weight = value.try_into().expect("values begin with one");
                    let _ = assoc.set_stream_weight(StreamId(stream), weight);
                });
            }
            Op::ResetStreams {
                side,
                mask,
                incoming,
            } => {
                let named = (0..STREAMS).filter(|s| mask & (1 << s) != 0);
                let streams: Vec<StreamId> = named.map(StreamId).collect();
                let _ = self.command(side, |now, a| match incoming {
                    true => a.request_stream_reset(now, &streams),
                    false => a.reset_streams(now, &streams),
                });
            }
            Op::ResetAssociation { side } => {
                let _ = self.command(side, |now, a| a.reset_association(now));
            }
            Op::AddStreams {
                side,
                outgoing,
                incoming,
            } => {
                let _ = self.command(side, |now, a| a.add_streams(now, outgoing, incoming));
            }
            _ => {}
        }
    }

    fn apply_to_keys(&mut self, op: Op) {
        match op {
            Op::SetKey { side, key, right } => {
                let secret = secret(key, right);
                let _ = self.command(side, |_, a| a.set_auth_key(KeyId(key), secret));
            }
            Op::ActivateKey { side, key } => {
                let _ = self.command(side, |_, a| a.activate_auth_key(KeyId(key)));
            }
            Op::DeactivateKey { side, key } => {
                let _ = self.command(side, |_, a| a.deactivate_auth_key(KeyId(key)));
            }
            Op::DeleteKey { side, key } => {
                let _ = self.command(side, |_, a| a.delete_auth_key(KeyId(key)));
            }
            _ => {}
        }
    }

    fn meddle(&mut self, what: Meddling, nth: u64) {
        let mut left = nth;
        self.scene.network.set_hook(move |_| {
            let chosen = left == 0;
            left = left.wrapping_sub(1);
            match what {
                _ if !chosen => Verdict::Pass,
                Meddling::Drop => Verdict::Drop,
                Meddling::Duplicate => Verdict::Duplicate,
                Meddling::Corrupt => Verdict::Corrupt {
                    offset: 13 + nth as usize * 7,
                    mask: 0x10,
                },
                Meddling::Delay => Verdict::Delay(Duration::from_millis(30 + nth * 20)),
            }
        });
    }

    fn set_weather(&mut self, weather: Weather) {
        let mut dice = weather.seed;
        let mut throw = move || {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 16) as u8
        };
        self.scene.network.set_hook(move |_| match throw() {
            n if n < weather.lost => Verdict::Drop,
            _ if throw() < weather.doubled => Verdict::Duplicate,
            _ if throw() < weather.damaged => Verdict::Corrupt {
                offset: throw().into(),
                mask: 1 << (throw() % 8),
            },
            _ if throw() < weather.late => Verdict::Delay(Duration::from_millis(throw().into())),
            _ => Verdict::Pass,
        });
    }

    /// The network is whole again, and both ends have all keys.
    pub(crate) fn heal(&mut self) {
        self.scene.network.clear_hook();
        for path in 0..2 {
            self.scene.restore(path);
            let interface = self.scene.paths[path].client;
            self.scene.network.apply(Action::SetUp(interface, true));
        }
        for (side, key) in (0..2).flat_map(|side| (0..=KEYS).map(move |key| (side, key))) {
            let _ = self.command(side, |_, a| a.set_auth_key(KeyId(key), secret(key, true)));
        }
    }
}
