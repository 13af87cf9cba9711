//! A path and its congestion controller.

use crate::cc::{
    Congestion, CongestionController, ControllerKind, ControllerSetup, Predecessor, Sent, Share,
    Signal,
};
use crate::config::TransportConfig;
use crate::path::{PacketSize, Path};
use crate::recovery::{Cause, Prr};
use crate::time::Instant;

pub(super) fn new_controller(
    config: &TransportConfig,
    size: &PacketSize,
    now: Instant,
) -> Box<dyn CongestionController> {
    let setup = ControllerSetup::new(size.current() as u64).at(now);
    config.controller.build(&setup)
}

impl Path {
    /// Another controller takes over, with what is known of the path, unless it is
    /// of that kind already. What is in flight stays.
    pub(crate) fn change_controller(&mut self, now: Instant, kind: ControllerKind) {
        let old = &self.controller;
        if old.name() == kind.name() {
            return;
        }
        let predecessor = Predecessor::new(old.successor_window(), old.in_slow_start())
            .on_path(self.recovery.rack.min_rtt(), self.rate.get());
        let setup = ControllerSetup::new(self.size.current() as u64);
        self.controller = kind.build(&setup.at(now).after(predecessor));
        // A reduction goes on to where it was bound, or as the new one says.
        if let Some(prr) = &mut self.recovery.prr
            && self.controller.handles_recovery()
        {
            prr.release();
        }
    }

    /// The path is congested, which the last reduction does not answer for: the window is reduced
    /// from `flight` bytes, gradually (RFC 9937).
    pub(crate) fn begin_reduction(
        &mut self,
        now: Instant,
        flight: u64,
        cause: Cause,
        signal: Signal,
    ) {
        self.recovery.episode.begin(self.sent.next_number(), cause);
        let congestion = Congestion::new(signal, flight);
        self.controller.on_congestion(now, &congestion);
        let (target, packet) = (self.controller.window(), self.size.current() as u64);
        let mut prr = Prr::new(flight, target, packet);
        if self.controller.handles_recovery() {
            prr.release();
        }
        self.recovery.prr = Some(prr);
    }

    /// What the controllers of the other paths are told.
    //= https://www.rfc-editor.org/rfc/rfc6356#section-3
    //# To cater to connections that are app limited, the computation should consider the minimum between flight_size_i and cwnd_i, and flight_size_i and ssthresh_i, where appropriate.
    pub(crate) fn share(&self) -> Option<Share> {
        let mut share = self.controller.share()?;
        if !self.is_window_limited() {
            share.window = share.window.min(self.in_flight);
        }
        Some(share)
    }

    /// The packet at hand, which holds data, is complete.
    pub(crate) fn on_data_packet_sent(&mut self, now: Instant) {
        let number = self.sent.next_number();
        self.sent.finish_packet();
        self.losses.on_sent(number, self.counters.lost_packets);
        let app_limited = self.sampler.is_app_limited();
        let bytes = self.sampler.on_sent(now, number, self.in_flight);
        let sent = Sent {
            bytes,
            in_flight: self.in_flight,
            app_limited,
        };
        self.controller.on_sent(now, &sent);
    }

    /// There is nothing to send.
    pub(crate) fn on_nothing_to_send(&mut self, now: Instant) {
        if self.has_room() && self.timers.pace.is_none() {
            self.sampler.on_app_limited(self.in_flight);
            self.controller.on_app_limited(now);
        }
    }

    /// A chunk of packet `number` was declared lost.
    pub(crate) fn on_chunk_lost(&mut self, now: Instant, number: u64, bytes: u64) {
        let lost = self.sampler.on_lost(number, bytes);
        self.controller.on_lost(now, &lost);
    }

    /// The share of the latest packets with data that were lost, from 0 to 1.
    pub(crate) fn loss_rate(&self) -> f64 {
        let sent = self.sent.next_number();
        self.losses.get(sent, self.counters.lost_packets)
    }

    /// Whether another packet may be in flight.
    pub(crate) fn has_room(&self) -> bool {
        match &self.recovery.prr {
            // With nothing in flight no acknowledgement would ever let anything go.
            Some(prr) if self.in_flight > 0 && prr.governs() => prr.has_room(),
            _ => self.in_flight + self.copied < self.controller.window(),
        }
    }

    /// `bytes` of DATA chunks leave in the packet at hand.
    pub(crate) fn on_data_sent(&mut self, index: u64, bytes: u64, now: Instant) {
        self.sent.push(index, now);
        self.in_flight += bytes;
        self.sampler.on_chunk(bytes);
        self.last_data_sent = Some(now);
        if let Some(prr) = &mut self.recovery.prr {
            prr.on_sent(bytes);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
    //# While the endpoint does not transmit data on a given transport address, the cwnd of the transport address SHOULD be adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO
    //
    // Made up for when data leave again.
    pub(crate) fn on_data_after_pause(&mut self, now: Instant) {
        let Some(last) = self.last_data_sent.filter(|_| self.in_flight == 0) else {
            return;
        };
        let rto = self.rtt.rto().as_nanos().max(1);
        let pauses = (now - last).as_nanos() / rto;
        if pauses > 0 {
            let pauses = u32::try_from(pauses).unwrap_or(u32::MAX);
            self.controller.on_idle(now, pauses);
        }
    }

    /// Whether window or pacer limit the sender, not the application: only then may the window
    /// grow. Seen before an acknowledgement is taken in.
    pub(crate) fn is_window_limited(&self) -> bool {
        let window = self.controller.window();
        let slack = 3 * self.size.current() as u64;
        let enough = match self.controller.in_slow_start() {
            true => window / 2,
            false => window.saturating_sub(slack),
        };
        self.in_flight >= enough || self.timers.pace.is_some()
    }
}
