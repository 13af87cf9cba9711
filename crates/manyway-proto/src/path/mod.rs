//! Paths: one (local address and port, remote address and port) pair each.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::cc::{CongestionController, Pacer, RateSampler};
use crate::cmt::cuc::PathAck;
use crate::config::TransportConfig;
use crate::recovery::Recovery;
use crate::seal::Protection;
use crate::send::SentLog;
use crate::time::{Instant, earlier};

mod candidates;
mod congestion;
mod ecn;
mod heartbeat;
mod info;
mod loss_rate;
mod manager;
mod pmtu;
mod rate;
mod rtt;
mod set;
mod state;
mod thresholds;

pub(crate) use candidates::CandidateLimit;
pub(crate) use ecn::PathEcn;
pub(crate) use heartbeat::{HEARTBEAT_INFO_LEN, Heartbeats};
pub use info::PathInfo;
use loss_rate::LossRate;
pub use manager::{PathManager, UnknownPathManager};
pub(crate) use manager::{choose_pairs, wanted_pairs};
pub(crate) use pmtu::PacketSize;
use rate::DeliveryRate;
pub(crate) use rtt::RttEstimator;
pub(crate) use set::Paths;
pub use state::PathState;
pub use thresholds::PathThresholds;

/// Both ends of a path: UDP addresses and ports, or with port 0 at both ends IP addresses alone. The remote port is learned from the packets that
/// arrive, never assumed (RFC 6951, section 5.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourTuple {
    /// This side.
    pub local: SocketAddr,
    /// The peer's side, as seen from here.
    pub remote: SocketAddr,
}

impl FourTuple {
    /// Whether packets between the two ends travel over IP itself instead of UDP: then neither
    /// has a UDP port, which is written as 0.
    pub fn is_raw(&self) -> bool {
        self.local.port() == 0 && self.remote.port() == 0
    }

    /// Whether both ends are of one family and carried alike.
    pub(crate) fn is_possible(&self) -> bool {
        let alike = (self.local.port() == 0) == (self.remote.port() == 0);
        alike && self.local.is_ipv4() == self.remote.is_ipv4()
    }
}

impl fmt::Debug for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", self.local, self.remote)
    }
}

/// Names a path within its association, for the association's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(u32);

impl PathId {
    /// The path with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number, as shown to people.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a path shall be used, apart from whether it works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// May carry data.
    #[default]
    Active,
    /// Carries data only while no active path works.
    Backup,
}

/// Counters of a path. Bytes are whole packets (UDP payload).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PathCounters {
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) packets_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) retransmitted_bytes: u64,
    pub(crate) lost_packets: u64,
    pub(crate) timeouts: u64,
    pub(crate) tail_probes: u64,
    pub(crate) spurious_losses: u64,
    pub(crate) undone_reductions: u64,
    pub(crate) reinjected_bytes: u64,
    pub(crate) copied_bytes: u64,
}

/// The deadlines of a path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PathTimers {
    /// T3-rtx (RFC 9260, section 6.3): data in flight were not acknowledged.
    pub(crate) t3: Option<Instant>,
    /// Data that were overtaken count as lost then (RACK's reordering timer).
    pub(crate) loss: Option<Instant>,
    /// Nothing was acknowledged for long enough that a probe shall ask (PTO of RFC 8985).
    pub(crate) tail_probe: Option<Instant>,
    /// The next heartbeat is due, or the outstanding one is overdue.
    pub(crate) heartbeat: Option<Instant>,
    /// Data used to arrive here; if none has by then, the path is probed.
    pub(crate) quiet: Option<Instant>,
    /// The probe for larger packets was not answered.
    pub(crate) probe: Option<Instant>,
    /// The pacer lets the next packet go.
    pub(crate) pace: Option<Instant>,
}

/// One path with all that is kept per path.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) id: PathId,
    pub(crate) tuple: FourTuple,
    pub(crate) state: PathState,
    /// Set while the path is only a packet from an unknown address that was not announced: not
    /// used for anything but its verification.
    pub(crate) candidate: bool,
    pub(crate) wish: Wish,
    pub(crate) peer_wish: Wish,
    pub(crate) rtt: RttEstimator,
    pub(crate) size: PacketSize,
    pub(crate) controller: Box<dyn CongestionController>,
    pub(crate) pacer: Pacer,
    pub(crate) sent: SentLog,
    /// Bytes of DATA chunks in flight.
    pub(crate) in_flight: u64,
    /// Bytes of copies of chunks that are in flight on other paths.
    pub(crate) copied: u64,
    pub(crate) recovery: Recovery,
    pub(crate) rate: DeliveryRate,
    pub(crate) sampler: RateSampler,
    losses: LossRate,
    /// When data last left here.
    pub(crate) last_data_sent: Option<Instant>,
    pub(crate) ecn: PathEcn,
    pub(crate) error_count: u32,
    pub(crate) thresholds: PathThresholds,
    /// Timeouts of data in a row; heartbeats, being small, may pass where data vanish.
    pub(crate) data_timeouts: u32,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) timers: PathTimers,
    /// A packet of the probed size shall be sent.
    pub(crate) probe_due: bool,
    pub(crate) created_at: Instant,
    /// Scratch space while a SACK is taken in.
    pub(crate) ack: PathAck,
    pub(crate) protection: Protection,
    pub(crate) counters: PathCounters,
    pub(crate) last_received: Option<Instant>,
    /// When the round-trip time was last measured.
    pub(crate) last_sample: Option<Instant>,
    /// When the peer last proved that it receives here.
    pub(crate) last_answered: Option<Instant>,
}

impl Path {
    pub(crate) fn new(
        id: PathId,
        tuple: FourTuple,
        config: &TransportConfig,
        now: Instant,
    ) -> Self {
        let size = PacketSize::new(config, tuple.remote.is_ipv6());
        Self {
            id,
            tuple,
            state: PathState::Unconfirmed,
            candidate: false,
            wish: Wish::Active,
            peer_wish: Wish::Active,
            rtt: RttEstimator::new(config),
            controller: congestion::new_controller(config, &size, now),
            size,
            pacer: Pacer::new(now),
            sent: SentLog::default(),
            in_flight: 0,
            copied: 0,
            recovery: Recovery::default(),
            rate: DeliveryRate::default(),
            sampler: RateSampler::default(),
            losses: LossRate::default(),
            last_data_sent: None,
            ecn: PathEcn::default(),
            error_count: 0,
            thresholds: PathThresholds::of(config),
            data_timeouts: 0,
            heartbeats: Heartbeats::default(),
            timers: PathTimers::default(),
            probe_due: false,
            created_at: now,
            ack: PathAck::default(),
            protection: Protection::of(config),
            counters: PathCounters::default(),
            last_received: None,
            last_sample: None,
            last_answered: None,
        }
    }

    /// Starts anew what was learned about the way, after the peer's address changed. Data in
    /// flight must have been declared lost before.
    pub(crate) fn move_to(&mut self, remote: SocketAddr, config: &TransportConfig, now: Instant) {
        debug_assert_eq!(self.in_flight, 0, "data in flight were not given up");
        self.tuple.remote = remote;
        self.rtt = RttEstimator::new(config);
        self.size = PacketSize::new(config, remote.is_ipv6());
        self.controller = congestion::new_controller(config, &self.size, now);
        self.pacer = Pacer::new(now);
        self.recovery = Recovery::default();
        self.rate = DeliveryRate::default();
        self.sampler = RateSampler::default();
        self.last_data_sent = None;
        self.ecn = PathEcn::default();
        self.error_count = 0;
        self.heartbeats = Heartbeats::default();
        self.timers = PathTimers::default();
    }

    /// Whether both ends want data here.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wish == Wish::Active && self.peer_wish == Wish::Active
    }

    /// What the path needs in flight to go on at its rate without a queue, if that is known.
    pub(crate) fn need(&self) -> Option<u64> {
        let floor = 4 * self.size.current() as u64;
        let need = self.rate.need(self.recovery.rack.min_rtt()?)?;
        Some(need.max(floor))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let t = &self.timers;
        let all = [
            t.t3,
            t.loss,
            t.tail_probe,
            t.heartbeat,
            t.quiet,
            t.probe,
            t.pace,
        ];
        all.into_iter().fold(None, earlier)
    }

    pub(crate) fn on_rtt_sample(&mut self, now: Instant, sent_at: Instant) {
        self.rtt.on_sample(now - sent_at);
        self.last_sample = Some(now);
        self.recovery.tlp.on_sample();
        self.recovery
            .rack
            .on_srtt(self.rtt.srtt().unwrap_or_default());
    }

    /// Whether the round-trip time is out of date though data flow: retransmissions measure
    /// nothing, so that after heavy losses only a heartbeat does.
    pub(crate) fn wants_sample(&self, now: Instant) -> bool {
        let age = self.last_sample.map_or(Duration::MAX, |at| now - at);
        let wait = self
            .rtt
            .srtt()
            .unwrap_or_default()
            .max(Duration::from_millis(20));
        age > wait && !self.heartbeats.awaiting
    }

    /// How long a path that answers is believed to be alive without a sign from it.
    pub(crate) fn patience(&self) -> Duration {
        (self.rtt.rto() * 3 / 2).max(self.rtt.srtt().unwrap_or_default() * 3)
    }
}
