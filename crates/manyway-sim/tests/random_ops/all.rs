//! Random lists of operations on an association over two NATs: whatever happens, everything is
//! delivered once and in order, the books balance, and the end is graceful.
//!
//! `PROPTEST_CASES=10000 cargo test -p manyway-sim --test random_ops` tries more. What it finds is
//! kept below as literal tests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, Association, CloseReason, ControllerKind, EndpointConfig, Event, Extension, Message,
    MessagePart, PartStatus, PathId, Reliability, SendOptions, StreamId, StreamSchedulerKind, Wish,
};
use manyway_sim::network::{Action, Direction, HostId, Verdict};
use manyway_sim::station::Station;
use manyway_sim::{LinkConfig, Rate, Scene, ScenePath};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const STREAMS: u16 = 4;

/// What is done to the `nth` packet from now on.
#[derive(Clone, Copy, Debug)]
enum Meddling {
    Drop,
    Duplicate,
    Corrupt,
    Delay,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Send {
        side: usize,
        stream: u16,
        len: usize,
        unordered: bool,
    },
    /// A message that may be given up.
    SendLimited {
        side: usize,
        stream: u16,
        len: usize,
        unordered: bool,
        limits: Reliability,
    },
    Read {
        side: usize,
    },
    Schedule {
        side: usize,
        kind: usize,
    },
    Prefer {
        side: usize,
        stream: u16,
        value: u16,
    },
    Advance {
        ms: u64,
    },
    Cut {
        path: usize,
        direction: u8,
    },
    Restore {
        path: usize,
    },
    Rebind {
        path: usize,
    },
    Renumber {
        path: usize,
        last: u8,
    },
    SetAddress {
        path: usize,
        last: u8,
    },
    SetUp {
        path: usize,
        up: bool,
    },
    Meddle {
        what: Meddling,
        nth: u64,
    },
    SetPrimary {
        side: usize,
        path: u32,
    },
    SetWish {
        side: usize,
        path: u32,
        backup: bool,
    },
    Control {
        side: usize,
        kind: usize,
    },
    AddPath {
        path: usize,
    },
    RemovePath {
        side: usize,
        path: u32,
    },
    /// The streams in `mask`, all if it is 0.
    ResetStreams {
        side: usize,
        mask: u8,
        incoming: bool,
    },
    ResetAssociation {
        side: usize,
    },
    AddStreams {
        side: usize,
        outgoing: u16,
        incoming: u16,
    },
    Shutdown {
        side: usize,
    },
    Abort {
        side: usize,
    },
}

fn limits() -> impl Strategy<Value = Reliability> {
    let times = || (0..3_u16).prop_map(|n| Reliability::RELIABLE.with_max_retransmissions(n));
    let lifetime = || (0..2000_u64).prop_map(Duration::from_millis);
    prop_oneof![
        times(),
        lifetime().prop_map(|time| Reliability::RELIABLE.with_lifetime(time)),
        (times(), lifetime()).prop_map(|(limits, time)| limits.with_lifetime(time)),
        (times(), 0..3_u32).prop_map(|(limits, rank)| limits.with_priority(rank)),
        (0..3_u32).prop_map(|rank| Reliability::RELIABLE.with_priority(rank)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let side = 0..2_usize;
    let path = 0..2_usize;
    let id = 1..6_u32;
    let meddling = prop_oneof![
        Just(Meddling::Drop),
        Just(Meddling::Duplicate),
        Just(Meddling::Corrupt),
        Just(Meddling::Delay)
    ];
    let len = prop_oneof![8 => 8..3000_usize, 2 => 3000..100_000_usize];
    let limited_len = prop_oneof![6 => 8..3000_usize, 4 => 3000..100_000_usize];
    prop_oneof![
        12 => (side.clone(), 0..STREAMS, len, any::<bool>())
            .prop_map(|(side, stream, len, unordered)| Op::Send { side, stream, len, unordered }),
        6 => (side.clone(), 0..STREAMS, limited_len, any::<bool>(), limits())
            .prop_map(|(side, stream, len, unordered, limits)| Op::SendLimited { side, stream, len, unordered, limits }),
        4 => side.clone().prop_map(|side| Op::Read { side }),
        2 => (side.clone(), 0..StreamSchedulerKind::ALL.len())
            .prop_map(|(side, kind)| Op::Schedule { side, kind }),
        1 => (side.clone(), 0..STREAMS, 1..9_u16)
            .prop_map(|(side, stream, value)| Op::Prefer { side, stream, value }),
        8 => (1..800_u64).prop_map(|ms| Op::Advance { ms }),
        3 => (path.clone(), 0..3_u8).prop_map(|(path, direction)| Op::Cut { path, direction }),
        3 => path.clone().prop_map(|path| Op::Restore { path }),
        2 => path.clone().prop_map(|path| Op::Rebind { path }),
        1 => (path.clone(), 20..30_u8).prop_map(|(path, last)| Op::Renumber { path, last }),
        1 => (path.clone(), 20..30_u8).prop_map(|(path, last)| Op::SetAddress { path, last }),
        2 => (path.clone(), any::<bool>()).prop_map(|(path, up)| Op::SetUp { path, up }),
        5 => (meddling, 0..20_u64).prop_map(|(what, nth)| Op::Meddle { what, nth }),
        2 => (side.clone(), id.clone()).prop_map(|(side, path)| Op::SetPrimary { side, path }),
        2 => (side.clone(), id.clone(), any::<bool>())
            .prop_map(|(side, path, backup)| Op::SetWish { side, path, backup }),
        2 => (side.clone(), 0..ControllerKind::ALL.len())
            .prop_map(|(side, kind)| Op::Control { side, kind }),
        1 => path.prop_map(|path| Op::AddPath { path }),
        1 => (side.clone(), id).prop_map(|(side, path)| Op::RemovePath { side, path }),
        4 => (side.clone(), 0..16_u8, any::<bool>())
            .prop_map(|(side, mask, incoming)| Op::ResetStreams { side, mask, incoming }),
        1 => side.clone().prop_map(|side| Op::ResetAssociation { side }),
        1 => (side.clone(), 0..4_u16, 0..4_u16)
            .prop_map(|(side, outgoing, incoming)| Op::AddStreams { side, outgoing, incoming }),
        1 => side.clone().prop_map(|side| Op::Shutdown { side }),
        1 => side.prop_map(|side| Op::Abort { side }),
    ]
}

/// A network, both ends, and what must be true of them.
struct World {
    scene: Scene,
    ends: [(HostId, AssocId); 2],
    sent: [Vec<Message>; 2],
    received: [Vec<Message>; 2],
    /// Messages of which a part was read.
    parts: [BTreeMap<u64, Vec<u8>>; 2],
    next: u32,
    aborted: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        // Every kind of buffer has its turn; the smallest is smaller than many a message.
        let mut config = EndpointConfig::default();
        config.transport.receive_buffer = [4 << 20, 32 << 10, 8 << 10][seed as usize % 3];
        config.transport.send_buffer = [4 << 20, 64 << 10][seed as usize % 2];
        // With acknowledgements for good and without.
        let offered = config.transport.extensions;
        if seed % 5 < 2 {
            config.transport.extensions = offered.without(Extension::NrSack);
        }
        // Messages are interleaved or not, and read whole or in parts.
        if seed / 6 % 2 == 1 {
            let extensions = config.transport.extensions;
            config.transport.extensions = extensions.with(Extension::Interleaving);
        }
        if seed / 12 % 2 == 1 {
            config.transport.partial_delivery_point = Some(2000);
        }
        let delay = Duration::from_millis(10);
        let path = |mbit| ScenePath::behind_nat(LinkConfig::new(Rate::from_mbit(mbit), delay));
        let paths = [50, 20].map(path);
        let mut scene = Scene::with_engines(&paths, config.clone(), config, seed);
        let (client, server) = scene.establish(SECOND).expect("the handshake succeeds");
        let ends = [(scene.client, client), (scene.server, server)];
        for (host, _) in ends {
            scene
                .network
                .with_node(host, |station| station.reading = false);
        }
        let report = |station: &mut Station, now, id| {
            let assoc = station.endpoint.association_mut(now, id);
            assoc.expect("just opened").report_abandoned(true);
        };
        let now = scene.network.now();
        for (host, id) in ends {
            scene
                .network
                .with_node(host, |station| report(station, now, id));
        }
        Self {
            scene,
            ends,
            sent: [vec![], vec![]],
            received: [vec![], vec![]],
            parts: Default::default(),
            next: 0,
            aborted: false,
        }
    }

    fn command<R>(
        &mut self,
        side: usize,
        f: impl FnOnce(manyway_sim::Instant, &mut Association) -> R,
    ) -> R {
        let (host, id) = self.ends[side];
        let now = self.scene.network.now();
        self.scene.network.with_node(host, |station| {
            f(
                now,
                station
                    .endpoint
                    .association_mut(now, id)
                    .expect("associations are kept"),
            )
        })
    }

    fn assoc(&self, side: usize) -> &Association {
        let (host, id) = self.ends[side];
        self.scene
            .network
            .node(host)
            .endpoint
            .association(id)
            .expect("associations are kept")
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
        if self
            .command(side, |_, assoc| assoc.send_with(message.clone(), options))
            .is_ok()
        {
            self.sent[side].push(message);
        }
    }

    fn read(&mut self, side: usize) {
        let parts: Vec<_> = self.command(side, |_, assoc| {
            std::iter::from_fn(|| assoc.recv_part()).collect()
        });
        parts.into_iter().for_each(|part| self.put(side, part));
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

    fn apply(&mut self, op: Op) {
        let interface = |path: usize| self.scene.paths[path].client;
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
            Op::Schedule { side, kind } => self.command(side, |_, assoc| {
                assoc.set_stream_scheduler(StreamSchedulerKind::ALL[kind].build());
            }),
            Op::Prefer {
                side,
                stream,
                value,
            } => self.command(side, |_, assoc| {
                let _ = assoc.set_stream_priority(StreamId(stream), value);
                let weight = value.try_into().expect("values begin with one");
                let _ = assoc.set_stream_weight(StreamId(stream), weight);
            }),
            Op::Advance { ms } => self.scene.network.run_for(Duration::from_millis(ms)),
            Op::Cut { path, direction } => {
                let direction =
                    [Direction::Up, Direction::Down, Direction::Both][usize::from(direction)];
                let interface = interface(path);
                self.scene.network.apply(Action::Cut(interface, direction));
            }
            Op::Restore { path } => self.scene.restore(path),
            Op::Rebind { path } => self.scene.rebind(path),
            Op::Renumber { path, last } => {
                let public = [[192, 0, 2, last], [198, 51, 100, last]][path];
                self.scene.renumber(path, public.into());
            }
            Op::SetAddress { path, last } => {
                let address = [10, path as u8 + 1, 0, last].into();
                let interface = interface(path);
                self.scene
                    .network
                    .apply(Action::SetAddress(interface, address));
            }
            Op::SetUp { path, up } => {
                let interface = interface(path);
                self.scene.network.apply(Action::SetUp(interface, up));
            }
            Op::Meddle { what, nth } => self.meddle(what, nth),
            Op::SetPrimary { side, path } => {
                let _ = self.command(side, |now, a| a.set_primary(now, PathId::new(path)));
            }
            Op::SetWish { side, path, backup } => {
                let wish = if backup { Wish::Backup } else { Wish::Active };
                let _ = self.command(side, |now, a| a.set_wish(now, PathId::new(path), wish));
            }
            Op::Control { side, kind } => {
                let kind = ControllerKind::ALL[kind];
                self.command(side, |now, a| a.set_congestion_control(now, kind));
            }
            Op::AddPath { path } => {
                let locals = self.scene.network.addresses(self.scene.client);
                if let Some(local) = locals.get(path).copied() {
                    let _ = self.command(0, |now, a| a.add_path(now, local, None));
                }
            }
            Op::RemovePath { side, path } => {
                let _ = self.command(side, |now, a| a.remove_path(now, PathId::new(path)));
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
            Op::Shutdown { side } => self.command(side, |now, a| a.shutdown(now)),
            Op::Abort { side } => {
                self.aborted = true;
                self.command(side, |now, a| a.abort(now, Bytes::new()));
            }
        }
        self.check();
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

    fn check(&self) {
        for side in 0..2 {
            if let Err(broken) = self.assoc(side).check_invariants() {
                panic!("side {side}: {broken}");
            }
            assert!(self.assoc(side).paths().count() <= 16, "paths are bounded");
            self.check_delivery(side);
        }
    }

    /// The numbers of the messages that `side` gave up.
    fn abandoned(&self, side: usize) -> BTreeSet<[u8; 4]> {
        let (host, id) = self.ends[side];
        let mut all = BTreeSet::new();
        for (_, of, event) in &self.scene.network.node(host).events {
            if let Event::Abandoned { context, .. } = event
                && *of == id
            {
                let news = all.insert((*context as u32).to_be_bytes());
                assert!(news, "message {context} was given up twice");
            }
        }
        all
    }

    /// What `side` received is a part of what the other sent: once, whole, in order per stream,
    /// and without gaps but for what the other gave up.
    fn check_delivery(&self, side: usize) {
        let (sent, received) = (&self.sent[1 - side], &self.received[side]);
        let abandoned = self.abandoned(1 - side);
        let by_number: BTreeMap<&[u8], &Message> =
            sent.iter().map(|m| (&m.payload[..4], m)).collect();
        let mut seen = BTreeSet::new();
        for message in received {
            assert_eq!(
                by_number.get(&message.payload[..4]),
                Some(&message),
                "not what was sent"
            );
            assert!(seen.insert(&message.payload[..4]), "delivered twice");
        }
        for stream in 0..STREAMS {
            let ordered = |all: &[Message]| -> Vec<Bytes> {
                let of = all
                    .iter()
                    .filter(|m| m.stream == StreamId(stream) && !m.unordered);
                of.map(|m| m.payload.slice(..4)).collect()
            };
            let (mut sent, mut left) = (ordered(sent).into_iter(), ordered(received).into_iter());
            let mut awaited = left.next();
            while awaited.is_some() {
                let next = sent.next();
                if next == awaited {
                    awaited = left.next();
                } else {
                    let skipped = next.is_some_and(|number| abandoned.contains(&number[..]));
                    assert!(skipped, "stream {stream} out of order");
                }
            }
        }
    }

    fn end_of(&self, side: usize) -> Option<&CloseReason> {
        let (host, id) = self.ends[side];
        let events = self.scene.network.node(host).events.iter();
        events
            .filter(|(_, of, _)| *of == id)
            .find_map(|(_, _, event)| match event {
                Event::Closed { reason } => Some(reason),
                _ => None,
            })
    }

    fn heal(&mut self) {
        self.scene.network.clear_hook();
        for path in 0..2 {
            self.scene.restore(path);
            let interface = self.scene.paths[path].client;
            self.scene.network.apply(Action::SetUp(interface, true));
        }
    }

    /// After everything was healed: all is delivered, nothing goes on, and the end is graceful.
    fn finish(mut self) {
        self.heal();
        let all = |world: &Self| {
            (0..2).all(|side| {
                let received = world.received[side].iter().map(|m| m.payload[..4].to_vec());
                let mut over: BTreeSet<Vec<u8>> = received.collect();
                over.extend(world.abandoned(1 - side).into_iter().map(Vec::from));
                over.len() == world.sent[1 - side].len()
                    && world.assoc(1 - side).send_backlog() == 0
            })
        };
        for _ in 0..600 {
            if self.aborted || all(&self) {
                break;
            }
            self.scene.network.run_for(SECOND / 10);
            (0..2).for_each(|side| self.read(side));
            self.check();
        }
        if self.aborted {
            return;
        }
        let counts = [0, 1].map(|side| (self.sent[side].len(), self.received[1 - side].len()));
        assert!(
            all(&self),
            "sent and received: {counts:?}; ends: {:?} {:?}",
            self.end_of(0),
            self.end_of(1)
        );
        // A reset waits until everything before it was read, what was given up included.
        // A path to an address that is gone is probed quickly for a minute.
        for _ in 0..10 {
            self.scene.network.run_for(10 * SECOND);
            (0..2).for_each(|side| self.read(side));
        }
        let before = self.scene.network.counters().sent;
        self.scene.network.run_for(30 * SECOND);
        let sent = self.scene.network.counters().sent - before;
        assert!(sent < 60, "an idle association sent {sent} packets in 30 s");
        self.command(0, |now, assoc| assoc.shutdown(now));
        self.scene.network.run_for(30 * SECOND);
        for side in 0..2 {
            assert_eq!(
                self.end_of(side),
                Some(&CloseReason::Graceful),
                "side {side}"
            );
        }
    }
}

fn run(seed: u64, ops: &[Op]) {
    let mut world = World::new(seed);
    for op in ops {
        world.apply(*op);
    }
    world.finish();
}

fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if chosen { default.cases } else { 2000 },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_everything_arrives_once_and_in_order(
        seed in 0..1000_u64,
        ops in prop::collection::vec(op(), 1..40),
    ) {
        run(seed, &ops);
    }
}

// Found by the test above.

#[test]
fn a_lost_end_of_shutdown_is_answered_also_after_a_move() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::SetAddress { path: 0, last: 20 },
            Op::Advance { ms: 61 },
            Op::Shutdown { side: 0 },
            Op::Meddle {
                what: Meddling::Corrupt,
                nth: 1,
            },
            Op::Advance { ms: 21 },
        ],
    );
}

#[test]
fn a_peer_that_has_finished_and_forgotten_is_no_failure() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 19265,
                unordered: false,
            },
            Op::Advance { ms: 194 },
            Op::Cut {
                path: 1,
                direction: 0,
            },
            Op::Meddle {
                what: Meddling::Corrupt,
                nth: 11,
            },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::Advance { ms: 300 },
            Op::Shutdown { side: 0 },
            Op::SetAddress { path: 1, last: 20 },
            Op::Advance { ms: 21 },
        ],
    );
}

#[test]
fn a_shutdown_goes_on_when_both_paths_have_moved() {
    run(
        0,
        &[
            Op::Advance { ms: 51 },
            Op::Rebind { path: 0 },
            Op::Renumber { path: 1, last: 20 },
            Op::Shutdown { side: 1 },
        ],
    );
}

#[test]
fn paths_added_twice_and_removed_leave_one_that_works() {
    run(
        0,
        &[
            Op::SetAddress { path: 1, last: 20 },
            Op::AddPath { path: 0 },
            Op::RemovePath { side: 0, path: 1 },
            Op::AddPath { path: 1 },
            Op::RemovePath { side: 0, path: 3 },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_peer_that_finished_and_cannot_be_reached_any_more_is_no_failure() {
    run(
        0,
        &[
            Op::Advance { ms: 31 },
            Op::Cut {
                path: 0,
                direction: 1,
            },
            Op::Shutdown { side: 0 },
            Op::Cut {
                path: 1,
                direction: 0,
            },
            Op::Advance { ms: 121 },
            Op::Renumber { path: 1, last: 20 },
            Op::Rebind { path: 0 },
        ],
    );
}

#[test]
fn a_request_that_the_peer_waits_for_goes_before_one_that_waits_for_the_peer() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 2,
                len: 8,
                unordered: false,
            },
            Op::ResetStreams {
                side: 0,
                mask: 1,
                incoming: false,
            },
            Op::Advance { ms: 21 },
            Op::ResetStreams {
                side: 1,
                mask: 4,
                incoming: true,
            },
            Op::ResetStreams {
                side: 0,
                mask: 0,
                incoming: true,
            },
            Op::Send {
                side: 1,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_reset_of_the_association_is_over_before_a_shutdown_goes_on() {
    run(
        0,
        &[
            Op::ResetAssociation { side: 1 },
            Op::Shutdown { side: 1 },
            Op::Renumber { path: 0, last: 20 },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_reset_of_one_stream_leaves_the_messages_of_others_alone_that_are_on_their_way() {
    run(
        52,
        &[
            Op::Send {
                side: 1,
                stream: 1,
                len: 32769,
                unordered: false,
            },
            Op::ResetStreams {
                side: 1,
                mask: 1,
                incoming: false,
            },
        ],
    );
}

#[test]
fn what_is_given_up_after_a_reset_is_not_a_message_from_before() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    run(
        805,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::Send {
                side: 1,
                stream: 0,
                len: 33709,
                unordered: false,
            },
            Op::ResetStreams {
                side: 1,
                mask: 0,
                incoming: true,
            },
            Op::ResetAssociation { side: 0 },
            Op::Advance { ms: 34 },
            Op::SendLimited {
                side: 1,
                stream: 0,
                len: 8,
                unordered: false,
                limits,
            },
            Op::SetAddress { path: 0, last: 20 },
            Op::Cut {
                path: 0,
                direction: 0,
            },
        ],
    );
}

#[test]
fn a_reset_behind_a_message_that_is_given_up_is_carried_out() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    run(
        479,
        &[
            Op::SendLimited {
                side: 0,
                stream: 0,
                len: 8401,
                unordered: false,
                limits,
            },
            Op::ResetStreams {
                side: 0,
                mask: 0,
                incoming: false,
            },
            Op::Advance { ms: 142 },
        ],
    );
}

#[test]
fn what_is_given_up_during_a_reset_is_skipped_in_its_turn() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    let message = |side, stream| Op::Send {
        side,
        stream,
        len: 8,
        unordered: false,
    };
    run(
        156,
        &[
            message(0, 0),
            message(0, 0),
            Op::Advance { ms: 11 },
            Op::Rebind { path: 0 },
            Op::SendLimited {
                side: 1,
                stream: 2,
                len: 8,
                unordered: false,
                limits,
            },
            Op::Cut {
                path: 0,
                direction: 0,
            },
            message(1, 2),
            Op::ResetAssociation { side: 0 },
        ],
    );
}

#[test]
fn a_reset_that_the_peer_waits_for_is_denied_when_the_end_has_begun() {
    let message = |side, stream| Op::Send {
        side,
        stream,
        len: 8,
        unordered: false,
    };
    let reset = |side, mask, incoming| Op::ResetStreams {
        side,
        mask,
        incoming,
    };
    run(
        0,
        &[
            Op::Advance { ms: 31 },
            message(0, 0),
            reset(1, 3, true),
            reset(0, 1, false),
            reset(1, 0, false),
            Op::SetAddress { path: 1, last: 20 },
            message(0, 1),
            Op::Advance { ms: 111 },
            Op::Shutdown { side: 0 },
            message(1, 0),
        ],
    );
}

#[test]
fn nothing_waits_for_ever_behind_a_small_message_that_was_about_to_begin() {
    let message = |stream, len| Op::Send {
        side: 0,
        stream,
        len,
        unordered: false,
    };
    run(
        44,
        &[
            message(0, 8),
            message(0, 8401),
            Op::SendLimited {
                side: 0,
                stream: 2,
                len: 1025,
                unordered: false,
                limits: Reliability::RELIABLE.with_max_retransmissions(0),
            },
            Op::Schedule { side: 0, kind: 1 },
            message(1, 3072),
        ],
    );
}
