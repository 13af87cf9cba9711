//! Timers of data in flight, and the tail loss probe (RFC 8985, section 7).

use std::time::Duration;

use manyway_wire::{COMMON_HEADER_LEN, PacketWriter};

use super::Association;
use super::bundle::Room;
use super::extensions::Extension;
use crate::endpoint::Transmit;
use crate::path::{Path, PathId, PathState};
use crate::recovery::{Cause, Probe, Tlp};
use crate::send::{Entry, Outstanding, Shot};
use crate::time::Instant;

/// Whether an entry of the path's log still stands for a chunk in flight.
fn is_current(outstanding: &Outstanding, path: PathId, entry: &Entry) -> bool {
    let number = entry.number;
    outstanding.is_in_flight(entry.index, Shot { path, number })
}

impl Association {
    /// Keeps T3-rtx running just while data are in flight on the path, and the probe timer while
    /// a probe would tell something.
    pub(super) fn arm_data_timers(&mut self, now: Instant, id: PathId) {
        let ack_delay = self.peer_ack_delay();
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if path.in_flight == 0 {
            path.timers.t3 = None;
            path.timers.loss = None;
            path.timers.tail_probe = None;
            return;
        }
        let t3 = path.timers.t3.unwrap_or_else(|| now + path.rtt.rto());
        path.timers.t3 = Some(t3);
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
        //# The sender SHOULD start or restart a loss probe PTO timer after transmitting new data (that was not itself a loss probe) or upon receiving an ACK that cumulatively acknowledges new data unless it is already in fast recovery, RTO recovery, or segments have been SACKed
        let recovering = path.recovery.is_active() || path.data_timeouts > 0;
        let overtaken = path.timers.loss.is_some();
        let useful = path.state == PathState::Active && path.recovery.tlp.may_probe();
        path.timers.tail_probe = (useful && !recovering && !overtaken).then(|| {
            let alone = path.is_alone_in_flight(&self.sender.outstanding);
            let timeout = Tlp::timeout(path.rtt.srtt(), alone, ack_delay);
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
            //# if the time at which an RTO would fire (here denoted as "TCP_RTO_expiration()") is sooner than the computed time for the PTO, then the sender schedules a TLP to be sent at that RTO time
            //
            // The time runs from the last packet: of what was sent before, the answers that come
            // meanwhile say nothing of it. They do say that the way is not broken, which is good
            // for one more round trip.
            let patient = now + path.rtt.srtt().unwrap_or_default();
            let due = path.last_data_sent.map_or(now, |at| at + timeout);
            due.max(patient).min(t3)
        });
    }

    /// How long the peer may wait before it acknowledges a lone packet.
    fn peer_ack_delay(&self) -> Duration {
        if !self.has(Extension::DynamicPaths) {
            self.config.plain_sack_delay
        } else if self.sender.queue.is_idle() {
            // The last packet asks for an immediate answer.
            Duration::ZERO
        } else {
            self.config.sack_delay
        }
    }

    pub(super) fn on_tail_probe_timeout(&mut self, now: Instant, id: PathId) {
        // What hangs there may go out on another path as well.
        self.sender.reinjected_to = self.sender.outstanding.first_index();
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let due = path.timers.tail_probe.take().unwrap_or(now);
        if now >= due + path.rtt.rto() {
            // Looked at so late that the answer to the probe would be overdue as well.
            return self.on_t3_expired(now, id);
        }
        path.recovery.tlp.on_timeout();
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# After attempting to send a loss probe, regardless of whether a loss probe was sent, the sender MUST re-arm the RTO timer, not the PTO timer, if the FlightSize is not zero
        path.timers.t3 = Some(now + path.rtt.rto());
    }

    /// The probe that is due on some path: new data if there are any, else the packet that was
    /// sent last.
    pub(super) fn transmit_tail_probe(
        &mut self,
        now: Instant,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        if !self.state.sends_data() {
            return None;
        }
        let path = self.paths.iter().find(|p| p.recovery.tlp.is_due())?;
        let (id, protection) = (path.id, path.protection);
        let (size, number) = (path.size.current(), path.sent.next_number());
        let last = self.last_in_flight(id);
        let chunk = last.and_then(|e| self.sender.outstanding.get(e.index));
        let headers = COMMON_HEADER_LEN + self.auth_overhead();
        let needed = chunk.map_or(0, |c| c.packet_len(headers));
        let header = self.header(self.identity.peer_tag);
        let mut writer = PacketWriter::new(buf, &header, size.max(needed));
        self.begin_auth(id, false, &mut writer);
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# the sender SHOULD transmit a previously unsent data segment, if one exists and the receive window allows
        let new = last.is_some() && self.bundle_new(now, id, Room::Probe, &mut writer);
        let repeats = match last {
            Some(e) if !new && !self.sender.outstanding.may_repeat(e.index, now) => None,
            Some(entry) if !new => self.repeat_last(now, id, entry, &mut writer),
            _ => None,
        };
        let sent = new || repeats.is_some();
        let path = self.paths.get_mut(id)?;
        let probe = sent.then_some(Probe { number, repeats });
        path.recovery.tlp.on_probe(probe);
        if !sent {
            return None;
        }
        path.on_data_packet_sent(now);
        path.counters.tail_probes += 1;
        self.sender.queue.finish_packet();
        let len = self.complete(protection, writer);
        self.on_packet_sent(now, id, len);
        self.arm_data_timers(now, id);
        self.one_packet(id, len, len > size)
    }

    fn last_in_flight(&mut self, id: PathId) -> Option<Entry> {
        let outstanding = &self.sender.outstanding;
        let path = self.paths.get_mut(id)?;
        path.sent.last_current(|e| is_current(outstanding, id, e))
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
    //# If such an unsent segment is not available, then the sender SHOULD retransmit the highest-sequence segment sent so far and set TLP.is_retrans to true
    //
    // On a path it is the packet sent last; of several chunks in it, the last one.
    fn repeat_last(
        &mut self,
        now: Instant,
        id: PathId,
        last: Entry,
        writer: &mut PacketWriter<'_>,
    ) -> Option<(u64, Shot)> {
        let (index, number) = (last.index, last.number);
        let old = Shot { path: id, number };
        let tsn = self.sender.outstanding.tsn(index);
        let chunk = self.sender.outstanding.get(index)?;
        if !chunk.write(tsn, true, writer) {
            return None;
        }
        let (bytes, payload) = (chunk.flight_bytes(), chunk.payload.len() as u64);
        let path = self.paths.get_mut(id)?;
        path.sent.pop_last();
        // It is in flight twice and counts once.
        path.in_flight -= bytes;
        let number = path.sent.next_number();
        path.on_data_sent(index, bytes, now);
        path.counters.retransmitted_bytes += payload;
        self.stats.retransmitted_bytes += payload;
        self.sender.resent.record(index, old);
        let shot = Shot { path: id, number };
        self.sender.outstanding.mark_resent(index, shot, now);
        Some((index, old))
    }

    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
    //# If the TLP sender does not receive such an indication, then it MUST assume that the original data segment, the TLP retransmission, or a corresponding ACK was lost for congestion control purposes
    //
    // The SACK that answers a probe reports the duplicate if it is one: SCTP's receivers do.
    pub(super) fn on_probe_answered(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let newest = path.ack.newest.map_or(0, |n| n.number);
        let answered = |probe: &Probe| newest >= probe.number;
        let Some(probe) = path.recovery.tlp.probe().filter(answered) else {
            return;
        };
        path.recovery.tlp.finish();
        let Some((index, shot)) = probe.repeats else {
            return;
        };
        let waits = self
            .sender
            .outstanding
            .get(index)
            .is_some_and(|c| c.is_unacked());
        // A duplicate, or an answer that came too soon, has taken the entry out.
        let unrefuted = self.sender.resent.get(index) == Some(shot);
        if unrefuted && !waits {
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
            //# The sender then SHOULD invoke a congestion control response equivalent to a fast recovery
            let flight = path.in_flight + path.ack.bytes;
            path.on_lost(now, shot.number, flight, Cause::Probe);
        }
    }
}

impl Path {
    /// Whether one packet only is in flight.
    fn is_alone_in_flight(&mut self, outstanding: &Outstanding) -> bool {
        let id = self.id;
        self.sent.skip_stale(|e| is_current(outstanding, id, e));
        let last = self.sent.last_current(|e| is_current(outstanding, id, e));
        self.sent.front().map(|e| e.number) == last.map(|e| e.number)
    }
}
