//! What is shown of a path.

use std::time::Duration;

use crate::path::{FourTuple, Path, PathId, PathState, Wish};
use crate::sched::PathView;
use crate::time::Instant;

/// A snapshot of a path. Bytes are whole packets (UDP payload), times are as measured.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PathInfo {
    /// Its name within the association.
    pub id: PathId,
    /// Its addresses.
    pub four_tuple: FourTuple,
    /// Whether it works.
    pub state: PathState,
    /// Whether it is used first.
    pub primary: bool,
    /// What this end wants of it.
    pub wish: Wish,
    /// What the peer wants of it.
    pub peer_wish: Wish,
    /// Smoothed round-trip time; `None` before the first sample.
    pub srtt: Option<Duration>,
    /// Variation of the round-trip time.
    pub rttvar: Duration,
    /// Retransmission timeout, backed off.
    pub rto: Duration,
    /// Name of the congestion controller.
    pub controller: &'static str,
    /// Congestion window, bytes.
    pub cwnd: u64,
    /// Bytes of data in flight.
    pub in_flight: u64,
    /// Largest packet, bytes of UDP payload.
    pub mtu: usize,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received.
    pub packets_received: u64,
    /// Bytes of user data that were sent again on this path.
    pub retransmitted_bytes: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// The share of the latest packets with data (512 to 1,024 of them) that were lost, from 0 to 1.
    pub loss_rate: f64,
    /// Retransmission timeouts.
    pub timeouts: u64,
    /// Tail loss probes sent.
    pub tail_probes: u64,
    /// Chunks declared lost that had arrived.
    pub spurious_losses: u64,
    /// Reductions of the window that were undone because nothing had been lost.
    pub undone_reductions: u64,
    /// Bytes of user data in flight elsewhere that were sent here as well, because they held up
    /// the flow.
    pub reinjected_bytes: u64,
    /// Bytes of user data in flight elsewhere that were sent here as well because the scheduler
    /// wants redundancy.
    pub copied_bytes: u64,
    /// Packets with a congestion mark were lost here while others arrived, so that none are marked
    /// any more.
    pub ecn_failed: bool,
    /// Timeouts in a row.
    pub error_count: u32,
    /// When a packet last arrived.
    pub last_received: Option<Instant>,
    /// Time from the last choice of this path as primary to the first packet sent on it.
    pub switch_delay: Option<Duration>,
}

impl Path {
    /// What a scheduler sees of the path, but for the choice of the primary and whether it is
    /// ready.
    pub(crate) fn view(&self) -> PathView {
        let mut view = PathView::new(self.id);
        view.ready = false;
        view.srtt = self.rtt.srtt();
        view.rtt_variation = self.rtt.variation();
        view.window = self.controller.window();
        view.in_flight = self.in_flight + self.copied;
        view.packet_size = self.size.current() as u64;
        view.delivery_rate = self.rate.get().map(|bytes| bytes.saturating_mul(8));
        view
    }

    pub(crate) fn info(&self, primary: bool, switch_delay: Option<Duration>) -> PathInfo {
        PathInfo {
            id: self.id,
            four_tuple: self.tuple,
            state: self.state,
            primary,
            wish: self.wish,
            peer_wish: self.peer_wish,
            srtt: self.rtt.srtt(),
            rttvar: self.rtt.variation(),
            rto: self.rtt.rto(),
            controller: self.controller.name(),
            cwnd: self.controller.window(),
            in_flight: self.in_flight,
            mtu: self.size.current(),
            bytes_sent: self.counters.bytes_sent,
            bytes_received: self.counters.bytes_received,
            packets_sent: self.counters.packets_sent,
            packets_received: self.counters.packets_received,
            retransmitted_bytes: self.counters.retransmitted_bytes,
            lost_packets: self.counters.lost_packets,
            loss_rate: self.loss_rate(),
            timeouts: self.counters.timeouts,
            tail_probes: self.counters.tail_probes,
            spurious_losses: self.counters.spurious_losses,
            undone_reductions: self.counters.undone_reductions,
            reinjected_bytes: self.counters.reinjected_bytes,
            copied_bytes: self.counters.copied_bytes,
            ecn_failed: !self.ecn.is_usable(),
            error_count: self.error_count,
            last_received: self.last_received,
            switch_delay,
        }
    }
}
