//! Two endpoints whose packets a test can see, hold back, and make up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, AssocState, Association, CloseReason, Connect, ConnectError, Endpoint, EndpointConfig,
    Event, FourTuple, Instant, Message, Port,
};
use manyway_wire::{
    ChecksumPolicy, Chunk, ChunkType, CommonHeader, Data, DataFlags, DuplicateTsns, EncodeChunk,
    GapBlocks, Packet, PacketWriter, Ppid, Sack, Ssn, StreamId, Tsn, VerificationTag,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SERVER_PORT: Port = Port(80);

pub(crate) fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, end as u8 + 1], 9899))
}

/// A chunk as bytes.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl EncodeChunk for Raw {
    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

pub(crate) fn raw(kind: u8, flags: u8, value: &[u8]) -> Raw {
    let len = (4 + value.len()) as u16;
    Raw([&[kind, flags][..], &len.to_be_bytes(), value].concat())
}

pub(crate) fn packet(header: CommonHeader, chunks: &[&dyn EncodeChunk]) -> Bytes {
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes, &header, 1472);
    for chunk in chunks {
        assert!(writer.push(*chunk));
    }
    writer.finish(true);
    bytes.into()
}

/// A packet that an endpoint sent: its header and its chunks.
pub(crate) struct Seen {
    pub(crate) header: CommonHeader,
    pub(crate) bytes: Bytes,
}

impl Seen {
    pub(crate) fn kinds(&self) -> Vec<ChunkType> {
        let packet = Packet::decode(&self.bytes, ChecksumPolicy::VerifyUnlessZero).unwrap();
        packet.chunks().map(|raw| raw.unwrap().kind).collect()
    }

    /// The same INIT with one address more.
    pub(crate) fn with_address(&self, ip: impl Into<IpAddr>) -> Bytes {
        let parameter = match ip.into() {
            IpAddr::V4(ip) => [&[0, 5, 0, 8][..], &ip.octets()].concat(),
            IpAddr::V6(ip) => [&[0, 6, 0, 20][..], &ip.octets()].concat(),
        };
        let value = [&self.bytes[16..32], &parameter, &self.bytes[32..]].concat();
        packet(self.header, &[&raw(1, 0, &value)])
    }

    /// Looks at the first chunk of a kind.
    pub(crate) fn with<R>(&self, kind: ChunkType, f: impl FnOnce(Chunk<'_>, u8) -> R) -> Option<R> {
        let packet = Packet::decode(&self.bytes, ChecksumPolicy::VerifyUnlessZero).unwrap();
        let raw = packet
            .chunks()
            .map(Result::unwrap)
            .find(|raw| raw.kind == kind)?;
        Some(f(Chunk::decode(&raw).unwrap(), raw.flags))
    }
}

/// Two endpoints; 0 connects to 1.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) ends: [Endpoint; 2],
    pub(crate) ids: [Option<AssocId>; 2],
    pub(crate) headers: [CommonHeader; 2],
    pub(crate) next_tsn: [Tsn; 2],
}

pub(crate) fn no_header() -> CommonHeader {
    CommonHeader {
        source_port: Port(5),
        destination_port: SERVER_PORT,
        verification_tag: VerificationTag(0),
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// Two endpoints with options of their own.
    pub(crate) fn with(configure: impl Fn(&mut EndpointConfig)) -> Self {
        let mut config = EndpointConfig::default();
        configure(&mut config);
        Self::with_configs([config.clone(), config])
    }

    pub(crate) fn with_configs([client, server]: [EndpointConfig; 2]) -> Self {
        let mut ends = [
            Endpoint::new(client, [1; 32]),
            Endpoint::new(server, [2; 32]),
        ];
        ends[1].listen(SERVER_PORT).unwrap();
        Self {
            now: Instant::ZERO,
            ends,
            ids: [None; 2],
            headers: [no_header(); 2],
            next_tsn: [Tsn(0); 2],
        }
    }

    pub(crate) fn try_connect(&mut self) -> Result<AssocId, ConnectError> {
        let request = Connect {
            locals: vec![address(0)],
            remotes: vec![address(1)],
            port: SERVER_PORT,
        };
        self.ends[0].connect(self.now, request)
    }

    /// SCTP ports of ends that open towards each other.
    pub(crate) const PORTS: [Port; 2] = [Port(5000), Port(6000)];

    pub(crate) fn request(&self, end: usize, port: Port) -> Connect {
        Connect {
            locals: vec![address(end)],
            remotes: vec![address(1 - end)],
            port,
        }
    }

    pub(crate) fn try_connect_from(&mut self, end: usize) -> Result<AssocId, ConnectError> {
        let request = self.request(end, Self::PORTS[1 - end]);
        self.ends[end].connect_from(self.now, Self::PORTS[end], request)
    }

    pub(crate) fn connect_from(&mut self, end: usize) {
        self.ids[end] = Some(self.try_connect_from(end).unwrap());
    }

    /// Both ends open the same association.
    pub(crate) fn connect_both(&mut self) {
        self.connect_from(0);
        self.connect_from(1);
    }

    /// Both ends have the association of `ids` and no other, and can talk.
    pub(crate) fn assert_one_association_that_works(&mut self) {
        for end in 0..2 {
            assert_eq!(self.state(end), AssocState::Established);
            assert_eq!(self.ends[end].associations().count(), 1);
        }
        for from in 0..2 {
            let now = self.now;
            let id = self.ids[from].unwrap();
            let assoc = self.ends[from].association_mut(now, id).unwrap();
            assoc.send(Message::new(1, vec![9; 99])).unwrap();
            self.settle();
            let id = self.ids[1 - from].unwrap();
            let assoc = self.ends[1 - from].association_mut(now, id).unwrap();
            let message = std::iter::from_fn(|| assoc.recv()).find(|m| m.stream.0 == 1);
            assert_eq!(message.map(|m| m.payload.len()), Some(99));
        }
    }

    /// Delivers packets in an order that `seed` decides, loses some, repeats some, and lets timers
    /// fire, until nothing happens any more for a while. `spoil` in 16 packets are lost, and as
    /// many come twice, of the first fifty.
    pub(crate) fn shuffle(&mut self, seed: u64, spoil: u64) {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % below
        };
        let mut flying: Vec<(usize, Bytes)> = Vec::new();
        let mut spoiled = 0;
        let end = self.now + 40_000 * MS;
        while self.now < end {
            for from in 0..2 {
                let packets = self.take(from);
                flying.extend(packets.into_iter().map(|seen| (1 - from, seen.bytes)));
            }
            if flying.is_empty() || random(8) == 0 {
                let next = self.ends.iter_mut().filter_map(|e| e.poll_timeout()).min();
                let latest = match flying.is_empty() {
                    true => end,
                    false => self.now + 10 * MS,
                };
                self.now = next.unwrap_or(end).max(self.now + MS / 10).min(latest);
                let now = self.now;
                self.ends.iter_mut().for_each(|e| e.handle_timeout(now));
                continue;
            }
            let at = random(flying.len() as u64) as usize;
            let (to, bytes) = flying.swap_remove(at);
            let luck = if spoiled < 20 { random(16) } else { 15 };
            spoiled += 1;
            if luck < spoil {
                continue;
            }
            if luck < 2 * spoil {
                flying.push((to, bytes.clone()));
            }
            self.deliver(to, bytes);
        }
        self.settle();
    }

    /// Lets the time pass that repetitions need.
    pub(crate) fn run_timers(&mut self) {
        for _ in 0..100 {
            self.now += 50 * MS;
            let now = self.now;
            self.ends.iter_mut().for_each(|e| e.handle_timeout(now));
            self.settle();
        }
    }

    pub(crate) fn connect(&mut self) {
        self.ids[0] = Some(self.try_connect().unwrap());
    }

    /// The client begins and has the answer to its INIT: the COOKIE-ECHO that it sends.
    pub(crate) fn cookie_echo(&mut self) -> Seen {
        self.connect();
        let init = self.take(0).remove(0);
        self.deliver(1, init.bytes);
        let ack = self.take(1).remove(0);
        self.deliver(0, ack.bytes);
        self.take(0).remove(0)
    }

    pub(crate) fn established() -> Self {
        Self::new().establish()
    }

    pub(crate) fn establish(mut self) -> Self {
        self.connect();
        self.settle();
        self.ids[1] = self.ends[1].associations().next().map(|a| a.id());
        assert_eq!(
            (self.state(0), self.state(1)),
            (AssocState::Established, AssocState::Established)
        );
        while self.ends.iter_mut().any(|end| end.poll_event().is_some()) {}
        self
    }

    /// One end's association.
    pub(crate) fn assoc(&self, end: usize) -> &Association {
        self.ends[end].association(self.ids[end].unwrap()).unwrap()
    }

    /// Gives commands to one end's association.
    pub(crate) fn command<R>(&mut self, end: usize, f: impl FnOnce(&mut Association) -> R) -> R {
        let (now, id) = (self.now, self.ids[end].unwrap());
        f(self.ends[end].association_mut(now, id).unwrap())
    }

    /// Lets time pass up to the next deadline of one end.
    pub(crate) fn next_timeout(&mut self, end: usize) {
        self.now = self.now.max(self.ends[end].poll_timeout().unwrap());
        self.ends[end].handle_timeout(self.now);
    }

    pub(crate) fn state(&self, end: usize) -> AssocState {
        self.ends[end]
            .association(self.ids[end].unwrap())
            .unwrap()
            .state()
    }

    /// The next packets of one end, not delivered.
    pub(crate) fn take(&mut self, end: usize) -> Vec<Seen> {
        let mut buf = Vec::new();
        let mut all = Vec::new();
        while let Some(transmit) = self.ends[end].poll_transmit(self.now, 1, &mut buf) {
            let bytes = Bytes::copy_from_slice(&buf[..transmit.size]);
            let header = Packet::decode(&bytes, ChecksumPolicy::VerifyUnlessZero)
                .unwrap()
                .header();
            let seen = Seen { header, bytes };
            self.learn(end, &seen);
            all.push(seen);
        }
        all
    }

    pub(crate) fn learn(&mut self, end: usize, seen: &Seen) {
        if seen.header.verification_tag.0 != 0 {
            self.headers[end] = seen.header;
        }
        let first = seen.with(ChunkType::INIT, |c, _| match c {
            Chunk::Init(init) => init.initial_tsn,
            _ => unreachable!(),
        });
        let second = seen.with(ChunkType::INIT_ACK, |c, _| match c {
            Chunk::InitAck(ack) => ack.initial_tsn,
            _ => unreachable!(),
        });
        let data = seen.with(ChunkType::DATA, |c, _| match c {
            Chunk::Data(data) => data.tsn.next(),
            _ => unreachable!(),
        });
        if let Some(tsn) = first.or(second).or(data) {
            self.next_tsn[end] = tsn;
        }
    }

    pub(crate) fn deliver(&mut self, to: usize, bytes: Bytes) {
        self.deliver_from(to, address(1 - to), bytes);
    }

    pub(crate) fn deliver_from(&mut self, to: usize, remote: SocketAddr, bytes: Bytes) {
        let path = FourTuple {
            local: address(to),
            remote,
        };
        self.ends[to].handle_datagram(self.now, path, bytes);
    }

    pub(crate) fn settle(&mut self) {
        loop {
            let packets = [0, 1].map(|end| self.take(end));
            if packets.iter().all(Vec::is_empty) {
                return;
            }
            for (end, list) in packets.into_iter().enumerate() {
                list.into_iter()
                    .for_each(|seen| self.deliver(1 - end, seen.bytes));
            }
        }
    }

    /// Delivers what the server has to say, and nothing that the client answers.
    pub(crate) fn settle_once(&mut self) {
        for seen in self.take(1) {
            self.deliver(0, seen.bytes);
        }
    }

    /// Sends chunks to the server as the client would, and gives back its answers.
    pub(crate) fn inject(&mut self, chunks: &[&dyn EncodeChunk]) -> Vec<Seen> {
        let bytes = packet(self.headers[0], chunks);
        self.deliver(1, bytes);
        self.take(1)
    }

    pub(crate) fn end_of(&mut self, end: usize) -> Option<CloseReason> {
        while let Some((id, event)) = self.ends[end].poll_event() {
            if Some(id) == self.ids[end]
                && let Event::Closed { reason } = event
            {
                return Some(reason);
            }
        }
        None
    }

    /// A DATA chunk of the client, `ahead` of the next one expected.
    pub(crate) fn data(&self, ahead: u32, ssn: u16) -> Data<'static> {
        let flags = DataFlags {
            begin: true,
            end: true,
            ..DataFlags::default()
        };
        let tsn = self.next_tsn[0].add(ahead);
        Data {
            tsn,
            stream: StreamId(0),
            ssn: Ssn(ssn),
            ppid: Ppid(0),
            flags,
            payload: b"hello",
        }
    }

    pub(crate) fn sack(&self, cumulative: Tsn) -> Sack<'static> {
        Sack {
            cumulative_tsn_ack: cumulative,
            a_rwnd: 1 << 20,
            flags: 0,
            gaps: GapBlocks::new(&[]),
            duplicates: DuplicateTsns::new(&[]),
        }
    }
}

pub(crate) fn kinds(all: &[Seen]) -> Vec<ChunkType> {
    all.iter().flat_map(Seen::kinds).collect()
}

pub(crate) fn causes_of(all: &[Seen], kind: ChunkType) -> Vec<u16> {
    let found = all.iter().find_map(|seen| {
        seen.with(kind, |chunk, _| match chunk {
            Chunk::Abort(abort) => abort.causes.iter().flatten().map(|c| c.code()).collect(),
            Chunk::Error(error) => error.causes.iter().flatten().map(|c| c.code()).collect(),
            _ => vec![],
        })
    });
    found.unwrap_or_default()
}

/// What the first SACK or NR-SACK among packets says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) cumulative: Tsn,
    pub(crate) a_rwnd: u32,
    pub(crate) gaps: Vec<(u16, u16)>,
    pub(crate) non_renegable: Vec<(u16, u16)>,
    pub(crate) duplicates: Vec<Tsn>,
}

pub(crate) fn acknowledged(all: &[Seen]) -> Option<Acknowledged> {
    let pairs = |blocks: GapBlocks<'_>| blocks.iter().map(|b| (b.start, b.end)).collect();
    let read = |chunk: Chunk<'_>, _| match chunk {
        Chunk::Sack(sack) => Acknowledged {
            cumulative: sack.cumulative_tsn_ack,
            a_rwnd: sack.a_rwnd,
            gaps: pairs(sack.gaps),
            non_renegable: vec![],
            duplicates: sack.duplicates.iter().collect(),
        },
        Chunk::NrSack(sack) => Acknowledged {
            cumulative: sack.cumulative_tsn_ack,
            a_rwnd: sack.a_rwnd,
            gaps: pairs(sack.gaps),
            non_renegable: pairs(sack.non_renegable),
            duplicates: sack.duplicates.iter().collect(),
        },
        _ => unreachable!(),
    };
    let mut found = all.iter().map(|seen| {
        let plain = seen.with(ChunkType::SACK, read);
        plain.or_else(|| seen.with(ChunkType::NR_SACK, read))
    });
    found.find_map(|found| found)
}
