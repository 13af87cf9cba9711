//! Sending on another path as well what holds up the flow (see [`crate::cmt::reinject`]).

use manyway_wire::{COMMON_HEADER_LEN, PacketWriter};

use super::Association;
use crate::cc::{Congestion, Signal};
use crate::cmt::reinject::{self, Choice, Standstill};
use crate::endpoint::Transmit;
use crate::path::PathId;
use crate::send::{Fate, Shot};
use crate::time::Instant;

impl Association {
    /// A chunk that holds up the flow, on a path that is not the one that has it; nothing while
    /// there is anything else to do.
    pub(super) fn transmit_reinjection(
        &mut self,
        now: Instant,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let idle = !self.state.sends_data() || self.sender.outstanding.has_lost();
        if idle || self.paths.len() < 2 {
            return None;
        }
        let (why, index, id) = self.next_reinjection(now)?;
        if !self.pace(now, id) {
            return None;
        }
        let path = self.paths.get(id)?;
        let protection = path.protection;
        let header = self.header(self.identity.peer_tag);
        let mut writer = PacketWriter::new(buf, &header, path.size.current());
        self.begin_auth(id, false, &mut writer);
        self.move_chunk(now, why, index, id, &mut writer)?;
        self.sender.reinjected_to = index + 1;
        let path = self.paths.get_mut(id)?;
        path.on_data_packet_sent(now);
        let len = self.complete(protection, writer);
        self.on_packet_sent(now, id, len);
        self.arm_data_timers(now, id);
        self.one_packet(id, len, false)
    }

    /// Looks at each chunk once on the way from the cumulative point to the end, so that a chunk
    /// costs O(1) in all.
    fn next_reinjection(&mut self, now: Instant) -> Option<(Standstill, u64, PathId)> {
        let why = match self.sender.queue.is_idle() {
            true => Standstill::Tail,
            // Else the congestion windows are what stops the flow, or the scheduler does.
            false if !self.sender.held_back && self.paths.iter().any(|p| p.has_room()) => {
                Standstill::Buffers
            }
            false => return None,
        };
        let headers = COMMON_HEADER_LEN + self.auth_overhead();
        let outstanding = &self.sender.outstanding;
        let mut index = self.sender.reinjected_to.max(outstanding.first_index());
        let found = loop {
            let Some(chunk) = outstanding.get(index) else {
                break None;
            };
            if let Fate::InFlight(shot) = chunk.fate
                && outstanding.may_repeat(index, now)
                && !self.sender.copies.contains(index)
            {
                let (at, len) = (chunk.sent_at, chunk.packet_len(headers));
                match reinject::select(now, &self.paths, why, shot.path, at, len) {
                    Choice::On(path) => break Some((why, index, path)),
                    Choice::Wait => break None,
                    Choice::Skip => {}
                }
            }
            index += 1;
        };
        self.sender.reinjected_to = index;
        found
    }

    /// The chunk belongs to `to` from now on; where it was it may still arrive.
    fn move_chunk(
        &mut self,
        now: Instant,
        why: Standstill,
        index: u64,
        to: PathId,
        writer: &mut PacketWriter<'_>,
    ) -> Option<()> {
        let tsn = self.sender.outstanding.tsn(index);
        let chunk = self.sender.outstanding.get(index)?;
        let Fate::InFlight(old) = chunk.fate else {
            return None;
        };
        if !chunk.write(tsn, why == Standstill::Tail, writer) {
            return None;
        }
        let (bytes, payload) = (chunk.flight_bytes(), chunk.payload.len() as u64);
        self.leave_holder(now, why, old.path, bytes);
        let path = self.paths.get_mut(to)?;
        let shot = Shot {
            path: to,
            number: path.sent.next_number(),
        };
        path.on_data_sent(index, bytes, now);
        path.counters.reinjected_bytes += payload;
        self.stats.retransmitted_bytes += payload;
        self.sender.outstanding.mark_resent(index, shot, now);
        Some(())
    }

    fn leave_holder(&mut self, now: Instant, why: Standstill, id: PathId, bytes: u64) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        path.in_flight -= bytes;
        let srtt = path.rtt.srtt().unwrap_or_default();
        let again = path.recovery.penalised.is_none_or(|at| now - at > srtt);
        if why == Standstill::Buffers && again {
            path.recovery.penalised = Some(now);
            let congestion = Congestion::new(Signal::HeldUp, path.in_flight + bytes);
            path.controller.on_congestion(now, &congestion);
        }
        if path.in_flight == 0 {
            // Its timers ask no more whether the path is alive.
            path.heartbeats.due |= !path.heartbeats.awaiting;
            self.arm_data_timers(now, id);
        }
    }
}
