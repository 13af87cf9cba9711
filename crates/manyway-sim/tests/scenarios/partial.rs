//! Messages that may be given up (RFC 3758, RFC 7496): nothing late, nothing lost silently.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use manyway_proto::{
    AbandonReason, EndpointConfig, Event, Message, Reliability, SendError, SendOptions, StreamId,
};
use manyway_sim::network::{Action, Direction, Verdict};
use manyway_sim::{Instant, Loss, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, chunk_types, link, one_path};

/// Numbered messages, when they were sent and when they arrived.
struct Flow {
    pair: Pair,
    sent: Vec<Instant>,
    arrived: BTreeMap<u32, Instant>,
    order: Vec<Message>,
}

impl Flow {
    fn new(mut pair: Pair) -> Self {
        pair.scene
            .network
            .with_node(pair.server.0, |station| station.keeping = true);
        let client = pair.client;
        pair.command(client, |_, assoc| {
            assert!(assoc.can_abandon_sent());
            assoc.report_abandoned(true);
        });
        Self {
            pair,
            sent: vec![],
            arrived: BTreeMap::new(),
            order: vec![],
        }
    }

    fn lose(&mut self, path: usize, share: f64) {
        let interface = self.pair.scene.paths[path].client;
        let loss = Loss::Bernoulli(share);
        let action = Action::SetLoss(interface, Direction::Both, loss);
        self.pair.scene.network.apply(action);
    }

    /// Sends the next message: false if there is no room for it.
    fn send(&mut self, stream: u16, unordered: bool, len: usize, reliability: Reliability) -> bool {
        let number = self.sent.len() as u32;
        let mut payload = vec![0; len];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let message = Message {
            unordered,
            ..Message::new(stream, payload)
        };
        let options = SendOptions::default()
            .with_reliability(reliability)
            .with_context(number.into());
        let client = self.pair.client;
        let result = self
            .pair
            .command(client, |_, assoc| assoc.send_with(message, options));
        match result {
            Ok(()) => self.sent.push(self.pair.scene.network.now()),
            Err(SendError::WouldBlock(_)) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() {
            self.pair.scene.network.run_for(MS);
            let now = self.pair.scene.network.now();
            let server = self.pair.server.0;
            let inbox = self
                .pair
                .scene
                .network
                .with_node(server, |station| std::mem::take(&mut station.inbox));
            for (_, message) in inbox {
                let head = message.payload[..4].try_into().expect("four bytes");
                let number = u32::from_be_bytes(head);
                let old = self.arrived.insert(number, now);
                assert_eq!(old, None, "message {number} was delivered twice");
                self.order.push(message);
            }
        }
        self.pair.check();
    }

    fn abandoned(&self) -> BTreeMap<u32, AbandonReason> {
        let mut all = BTreeMap::new();
        for event in self.pair.events(self.pair.client) {
            if let Event::Abandoned {
                context, reason, ..
            } = event
            {
                let old = all.insert(context as u32, reason);
                assert_eq!(old, None, "message {context} was reported twice");
            }
        }
        all
    }

    /// Each message was delivered or reported; nothing is left at either side.
    fn check_all_accounted(&mut self) {
        let abandoned = self.abandoned();
        for number in 0..self.sent.len() as u32 {
            assert!(
                self.arrived.contains_key(&number) || abandoned.contains_key(&number),
                "message {number} was lost silently\n{}",
                self.pair.describe()
            );
        }
        let assoc = self.pair.assoc(self.pair.client);
        assert_eq!(assoc.send_backlog(), 0, "{}", self.pair.describe());
        let counted = assoc.stats().abandoned;
        assert_eq!(counted.sent + counted.unsent, abandoned.len() as u64);
        for stream in 0..16 {
            let of = self.order.iter().filter(|m| m.stream == StreamId(stream));
            let ordered = of.filter(|m| !m.unordered).map(|m| &m.payload[..4]);
            assert!(ordered.is_sorted(), "stream {stream} is out of order");
        }
    }

    fn oldest(&self) -> Duration {
        let ages = self.arrived.iter();
        let age = |(number, at): (&u32, &Instant)| *at - self.sent[*number as usize];
        ages.map(age).max().unwrap_or_default()
    }
}

#[test]
fn timed_messages_are_never_delivered_late() {
    for (seed, unordered) in [(81, true), (82, false)] {
        let mut flow = Flow::new(Pair::establish(one_path(seed)));
        flow.lose(0, 0.2);
        let lifetime = 100 * MS;
        for _ in 0..1500 {
            let reliability = Reliability::RELIABLE.with_lifetime(lifetime);
            assert!(flow.send(1, unordered, 200, reliability));
            flow.run(4 * MS);
        }
        flow.run(3 * SECOND);
        flow.check_all_accounted();
        // The last transmission is within the lifetime, and takes 10 ms. In an ordered stream it
        // may wait for a FORWARD-TSN that was lost as well, a few times.
        let way = if unordered { 12 * MS } else { 10 * 20 * MS };
        let oldest = flow.oldest();
        assert!(
            oldest <= lifetime + way,
            "unordered {unordered}: {oldest:?}"
        );
        let share = flow.arrived.len() as f64 / 1500.0;
        assert!(share > 0.95, "{share} of the messages arrived");
        assert!(!flow.abandoned().is_empty());
    }
}

#[test]
fn messages_without_retransmissions_are_sent_once() {
    for seed in [83, 84] {
        let paths = [50, 20].map(|mbit| ScenePath::behind_nat(link(mbit, 10 * MS)));
        let mut flow = Flow::new(Pair::establish(Scene::new(&paths, seed)));
        (0..2).for_each(|path| flow.lose(path, 0.1));
        let tsns = Rc::new(RefCell::new(BTreeSet::new()));
        let seen = Rc::clone(&tsns);
        flow.pair.scene.network.set_hook(move |sent| {
            let mut at = 12;
            for kind in chunk_types(sent.payload) {
                let len = u16::from_be_bytes([sent.payload[at + 2], sent.payload[at + 3]]);
                if matches!(kind, 0 | 64) {
                    let tsn: [u8; 4] = sent.payload[at + 4..at + 8].try_into().unwrap();
                    assert!(seen.borrow_mut().insert(tsn), "a chunk was sent again");
                }
                at += usize::from(len).next_multiple_of(4);
            }
            Verdict::Pass
        });
        for number in 0..3000_usize {
            let len = 4 + number * 37 % 4000;
            let once = Reliability::RELIABLE.with_max_retransmissions(0);
            assert!(flow.send(number as u16 % 16, number % 3 == 0, len, once));
            flow.run(MS);
        }
        flow.run(20 * SECOND);
        flow.check_all_accounted();
        let chunks = tsns.borrow().len();
        assert!(chunks > 3000, "{chunks} chunks");
        let share = flow.arrived.len() as f64 / 3000.0;
        assert!(
            (0.6..0.95).contains(&share),
            "{share} of the messages arrived"
        );
        let only = AbandonReason::Retransmissions;
        assert!(flow.abandoned().values().all(|reason| *reason == only));
    }
}

#[test]
fn a_full_buffer_drops_what_ranks_lowest_and_delivers_the_rest() {
    let mut config = EndpointConfig::default();
    config.transport.send_buffer = 64 << 10;
    let paths = [ScenePath::direct(link(2, 10 * MS))];
    let scene = Scene::with_engines(&paths, config, EndpointConfig::default(), 85);
    let mut flow = Flow::new(Pair::establish(scene));
    // Twice of what the path carries, a quarter of it important.
    for number in 0..2000_u32 {
        let priority = if number % 4 == 0 { 0 } else { 9 };
        let reliability = Reliability::RELIABLE.with_priority(priority);
        let taken = flow.send((number % 16) as u16, false, 1000, reliability);
        // What cannot make room for itself is not taken, and has no number.
        assert!(taken || priority == 9, "{}", flow.pair.describe());
        flow.run(2 * MS);
    }
    flow.run(5 * SECOND);
    flow.check_all_accounted();
    let abandoned = flow.abandoned();
    assert!(!abandoned.is_empty());
    assert!(abandoned.values().all(|r| *r == AbandonReason::Priority));
}

#[test]
fn a_path_that_dies_holds_nothing_up_longer_than_its_messages_live() {
    let paths = [50, 50].map(|mbit| ScenePath::behind_nat(link(mbit, 10 * MS)));
    let mut flow = Flow::new(Pair::establish(Scene::new(&paths, 86)));
    let lifetime = Reliability::RELIABLE.with_lifetime(150 * MS);
    for round in 0..1500 {
        if round == 500 {
            let interface = flow.pair.scene.paths[0].client;
            let action = Action::Cut(interface, Direction::Both);
            flow.pair.scene.network.apply(action);
        }
        if round == 1000 {
            flow.pair.scene.restore(0);
        }
        assert!(flow.send(2, false, 1200, lifetime));
        flow.run(2 * MS);
    }
    flow.run(3 * SECOND);
    flow.check_all_accounted();
    let oldest = flow.oldest();
    assert!(oldest <= 400 * MS, "{oldest:?}\n{}", flow.pair.describe());
    let share = flow.arrived.len() as f64 / 1500.0;
    assert!(share > 0.97, "{share} of the messages arrived");
}
