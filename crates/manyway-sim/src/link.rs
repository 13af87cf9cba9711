//! One direction of a link: a bottleneck queue, a serialiser, a delay line.
//!
//! The model is pure. [`Link::enqueue`] says at once when a packet will arrive or why it never
//! will; the caller keeps the packet until then and asks [`Link::arrive`] whether the link still
//! stood at that time. The same model therefore serves virtual time and a relay of real packets.

use std::collections::VecDeque;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::loss::LossProcess;
use crate::{Instant, Loss, Rate};

/// How much may wait for the serialiser, the packet being sent included; the tail is dropped.
///
/// What is on its way in the delay line does not count. With an infinite rate nothing ever waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimit {
    /// Most bytes in the queue. A packet larger than this still passes when the queue is empty.
    pub bytes: usize,
    /// Most packets in the queue.
    pub packets: usize,
}

impl QueueLimit {
    /// As many bytes as `rate` carries in `time`, at least one packet of 1500 bytes.
    pub fn from_time(rate: Rate, time: Duration) -> Self {
        Self {
            bytes: rate.bytes_in(time).max(1500),
            packets: usize::MAX,
        }
    }

    /// A limit in bytes only.
    pub const fn from_bytes(bytes: usize) -> Self {
        Self {
            bytes,
            packets: usize::MAX,
        }
    }
}

/// The properties of one direction of a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Rate of the serialiser; `None` is infinitely fast.
    pub rate: Option<Rate>,
    /// Propagation delay, the same for every packet.
    pub delay: Duration,
    /// Most additional delay, drawn uniformly for each packet. Packets never overtake each other.
    pub jitter: Duration,
    /// Random loss. It happens on the wire: a lost packet has used the queue and its share of the
    /// rate.
    pub loss: Loss,
    /// Limit of the queue in front of the serialiser.
    pub queue: QueueLimit,
    /// From this many waiting bytes on, ECN-capable packets are marked instead of merely queued;
    /// `None` never marks.
    pub ecn_threshold: Option<usize>,
    /// Largest packet, in bytes; larger ones vanish, as where ICMP is filtered.
    pub mtu: usize,
}

impl LinkConfig {
    /// The queue of [`LinkConfig::new`], as time at the link's rate.
    pub const DEFAULT_QUEUE_TIME: Duration = Duration::from_millis(100);

    /// A clean link of this rate and delay, MTU 1500, with 100 ms of queue.
    pub fn new(rate: Rate, delay: Duration) -> Self {
        Self {
            rate: Some(rate),
            delay,
            queue: QueueLimit::from_time(rate, Self::DEFAULT_QUEUE_TIME),
            ..Self::default()
        }
    }
}

impl Default for LinkConfig {
    /// An infinitely fast link without delay or loss, MTU 1500, whose queue would hold 1 MiB.
    fn default() -> Self {
        Self {
            rate: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Loss::None,
            queue: QueueLimit::from_bytes(1 << 20),
            ecn_threshold: None,
            mtu: 1500,
        }
    }
}

/// Why a link dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkDrop {
    /// The link is cut.
    Cut,
    /// The packet is larger than the MTU.
    TooBig,
    /// The queue is full.
    QueueFull,
    /// The loss model took it.
    Loss,
}

/// What becomes of a packet given to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It arrives at `at`, provided that [`Link::arrive`] agrees then.
    Deliver {
        /// Time of arrival, never before that of the packet in front.
        at: Instant,
        /// The queue asks for a congestion mark (to be set on ECN-capable packets only).
        mark: bool,
    },
    /// It is gone.
    Dropped(LinkDrop),
}

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets offered.
    pub offered_packets: u64,
    /// Bytes offered.
    pub offered_bytes: u64,
    /// Packets that came out at the far end.
    pub delivered_packets: u64,
    /// Bytes that came out at the far end.
    pub delivered_bytes: u64,
    /// Packets dropped because the link was cut when they were sent or due.
    pub dropped_cut: u64,
    /// Packets dropped for their size.
    pub dropped_too_big: u64,
    /// Packets dropped at the tail of the queue.
    pub dropped_queue: u64,
    /// Packets taken by the loss model.
    pub dropped_loss: u64,
    /// Packets for which a congestion mark was asked.
    pub marked: u64,
    /// Highest number of bytes seen in the queue.
    pub queue_peak: usize,
}

impl LinkCounters {
    /// All packets dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.dropped_cut + self.dropped_too_big + self.dropped_queue + self.dropped_loss
    }
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    cut: bool,
    loss: LossProcess,
    rng: Xoshiro256PlusPlus,
    /// Packets that still wait for or are in the serialiser: when each leaves it, and its size.
    queue: VecDeque<(Instant, usize)>,
    queued_bytes: usize,
    serializer: Serializer,
    last_arrival: Instant,
    counters: LinkCounters,
}

impl Link {
    /// A link whose random decisions follow from `seed`.
    pub fn new(config: LinkConfig, seed: u64) -> Self {
        Self {
            config,
            cut: false,
            loss: LossProcess::new(config.loss),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            queue: VecDeque::new(),
            queued_bytes: 0,
            serializer: Serializer::default(),
            last_arrival: Instant::ZERO,
            counters: LinkCounters::default(),
        }
    }

    /// Offers a packet of `len` bytes (network header included) to the link.
    pub fn enqueue(&mut self, now: Instant, len: usize) -> Outcome {
        self.counters.offered_packets += 1;
        self.counters.offered_bytes += len as u64;
        self.drain(now);
        if let Some(reason) = self.refusal(len) {
            return self.dropped(reason);
        }
        let departure = match self.config.rate {
            None => now,
            Some(rate) => {
                let departure = self.serializer.send(now, rate, len);
                self.queue.push_back((departure, len));
                self.queued_bytes += len;
                self.counters.queue_peak = self.counters.queue_peak.max(self.queued_bytes);
                departure
            }
        };
        if self.loss.loses(&mut self.rng) {
            return self.dropped(LinkDrop::Loss);
        }
        let at = (departure + self.config.delay + self.draw_jitter()).max(self.last_arrival);
        self.last_arrival = at;
        let mark = self
            .config
            .ecn_threshold
            .is_some_and(|limit| self.queued_bytes >= limit);
        self.counters.marked += u64::from(mark);
        Outcome::Deliver { at, mark }
    }

    /// To be called when a packet of `len` bytes is due: whether it comes out. It does not when the
    /// link is cut by then.
    #[must_use]
    pub fn arrive(&mut self, len: usize) -> bool {
        if self.cut {
            self.counters.dropped_cut += 1;
            return false;
        }
        self.counters.delivered_packets += 1;
        self.counters.delivered_bytes += len as u64;
        true
    }

    /// The present properties.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Changes the properties for packets enqueued from now on; those on their way keep their
    /// times, and the order is kept as well.
    pub fn set_config(&mut self, config: LinkConfig) {
        if config.loss != self.config.loss {
            self.loss = LossProcess::new(config.loss);
        }
        self.config = config;
    }

    /// Changes the rate, and the queue limit in proportion so that it stands for the same time.
    pub fn set_rate(&mut self, rate: Option<Rate>) {
        if let (Some(old), Some(new)) = (self.config.rate, rate) {
            let bytes = self.config.queue.bytes as u128 * u128::from(new.bits_per_second())
                / u128::from(old.bits_per_second());
            self.config.queue.bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1500);
        }
        self.config.rate = rate;
    }

    /// Changes the propagation delay.
    pub fn set_delay(&mut self, delay: Duration) {
        self.config.delay = delay;
    }

    /// Changes the loss model.
    pub fn set_loss(&mut self, loss: Loss) {
        self.set_config(LinkConfig {
            loss,
            ..self.config
        });
    }

    /// Cuts the link (a silent black hole that swallows also what is on its way) or makes it whole
    /// again.
    pub fn set_cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// Whether the link is cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Bytes in the queue at `now`, the packet being sent included.
    pub fn queued_bytes(&mut self, now: Instant) -> usize {
        self.drain(now);
        self.queued_bytes
    }

    /// What the link has done so far.
    pub fn counters(&self) -> LinkCounters {
        self.counters
    }

    fn refusal(&self, len: usize) -> Option<LinkDrop> {
        let limit = self.config.queue;
        if self.cut {
            Some(LinkDrop::Cut)
        } else if len > self.config.mtu {
            Some(LinkDrop::TooBig)
        } else if self.config.rate.is_some()
            && !self.queue.is_empty()
            && (self.queue.len() >= limit.packets || self.queued_bytes + len > limit.bytes)
        {
            Some(LinkDrop::QueueFull)
        } else {
            None
        }
    }

    fn dropped(&mut self, reason: LinkDrop) -> Outcome {
        let counter = match reason {
            LinkDrop::Cut => &mut self.counters.dropped_cut,
            LinkDrop::TooBig => &mut self.counters.dropped_too_big,
            LinkDrop::QueueFull => &mut self.counters.dropped_queue,
            LinkDrop::Loss => &mut self.counters.dropped_loss,
        };
        *counter += 1;
        Outcome::Dropped(reason)
    }

    /// Forgets what has left the serialiser.
    fn drain(&mut self, now: Instant) {
        while let Some(&(departure, len)) = self.queue.front()
            && departure <= now
        {
            self.queue.pop_front();
            self.queued_bytes -= len;
        }
    }

    fn draw_jitter(&mut self) -> Duration {
        let most = u64::try_from(self.config.jitter.as_nanos()).unwrap_or(u64::MAX);
        match most {
            0 => Duration::ZERO,
            most => Duration::from_nanos(self.rng.random_range(0..=most)),
        }
    }
}

/// Puts packets on the wire one after the other, without rounding the rate.
#[derive(Debug, Default)]
struct Serializer {
    free_at: Instant,
    /// What the division of bits by rate left over, in nanoseconds × bit/s.
    remainder: u64,
    rate: u64,
}

impl Serializer {
    /// When a packet of `len` bytes that is ready at `now` has left.
    fn send(&mut self, now: Instant, rate: Rate, len: usize) -> Instant {
        let rate = rate.bits_per_second();
        if self.free_at < now || self.rate != rate {
            self.remainder = 0;
            self.rate = rate;
        }
        let work = len as u128 * 8_000_000_000 + u128::from(self.remainder);
        self.remainder = (work % u128::from(rate)) as u64;
        let nanos = u64::try_from(work / u128::from(rate)).unwrap_or(u64::MAX);
        self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
        self.free_at
    }
}

#[cfg(test)]
mod tests;
