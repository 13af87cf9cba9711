//! INIT at the responder: the answer is all that is left of it.

use std::time::Duration;

use manyway_wire::{
    Cause, CommonHeader, Init, InitAck, Packet, Parameter, RawChunk, Tsn, VerificationTag,
};
use rand::Rng;

use super::Endpoint;
use super::cookie::{Cookie, TieTags};
use super::input::ANSWER_SIZE;
use crate::assoc::{ASCONF_WITHOUT_AUTH, BadInit, MAX_OWN_ADDRESSES, PeerInit, local_parameters};
use crate::path::FourTuple;

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
        if !self.init_acks.allow(self.now) {
            self.stats.inits_unanswered += 1;
            return;
        }
        let peer = match PeerInit::read(&init, self.transport.extensions) {
            Ok((peer, _)) => peer,
            Err(bad) => return self.refuse_init(path, header, &init, bad),
        };
        if let Some(known) = self.known_peer(path.remote, header, &peer) {
            self.answer_collision(path, header, &init, peer, known);
        } else if self.listening.contains(&header.destination_port) {
            let first = FirstWords {
                local_tag: self.fresh_tag(),
                initial_tsn: Tsn(self.rng.next_u32()),
                auth_random: self.fresh_auth_random(),
                tie_tags: TieTags::NONE,
            };
            self.answer_init(path, header, &init, peer, first);
        } else {
            self.refuse(path, header, init.initiate_tag, None);
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
        if init.initiate_tag.0 == 0 {
            return;
        }
        let cause = match bad {
            BadInit::HostName => Cause::UnresolvableAddress(&[]),
            //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
            //# The ABORT chunk SHOULD contain the error cause 'Protocol Violation'.
            BadInit::BadAuthOffer => Cause::ProtocolViolation(b"RANDOM, CHUNKS or HMAC-ALGO"),
            BadInit::AsconfWithoutAuth => Cause::ProtocolViolation(ASCONF_WITHOUT_AUTH.as_bytes()),
            _ => Cause::InvalidMandatoryParameter,
        };
        self.refuse(path, header, init.initiate_tag, Some(&cause));
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //# After sending an INIT ACK chunk with the State Cookie parameter, "Z" MUST NOT allocate any resources or keep any states for the new association
    pub(super) fn answer_init(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        init: &Init<'_>,
        peer: PeerInit,
        first: FirstWords,
    ) {
        let cookie = Cookie {
            created: self.now,
            life: self.cookie_life(init),
            remote: path.remote,
            local_port: header.destination_port,
            peer_port: header.source_port,
            local_tag: first.local_tag,
            local_initial_tsn: first.initial_tsn,
            auth_random: first.auth_random,
            tie_tags: first.tie_tags,
            peer,
        };
        let sealed = self.cookies.seal(self.now, &cookie);
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
        let mut parameters = local_parameters(transport.offer(), auth.as_ref(), &own);
        parameters.push(&Parameter::StateCookie(&sealed));
        report_unrecognized(init, &mut parameters);
        let ack = InitAck {
            initiate_tag: cookie.local_tag,
            a_rwnd: u32::try_from(self.transport.receive_buffer).unwrap_or(u32::MAX),
            //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
            //# The value of 0 MUST NOT be used, and the value MUST NOT be greater than the MIS value sent in the INIT chunk.
            outbound_streams: self.transport.outbound_streams.min(init.inbound_streams),
            inbound_streams: self.transport.inbound_streams,
            initial_tsn: cookie.local_initial_tsn,
            parameters: parameters.as_parameters(),
        };
        self.stats.inits_answered += 1;
        self.answer(path, header, init.initiate_tag, &ack);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.3
    //# The receiver MAY choose to ignore the suggested cookie life span increase for its own security reasons
    fn cookie_life(&self, init: &Init<'_>) -> Duration {
        let asked = init.parameters.iter().flatten().find_map(|p| match p {
            Parameter::CookiePreservative(ms) => Some(Duration::from_millis(u64::from(ms))),
            _ => None,
        });
        let more = asked.unwrap_or_default();
        self.config.cookie_lifetime + more.min(self.config.max_cookie_lifetime_increment)
    }
}

/// What INIT-ACK and the cookie say of this side.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstWords {
    pub(super) local_tag: VerificationTag,
    pub(super) initial_tsn: Tsn,
    pub(super) auth_random: [u8; 32],
    pub(super) tie_tags: TieTags,
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
