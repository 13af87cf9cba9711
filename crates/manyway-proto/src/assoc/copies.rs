//! Redundancy: chunks go out on a second path before anybody knows whether they arrive.

use manyway_wire::{COMMON_HEADER_LEN, PacketWriter};

use super::Association;
use crate::endpoint::Transmit;
use crate::path::{Path, PathId, PathState};
use crate::send::{Copied, Fate};
use crate::time::Instant;

impl Association {
    /// A packet with copies of what is in flight on another path, as far as the scheduler's budget
    /// goes.
    pub(super) fn transmit_copy(&mut self, now: Instant, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.drop_settled_copies();
        let id = self.next_copy(now)?;
        let path = self.paths.get(id)?;
        let protection = path.protection;
        let header = self.header(self.identity.peer_tag);
        let mut writer = PacketWriter::new(buf, &header, path.size.current());
        self.begin_auth(id, false, &mut writer);
        while self.bundle_copy(now, id, &mut writer).is_some() {
            if self.next_copy(now) != Some(id) {
                break;
            }
        }
        if writer.is_empty() {
            return None;
        }
        let len = self.complete(protection, writer);
        self.on_packet_sent(now, id, len);
        self.one_packet(id, len, false)
    }

    /// The path on which the next chunk is copied now. Each chunk is looked at once, so that it
    /// costs O(1) in all.
    fn next_copy(&mut self, now: Instant) -> Option<PathId> {
        if !self.sender.copies.may_copy(0) || !self.state.sends_data() {
            return None;
        }
        let headers = COMMON_HEADER_LEN + self.auth_overhead();
        let outstanding = &self.sender.outstanding;
        let mut index = self.sender.copies.next().max(outstanding.first_index());
        let found = loop {
            let chunk = outstanding.get(index)?;
            if let Fate::InFlight(shot) = chunk.fate {
                break (shot.path, chunk.packet_len(headers), chunk.payload.len());
            }
            index += 1;
        };
        self.sender.copies.advance(index);
        let (holder, packet, payload) = found;
        let usable = |p: &&Path| {
            p.id != holder
                && p.state == PathState::Active
                && p.is_wanted()
                && packet <= p.size.current()
                && p.has_room()
        };
        if !self.sender.copies.may_copy(payload as u64) {
            return None;
        }
        let candidates = self.paths.iter().filter(usable);
        let best = candidates.min_by_key(|p| p.view().rtt()).map(|p| p.id)?;
        self.pace(now, best).then_some(best)
    }

    fn bundle_copy(
        &mut self,
        now: Instant,
        id: PathId,
        writer: &mut PacketWriter<'_>,
    ) -> Option<()> {
        let index = self.sender.copies.next();
        let tsn = self.sender.outstanding.tsn(index);
        let chunk = self.sender.outstanding.get_mut(index)?;
        if !chunk.write(tsn, false, writer) {
            return None;
        }
        // Its acknowledgement does not say which of the paths works.
        chunk.moved = true;
        let (bytes, payload) = (chunk.flight_bytes(), chunk.payload.len() as u64);
        let path = self.paths.get_mut(id)?;
        path.copied += bytes;
        path.last_data_sent = Some(now);
        path.counters.copied_bytes += payload;
        let copied = Copied {
            index,
            path: id,
            bytes,
        };
        self.sender.copies.push(copied, payload);
        Some(())
    }

    /// Copies of what was given up or acknowledged meanwhile are not in flight any more.
    fn drop_settled_copies(&mut self) {
        while let Some(first) = self.sender.copies.first() {
            let chunk = self.sender.outstanding.get(first.index);
            if chunk.is_some_and(|c| c.is_unacked()) {
                break;
            }
            self.sender.copies.take(first.index);
            if let Some(path) = self.paths.get_mut(first.path) {
                path.copied -= first.bytes;
            }
        }
    }
}
