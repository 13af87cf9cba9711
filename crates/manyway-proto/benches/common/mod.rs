//! Two endpoints in memory, with a meter on each of the engine's doors.
#![expect(
    dead_code,
    reason = "each program that includes this uses a part of it"
)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use manyway_proto::{
    AssocId, Connect, Endpoint, EndpointConfig, Event, FourTuple, Instant, Message, Port, Transmit,
};
use manyway_wire::{CommonHeader, Init, PacketWriter, ParameterList, Tsn, VerificationTag};

/// Half of the round trip of the way between the ends.
const HALF_WAY: Duration = Duration::from_micros(500);
const PORT: Port = Port(80);
/// SCTP ports that one client address gives; the next address goes on.
const PER_ADDRESS: usize = 30_000;

/// What is measured of one of the engine's doors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Packets that went through, or messages where the application is.
    pub(crate) count: u64,
    /// Allocations of memory meanwhile.
    pub(crate) allocations: u64,
}

/// The engine's doors.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tallies {
    /// The sender's `poll_transmit`: packets with DATA.
    pub(crate) send_data: Tally,
    /// The receiver's `handle_datagram`: packets with DATA.
    pub(crate) receive_data: Tally,
    /// The receiver's `poll_transmit`: SACKs.
    pub(crate) send_sack: Tally,
    /// The sender's `handle_datagram`: SACKs.
    pub(crate) receive_sack: Tally,
    /// The application's `send`.
    pub(crate) submit: Tally,
    /// The application's `recv`.
    pub(crate) fetch: Tally,
}

/// Each door has a function that is not inlined and whose name a profiler shows; it is called only
/// while counting.
macro_rules! door {
    ($name:ident($($arg:ident: $type:ty),*) -> $result:ty, $work:expr) => {
        #[inline(never)]
        fn $name($($arg: $type),*) -> $result {
            // Functions that do the same would be made one.
            std::hint::black_box(stringify!($name));
            $work
        }
    };
}

door!(counted_send_data(end: &mut Endpoint, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit>,
    end.poll_transmit(now, 1, buf));
door!(counted_send_sack(end: &mut Endpoint, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit>,
    end.poll_transmit(now, 1, buf));
door!(counted_receive_data(end: &mut Endpoint, now: Instant, path: FourTuple, bytes: Bytes) -> (),
    end.handle_datagram(now, path, bytes));
door!(counted_receive_sack(end: &mut Endpoint, now: Instant, path: FourTuple, bytes: Bytes) -> (),
    end.handle_datagram(now, path, bytes));
door!(counted_submit(end: &mut Endpoint, now: Instant, id: AssocId, message: Message) -> bool,
    end.association_mut(now, id).is_some_and(|a| a.send(message).is_ok()));
door!(counted_fetch(end: &mut Endpoint, now: Instant, id: AssocId) -> Option<Message>,
    end.association_mut(now, id).and_then(|a| a.recv()));

/// Runs `work` and notes what it allocated. `is_one` says whether it did anything.
fn metered<R>(tally: &mut Tally, work: impl FnOnce() -> R, is_one: impl FnOnce(&R) -> bool) -> R {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    let result = result.expect("the work has been done");
    tally.allocations += info.count_total;
    tally.count += u64::from(is_one(&result));
    result
}

/// A client and a server, and what flies between them.
#[derive(Debug)]
pub(crate) struct Ends {
    now: Instant,
    ends: [Endpoint; 2],
    flying: Vec<(usize, FourTuple, Bytes)>,
    buf: Vec<u8>,
    payload: Bytes,
    /// Where datagrams arrive.
    pool: BytesMut,
    counting: bool,
    /// The last association that came to the server.
    incoming: Option<AssocId>,
    /// What was measured while counting.
    pub(crate) tallies: Tallies,
}

/// INITs from ever new addresses, 20 microseconds apart.
#[derive(Debug)]
pub(crate) struct InitFlood {
    server: Endpoint,
    sent: u32,
    buf: Vec<u8>,
}

impl InitFlood {
    pub(crate) fn new() -> Self {
        let mut server = Endpoint::new(EndpointConfig::default(), [5; 32]);
        server.listen(PORT).expect("a new endpoint listens");
        Self {
            server,
            sent: 0,
            buf: Vec::with_capacity(2048),
        }
    }

    /// So many more; each must be answered.
    pub(crate) fn send(&mut self, count: usize) {
        for _ in 0..count {
            let now = self.deliver();
            let answer = counted_send_sack(&mut self.server, now, &mut self.buf);
            assert!(answer.is_some(), "an INIT-ACK");
        }
    }

    /// So many more, and nobody takes the answers.
    pub(crate) fn send_unheard(&mut self, count: usize) {
        for _ in 0..count {
            self.deliver();
        }
    }

    /// INITs that were answered.
    pub(crate) fn answered(&self) -> u64 {
        self.server.stats().inits_answered
    }

    fn deliver(&mut self) -> Instant {
        self.sent += 1;
        let now = Instant::ZERO + Duration::from_micros(u64::from(self.sent) * 20);
        let [_, b, c, d] = self.sent.to_be_bytes();
        let path = FourTuple {
            local: address(1, 0),
            remote: ([10, b, c, d], 9899).into(),
        };
        counted_receive_data(&mut self.server, now, path, init(self.sent));
        now
    }
}

fn init(tag: u32) -> Bytes {
    let header = CommonHeader {
        source_port: Port(5000),
        destination_port: PORT,
        verification_tag: VerificationTag(0),
    };
    let parameters = ParameterList::new();
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes, &header, 1200);
    let fits = writer.push(&Init {
        initiate_tag: VerificationTag(tag),
        a_rwnd: 1 << 20,
        outbound_streams: 10,
        inbound_streams: 10,
        initial_tsn: Tsn(1),
        parameters: parameters.as_parameters(),
    });
    assert!(fits, "an INIT is small");
    writer.finish(true);
    bytes.into()
}

/// A datagram in a piece of a large buffer, as a socket gives it.
fn arrived(pool: &mut BytesMut, bytes: &[u8]) -> Bytes {
    if pool.capacity() < bytes.len() {
        *pool = BytesMut::with_capacity(1 << 16);
        // From here on its pieces share it.
        drop(pool.split());
    }
    pool.extend_from_slice(bytes);
    pool.split().freeze()
}

fn address(end: usize, network: usize) -> SocketAddr {
    SocketAddr::from(([10, end as u8, network as u8, 1], 9899))
}

impl Ends {
    /// Two endpoints that know nothing of each other, with `networks` addresses each.
    pub(crate) fn new(config: &EndpointConfig, networks: usize) -> Self {
        Self::with([config, config], networks)
    }

    /// As [`Ends::new`], with a configuration for each end.
    pub(crate) fn with([client, server]: [&EndpointConfig; 2], networks: usize) -> Self {
        let mut ends =
            [(client, 1), (server, 2)].map(|(c, seed)| Endpoint::new(c.clone(), [seed; 32]));
        ends[1].listen(PORT).expect("a new endpoint listens");
        let now = Instant::ZERO + Duration::from_secs(1);
        let locals: Vec<_> = (0..networks).map(|n| address(1, n)).collect();
        ends[1].set_local_addresses(now, &locals);
        Self {
            now,
            ends,
            flying: Vec::new(),
            buf: Vec::with_capacity(2048),
            payload: Bytes::from(vec![7; 1 << 16]),
            pool: BytesMut::new(),
            counting: false,
            incoming: None,
            tallies: Tallies::default(),
        }
    }

    /// Opens one association over `networks` networks, and waits until all of them are used.
    pub(crate) fn connect(&mut self, networks: usize) -> (AssocId, AssocId) {
        let first = self.ends[0].associations().count() / PER_ADDRESS;
        let request = Connect {
            locals: (first..first + networks).map(|n| address(0, n)).collect(),
            remotes: (first..first + networks).map(|n| address(1, n)).collect(),
            port: PORT,
        };
        // Handshakes are limited in each second.
        self.now += Duration::from_micros(20);
        let now = self.now;
        let client = self.ends[0].connect(now, request).expect("a port is free");
        self.settle(8);
        (
            client,
            self.incoming.take().expect("the server has accepted"),
        )
    }

    /// Lets time pass in which nothing happens.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Lets packets go back and forth at most `rounds` times.
    fn settle(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.collect(0);
            self.collect(1);
            if self.flying.is_empty() {
                break;
            }
            self.deliver(None);
        }
    }

    /// Takes all that an end has to send.
    fn collect(&mut self, end: usize) {
        let tallies = &mut self.tallies;
        loop {
            let (endpoint, now, buf) = (&mut self.ends[end], self.now, &mut self.buf);
            let sent = match end {
                _ if !self.counting => endpoint.poll_transmit(now, 1, buf),
                0 => metered(
                    &mut tallies.send_data,
                    || counted_send_data(endpoint, now, buf),
                    Option::is_some,
                ),
                _ => metered(
                    &mut tallies.send_sack,
                    || counted_send_sack(endpoint, now, buf),
                    Option::is_some,
                ),
            };
            let Some(transmit) = sent else { return };
            let bytes = arrived(&mut self.pool, &self.buf[..transmit.size]);
            let path = FourTuple {
                local: transmit.path.remote,
                remote: transmit.path.local,
            };
            self.flying.push((1 - end, path, bytes));
        }
    }

    /// Delivers what flies; what comes at the server is read at once.
    fn deliver(&mut self, reader: Option<AssocId>) {
        for (end, path, bytes) in std::mem::take(&mut self.flying) {
            let (endpoint, now, tallies) = (&mut self.ends[end], self.now, &mut self.tallies);
            match end {
                _ if !self.counting => endpoint.handle_datagram(now, path, bytes),
                0 => metered(
                    &mut tallies.receive_sack,
                    || counted_receive_sack(endpoint, now, path, bytes),
                    |()| true,
                ),
                _ => metered(
                    &mut tallies.receive_data,
                    || counted_receive_data(endpoint, now, path, bytes),
                    |()| true,
                ),
            }
            if let Some(id) = reader.filter(|_| end == 1) {
                while self.fetch(id).is_some() {}
            }
            self.collect(end);
            while let Some((id, event)) = self.ends[end].poll_event() {
                if event == Event::Incoming {
                    self.incoming = Some(id);
                }
            }
        }
    }

    fn fetch(&mut self, server: AssocId) -> Option<Message> {
        let (end, now) = (&mut self.ends[1], self.now);
        if !self.counting {
            return end.association_mut(now, server)?.recv();
        }
        let work = || counted_fetch(end, now, server);
        metered(&mut self.tallies.fetch, work, Option::is_some)
    }

    fn submit(&mut self, client: AssocId, message: Message) -> bool {
        let (end, now) = (&mut self.ends[0], self.now);
        if !self.counting {
            let assoc = end.association_mut(now, client);
            return assoc.is_some_and(|assoc| assoc.send(message).is_ok());
        }
        let work = || counted_submit(end, now, client, message);
        metered(&mut self.tallies.submit, work, |taken| *taken)
    }

    /// One round trip: the client's buffer is filled with messages of `size` bytes on `streams`
    /// streams in turn, all that may leave does, and the acknowledgements come back.
    pub(crate) fn round(
        &mut self,
        (client, server): (AssocId, AssocId),
        size: usize,
        streams: u16,
    ) {
        let mut stream = 0;
        loop {
            let message = Message::new(stream, self.payload.slice(..size));
            if !self.submit(client, message) {
                break;
            }
            stream = (stream + 1) % streams;
        }
        self.pass_time(Some(server));
    }

    /// As [`Ends::round`], but nobody reads; what the buffer does not take stays where it is.
    pub(crate) fn push(&mut self, client: AssocId, size: usize, count: usize) {
        for _ in 0..count {
            let message = Message::new(0, self.payload.slice(..size));
            if !self.submit(client, message) {
                break;
            }
        }
        self.pass_time(None);
    }

    /// Sends `count` messages of `size` bytes on `streams` streams in turn. The first `lost`
    /// packets are; the others arrive and are read at once. Of what the server says only the last
    /// packet is on its way to the client afterwards.
    pub(crate) fn flood(
        &mut self,
        (client, server): (AssocId, AssocId),
        size: usize,
        streams: u16,
        count: usize,
        mut lost: usize,
    ) {
        let mut answer = None;
        for number in 0..count {
            let stream = (number % usize::from(streams)) as u16;
            let message = Message::new(stream, self.payload.slice(..size));
            assert!(self.submit(client, message), "the buffer takes all");
            if number % 256 != 255 && number + 1 < count {
                continue;
            }
            self.collect(0);
            let gone = lost.min(self.flying.len());
            self.flying.drain(..gone);
            lost -= gone;
            self.deliver(Some(server));
            answer = self.flying.pop().or(answer);
            self.flying.clear();
        }
        self.flying.extend(answer);
    }

    /// A long way on which `bytes` are in flight: `count` messages of `size` bytes on `streams`
    /// streams in turn, which arrive and are read at once. What the server says waits in `answers`
    /// while less is in flight.
    pub(crate) fn pipeline(
        &mut self,
        (client, server): (AssocId, AssocId),
        (size, streams, count): (usize, u16, usize),
        bytes: u64,
        answers: &mut VecDeque<(usize, FourTuple, Bytes)>,
    ) {
        for number in 0..count {
            let stream = (number % usize::from(streams)) as u16;
            let message = Message::new(stream, self.payload.slice(..size));
            if !self.submit(client, message) {
                break;
            }
            if number % 64 != 63 {
                continue;
            }
            self.now += Duration::from_micros(10);
            self.collect(0);
            self.deliver(Some(server));
            answers.extend(self.flying.drain(..));
            while self.outstanding(client) > bytes
                && let Some(answer) = answers.pop_front()
            {
                self.flying.push(answer);
                self.deliver(None);
                self.deliver(Some(server));
                answers.extend(self.flying.drain(..));
            }
        }
    }

    /// Lets a round trip pass, and timers fire.
    pub(crate) fn pass_time(&mut self, reader: Option<AssocId>) {
        self.collect(0);
        for _ in 0..2 {
            self.now += HALF_WAY;
            self.deliver(reader);
            for end in 0..2 {
                let now = self.now;
                if self.ends[end].poll_timeout().is_some_and(|at| at <= now) {
                    self.ends[end].handle_timeout(now);
                    self.collect(end);
                }
            }
        }
    }

    /// Reads all that is there at the server; how many bytes.
    pub(crate) fn read(&mut self, server: AssocId) -> usize {
        let mut bytes = 0;
        while let Some(message) = self.fetch(server) {
            bytes += message.payload.len();
        }
        self.collect(1);
        bytes
    }

    /// An end.
    pub(crate) fn end(&self, end: usize) -> &Endpoint {
        &self.ends[end]
    }

    /// Opens one association; whether the server takes it.
    pub(crate) fn try_connect(&mut self) -> bool {
        let request = Connect {
            locals: vec![address(0, 0)],
            remotes: vec![address(1, 0)],
            port: PORT,
        };
        let now = self.now;
        self.ends[0].connect(now, request).expect("a port is free");
        self.settle(8);
        self.incoming.take().is_some()
    }

    /// Counts from here on.
    pub(crate) fn count(&mut self) {
        self.counting = true;
        self.tallies = Tallies::default();
    }

    /// Counts no longer.
    pub(crate) fn stop_counting(&mut self) {
        self.counting = false;
    }

    /// Both ends drop an association.
    pub(crate) fn forget(&mut self, (client, server): (AssocId, AssocId)) {
        self.ends[0].release(client);
        self.ends[1].release(server);
    }

    /// The congestion windows of the client's paths, bytes.
    pub(crate) fn window(&self, client: AssocId) -> u64 {
        let assoc = self.ends[0].association(client);
        assoc.map_or(0, |a| a.paths().map(|p| p.cwnd).sum())
    }

    /// Bytes that the client waits for to be acknowledged.
    pub(crate) fn outstanding(&self, client: AssocId) -> u64 {
        let assoc = self.ends[0].association(client);
        assoc.map_or(0, |a| a.paths().map(|p| p.in_flight).sum())
    }
}
