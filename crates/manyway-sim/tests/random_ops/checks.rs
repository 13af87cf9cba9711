//! What must be true at any time, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use manyway_proto::{AssocState, CloseReason, Event, Message, StreamId};

use crate::op::STREAMS;
use crate::world::{Kind, SECOND, World};

/// The largest send buffer, and the largest message.
const LARGEST: usize = (4 << 20) + 100_000;

impl World {
    pub(crate) fn check(&self) {
        for side in 0..2 {
            let Some(assoc) = self.assoc(side) else {
                continue;
            };
            if let Err(broken) = assoc.check_invariants() {
                panic!("side {side}: {broken}");
            }
            assert!(assoc.paths().count() <= 16, "paths are bounded");
            assert!(
                assoc.send_backlog() <= LARGEST,
                "the send buffer is bounded"
            );
            self.check_delivery(side);
        }
    }

    fn events(&self, side: usize) -> impl Iterator<Item = &Event> {
        let events = self.scene.network.node(self.hosts[side]).events.iter();
        let of_mine = events.filter(move |(_, of, _)| Some(*of) == self.ids[side]);
        of_mine.map(|(_, _, event)| event)
    }

    /// The numbers of the messages that `side` gave up.
    pub(crate) fn abandoned(&self, side: usize) -> BTreeSet<[u8; 4]> {
        let mut all = BTreeSet::new();
        for event in self.events(side) {
            if let Event::Abandoned { context, .. } = event {
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
        self.events(side).find_map(|event| match event {
            Event::Closed { reason } => Some(reason),
            _ => None,
        })
    }

    pub(crate) fn was_aborted(&self, side: usize) -> bool {
        self.end_of(side) == Some(&CloseReason::LocalAbort)
    }

    /// Whether both ends are set up and everything sent was read or given up.
    fn has_all(&self) -> bool {
        (0..2).all(|side| {
            let received = self.received[side].iter().map(|m| m.payload[..4].to_vec());
            let mut over: BTreeSet<Vec<u8>> = received.collect();
            over.extend(self.abandoned(1 - side).into_iter().map(Vec::from));
            let states = [AssocState::CookieWait, AssocState::CookieEchoed];
            over.len() == self.sent[1 - side].len()
                && self
                    .assoc(side)
                    .is_some_and(|a| a.send_backlog() == 0 && !states.contains(&a.state()))
        })
    }

    /// Goes on for at most so many seconds, until `done`.
    fn go_on(&mut self, seconds: u32, done: impl Fn(&Self) -> bool) {
        for _ in 0..seconds * 10 {
            if done(self) {
                break;
            }
            self.scene.network.run_for(SECOND / 10);
            self.meet();
            (0..2).for_each(|side| self.read(side));
            self.check();
        }
    }

    /// After everything was healed: all is delivered, nothing goes on, and the end is graceful;
    /// after an abort both sides come to know of the end.
    pub(crate) fn finish(mut self) {
        self.heal();
        if self.aborted {
            return self.finish_aborted();
        }
        let patience = if self.kind == Kind::Nats { 60 } else { 300 };
        self.go_on(patience, Self::has_all);
        let counts = [0, 1].map(|side| (self.sent[side].len(), self.received[1 - side].len()));
        assert!(
            self.has_all(),
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
        self.check();
        for side in 0..2 {
            assert_eq!(
                self.end_of(side),
                Some(&CloseReason::Graceful),
                "side {side}"
            );
        }
    }

    fn finish_aborted(mut self) {
        let over = |world: &Self| {
            // A client that did not hear of the end during set-up opens another association when
            // the cookie of the first is too old.
            let server = world.scene.network.node(world.hosts[1]);
            server.incoming().count() > 1
                || (0..2).all(|side| world.ids[side].is_none() || world.end_of(side).is_some())
        };
        self.go_on(300, over);
        let ends = [self.end_of(0), self.end_of(1)];
        assert!(over(&self), "one side goes on after an abort: {ends:?}");
    }
}
