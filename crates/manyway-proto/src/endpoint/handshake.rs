//! The responder's half of the handshake: no state before the cookie has come back.

use bytes::Bytes;
use manyway_wire::{
    Abort, Cause, CauseList, CommonHeader, CookieAck, Init, InitAck, Packet, Parameter, RawChunk,
    Tsn, VerificationTag,
};
use rand::Rng;

use super::auth::starts_with_auth;
use super::cookie::{BadCookie, Cookie};
use super::input::ANSWER_SIZE;
use super::{Endpoint, PeerKey};
use crate::assoc::{Association, BadInit, Identity, PeerInit, local_parameters};
use crate::path::FourTuple;

/// Addresses that INIT-ACK names: it must fit one packet with the cookie.
const MAX_OWN_ADDRESSES: usize = 8;

impl Endpoint {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //# If an endpoint receives an INIT, INIT ACK, or COOKIE ECHO chunk but decides not to establish the new association due to missing mandatory parameters ... it SHOULD respond with an ABORT chunk
    pub(super) fn handle_init(
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
            if self.stray.allow(self.now) {
                self.answer_with_abort(path, header, init.initiate_tag, false);
            } else {
                self.stats.stray_unanswered += 1;
            }
            return;
        }
        match PeerInit::read(&init, self.transport.extensions) {
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
            //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
            //# The ABORT chunk SHOULD contain the error cause 'Protocol Violation'.
            BadInit::BadAuthOffer => Cause::ProtocolViolation(b"RANDOM, CHUNKS or HMAC-ALGO"),
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
            auth_random: self.fresh_auth_random(),
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
        let transport = &self.transport;
        let auth = transport
            .auth
            .offer(transport.extensions, cookie.auth_random);
        let mut parameters = local_parameters(transport.extensions, auth.as_ref(), &own);
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

    pub(super) fn handle_cookie_echo(
        &mut self,
        path: FourTuple,
        packet: &Packet<'_>,
        echo: &RawChunk<'_>,
        datagram: &Bytes,
    ) {
        let header = packet.header();
        let behind_auth = starts_with_auth(packet);
        if self.demands_authenticated_cookies() && !behind_auth {
            self.stats.cookies_refused += 1;
            return;
        }
        let presented = self.cookies.open(self.now, echo.value);
        let cookie = match presented {
            Ok(cookie) => cookie,
            Err(BadCookie::Used) => return self.repeat_cookie_ack(path, header, datagram),
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
            //# If both Verification Tags in the State Cookie match the Verification Tags of the current association, consider the State Cookie valid ... even if the lifespan is exceeded
            Err(BadCookie::Stale(_)) if self.by_tag.contains_key(&header.verification_tag) => {
                return self.repeat_cookie_ack(path, header, datagram);
            }
            Err(BadCookie::Stale(by)) => return self.report_stale(path, header, echo, by),
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
            || behind_auth && !self.authenticates(packet, &cookie)
        {
            self.stats.cookies_refused += 1;
            return;
        }
        self.accept(path, packet, cookie, datagram);
    }

    fn accept(&mut self, path: FourTuple, packet: &Packet<'_>, cookie: Cookie, datagram: &Bytes) {
        let header = packet.header();
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
            if !self.may_restart(old, packet) {
                self.stats.cookies_refused += 1;
                return;
            }
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
        let (tsn, auth_random) = (cookie.local_initial_tsn, cookie.auth_random);
        let new = self.new_association(identity, locals, tsn, auth_random);
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
        let authenticated = slot.assoc.repeat_cookie_ack(path);
        self.touch(id);
        if !authenticated {
            self.answer(path, header, identity.peer_tag, &CookieAck);
        }
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
