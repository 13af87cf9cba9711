//! A sender that gives up messages as Linux does, over a network that loses and reorders: it uses
//! no TSN for what it never sends, and says nothing again once all that it sent is acknowledged.

use std::collections::BTreeSet;

use manyway_wire::Tsn;

use super::*;
use crate::config::TransportConfig;
use crate::recv::{Arrival, Skip, TsnBounds, TsnMap};

/// The first TSN, so that the numbers wrap on the way.
const INITIAL: Tsn = Tsn(u32::MAX - 30);
/// Chunks under way at once.
const WINDOW: usize = 8;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }
}

/// One that is given up: after this many of its fragments were sent.
#[derive(Clone, Copy)]
struct Message {
    id: u32,
    stream: u16,
    ssn: u16,
    unordered: bool,
    fragments: u64,
    /// Those that are sent.
    sent: u64,
    given_up: bool,
    /// The index of its first chunk.
    first: u64,
}

impl Message {
    fn end(&self) -> u64 {
        self.first + self.sent
    }
}

fn messages(random: &mut Random) -> Vec<Message> {
    let (mut ssns, mut first) = ([0; 3], 0);
    let count = 60;
    let make = |id: u32| {
        // The last ones are whole, one on each stream.
        let last = id >= count - 3;
        let stream = match last {
            true => (count - 1 - id) as u16,
            false => random.below(3) as u16,
        };
        let unordered = !last && random.below(4) == 0;
        let fragments = if last { 1 } else { 1 + random.below(4) };
        let given_up = !last && random.below(3) == 0;
        let sent = match given_up {
            true => 1 + random.below(fragments),
            false => fragments,
        };
        let message = Message {
            id,
            stream,
            ssn: ssns[usize::from(stream)],
            unordered,
            fragments,
            sent,
            given_up,
            first,
        };
        ssns[usize::from(stream)] += u16::from(!unordered);
        first = message.end();
        message
    };
    (0..count).map(make).collect()
}

struct Receiver {
    map: TsnMap,
    inbound: Inbound,
    whole: Vec<u32>,
}

impl Receiver {
    fn take(&mut self, message: &Message, at: u64) {
        let tsn = INITIAL.add((message.first + at) as u32);
        let Arrival::New { index } = self.map.classify(tsn) else {
            return;
        };
        self.map.record(index);
        let flags = flags(message.unordered, at == 0, at + 1 == message.fragments);
        let fragment = Fragment {
            ppid: Ppid(message.id),
            ..plain(message.stream, message.ssn, flags, at as u8)
        };
        let limits = Limits {
            span: self.map.span(),
            follows: self.map.has(index + 1),
            ..LIMITS
        };
        let taken = self.inbound.insert(index, fragment, limits);
        taken.expect("the sender keeps the rules");
        self.read();
    }

    fn forward(&mut self, end: u64, skipped: &[(StreamId, Ssn)]) {
        let (bound, advance) = match self.map.skip_to(INITIAL.add(end as u32).sub(1)) {
            Skip::Forward { bound, advance, .. } => (bound, advance),
            Skip::Behind { bound } => (bound, 0),
            other => panic!("{other:?}"),
        };
        let reach = self.inbound.skip_to(Reach {
            bound,
            advance,
            span: self.map.span(),
        });
        for (stream, last) in skipped {
            self.inbound.skip_messages(*stream, *last, reach);
        }
        self.read();
    }

    fn read(&mut self) {
        while let Some(part) = self.inbound.pop() {
            if part.status == PartStatus::Complete {
                self.whole.push(part.ppid.0);
            }
        }
    }
}

/// Where the sender may advance to from `acknowledged`, and what it lists.
fn forward_from(all: &[Message], acknowledged: u64, sent: u64) -> (u64, Vec<(StreamId, Ssn)>) {
    let (mut end, mut skipped) = (acknowledged, Vec::new());
    for message in all.iter().filter(|m| m.end() > acknowledged) {
        if !message.given_up || message.end() > sent {
            break;
        }
        end = message.end();
        if !message.unordered {
            let (id, last) = (StreamId(message.stream), Ssn(message.ssn));
            skipped.retain(|(known, _)| *known != id);
            skipped.push((id, last));
        }
    }
    (end, skipped)
}

fn play(seed: u64, point: Option<usize>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let all = messages(&mut random);
    let mut flying: Vec<(usize, u64)> = Vec::new();
    for (number, message) in all.iter().enumerate() {
        flying.extend((0..message.sent).map(|at| (number, at)));
    }
    flying.reverse();
    let total = flying.len() as u64;
    let mut receiver = Receiver {
        map: TsnMap::new(INITIAL, TsnBounds::new(&TransportConfig::default())),
        inbound: Inbound::new(point),
        whole: Vec::new(),
    };
    let mut acknowledged = 0;
    while acknowledged < total {
        if !flying.is_empty() && random.below(4) > 0 {
            let place = random.below(flying.len().min(WINDOW) as u64) as usize;
            let (number, at) = flying.remove(flying.len() - 1 - place);
            if !all[number].given_up || random.below(3) > 0 {
                receiver.take(&all[number], at);
            }
            continue;
        }
        let under_way = flying.iter().rev().take(WINDOW).next_back();
        let sent = under_way.map_or(total, |(number, at)| all[*number].first + at + 1);
        let (end, skipped) = forward_from(&all, acknowledged, sent);
        if end > acknowledged && random.below(3) > 0 {
            receiver.forward(end, &skipped);
        }
        if random.below(2) == 0 {
            acknowledged = receiver.map.next_index();
        }
    }
    check(&all, receiver, seed);
}

fn check(all: &[Message], receiver: Receiver, seed: u64) {
    let got: BTreeSet<u32> = receiver.whole.iter().copied().collect();
    assert_eq!(
        got.len(),
        receiver.whole.len(),
        "seed {seed}: none comes twice"
    );
    for message in all {
        let came = got.contains(&message.id);
        assert!(
            came || message.given_up,
            "seed {seed}: {} is lost",
            message.id
        );
        assert!(!came || message.sent == message.fragments, "seed {seed}");
    }
    let ordered = |id: &&u32| !all[**id as usize].unordered;
    for stream in 0..3 {
        let of_it = receiver.whole.iter().filter(ordered);
        let of_it = of_it.filter(|id| all[**id as usize].stream == stream);
        assert!(
            of_it.is_sorted(),
            "seed {seed}: stream {stream} is in order"
        );
    }
    assert_empty(&receiver.inbound);
}

#[test]
fn a_peer_that_gives_up_as_linux_does_loses_what_it_gave_up_and_nothing_else() {
    for seed in 1..=400 {
        for point in [None, Some(1), Some(3)] {
            play(seed, point);
        }
    }
}
