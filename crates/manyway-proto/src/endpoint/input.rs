//! A datagram's way to its association, and the stateless half of the handshake.

use bytes::Bytes;
use manyway_wire::{
    Abort, Cause, CauseList, ChecksumPolicy, Chunk, ChunkType, CommonHeader, CookieAck,
    EncodeChunk, Init, InitAck, Packet, PacketWriter, Parameter, Port, RawChunk, ShutdownComplete,
    Tsn, VerificationTag,
};
use rand::Rng;

use super::cookie::{BadCookie, Cookie};
use super::{Endpoint, PeerKey, ReflectedKey};
use crate::assoc::{AssocId, Association, BadInit, Identity, PeerInit, local_parameters};
use crate::path::FourTuple;
use crate::time::Instant;

/// Addresses that INIT-ACK names: it must fit one packet with the cookie.
const MAX_OWN_ADDRESSES: usize = 8;
/// Largest answer of the endpoint itself.
const ANSWER_SIZE: usize = 1232;

impl Endpoint {
    /// A datagram arrived: `path.local` is the address it was sent to, `path.remote` where it came
    /// from.
    pub fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes) {
        self.advance(now);
        let Some(tag) = verification_tag(&datagram) else {
            self.stats.malformed_packets += 1;
            return;
        };
        match self.by_tag.get(&tag).copied() {
            Some(id) => self.handle_known(path, id, &datagram),
            None => self.handle_unknown(path, &datagram),
        }
    }

    /// The host at `path.remote` said that nobody listens on that UDP port.
    pub fn handle_unreachable(&mut self, now: Instant, path: FourTuple) {
        self.advance(now);
        let slots = &self.slots;
        self.handshakes
            .retain(|id| slots.get(id).is_some_and(|slot| slot.assoc.is_setting_up()));
        for id in self.handshakes.clone() {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.assoc.handle_unreachable(path);
            }
            self.touch(id);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5
    //# When receiving an SCTP packet, the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag
    fn handle_known(&mut self, path: FourTuple, id: AssocId, datagram: &Bytes) {
        let now = self.now;
        if self.is_handshake_repeat(id, datagram) {
            return self.handle_unknown(path, datagram);
        }
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let identity = slot.assoc.identity();
        if ports(datagram) != Some((identity.peer_port, identity.local_port)) {
            self.stats.stray_packets += 1;
            return;
        }
        slot.assoc.handle_packet(now, path, datagram);
        self.index_reflected(id);
        self.touch(id);
    }

    /// A COOKIE-ECHO for an association that exists: its COOKIE-ACK was lost.
    fn is_handshake_repeat(&self, id: AssocId, datagram: &Bytes) -> bool {
        let initiator = self.slots.get(&id).is_some_and(|s| s.assoc.is_initiator());
        !initiator && datagram.get(12) == Some(&ChunkType::COOKIE_ECHO.0)
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
            ChunkType::COOKIE_ECHO => self.handle_cookie_echo(path, header, &first, datagram),
            ChunkType::ABORT | ChunkType::SHUTDOWN_COMPLETE if first.flags & 1 == 1 => {
                self.handle_reflected(path, header, &first);
            }
            _ => self.handle_stray(path, header, &packet),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //# If an endpoint receives an INIT, INIT ACK, or COOKIE ECHO chunk but decides not to establish the new association due to missing mandatory parameters ... it SHOULD respond with an ABORT chunk
    fn handle_init(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        packet: &Packet<'_>,
        first: &RawChunk<'_>,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
        //# When an endpoint receives an SCTP packet with the Verification Tag set to 0, it SHOULD verify that the packet contains only an INIT chunk. Otherwise, the receiver MUST silently discard the packet
        let alone = packet.chunks().count() == 1;
        if header.verification_tag.0 != 0 || !alone {
            self.stats.malformed_packets += 1;
            return;
        }
        let Ok(init) = Init::decode(first) else {
            self.stats.malformed_packets += 1;
            return;
        };
        if !self.listening.contains(&header.destination_port) {
            self.answer_with_abort(path, header, init.initiate_tag, false);
            return;
        }
        match PeerInit::read(&init) {
            Ok((peer, _)) => self.answer_init(path, header, &init, peer),
            Err(bad) => self.refuse_init(path, header, &init, bad),
        }
    }

    fn refuse_init(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        init: &Init<'_>,
        bad: BadInit,
    ) {
        self.stats.malformed_packets += 1;
        if init.initiate_tag.0 == 0 || !self.stray.allow(self.now) {
            return;
        }
        let mut causes = CauseList::new();
        causes.push(&match bad {
            BadInit::HostName => Cause::UnresolvableAddress(&[]),
            _ => Cause::InvalidMandatoryParameter,
        });
        let abort = Abort {
            reflected_tag: false,
            causes: causes.as_causes(),
        };
        self.answer(path, header, init.initiate_tag, &abort);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //# After sending an INIT ACK chunk with the State Cookie parameter, "Z" MUST NOT allocate any resources or keep any states for the new association
    fn answer_init(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        init: &Init<'_>,
        peer: PeerInit,
    ) {
        let cookie = Cookie {
            created: self.now,
            remote: path.remote,
            local_port: header.destination_port,
            peer_port: header.source_port,
            local_tag: self.fresh_tag(),
            local_initial_tsn: Tsn(self.rng.next_u32()),
            peer,
        };
        let sealed = self.cookies.seal(&cookie);
        let own: Vec<_> = self
            .locals
            .iter()
            .map(|a| a.ip())
            .filter(|ip| *ip != path.local.ip())
            .take(MAX_OWN_ADDRESSES)
            .collect();
        let mut parameters = local_parameters(&own);
        parameters.push(&Parameter::StateCookie(&sealed));
        report_unrecognized(init, &mut parameters);
        let ack = InitAck {
            initiate_tag: cookie.local_tag,
            a_rwnd: u32::try_from(self.transport.receive_buffer).unwrap_or(u32::MAX),
            outbound_streams: self.transport.outbound_streams,
            inbound_streams: self.transport.inbound_streams,
            initial_tsn: cookie.local_initial_tsn,
            parameters: parameters.as_parameters(),
        };
        self.stats.inits_answered += 1;
        self.answer(path, header, init.initiate_tag, &ack);
    }

    fn handle_cookie_echo(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        first: &RawChunk<'_>,
        datagram: &Bytes,
    ) {
        let presented = self.cookies.open(self.now, first.value);
        let cookie = match presented {
            Ok(cookie) => cookie,
            Err(BadCookie::Used) => return self.repeat_cookie_ack(path, header, datagram),
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
            //# If both Verification Tags in the State Cookie match the Verification Tags of the current association, consider the State Cookie valid ... even if the lifespan is exceeded
            Err(BadCookie::Stale(_)) if self.by_tag.contains_key(&header.verification_tag) => {
                return self.repeat_cookie_ack(path, header, datagram);
            }
            Err(BadCookie::Stale(by)) => return self.report_stale(path, header, first, by),
            Err(BadCookie::Forged) => {
                self.stats.cookies_refused += 1;
                return;
            }
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
        //# Compare the port numbers and the Verification Tag contained within the COOKIE ECHO chunk to the actual port numbers and the Verification Tag within the SCTP common header of the received packet. If these values do not match, the packet MUST be silently discarded
        let expected = (cookie.peer_port, cookie.local_port, cookie.local_tag);
        if (
            header.source_port,
            header.destination_port,
            header.verification_tag,
        ) != expected
            || !self.listening.contains(&cookie.local_port)
        {
            self.stats.cookies_refused += 1;
            return;
        }
        self.accept(path, header, cookie, datagram);
    }

    fn accept(&mut self, path: FourTuple, header: CommonHeader, cookie: Cookie, datagram: &Bytes) {
        let key = PeerKey {
            remote: path.remote,
            local_port: cookie.local_port,
            peer_port: cookie.peer_port,
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.4
        //# For the receiver of the COOKIE ECHO chunk, the only CONFIRMED address is the address to which the packet containing the INIT ACK chunk was sent
        let verified = path.remote == cookie.remote;
        if !verified && self.by_peer.contains_key(&key) {
            // Only who receives at an address may end what is there.
            self.stats.cookies_refused += 1;
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
        //# In this case, the peer might have restarted
        if let Some(old) = self.by_peer.get(&key).copied() {
            if let Some(slot) = self.slots.get_mut(&old) {
                slot.assoc.on_restarted();
            }
            self.touch(old);
            self.unlink(old);
        }
        if self.slots.len() >= self.config.max_associations {
            self.stats.associations_refused += 1;
            return self.refuse(path, header, cookie.peer.tag, &Cause::OutOfResource);
        }
        self.cookies.mark_used(self.now, cookie.local_tag);
        let identity = Identity {
            local_port: cookie.local_port,
            peer_port: cookie.peer_port,
            local_tag: cookie.local_tag,
            peer_tag: cookie.peer.tag,
        };
        let locals = self.locals.clone();
        let new = self.new_association(identity, locals, cookie.local_initial_tsn);
        let id = new.id;
        let assoc = Association::accept(self.now, new, cookie.peer, path, verified);
        self.insert(assoc, vec![key]);
        self.stats.associations_accepted += 1;
        // The rest of the packet is the first data.
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.assoc.handle_packet(self.now, path, datagram);
        }
        self.touch(id);
    }

    fn refuse(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        tag: VerificationTag,
        cause: &Cause<'_>,
    ) {
        if !self.stray.allow(self.now) {
            self.stats.stray_unanswered += 1;
            return;
        }
        let mut causes = CauseList::new();
        causes.push(cause);
        let causes = causes.as_causes();
        let abort = Abort {
            reflected_tag: false,
            causes,
        };
        self.answer(path, header, tag, &abort);
    }

    /// The cookie was used: if its association still lives, its COOKIE-ACK was lost.
    fn repeat_cookie_ack(&mut self, path: FourTuple, header: CommonHeader, datagram: &Bytes) {
        let id = self.by_tag.get(&header.verification_tag).copied();
        let Some((id, slot)) = id.and_then(|id| Some((id, self.slots.get_mut(&id)?))) else {
            self.stats.cookies_refused += 1;
            return;
        };
        let identity = slot.assoc.identity();
        if (header.source_port, header.destination_port)
            != (identity.peer_port, identity.local_port)
        {
            self.stats.cookies_refused += 1;
            return;
        }
        // Data that ride along are as good as any.
        slot.assoc.handle_packet(self.now, path, datagram);
        self.touch(id);
        self.answer(path, header, identity.peer_tag, &CookieAck);
    }

    fn report_stale(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        first: &RawChunk<'_>,
        by: std::time::Duration,
    ) {
        self.stats.cookies_refused += 1;
        let Some(tag) = super::cookie::peer_tag(first.value).filter(|_| self.stray.allow(self.now))
        else {
            return;
        };
        let mut causes = CauseList::new();
        let measure_us = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        causes.push(&Cause::StaleCookie { measure_us });
        self.answer(
            path,
            header,
            tag,
            &manyway_wire::ErrorChunk {
                causes: causes.as_causes(),
            },
        );
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
        let Some(slot) = slot.filter(|s| s.assoc.sends_to(path.remote)) else {
            self.stats.stray_packets += 1;
            return;
        };
        let id = slot.assoc.id();
        match Chunk::decode(first) {
            Ok(Chunk::Abort(abort)) => slot.assoc.handle_reflected_abort(&abort),
            Ok(Chunk::ShutdownComplete(_)) => slot.assoc.handle_reflected_shutdown_complete(),
            _ => {}
        }
        self.touch(id);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.4
    //# The receiver of an OOTB packet does the following
    fn handle_stray(&mut self, path: FourTuple, header: CommonHeader, packet: &Packet<'_>) {
        self.stats.stray_packets += 1;
        let silent = [
            ChunkType::ABORT,
            ChunkType::SHUTDOWN_COMPLETE,
            ChunkType::COOKIE_ACK,
            ChunkType::ERROR,
        ];
        let kinds = || packet.chunks().flatten().map(|c| c.kind);
        if kinds().any(|k| silent.contains(&k)) {
            return;
        }
        if !self.stray.allow(self.now) {
            self.stats.stray_unanswered += 1;
            return;
        }
        let tag = header.verification_tag;
        if kinds().any(|k| k == ChunkType::SHUTDOWN_ACK) {
            self.answer(
                path,
                header,
                tag,
                &ShutdownComplete {
                    reflected_tag: true,
                },
            );
        } else {
            self.answer_with_abort(path, header, tag, true);
        }
    }

    fn answer_with_abort(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        tag: VerificationTag,
        reflected: bool,
    ) {
        let causes = CauseList::new();
        let abort = Abort {
            reflected_tag: reflected,
            causes: causes.as_causes(),
        };
        self.answer(path, header, tag, &abort);
    }

    /// Sends one chunk back the way the packet with `header` came.
    fn answer(
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

/// Parameters that we do not know and that want to be reported.
fn report_unrecognized(init: &Init<'_>, answer: &mut manyway_wire::ParameterList) {
    use manyway_wire::UnrecognizedAction::{Skip, SkipAndReport, Stop, StopAndReport};
    for parameter in init.parameters.iter().flatten() {
        let Parameter::Unknown(raw) = parameter else {
            continue;
        };
        let action = raw.kind.unrecognized_action();
        let fits = answer.padded_len() + raw.wire_bytes().len() + 64 < ANSWER_SIZE;
        if matches!(action, StopAndReport | SkipAndReport) && fits {
            answer.push(&Parameter::Unrecognized(raw.wire_bytes()));
        }
        match action {
            Stop | StopAndReport => break,
            Skip | SkipAndReport => {}
        }
    }
}

fn verification_tag(datagram: &[u8]) -> Option<VerificationTag> {
    let tag = datagram.get(4..8)?;
    Some(VerificationTag(u32::from_be_bytes(tag.try_into().ok()?)))
}

fn ports(datagram: &[u8]) -> Option<(Port, Port)> {
    let word = |at: usize| {
        Some(Port(u16::from_be_bytes(
            datagram.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    Some((word(0)?, word(2)?))
}
