//! A datagram's way to its association, and answers to what belongs to none.

use bytes::Bytes;
use manyway_wire::{
    Abort, COMMON_HEADER_LEN, CauseList, ChecksumPolicy, Chunk, ChunkType, CommonHeader,
    EncodeChunk, Packet, PacketWriter, Port, RawChunk, ShutdownComplete, VerificationTag,
};

use super::{Endpoint, ReflectedKey, Slot};
use crate::assoc::AssocId;
use crate::ecn::Ecn;
use crate::path::FourTuple;
use crate::time::Instant;

/// Largest answer of the endpoint itself.
pub(super) const ANSWER_SIZE: usize = 1232;

impl Endpoint {
    /// A datagram arrived: `path.local` is the address it was sent to, `path.remote` where it came
    /// from.
    pub fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes) {
        self.handle_marked_datagram(now, path, None, datagram);
    }

    /// As [`Endpoint::handle_datagram`], where it is known what the IP header said of congestion
    /// (RFC 3168, section 5). `Some(Ecn::Ce)` on a packet with data makes the association echo it
    /// by ECNE chunks until the peer answers that it has reduced its window (RFC 4960, appendix A),
    /// if both ends offered [`crate::Extension::Ecn`]; it is counted in
    /// [`crate::AssocStats::congestion_marks`].
    ///
    /// ```
    /// use manyway_proto::{Ecn, Endpoint, EndpointConfig, FourTuple, Instant};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut endpoint = Endpoint::new(EndpointConfig::default(), [0; 32]);
    /// let path = FourTuple { local: "10.0.0.1:9899".parse()?, remote: "10.0.0.2:9899".parse()? };
    /// endpoint.handle_marked_datagram(Instant::ZERO, path, Some(Ecn::Ce), vec![0; 3].into());
    /// assert_eq!(endpoint.stats().malformed_packets, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle_marked_datagram(
        &mut self,
        now: Instant,
        path: FourTuple,
        mark: Option<Ecn>,
        datagram: Bytes,
    ) {
        self.advance(now);
        let Some(tag) = verification_tag(&datagram) else {
            self.stats.malformed_packets += 1;
            return;
        };
        match self.by_tag.get(&tag).copied() {
            Some(id) => self.handle_known(path, id, mark, &datagram),
            None => self.handle_unknown(path, &datagram),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5
    //# When receiving an SCTP packet, the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag
    fn handle_known(&mut self, path: FourTuple, id: AssocId, mark: Option<Ecn>, datagram: &Bytes) {
        let now = self.now;
        if self.is_the_endpoints(id, datagram) {
            return self.handle_unknown(path, datagram);
        }
        let grant = self
            .budget
            .grant(self.slots.len(), self.transport.receive_buffer);
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let identity = slot.assoc.identity();
        if ports(datagram) != Some((identity.peer_port, identity.local_port)) {
            self.stats.stray_packets += 1;
            return;
        }
        slot.assoc.set_receive_grant(grant);
        slot.assoc.handle_packet(now, path, mark, datagram);
        self.count_memory(id);
        self.touch(id);
    }

    /// What the endpoint answers though the tag is an association's.
    fn is_the_endpoints(&self, id: AssocId, datagram: &Bytes) -> bool {
        let first = kind_behind_auth(datagram);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
        //# If the receiver of a SHUTDOWN ACK chunk is in COOKIE-WAIT or COOKIE ECHOED state, the procedures in Section 8.4 SHOULD be followed
        let setting_up = || self.slots.get(&id).is_some_and(|s| s.assoc.is_setting_up());
        first == Some(ChunkType::COOKIE_ECHO)
            || first == Some(ChunkType::SHUTDOWN_ACK) && setting_up()
    }

    fn handle_unknown(&mut self, path: FourTuple, datagram: &Bytes) {
        let Ok(packet) = Packet::decode(datagram, ChecksumPolicy::Verify) else {
            self.stats.malformed_packets += 1;
            return;
        };
        let header = packet.header();
        let Some(Ok(first)) = packet.chunks().next() else {
            self.stats.malformed_packets += 1;
            return;
        };
        match first.kind {
            ChunkType::INIT => self.handle_init(path, header, &packet, &first),
            ChunkType::COOKIE_ECHO => self.handle_cookie_echo(path, &packet, &first, datagram),
            ChunkType::AUTH => self.handle_auth_first(path, &packet, datagram),
            ChunkType::ABORT | ChunkType::SHUTDOWN_COMPLETE if first.flags & 1 == 1 => {
                self.handle_reflected(path, header, &first);
            }
            _ => self.handle_stray(path, header, &packet),
        }
    }

    /// ABORT or SHUTDOWN-COMPLETE with the T bit: the peer has no association and returned our own
    /// tag (section 8.5.1).
    fn handle_reflected(&mut self, path: FourTuple, header: CommonHeader, first: &RawChunk<'_>) {
        let key = ReflectedKey {
            peer_tag: header.verification_tag,
            local_port: header.destination_port,
            peer_port: header.source_port,
        };
        let id = self.by_reflected.get(&key);
        let slot = id.and_then(|id| self.slots.get_mut(id));
        let mine =
            |s: &&mut Box<Slot>| s.assoc.sends_to(path.remote) && !s.assoc.ignores_abort(path);
        let Some(slot) = slot.filter(mine) else {
            self.stats.stray_packets += 1;
            return;
        };
        let id = slot.assoc.id();
        if slot.assoc.expects_authenticated(first.kind) {
            // Who has no association has no key for it.
            return slot.assoc.on_unauthenticated();
        }
        if !slot.assoc.is_peers(path.remote) {
            slot.assoc.on_stranger(self.now, path.remote);
            return self.touch(id);
        }
        match Chunk::decode(first) {
            Ok(Chunk::Abort(abort)) => slot.assoc.handle_reflected_abort(&abort),
            Ok(Chunk::ShutdownComplete(_)) => slot.assoc.handle_reflected_shutdown_complete(),
            _ => {}
        }
        self.touch(id);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.4
    //# The receiver of an OOTB packet does the following
    pub(super) fn handle_stray(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        packet: &Packet<'_>,
    ) {
        self.stats.stray_packets += 1;
        let has = |kinds: &[ChunkType]| {
            let mut all = packet.chunks().flatten();
            all.any(|chunk| kinds.contains(&chunk.kind))
        };
        let wants_completion = has(&[ChunkType::SHUTDOWN_ACK]);
        let news = [
            ChunkType::SHUTDOWN_COMPLETE,
            ChunkType::COOKIE_ACK,
            ChunkType::ERROR,
        ];
        if has(&[ChunkType::ABORT]) || !wants_completion && has(&news) {
            return;
        }
        if !self.stray.allow(self.now) {
            self.stats.stray_unanswered += 1;
            return;
        }
        let tag = header.verification_tag;
        if wants_completion {
            self.answer(
                path,
                header,
                tag,
                &ShutdownComplete {
                    reflected_tag: true,
                },
            );
        } else {
            let causes = CauseList::new();
            let abort = Abort {
                reflected_tag: true,
                causes: causes.as_causes(),
            };
            self.answer(path, header, tag, &abort);
        }
    }

    /// Sends one chunk back the way the packet with `header` came.
    pub(super) fn answer(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        tag: VerificationTag,
        chunk: &impl EncodeChunk,
    ) {
        let header = CommonHeader {
            source_port: header.destination_port,
            destination_port: header.source_port,
            verification_tag: tag,
        };
        let mut packet = Vec::with_capacity(256);
        let mut writer = PacketWriter::new(&mut packet, &header, ANSWER_SIZE);
        if writer.push(chunk) {
            writer.finish(true);
            if !self.stray.push(path, packet) {
                self.stats.stray_unanswered += 1;
            }
        }
    }
}

fn verification_tag(datagram: &[u8]) -> Option<VerificationTag> {
    let tag = datagram.get(4..8)?;
    Some(VerificationTag(u32::from_be_bytes(tag.try_into().ok()?)))
}

/// The type of the first chunk that is not AUTH.
fn kind_behind_auth(datagram: &[u8]) -> Option<ChunkType> {
    let chunk = datagram.get(COMMON_HEADER_LEN..)?;
    let first = chunk.first().copied().map(ChunkType)?;
    if first != ChunkType::AUTH {
        return Some(first);
    }
    let len = u16::from_be_bytes(chunk.get(2..4)?.try_into().ok()?);
    chunk
        .get(usize::from(len).next_multiple_of(4))
        .copied()
        .map(ChunkType)
}

fn ports(datagram: &[u8]) -> Option<(Port, Port)> {
    let word = |at: usize| {
        Some(Port(u16::from_be_bytes(
            datagram.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    Some((word(0)?, word(2)?))
}
