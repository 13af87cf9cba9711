//! Which packet leaves next, and on which path.

use manyway_wire::{
    COMMON_HEADER_LEN, CommonHeader, CookieEcho, EncodeChunk, PacketWriter, VerificationTag,
};

use super::{AssocState, Association};
use crate::cmt::rtx;
use crate::endpoint::Transmit;
use crate::path::{Path, PathId, PathState};
use crate::time::Instant;

impl Association {
    /// Writes the next batch of packets, all for one path, into the empty `buf`.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.give_up_messages(now);
        if self.setup.as_ref().is_some_and(|s| s.due) {
            return self.transmit_handshake(now, buf);
        }
        self.send_next_asconf(now);
        self.advance_reconfig(now);
        // What does not fit any packet is dropped on the way; the rest goes on.
        while let Some(control) = self.control_path() {
            let with_data = self.data_path(now) == Some(control);
            let sent = self.transmit_batch(now, control, with_data, max_datagrams, buf);
            if sent.is_some() {
                return sent;
            }
            if self.control_path() == Some(control) && self.outbox.next_path() != Some(control) {
                break;
            }
        }
        if let Some(transmit) = self.transmit_probe(now, buf) {
            return Some(transmit);
        }
        if let Some(transmit) = self.transmit_tail_probe(now, buf) {
            return Some(transmit);
        }
        if let Some(copy) = self.transmit_copy(now, buf) {
            return Some(copy);
        }
        match self.data_path(now) {
            Some(id) => self.transmit_batch(now, id, true, max_datagrams, buf),
            None => self.transmit_reinjection(now, buf),
        }
    }

    /// The path on which control chunks, a heartbeat or a due SACK must leave.
    fn control_path(&mut self) -> Option<PathId> {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
        //# until the COOKIE ACK chunk is returned, the sender MUST NOT send any other packets to the peer
        if matches!(
            self.state,
            AssocState::CookieWait | AssocState::CookieEchoed
        ) {
            return None;
        }
        while let Some(id) = self.outbox.next_path() {
            if self.paths.get(id).is_some() {
                return Some(id);
            }
            let best = self.paths.best()?;
            self.outbox.reroute(id, best);
        }
        if self.is_closed() {
            return None;
        }
        if let Some(path) = self.paths.iter().find(|p| p.heartbeats.due) {
            return Some(path.id);
        }
        if self.receiver.sack.is_due()
            && let Some(path) = self.sack_path()
        {
            return Some(path);
        }
        self.forward_tsn_path()
    }

    /// Acknowledgements leave where the data arrived, or elsewhere if that path is in doubt.
    fn sack_path(&self) -> Option<PathId> {
        let arrived = self.receiver.sack.path().and_then(|id| self.paths.get(id));
        match arrived {
            Some(path) if path.state == PathState::Active => Some(path.id),
            _ => self.paths.best(),
        }
    }

    /// The path for the next DATA chunk: retransmissions by the retransmission policy, new data by
    /// the scheduler.
    fn data_path(&mut self, now: Instant) -> Option<PathId> {
        if !self.state.sends_data() {
            return None;
        }
        let has_lost = self.sender.outstanding.has_lost();
        if !has_lost && self.sender.queue.is_idle() {
            for path in self.paths.iter_mut() {
                path.on_nothing_to_send(now);
            }
            return None;
        }
        if has_lost {
            let index = self.sender.outstanding.first_lost()?;
            let chunk = self.sender.outstanding.get(index)?;
            let (bytes, holder) = (chunk.flight_bytes(), chunk.last_path());
            let policy = self.config.retransmission_policy;
            let best = match rtx::select(policy, &self.paths, holder, bytes) {
                rtx::Choice::Now(path) => path,
                rtx::Choice::Wait => return None,
                rtx::Choice::NoPath => {
                    let tier = self.usable_tier()?;
                    let fits = |p: &&Path| tier.admits(p) && p.has_room();
                    let paths = self.paths.iter().filter(fits);
                    paths.min_by_key(|p| p.error_count).map(|p| p.id)?
                }
            };
            return self.pace(now, best).then_some(best);
        }
        self.scheduled_path(now)
    }

    /// Whether the pacer lets a packet go; if not, its timer is armed.
    pub(super) fn pace(&mut self, now: Instant, id: PathId) -> bool {
        let Some(path) = self.paths.get_mut(id) else {
            return false;
        };
        let size = path.size.current() as u64;
        let (srtt, controller) = (path.rtt.srtt(), &*path.controller);
        path.timers.pace = path.pacer.delay_until(now, srtt, controller, size);
        path.timers.pace.is_none()
    }

    fn transmit_batch(
        &mut self,
        now: Instant,
        id: PathId,
        with_data: bool,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let mut segment: Option<usize> = None;
        let mut count = 0;
        let mark = self.mark_for(id).filter(|_| with_data);
        self.sender.marking = mark.is_some();
        let next = self.sender.outstanding.next_index();
        let sent_before = self.stats.bytes_sent;
        let most = max_datagrams.min(self.scheduler.burst()).max(1);
        while count < most {
            let data = with_data && (count == 0 || self.may_extend(now, id, segment?));
            if count > 0 && !data {
                break;
            }
            let len = self.build_packet(now, id, segment, count == 0, data, buf);
            if len == 0 {
                break;
            }
            count += 1;
            let first = *segment.get_or_insert(len);
            let oversized = self.paths.get(id).is_some_and(|p| len > p.size.current());
            if len < first || oversized {
                break;
            }
        }
        self.sender.marking = false;
        if count == 0 {
            return None;
        }
        // A packet without data must not be marked.
        let ecn = mark.filter(|_| self.sender.outstanding.next_index() > next);
        self.on_new_data_sent(id, self.stats.bytes_sent - sent_before, buf.len());
        let path = self.paths.get(id)?;
        let segment_size = if count > 1 { segment } else { None };
        Some(Transmit {
            path: path.tuple,
            size: buf.len(),
            segment_size,
            may_fragment: buf.len() > path.size.current() && count == 1,
            ecn,
            assoc: Some(self.id),
            path_id: Some(id),
        })
    }

    /// Whether another packet of at most `segment` bytes may follow on the same path.
    fn may_extend(&mut self, now: Instant, id: PathId, segment: usize) -> bool {
        let queue = &mut self.sender.queue;
        let next = match self.sender.outstanding.first_lost() {
            Some(index) => {
                let chunk = self.sender.outstanding.get(index);
                chunk.map(|c| c.flight_bytes() as usize)
            }
            None => queue.next_len().map(|len| queue.header_len() + len),
        };
        let Some(next) = next else { return false };
        let Some(path) = self.paths.get(id) else {
            return false;
        };
        // A message must not be split finer than the path demands just to fill a batch.
        let headers = COMMON_HEADER_LEN + self.auth_overhead();
        let whole = next + headers <= segment || segment >= path.size.current();
        let room = path.has_room();
        whole && room && self.pace(now, id)
    }

    /// Appends one packet; its length, or 0 if there was nothing to put into it.
    fn build_packet(
        &mut self,
        now: Instant,
        id: PathId,
        segment: Option<usize>,
        first: bool,
        with_data: bool,
        buf: &mut Vec<u8>,
    ) -> usize {
        let Some(path) = self.paths.get(id) else {
            return 0;
        };
        let (protection, size) = (path.protection, path.size.current());
        let oversized = self.oversized_chunk(size);
        let max = segment.unwrap_or_else(|| size.max(oversized));
        let header = self.header(self.identity.peer_tag);
        let mut writer = PacketWriter::new(buf, &header, max);
        self.begin_auth(id, first, &mut writer);
        if first {
            self.bundle_control(id, &mut writer);
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.7
        //# Control chunks (except for INIT, INIT ACK, and SHUTDOWN COMPLETE) MAY be bundled with an ABORT chunk, but they MUST be placed before the ABORT chunk in the SCTP packet; otherwise, they will be ignored by the receiver.
        //
        // Nothing goes with the last word, which may also be SHUTDOWN-COMPLETE.
        if first && !self.is_closed() {
            self.bundle_heartbeat(now, id, &mut writer);
            if self.receiver.sack.is_pending() && self.sack_path() == Some(id) {
                self.bundle_sack(&mut writer);
            }
            self.bundle_forward_tsn(now, id, &mut writer);
        }
        if with_data {
            self.bundle_data(now, id, &mut writer);
        }
        if writer.is_empty() {
            return 0;
        }
        let len = self.complete(protection, writer);
        self.on_packet_sent(now, id, len);
        len
    }

    /// The packet size that the next lost chunk needs, if it was cut for larger packets than
    /// `size`: it has its TSN and cannot be cut anew.
    fn oversized_chunk(&self, size: usize) -> usize {
        let lost = self.sender.outstanding.first_lost();
        let chunk = lost.and_then(|index| self.sender.outstanding.get(index));
        let headers = COMMON_HEADER_LEN + self.auth_overhead();
        chunk.map_or(0, |c| c.packet_len(headers)).max(size)
    }

    /// The packet of `size` bytes that was just written, alone in its batch.
    pub(super) fn one_packet(
        &self,
        id: PathId,
        size: usize,
        may_fragment: bool,
    ) -> Option<Transmit> {
        Some(Transmit {
            path: self.paths.get(id)?.tuple,
            size,
            segment_size: None,
            may_fragment,
            ecn: None,
            assoc: Some(self.id),
            path_id: Some(id),
        })
    }

    pub(super) fn on_packet_sent(&mut self, now: Instant, id: PathId, len: usize) {
        self.paths.on_packet_sent(now, id);
        if let Some(path) = self.paths.get_mut(id) {
            path.counters.bytes_sent += len as u64;
            path.counters.packets_sent += 1;
            path.pacer.on_sent(len as u64);
        }
    }

    pub(super) fn header(&self, tag: VerificationTag) -> CommonHeader {
        CommonHeader {
            source_port: self.identity.local_port,
            destination_port: self.identity.peer_port,
            verification_tag: tag,
        }
    }

    /// INIT, or COOKIE-ECHO with the first data.
    fn transmit_handshake(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        let (id, size, protection) = {
            let path = self.paths.iter().next()?;
            (path.id, path.size.current(), path.protection)
        };
        let cookie = self.setup.as_ref().and_then(|s| s.cookie.clone());
        //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
        //# The sender MUST set the Verification Tag of the packet to 0
        let tag = if cookie.is_some() {
            self.identity.peer_tag
        } else {
            VerificationTag(0)
        };
        // A cookie of any size goes back; IP fragments a packet that is too large for the path.
        let echo = CookieEcho {
            cookie: cookie.as_deref().unwrap_or_default(),
        };
        let needed = COMMON_HEADER_LEN + self.auth_overhead() + echo.encoded_len() + 3;
        let mut writer = PacketWriter::new(buf, &self.header(tag), size.max(needed));
        match &cookie {
            Some(_) => {
                self.auth_before_cookie(&mut writer);
                if !writer.push(&echo) {
                    drop(writer);
                    self.violate(now, "a state cookie that fills more than a packet");
                    return None;
                }
                //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
                //# The COOKIE ECHO chunk MAY be bundled with any pending outbound DATA chunks, but it MUST be the first chunk in the packet
                self.auth_after_cookie(&mut writer);
                self.bundle_control(id, &mut writer);
                self.bundle_data(now, id, &mut writer);
            }
            None => {
                let parameters = self.init_parameters();
                let fitted = writer.push(&self.init_chunk(parameters.as_parameters()));
                debug_assert!(fitted, "INIT is smaller than any packet size");
            }
        }
        let len = self.complete(protection, writer);
        self.on_handshake_sent(now);
        self.on_packet_sent(now, id, len);
        self.one_packet(id, len, len > size)
    }

    /// A packet that tests whether larger ones pass.
    fn transmit_probe(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        if !self.state.is_open() {
            return None;
        }
        let path = self
            .paths
            .iter_mut()
            .find(|p| p.probe_due && p.state == PathState::Active)?;
        path.probe_due = false;
        let (id, protection) = (path.id, path.protection);
        let size = path.size.probe()?;
        let header = self.header(self.identity.peer_tag);
        let mut writer = PacketWriter::new(buf, &header, size);
        self.begin_auth(id, false, &mut writer);
        if !self.bundle_probe(now, id, size, &mut writer) {
            return None;
        }
        let len = self.complete(protection, writer);
        self.on_packet_sent(now, id, len);
        self.one_packet(id, len, false)
    }
}
