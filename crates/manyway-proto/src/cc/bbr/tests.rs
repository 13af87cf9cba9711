use std::time::Duration;

use super::*;
use crate::cc::{Predecessor, RateSample};

const MS: Duration = Duration::from_millis(1);
const PACKET: u64 = 1000;
const RTT: Duration = Duration::from_millis(50);

/// A path in virtual time: a bottleneck with a deep queue, a fixed delay, losses every so often.
/// Each step is a round trip's twentieth.
struct Path {
    now: Instant,
    bbr: Bbr,
    bandwidth: u64,
    /// What left and is not answered: when, and what was delivered and lost then.
    flight: std::collections::VecDeque<Flying>,
    delivered: u64,
    lost: u64,
    told_lost: u64,
    /// Bytes lost of each million.
    loss_ppm: u64,
    debt: u64,
    busy_until: Instant,
    /// When the latest packet was answered.
    answered: Instant,
    /// What pacing lets go.
    budget: f64,
    largest_rtt: Duration,
}

struct Flying {
    sent: Instant,
    answered: Instant,
    delivered: u64,
    delivered_at: Instant,
    lost: u64,
    in_flight: u64,
}

impl Path {
    fn new(bbr: Bbr, bandwidth: u64, loss_ppm: u64) -> Self {
        Self {
            now: Instant::ZERO,
            bbr,
            bandwidth,
            flight: Default::default(),
            delivered: 0,
            lost: 0,
            told_lost: 0,
            loss_ppm,
            debt: 0,
            busy_until: Instant::ZERO,
            answered: Instant::ZERO,
            budget: 0.0,
            largest_rtt: Duration::ZERO,
        }
    }

    fn in_flight(&self) -> u64 {
        self.flight.len() as u64 * PACKET
    }

    fn send(&mut self) {
        let rate = self.bbr.pacing_rate().unwrap_or(1 << 30) as f64;
        let most = rate * 0.002 + 2.0 * PACKET as f64;
        self.budget = (self.budget + rate * 0.002).min(most);
        while self.in_flight() < self.bbr.window() && self.budget >= PACKET as f64 {
            self.budget -= PACKET as f64;
            let service = Duration::from_secs_f64(PACKET as f64 / self.bandwidth as f64);
            self.busy_until = self.busy_until.max(self.now) + service;
            let in_flight = self.in_flight() + PACKET;
            if self.flight.is_empty() {
                self.answered = self.now;
            }
            self.flight.push_back(Flying {
                sent: self.now,
                answered: self.busy_until + RTT,
                delivered: self.delivered,
                delivered_at: self.answered,
                lost: self.lost,
                in_flight,
            });
        }
    }

    fn run(&mut self, time: Duration) -> u64 {
        let (end, before) = (self.now + time, self.delivered);
        while self.now < end {
            self.now += MS * 2;
            while self.flight.front().is_some_and(|f| f.answered <= self.now) {
                let Some(packet) = self.flight.pop_front() else {
                    break;
                };
                self.debt += self.loss_ppm;
                if self.debt >= 1_000_000 {
                    self.debt -= 1_000_000;
                    self.lost += PACKET;
                    let lost = LostPacket {
                        bytes: PACKET,
                        sent_in_flight: packet.in_flight,
                        lost: self.lost - packet.lost,
                        app_limited: false,
                    };
                    self.bbr.on_lost(self.now, &lost);
                    continue;
                }
                self.delivered += PACKET;
                self.answered = packet.answered;
                let span = (packet.answered - packet.delivered_at).max(RTT);
                let delivered = self.delivered - packet.delivered;
                let rtt = packet.answered - packet.sent;
                self.largest_rtt = self.largest_rtt.max(rtt);
                let sample = RateSample {
                    rate: Some((delivered as f64 / span.as_secs_f64()) as u64),
                    prior_delivered: packet.delivered,
                    total_delivered: self.delivered,
                    lost: self.lost - packet.lost,
                    sent_in_flight: packet.in_flight,
                    app_limited: false,
                };
                let acked = Acked {
                    lost: self.lost - std::mem::replace(&mut self.told_lost, self.lost),
                    rtt_sample: Some(rtt),
                    in_flight: self.in_flight(),
                    rate: Some(sample),
                    ..Acked::full(PACKET, rtt)
                };
                self.bbr.on_ack(self.now, &acked);
            }
            self.send();
        }
        self.delivered - before
    }
}

fn fresh() -> Bbr {
    Bbr::new(&ControllerSetup::new(PACKET))
}

#[test]
fn start_up_finds_the_bandwidth_and_drains_its_queue() {
    let mut path = Path::new(fresh(), 2_000_000, 0);
    path.run(Duration::from_secs(2));
    assert!(path.bbr.model.is_full());
    assert!(
        matches!(path.bbr.state, State::ProbeBw(_)),
        "{:?}",
        path.bbr.state
    );
    let found = path.bbr.bandwidth();
    assert!((1_800_000.0..2_400_000.0).contains(&found), "{found}");
    path.largest_rtt = Duration::ZERO;
    let carried = path.run(Duration::from_secs(10));
    assert!(carried > 18_000_000, "{carried}");
    assert!(path.largest_rtt < RTT * 5 / 2, "{:?}", path.largest_rtt);
}

#[test]
fn losses_at_random_do_not_slow_it_down() {
    let mut path = Path::new(fresh(), 2_000_000, 50_000);
    path.run(Duration::from_secs(5));
    let carried = path.run(Duration::from_secs(10));
    assert!(carried > 16_000_000, "{carried}: {:?}", path.bbr);
}

#[test]
fn the_queue_is_emptied_every_five_seconds() {
    let mut path = Path::new(fresh(), 2_000_000, 0);
    let mut seen = 0;
    for _ in 0..1100 {
        path.run(MS * 10);
        seen += u32::from(path.bbr.state == State::ProbeRtt);
    }
    assert!(
        (20..120).contains(&seen),
        "{seen} of 1,100 hundredths of a second"
    );
}

#[test]
fn a_faster_path_is_found() {
    let mut path = Path::new(fresh(), 1_000_000, 0);
    path.run(Duration::from_secs(5));
    path.bandwidth = 2_000_000;
    path.run(Duration::from_secs(12));
    assert!(
        path.bbr.bandwidth() > 1_700_000.0,
        "{}",
        path.bbr.bandwidth()
    );
}

#[test]
fn losses_above_the_threshold_bound_what_is_in_flight() {
    let mut bounds = Bounds::default();
    assert!(bounds.is_too_much(3_000, 100_000, PACKET));
    assert!(!bounds.is_too_much(1_000, 100_000, PACKET));
    bounds.limit(50_000);
    bounds.raise(40_000);
    assert_eq!(bounds.high(), 50_000);
    bounds.lower(1e6, 80_000);
    assert_eq!((bounds.low(), bounds.bandwidth()), (56_000, 0.7e6));
    bounds.forget_short_term();
    assert_eq!(bounds.low(), u64::MAX);
}

#[test]
fn a_mark_lowers_the_rate_at_once() {
    let mut path = Path::new(fresh(), 2_000_000, 0);
    path.run(Duration::from_secs(2));
    let before = path.bbr.bandwidth();
    path.bbr.start_cruise();
    let mark = Congestion::new(Signal::Mark, path.in_flight());
    path.bbr.bounds.forget_round();
    path.bbr.on_congestion(path.now, &mark);
    assert!(path.bbr.bandwidth() <= before * 0.71);
}

#[test]
fn what_another_controller_measured_spares_start_up() {
    let before = Predecessor::new(150_000, false).on_path(Some(RTT), Some(2_000_000));
    let bbr = Bbr::new(&ControllerSetup::new(PACKET).after(before));
    assert_eq!(bbr.state, State::ProbeBw(Phase::Down));
    assert_eq!(bbr.window(), 150_000);
    assert_eq!(bbr.pacing_rate(), Some(1_782_000));
    assert_eq!(bbr.successor_window(), 100_000);
    let mut path = Path::new(bbr, 2_000_000, 0);
    let carried = path.run(Duration::from_secs(3));
    assert!(carried > 5_000_000, "{carried}");
}

#[test]
fn a_timeout_falls_to_one_packet_and_is_undone() {
    let mut bbr = fresh();
    bbr.on_timeout(Instant::ZERO);
    assert_eq!(bbr.window(), PACKET);
    bbr.on_spurious(Instant::ZERO);
    assert_eq!(bbr.window(), 10 * PACKET);
}

/// A queue that overflows is no random loss: the packets around took long.
#[test]
fn losses_with_a_queue_are_not_taken_for_the_paths_own() {
    let usual = |rtt: Duration| {
        let mut bounds = Bounds::default();
        let view = bounds::View {
            probing: false,
            bandwidth: 1e6,
            window: 100_000,
            packet: PACKET,
            min_rtt: Some(RTT),
        };
        for round in 0..100 {
            let rate = RateSample {
                prior_delivered: round * 100_000,
                total_delivered: (round + 1) * 100_000,
                ..RateSample::default()
            };
            let acked = Acked {
                lost: 5_000,
                rtt_sample: Some(rtt),
                ..Acked::full(95_000, rtt)
            };
            bounds.on_sample(&rate, &acked, &view);
        }
        !bounds.is_too_much(5_000, 100_000, PACKET)
    };
    assert!(usual(RTT));
    assert!(!usual(RTT * 2));
}
