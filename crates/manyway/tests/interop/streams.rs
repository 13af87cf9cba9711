//! Many streams at once, ordered and unordered, whole and interleaved (RFC 9260, RFC 8260).

use manyway::{CloseReason, Message, StreamSchedulerKind};
use manyway_bed::Loss;

use crate::capture::{Crossed, chunk};
use crate::network::{Pair, Side, World, soon};
use crate::rows::{self, ALL, BOTH, LINUX, Row, USRSCTP};
use crate::transfer::{check_arrival, contents, exchange, hex_digest, send, their_send};

/// Messages on streams.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) streams: u16,
    /// Messages on each stream.
    pub(crate) count: u64,
    /// Bytes of the shortest message; the longest one has half as many more.
    pub(crate) length: usize,
    /// Every second stream is unordered.
    pub(crate) mixed: bool,
}

impl Load {
    fn is_unordered(self, stream: u16) -> bool {
        self.mixed && stream % 2 == 1
    }

    /// Seed and length of a stream's message.
    fn message(self, stream: u16, at: u64) -> (u64, usize) {
        let seed = u64::from(stream) * 1000 + at;
        (
            seed,
            self.length + seed as usize * 7 % (self.length / 2 + 1),
        )
    }

    /// The messages of all streams, in turn.
    fn turns(self) -> impl Iterator<Item = (u16, u64)> {
        (0..self.count).flat_map(move |at| (0..self.streams).map(move |stream| (stream, at)))
    }

    async fn send(self, pair: &Pair) {
        for (stream, at) in self.turns() {
            let (seed, length) = self.message(stream, at);
            let mut message = Message::new(stream, contents(seed, length));
            message.unordered = self.is_unordered(stream);
            soon("room to send", pair.ours.send(message)).await.unwrap();
        }
    }

    fn let_them_send(self, pair: &mut Pair) {
        for (stream, at) in self.turns() {
            let (seed, length) = self.message(stream, at);
            let order = if self.is_unordered(stream) { 'u' } else { 'o' };
            pair.peer
                .begin(&format!("send {stream} {order} {length} 1 {seed}"));
        }
    }

    /// Compares what arrived, stream by stream, with what was sent.
    fn check(self, name: &str, mut arrived: Vec<Vec<String>>) {
        for stream in 0..self.streams {
            let digest = |at| {
                let (seed, length) = self.message(stream, at);
                hex_digest(&contents(seed, length))
            };
            let mut wanted: Vec<String> = (0..self.count).map(digest).collect();
            let arrived = &mut arrived[usize::from(stream)];
            if self.is_unordered(stream) {
                wanted.sort();
                arrived.sort();
            }
            assert!(*arrived == wanted, "{name}, stream {stream}");
        }
    }
}

/// Sends a load both ways at once and checks what arrives.
pub(crate) async fn exchange_load(pair: &mut Pair, load: Load) {
    load.let_them_send(pair);
    let mut here = vec![Vec::new(); usize::from(load.streams)];
    let mut there = here.clone();
    let receive = async {
        for _ in load.turns() {
            let message = soon("a message", pair.ours.recv()).await.unwrap().unwrap();
            assert_eq!(message.unordered, load.is_unordered(message.stream.0));
            here[usize::from(message.stream.0)].push(hex_digest(&message.payload));
        }
    };
    tokio::join!(load.send(pair), receive);
    for _ in load.turns() {
        let arrived = pair.peer.message().await;
        assert_eq!(arrived.unordered, load.is_unordered(arrived.stream));
        there[usize::from(arrived.stream)].push(arrived.digest);
    }
    load.check("from the peer", here);
    load.check("to the peer", there);
    for _ in load.turns() {
        pair.peer.done("send").await;
    }
}

const SMALL: Load = Load {
    streams: 16,
    count: 20,
    length: 700,
    mixed: true,
};

const MANY: Load = Load {
    streams: 64,
    count: 10,
    length: 1500,
    mixed: true,
};

/// Messages of several packets on all streams that there are.
const LARGE: Load = Load {
    streams: 16,
    count: 4,
    length: 9000,
    mixed: true,
};

/// Both sides take the streams in turn. All streams begin a message, and the peer gives none out
/// that is not complete.
fn take_turns(world: &mut World<'_>) {
    rows::interleave(world);
    world.config.transport.stream_scheduler = StreamSchedulerKind::RoundRobin;
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "streams, ordered and unordered, under loss",
        stacks: ALL,
        initiators: BOTH,
        prepare: |_| {},
        play: |world, pair| Box::pin(under_loss(world, pair, &[SMALL, LARGE])),
        crossed: |crossed| {
            crossed.had(&[chunk::DATA]).had_no(&[chunk::I_DATA]);
        },
    },
    Row {
        name: "all 64 streams",
        stacks: ALL,
        initiators: BOTH,
        prepare: |world| world.config.transport.outbound_streams = 64,
        play: |_, pair| Box::pin(exchange_load(pair, MANY)),
        crossed: |crossed| {
            crossed.had(&[chunk::DATA]);
        },
    },
    Row {
        name: "I-DATA",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |_, pair| Box::pin(sizes(pair, &[1, 1164, 1205, 5000, 65_536])),
        crossed: only_i_data,
    },
    Row {
        name: "I-DATA, interleaved",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: take_turns,
        play: |_, pair| Box::pin(exchange_load(pair, LARGE)),
        crossed: |crossed| {
            only_i_data(crossed);
            for &side in BOTH {
                crossed.from(side).interleaved();
            }
        },
    },
    Row {
        name: "I-DATA, interleaved, under loss",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: take_turns,
        play: |world, pair| Box::pin(under_loss(world, pair, &[SMALL, LARGE])),
        crossed: only_i_data,
    },
    // Linux numbers the second fragment of a message 0, which is the first one's number (RFC 8260,
    // section 2.1); what has fragments passes in neither direction.
    Row {
        name: "I-DATA, a packet each, under loss",
        stacks: LINUX,
        initiators: BOTH,
        prepare: rows::interleave,
        play: |world, pair| Box::pin(packets(world, pair)),
        crossed: only_i_data,
    },
    Row {
        name: "I-DATA, wrongly numbered by the peer",
        stacks: LINUX,
        initiators: &[Side::We],
        prepare: rows::interleave,
        play: |_, pair| Box::pin(wrong_numbers(pair)),
        crossed: only_i_data,
    },
];

async fn sizes(pair: &mut Pair, sizes: &[usize]) {
    for &size in sizes {
        exchange(pair, 5, size).await;
    }
}

async fn under_loss(world: &World<'_>, pair: &mut Pair, loads: &[Load]) {
    let path = world.bed.path(0);
    path.set_loss(Loss::Bernoulli(0.02));
    for &load in loads {
        exchange_load(pair, load).await;
    }
    path.set_loss(Loss::None);
}

async fn packets(world: &World<'_>, pair: &mut Pair) {
    sizes(pair, &[1, 3, 1100]).await;
    under_loss(world, pair, &[SMALL]).await;
}

async fn wrong_numbers(pair: &mut Pair) {
    send(&pair.ours, 1, 100).await;
    check_arrival(&mut pair.peer, 1, 100).await;
    pair.peer.begin(&their_send(1, 5000));
    let reason = soon("end", pair.ours.closed()).await;
    assert!(
        matches!(reason, CloseReason::ProtocolViolation(_)),
        "{reason:?}"
    );
    pair.peer.event("lost").await;
}

fn only_i_data(crossed: &Crossed) {
    for &side in BOTH {
        let sent = crossed.from(side);
        sent.had(&[chunk::I_DATA]).had_no(&[chunk::DATA]);
    }
}

#[test]
fn streams_and_interleaving() {
    rows::play_on_usrsctp(ROWS);
}
