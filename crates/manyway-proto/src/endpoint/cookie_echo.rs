//! COOKIE-ECHO at the responder: the association begins, or the one that exists goes on.

use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{
    Abort, Cause, CauseList, CommonHeader, ErrorChunk, Packet, RawChunk, VerificationTag,
};

use super::auth::starts_with_auth;
use super::collision::Action;
use super::cookie::Cookie;
use super::{Endpoint, PeerKey};
use crate::assoc::{AssocId, AssocState, Association, Identity};
use crate::path::FourTuple;

impl Endpoint {
    pub(super) fn handle_cookie_echo(
        &mut self,
        path: FourTuple,
        packet: &Packet<'_>,
        echo: &RawChunk<'_>,
        datagram: &Bytes,
    ) {
        let header = packet.header();
        let behind_auth = starts_with_auth(packet);
        let unproven = self.demands_authenticated_cookies() && !behind_auth;
        let opened = self.cookies.open(self.now, echo.value);
        let Some(opened) = opened.filter(|_| !unproven) else {
            self.stats.cookies_refused += 1;
            return;
        };
        let cookie = opened.cookie;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
        //# Compare the port numbers and the Verification Tag contained within the COOKIE ECHO chunk to the actual port numbers and the Verification Tag within the SCTP common header of the received packet. If these values do not match, the packet MUST be silently discarded
        let expected = (cookie.peer_port, cookie.local_port, cookie.local_tag);
        if (
            header.source_port,
            header.destination_port,
            header.verification_tag,
        ) != expected
        {
            self.stats.cookies_refused += 1;
            return;
        }
        let existing = self.judge_cookie(path, header, &cookie);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
        //# If both Verification Tags in the State Cookie match the Verification Tags of the current association, consider the State Cookie valid (this is case E in Section 3.3.10.3), even if the lifespan is exceeded
        let same = matches!(existing, Some((_, Action::Same)));
        if let Some(by) = opened.stale.filter(|_| !same) {
            return self.report_stale(path, header, cookie.peer.tag, by);
        }
        let proven = match existing {
            Some((id, Action::Same)) if behind_auth => self.proves(id, packet),
            Some((id, Action::Restart)) if !self.may_restart(id, packet) => false,
            _ => !behind_auth || self.authenticates(packet, &cookie),
        };
        match existing {
            _ if !proven => self.stats.cookies_refused += 1,
            Some((_, Action::Discard)) => self.stats.cookies_refused += 1,
            Some((id, Action::Same | Action::Collision)) => {
                self.join(path, id, cookie, datagram);
            }
            Some((id, Action::Restart)) => self.restart(path, header, id, cookie, datagram),
            None if opened.used => self.stats.cookies_refused += 1,
            None => self.accept(path, header, cookie, datagram),
        }
    }

    /// Actions B and D: the association at hand is the one that the cookie speaks of.
    fn join(&mut self, path: FourTuple, id: AssocId, cookie: Cookie, datagram: &Bytes) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let verified = path.remote == cookie.remote;
        slot.assoc
            .handle_cookie_echo(self.now, path, &cookie.peer, verified);
        // The rest of the packet is data, as good as any.
        slot.assoc.handle_packet(self.now, path, None, datagram);
        self.touch(id);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
    //# When the endpoint recognizes this potential 'restart', the existing session is treated the same as if it received an ABORT chunk followed by a new COOKIE ECHO chunk
    /// Action A. What was under way in either direction is lost, so the old association closes and
    /// a new one begins where somebody listens.
    fn restart(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        id: AssocId,
        cookie: Cookie,
        datagram: &Bytes,
    ) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
        //# If the endpoint is in the SHUTDOWN-ACK-SENT state and recognizes that the peer has restarted (Action A), it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR chunk with a "Cookie Received While Shutting Down" error cause to its peer
        if slot.assoc.state() == AssocState::ShutdownAckSent {
            slot.assoc.refuse_restart();
            return self.touch(id);
        }
        slot.assoc.on_restarted();
        self.stats.restarts += 1;
        self.touch(id);
        self.unlink(id);
        self.accept(path, header, cookie, datagram);
    }

    fn accept(&mut self, path: FourTuple, header: CommonHeader, cookie: Cookie, datagram: &Bytes) {
        if !self.listening.contains(&cookie.local_port) {
            // It ceased to listen meanwhile, or only this side opened what the peer has restarted.
            self.stats.cookies_refused += 1;
            return self.refuse(path, header, cookie.peer.tag, None);
        }
        if self.slots.len() >= self.config.max_associations || self.budget.is_full() {
            self.stats.associations_refused += 1;
            return self.refuse(path, header, cookie.peer.tag, Some(&Cause::OutOfResource));
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.4
        //# For the receiver of the COOKIE ECHO chunk, the only CONFIRMED address is the address to which the packet containing the INIT ACK chunk was sent
        let verified = path.remote == cookie.remote;
        let key = PeerKey {
            remote: path.remote,
            local_port: cookie.local_port,
            peer_port: cookie.peer_port,
        };
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
        // Only who receives at an address is known by it.
        let keys = if verified { vec![key] } else { vec![] };
        self.insert(assoc, keys, 0);
        self.stats.associations_accepted += 1;
        // The rest of the packet is the first data.
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.assoc.handle_packet(self.now, path, None, datagram);
        }
        self.touch(id);
    }

    /// ABORT with at most one cause, within the budget of answers.
    pub(super) fn refuse(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        tag: VerificationTag,
        cause: Option<&Cause<'_>>,
    ) {
        if !self.stray.allow(self.now) {
            self.stats.stray_unanswered += 1;
            return;
        }
        let mut causes = CauseList::new();
        cause.into_iter().for_each(|cause| causes.push(cause));
        let abort = Abort {
            reflected_tag: false,
            causes: causes.as_causes(),
        };
        self.answer(path, header, tag, &abort);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
    //# the endpoint MUST transmit an ERROR chunk with a "Stale Cookie" error cause to the peer endpoint
    fn report_stale(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        peer_tag: VerificationTag,
        by: Duration,
    ) {
        self.stats.cookies_refused += 1;
        if !self.stray.allow(self.now) {
            self.stats.stray_unanswered += 1;
            return;
        }
        let mut causes = CauseList::new();
        let measure_us = u32::try_from(by.as_micros()).unwrap_or(u32::MAX);
        causes.push(&Cause::StaleCookie { measure_us });
        let error = ErrorChunk {
            causes: causes.as_causes(),
        };
        self.answer(path, header, peer_tag, &error);
    }
}
