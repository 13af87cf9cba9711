//! An established association between two engines, into which a forger who knows tags and ports
//! puts chunks of every kind, while both sides go on. Nothing may panic, the books must balance,
//! and memory must stay bounded.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, Association, AuthSecret, ChunkType, Connect, ControllerKind, Endpoint, EndpointConfig,
    Event, Extension, FourTuple, Instant, KeyId, Message, PathId, Port, Reliability, SendOptions,
    StreamId, StreamSchedulerKind, Wish,
};
use manyway_wire::{ChecksumPolicy, Chunk, CommonHeader, Packet, Parameters};

use super::chunks::{Seen, packet};
use super::input::Input;
use super::keys::{KEYS, Keys, secret};

const OPERATIONS: usize = 300;
/// More packets than this after one input is a loop without end.
const STUCK: usize = 20_000;

struct Live {
    now: Instant,
    /// Client and server.
    ends: [Endpoint; 2],
    ids: [Option<AssocId>; 2],
    headers: [Option<CommonHeader>; 2],
    seen: [Seen; 2],
    keys: Option<Keys>,
    closed: [bool; 2],
    /// Every so many packets one is lost.
    lose: u8,
    count: u8,
}

/// How reliable a message is, by some bits of the byte that says whether it is ordered.
fn limits(bits: u8) -> Reliability {
    let reliable = Reliability::RELIABLE;
    let rank = u32::from(bits >> 6);
    match bits >> 1 & 7 {
        0..3 => reliable,
        3 => reliable.with_max_retransmissions(0),
        4 => reliable.with_max_retransmissions(u16::from(bits >> 4)),
        5 => reliable.with_lifetime(Duration::from_millis(u64::from(bits))),
        6 => reliable.with_priority(rank).with_max_retransmissions(1),
        _ => reliable.with_priority(rank),
    }
}

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, end as u8 + 1], 9899))
}

/// Another address where packets for `end` arrive.
fn second_address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, end as u8 + 11], 9899))
}

fn is_of(end: usize, place: SocketAddr) -> bool {
    place == address(end) || place == second_address(end)
}

/// How an association of this kind authenticates what it says.
fn way_of(kind: u8) -> u8 {
    kind / 8 % 4
}

/// Adds AUTH in one of three ways, or leaves it as it is.
fn authenticate(config: &mut EndpointConfig, way: u8) {
    let transport = &mut config.transport;
    if way & 1 == 1 {
        // Addresses change as RFC 5061 has it, which takes AUTH.
        transport.extensions = transport.extensions.without(Extension::DynamicPaths);
    }
    if way & 2 == 2 {
        let keys = KEYS.map(|id| (KeyId(id), AuthSecret::new(secret(id))));
        transport.auth.keys = keys.collect();
        transport.auth.chunks = vec![
            ChunkType::DATA,
            ChunkType::I_DATA,
            ChunkType::RE_CONFIG,
            ChunkType::ABORT,
        ];
    }
}

/// Of eight associations one interleaves messages, and two read them in parts; of four, three
/// authenticate what they say.
fn config(kind: u8) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    if kind % 8 == 7 {
        let extensions = config.transport.extensions;
        config.transport.extensions = extensions.with(Extension::Interleaving);
    }
    if kind % 8 >= 6 {
        config.transport.partial_delivery_point = Some(1000);
    }
    if kind & 0x80 == 0 {
        // Most need not look for packet sizes.
        config.transport.max_packet_size = config.transport.base_packet_size;
    }
    authenticate(&mut config, way_of(kind));
    config.transport.receive_buffer = 16_384;
    config.transport.send_buffer = 32_768;
    config.transport.max_message_size = 8_192;
    config
}

impl Live {
    fn establish(kind: u8) -> Self {
        let way = way_of(kind);
        let mut ends = [1, 2].map(|seed| Endpoint::new(config(kind), [seed; 32]));
        ends[1].listen(Port(80)).expect("a fresh endpoint listens");
        let connect = Connect {
            locals: vec![address(0)],
            remotes: vec![address(1)],
            port: Port(80),
        };
        let id = ends[0]
            .connect(Instant::ZERO, connect)
            .expect("a fresh endpoint connects");
        let mut live = Self {
            now: Instant::ZERO,
            ends,
            ids: [Some(id), None],
            headers: [None; 2],
            seen: std::array::from_fn(|_| Seen {
                interleaving: kind % 8 == 7,
                ..Seen::default()
            }),
            keys: (way > 0).then(|| Keys::new(way & 2 == 2)),
            closed: [false; 2],
            lose: 0,
            count: 0,
        };
        live.settle();
        live.ids[1] = live.ends[1].associations().next().map(|a| a.id());
        assert!(
            live.ids[1].is_some() && live.headers.iter().all(Option::is_some),
            "the handshake succeeds"
        );
        live
    }

    /// Lets both ends send to each other until nothing is left to send.
    fn settle(&mut self) {
        let mut buf = Vec::new();
        for round in 0.. {
            assert!(round < STUCK, "the engines never stop sending");
            let Some((end, path, bytes)) = [0, 1].into_iter().find_map(|end| {
                let transmit = self.ends[end].poll_transmit(self.now, 1, &mut buf)?;
                Some((
                    end,
                    transmit.path,
                    Bytes::copy_from_slice(&buf[..transmit.size]),
                ))
            }) else {
                break;
            };
            self.observe(end, &bytes);
            self.count = self.count.wrapping_add(1);
            let lost = self.lose > 0 && self.count.is_multiple_of(self.lose);
            let other = 1 - end;
            if !lost && is_of(other, path.remote) {
                let path = FourTuple {
                    local: path.remote,
                    remote: path.local,
                };
                self.ends[other].handle_datagram(self.now, path, bytes);
            }
            self.drain_events();
        }
        self.check();
    }

    fn observe(&mut self, end: usize, bytes: &[u8]) {
        let packet =
            Packet::decode(bytes, ChecksumPolicy::Verify).expect("engines send valid packets");
        if packet.header().verification_tag.0 != 0 {
            self.headers[end] = Some(packet.header());
        }
        for raw in packet.chunks() {
            let raw = raw.expect("engines send valid chunks");
            match Chunk::decode(&raw).expect("engines send valid chunks") {
                Chunk::Data(data) => {
                    self.seen[end].tsn = data.tsn.0;
                    self.seen[1 - end].victim_tsn = data.tsn.0;
                }
                Chunk::IData(data) => {
                    self.seen[end].tsn = data.tsn.0;
                    self.seen[1 - end].victim_tsn = data.tsn.0;
                }
                Chunk::Asconf(asconf) => self.seen[end].serial = asconf.serial.0,
                Chunk::Reconfig(reconfig) => {
                    let requests = reconfig.parameters.iter().flatten();
                    if let Some(last) = requests.filter_map(|p| p.request()).last() {
                        self.seen[end].request = last.0;
                        self.seen[1 - end].victim_request = last.0;
                    }
                }
                Chunk::Heartbeat(heartbeat) => {
                    self.seen[1 - end].heartbeat = heartbeat.info.to_vec();
                }
                Chunk::Init(init) => {
                    if self.ids[1].is_none() {
                        self.learn_keys(end, &init.parameters);
                    }
                    self.seen[end].tsn = init.initial_tsn.0;
                    self.seen[end].serial = init.initial_tsn.0;
                    self.seen[end].request = init.initial_tsn.0.wrapping_sub(1);
                    self.seen[1 - end].victim_tsn = init.initial_tsn.0;
                }
                Chunk::InitAck(ack) => {
                    if self.ids[1].is_none() {
                        self.learn_keys(end, &ack.parameters);
                    }
                    self.seen[end].tsn = ack.initial_tsn.0;
                    self.seen[end].serial = ack.initial_tsn.0;
                    self.seen[end].request = ack.initial_tsn.0.wrapping_sub(1);
                    self.seen[1 - end].victim_tsn = ack.initial_tsn.0;
                }
                _ => {}
            }
        }
    }

    fn learn_keys(&mut self, end: usize, parameters: &Parameters<'_>) {
        if let Some(keys) = &mut self.keys {
            keys.learn(end, parameters);
        }
    }

    fn drain_events(&mut self) {
        for end in 0..2 {
            while let Some((id, event)) = self.ends[end].poll_event() {
                let mine = self.ids[end].is_none_or(|mine| mine == id);
                assert!(
                    !(mine && self.closed[end]),
                    "an event after the end: {event:?}"
                );
                self.closed[end] |= mine && matches!(event, Event::Closed { .. });
            }
        }
    }

    fn check(&self) {
        for end in &self.ends {
            for assoc in end.associations() {
                if let Err(broken) = assoc.check_invariants() {
                    panic!("{broken}");
                }
                assert!(assoc.paths().count() <= 16, "paths are bounded");
                assert!(
                    assoc.send_backlog() <= 32_768 + 8_192,
                    "the send buffer is bounded"
                );
            }
        }
    }

    /// A forged packet for `victim`, as if from its peer.
    fn forge(&mut self, victim: usize, input: &mut Input<'_>) {
        let Some(header) = self.headers[1 - victim] else {
            return;
        };
        let from = match input.u8() {
            0..224 => address(1 - victim),
            224..240 => second_address(1 - victim),
            other => SocketAddr::from(([10, 0, 9, other % 4], u16::from(input.u8()))),
        };
        let bytes = packet(input, header, &self.seen[1 - victim], self.keys.as_mut());
        let path = FourTuple {
            local: address(victim),
            remote: from,
        };
        self.ends[victim].handle_datagram(self.now, path, bytes);
    }

    fn command(&mut self, end: usize, input: &mut Input<'_>) {
        let now = self.now;
        let Some(assoc) = self.ids[end].and_then(|id| self.ends[end].association_mut(now, id))
        else {
            return;
        };
        match input.u8() % 12 {
            0..5 => {
                let len = usize::from(input.u16()) % 9_000;
                let bits = input.u8();
                let message = Message {
                    unordered: bits & 1 == 1,
                    ..Message::new(u16::from(input.u8()) % 20, vec![1; len])
                };
                let options = SendOptions::default().with_reliability(limits(bits));
                let _ = assoc.send_with(message, options);
            }
            5..8 => while assoc.recv_part().is_some() {},
            8 => {
                let _ = assoc.set_primary(now, PathId::new(u32::from(input.u8() % 4)));
            }
            9 => {
                let wish = if input.u8() & 1 == 0 {
                    Wish::Active
                } else {
                    Wish::Backup
                };
                let _ = assoc.set_wish(now, PathId::new(u32::from(input.u8() % 4)), wish);
            }
            10 => {
                let _ = assoc.remove_path(now, PathId::new(u32::from(input.u8() % 4)));
            }
            _ => rare_command(now, end, assoc, input),
        }
    }

    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        for round in 0.. {
            assert!(round < STUCK, "the timers never stop");
            let next = [0, 1]
                .into_iter()
                .filter_map(|e| self.ends[e].poll_timeout())
                .min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            for e in &mut self.ends {
                e.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }
}

fn rare_command(now: Instant, end: usize, assoc: &mut Association, input: &mut Input<'_>) {
    match input.u8() {
        0..8 => assoc.shutdown(now),
        8 => assoc.abort(now, Bytes::from_static(b"enough")),
        9..60 => {
            let kind = usize::from(input.u8()) % StreamSchedulerKind::ALL.len();
            assoc.set_stream_scheduler(StreamSchedulerKind::ALL[kind].build());
        }
        60..99 => {
            let (stream, value) = (StreamId(u16::from(input.u8()) % 20), input.u8());
            let _ = assoc.set_stream_priority(stream, value.into());
            if let Some(weight) = std::num::NonZeroU16::new(value.into()) {
                let _ = assoc.set_stream_weight(stream, weight);
            }
        }
        99..140 => {
            let bits = input.u8();
            let named = (0..6).filter(|stream| bits & (1 << stream) != 0);
            let streams: Vec<StreamId> = named.map(StreamId).collect();
            let _ = match bits >> 6 {
                0 => assoc.reset_streams(now, &streams),
                1 => assoc.request_stream_reset(now, &streams),
                2 => assoc.add_streams(now, u16::from(bits & 7), u16::from(bits >> 3 & 7)),
                _ => assoc.reset_association(now),
            };
        }
        140..180 => change_key(assoc, input.u8()),
        180..220 => change_address(now, end, assoc, input.u8()),
        220.. => {
            let kind = usize::from(input.u8()) % ControllerKind::ALL.len();
            assoc.set_congestion_control(now, ControllerKind::ALL[kind]);
        }
    }
}

fn change_key(assoc: &mut Association, bits: u8) {
    let id = u16::from(bits >> 4) % (KEYS.end + 1);
    let _ = match bits & 3 {
        0 => assoc.set_auth_key(KeyId(id), AuthSecret::new(secret(id))),
        1 => assoc.activate_auth_key(KeyId(id)),
        2 => assoc.deactivate_auth_key(KeyId(id)),
        _ => assoc.delete_auth_key(KeyId(id)),
    };
}

fn change_address(now: Instant, end: usize, assoc: &mut Association, bits: u8) {
    let place = match bits >> 4 & 3 {
        0 => address(end),
        _ => second_address(end),
    };
    let _ = match bits & 7 {
        0..3 => assoc.add_address(now, place),
        3..5 => assoc.delete_address(now, place),
        5 => assoc.delete_other_addresses(now, place),
        _ => assoc.set_peer_primary(now, place),
    };
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut live = Live::establish(bytes.last().copied().unwrap_or_default());
    for _ in 0..OPERATIONS {
        if input.is_empty() || live.closed == [true; 2] {
            break;
        }
        let op = input.u8();
        let end = usize::from(op & 1);
        match op / 2 % 16 {
            0..8 => live.forge(end, &mut input),
            8..12 => live.command(end, &mut input),
            12 => live.advance(Duration::from_millis(u64::from(input.u8()))),
            13 => live.advance(Duration::from_millis(u64::from(input.u8()) * 20)),
            14 => live.lose = input.u8() % 8,
            _ => {}
        }
        live.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One whole message on stream 0 with the peer's first TSN, after the byte that chooses the key.
    fn forged(key: u8) -> [u8; 9] {
        let (from_the_peer, one_chunk, data, whole_unordered) = (0, 0, 0, 7);
        let (same_tsn, stream, number, len) = (100, 0, 100, 10);
        [
            from_the_peer,
            key,
            one_chunk,
            data,
            whole_unordered,
            same_tsn,
            stream,
            number,
            len,
        ]
    }

    fn attack(kind: u8, key: u8) -> (bool, u64) {
        let mut live = Live::establish(kind);
        live.forge(1, &mut Input::new(&forged(key)));
        live.settle();
        let (now, id) = (live.now, live.ids[1].expect("it is established"));
        let assoc = live.ends[1].association_mut(now, id).expect("it is kept");
        (assoc.recv().is_some(), assoc.stats().failed_authentications)
    }

    #[test]
    fn what_is_forged_reaches_behind_auth() {
        for kind in [8, 16, 24] {
            assert_eq!(attack(kind, 0), (true, 0), "kind {kind}");
            // Key 3 is nobody's.
            assert_eq!(attack(kind, 195), (false, 1), "kind {kind}");
        }
    }
}
