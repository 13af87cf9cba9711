use std::collections::BTreeMap;

use super::*;

/// Streams with endless or numbered units of fixed sizes.
struct Bench {
    scheduler: Box<dyn StreamScheduler>,
    streams: BTreeMap<u16, StreamView>,
    arrival: u64,
}

impl Bench {
    fn new(kind: StreamSchedulerKind) -> Self {
        Self {
            scheduler: kind.build(),
            streams: BTreeMap::new(),
            arrival: 0,
        }
    }

    fn front(&mut self) -> Option<FrontMessage> {
        self.arrival += 1;
        Some(FrontMessage {
            remaining: 1,
            arrival: self.arrival,
        })
    }

    fn wake(&mut self, stream: u16, priority: u16, weight: u16) {
        let front = self.front();
        let view = StreamView {
            stream: StreamId(stream),
            priority,
            weight: NonZeroU16::new(weight).unwrap(),
            front,
        };
        self.streams.insert(stream, view);
        self.scheduler.on_change(view);
    }

    /// Sends one unit of the next stream; `more` if there is another one after it.
    fn send(
        &mut self,
        packet: Option<u16>,
        bytes: impl Fn(u16) -> usize,
        more: bool,
    ) -> Option<u16> {
        let next = self.scheduler.next(packet.map(StreamId))?;
        assert_eq!(self.scheduler.next(packet.map(StreamId)), Some(next));
        let front = more.then(|| self.front()).flatten();
        let view = self.streams.get_mut(&next.0).unwrap();
        view.front = front;
        self.scheduler.on_sent(*view, bytes(next.0));
        Some(next.0)
    }

    fn run(&mut self, units: usize, bytes: impl Fn(u16) -> usize) -> BTreeMap<u16, usize> {
        let mut sent = BTreeMap::new();
        for _ in 0..units {
            let stream = self.send(None, &bytes, true).unwrap();
            *sent.entry(stream).or_default() += bytes(stream);
        }
        sent
    }
}

#[test]
fn first_come_first_served_keeps_the_order_of_the_application() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.1
    //= type=test
    //# It just passes through the messages in the order in which they have been delivered by the application.
    let mut bench = Bench::new(StreamSchedulerKind::FirstComeFirstServed);
    [3, 1, 2].iter().for_each(|&s| bench.wake(s, 0, 1));
    let order: Vec<_> = (0..6)
        .filter_map(|_| bench.send(None, |_| 1, true))
        .collect();
    assert_eq!(order, [3, 1, 2, 3, 1, 2]);
}

#[test]
fn round_robin_cycles_around_the_streams_that_have_something() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.2
    //= type=test
    //# cycling around non-empty stream queues
    let mut bench = Bench::new(StreamSchedulerKind::RoundRobin);
    [7, 4].iter().for_each(|&s| bench.wake(s, 0, 1));
    let mut order = vec![bench.send(None, |_| 1, true)];
    bench.wake(9, 0, 1);
    order.push(bench.send(None, |_| 1, false));
    order.extend((0..4).map(|_| bench.send(None, |_| 1, true)));
    assert_eq!(order, [7, 4, 7, 9, 7, 9].map(Some));
}

#[test]
fn round_robin_per_packet_fills_a_packet_from_one_stream() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.3
    //= type=test
    //# It bundles only DATA or I-DATA chunks referring to the same stream in a packet.
    let mut bench = Bench::new(StreamSchedulerKind::RoundRobinPerPacket);
    [1, 2].iter().for_each(|&s| bench.wake(s, 0, 1));
    for expected in [1, 2, 1] {
        for packet in [None, Some(expected), Some(expected)] {
            assert_eq!(bench.send(packet, |_| 1, true), Some(expected));
        }
        bench.scheduler.on_packet_end();
    }
    // The last unit of the stream ends the packet too.
    assert_eq!(bench.send(None, |_| 1, false), Some(2));
    assert_eq!(bench.send(Some(2), |_| 1, true), None);
    bench.scheduler.on_packet_end();
    assert_eq!(bench.send(None, |_| 1, true), Some(1));
}

#[test]
fn priorities_are_strict_and_equals_take_turns() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.4
    //= type=test
    //# Streams having a higher priority will be scheduled first and when multiple streams have the same priority, the scheduling between them is implementation dependent.
    let mut bench = Bench::new(StreamSchedulerKind::Priority);
    bench.wake(1, 5, 1);
    bench.wake(2, 5, 1);
    bench.wake(3, 0, 1);
    assert_eq!(bench.send(None, |_| 1, true), Some(3));
    assert_eq!(bench.send(None, |_| 1, false), Some(3));
    let order: Vec<_> = (0..4)
        .filter_map(|_| bench.send(None, |_| 1, true))
        .collect();
    assert_eq!(order, [1, 2, 1, 2]);
    bench.wake(2, 4, 1);
    assert_eq!(bench.send(None, |_| 1, true), Some(2));
}

#[test]
fn fair_capacity_is_measured_in_bytes() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.5
    //= type=test
    //# This scheduler considers the lengths of the messages of each stream and schedules them in a specific way to maintain an equal capacity for all streams.
    let mut bench = Bench::new(StreamSchedulerKind::FairCapacity);
    // Weights are not regarded.
    [1, 2, 3].iter().for_each(|&s| bench.wake(s, 0, s));
    let sent = bench.run(10_000, |stream| usize::from(stream) * 100);
    let (least, most) = (sent.values().min().unwrap(), sent.values().max().unwrap());
    assert!(most - least <= 600, "{sent:?}");
}

#[test]
fn weighted_fair_shares_are_in_proportion_to_the_weights() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.6
    //= type=test
    //# If the weight of stream S1 is n times the weight of stream S2, the scheduler should assign to stream S1 n times the capacity it assigns to stream S2.
    let mut bench = Bench::new(StreamSchedulerKind::WeightedFair);
    [1, 2, 5].iter().for_each(|&s| bench.wake(s, 0, s));
    let sent = bench.run(8_000, |stream| 1000 / usize::from(stream) + 200);
    let unit = sent[&1] as f64;
    for stream in [2, 5] {
        let share = sent[&stream] as f64 / unit;
        assert!((share - f64::from(stream)).abs() < 0.05, "{sent:?}");
    }
}

#[test]
fn a_stream_that_pauses_between_messages_gets_no_more_than_its_share() {
    let mut bench = Bench::new(StreamSchedulerKind::FairCapacity);
    bench.wake(1, 0, 1);
    bench.wake(2, 0, 1);
    let mut sent = [0, 0, 0];
    for _ in 0..1000 {
        // Stream 2 is idle after every unit and comes back at once.
        let next = bench.scheduler.next(None).unwrap().0;
        bench.send(None, |_| 100, next == 1);
        sent[usize::from(next)] += 1;
        if next == 2 {
            bench.wake(2, 0, 1);
        }
    }
    assert!(sent[1] >= 499, "{sent:?}");
}

#[test]
fn a_stream_that_was_idle_for_long_is_owed_nothing() {
    let mut bench = Bench::new(StreamSchedulerKind::FairCapacity);
    bench.wake(1, 0, 1);
    bench.run(1000, |_| 100);
    bench.wake(2, 0, 1);
    let sent = bench.run(1000, |_| 100);
    assert!(sent[&1] >= 49_900, "{sent:?}");
}

#[test]
fn many_streams_that_come_and_go_are_forgotten() {
    let mut bench = Bench::new(StreamSchedulerKind::WeightedFair);
    bench.wake(0, 0, 1);
    let mut served = [0_u32; 2];
    for round in 0..20_000_u32 {
        bench.wake(1 + (round % 5000) as u16, 0, 1);
        for _ in 0..2 {
            let next = bench.scheduler.next(None).unwrap().0;
            bench.send(None, |_| 100, next == 0);
            served[usize::from(next != 0)] += 1;
        }
    }
    assert!(served[0] > 0 && served[1] > 0, "{served:?}");
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = StreamSchedulerKind::ALL
        .iter()
        .map(|kind| kind.build().name())
        .collect();
    assert_eq!(names.len(), StreamSchedulerKind::ALL.len());
}
