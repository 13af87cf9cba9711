//! INIT-ACK at the initiator (RFC 9260, sections 3.3.3 and 5.1).

use bytes::Bytes;
use manyway_wire::{
    Cause, CauseList, FixedList, Init, InitAck, Parameter, ParameterType, Parameters,
    UnrecognizedAction,
};

use super::outbox::Control;
use super::setup::{ASCONF_WITHOUT_AUTH, BadInit, PeerInit};
use super::{AssocState, Association, Identity};
use crate::error::CloseReason;
use crate::path::{FourTuple, PathState};
use crate::time::Instant;

impl Association {
    pub(super) fn handle_init_ack(&mut self, now: Instant, tuple: FourTuple, ack: &InitAck<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.3
        //# If an INIT ACK chunk is received by an endpoint in any state other than the COOKIE-WAIT or CLOSED state, the endpoint SHOULD discard the INIT ACK chunk
        if self.state != AssocState::CookieWait {
            return;
        }
        let init = Init {
            initiate_tag: ack.initiate_tag,
            a_rwnd: ack.a_rwnd,
            outbound_streams: ack.outbound_streams,
            inbound_streams: ack.inbound_streams,
            initial_tsn: ack.initial_tsn,
            parameters: ack.parameters,
        };
        let (peer, cookie) = match PeerInit::read(&init, self.config.extensions) {
            Ok((peer, Some(cookie))) => (peer, Bytes::copy_from_slice(cookie)),
            Ok((_, None)) => return self.refuse_init_ack(ack, &MISSING, "INIT-ACK without cookie"),
            Err(BadInit::SmallWindow) => {
                self.stats.dropped_packets += 1;
                return;
            }
            Err(bad) => return self.refuse_bad_init_ack(ack, bad),
        };
        if self.state.on_init_ack().is_err() {
            return;
        }
        self.identity = Identity {
            peer_tag: peer.tag,
            ..self.identity
        };
        let interleaved = self.sender.queue.is_interleaving();
        self.learn_peer(&peer, tuple);
        let changed = self.sender.queue.is_interleaving() != interleaved;
        if changed && !self.sender.outstanding.is_empty() {
            // Chunks that left with a stale cookie are of the wrong kind now.
            return self.violate(now, "other extensions in the second INIT-ACK");
        }
        if let Some(path) = self.paths.iter_mut().next() {
            path.tuple = tuple;
            path.last_received = Some(now);
            // The answer proves that the peer receives there.
            path.state = PathState::Active;
        }
        if let Some(setup) = &mut self.setup {
            setup.on_init_ack(cookie);
        }
        self.report_unrecognized(ack.parameters);
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2.2
    //# If the receiver of any other chunk (e.g., INIT ACK) detects unrecognized parameters and has to report them according to Section 3.2.1, it SHOULD bundle the ERROR chunk containing the "Unrecognized Parameters" error cause with the chunk sent in response (e.g., COOKIE ECHO).
    fn report_unrecognized(&mut self, parameters: Parameters<'_>) {
        let reported = unrecognized(parameters, self.config.max_error_report);
        let first = self.paths.iter().next().map(|p| p.id);
        if let (false, Some(path)) = (reported.is_empty(), first) {
            let mut causes = CauseList::new();
            causes.push(&Cause::UnrecognizedParameters(&reported));
            self.outbox.push(path, Control::Error(causes));
        }
    }

    fn refuse_bad_init_ack(&mut self, ack: &InitAck<'_>, bad: BadInit) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
        //# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk with the T bit set.
        if ack.initiate_tag.0 == 0 {
            self.identity.peer_tag = self.identity.local_tag;
            return self.end_setup(Control::ReflectedAbort, "INIT-ACK with a zero tag");
        }
        let what = "INIT-ACK with invalid parameters";
        match bad {
            BadInit::HostName => {
                let name = host_name(ack.parameters, self.config.max_error_report);
                self.refuse_init_ack(ack, &Cause::UnresolvableAddress(&name), what);
            }
            BadInit::InvalidMandatoryParameter | BadInit::SmallWindow => {
                self.refuse_init_ack(ack, &Cause::InvalidMandatoryParameter, what);
            }
            BadInit::AsconfWithoutAuth => {
                let what = ASCONF_WITHOUT_AUTH;
                self.refuse_init_ack(ack, &Cause::ProtocolViolation(what.as_bytes()), what);
            }
            BadInit::BadAuthOffer | BadInit::Malformed => {
                self.refuse_init_ack(ack, &Cause::ProtocolViolation(what.as_bytes()), what);
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //# If an endpoint receives an INIT, INIT ACK, or COOKIE ECHO chunk but decides not to establish the new association due to missing mandatory parameters in the received INIT or INIT ACK chunk, invalid parameter values, or lack of local resources, it SHOULD respond with an ABORT chunk.
    fn refuse_init_ack(&mut self, ack: &InitAck<'_>, cause: &Cause<'_>, what: &'static str) {
        let mut causes = CauseList::new();
        causes.push(cause);
        self.identity.peer_tag = ack.initiate_tag;
        self.end_setup(Control::Abort(causes), what);
    }

    fn end_setup(&mut self, last_word: Control, what: &'static str) {
        if let Some(path) = self.paths.iter().next().map(|p| p.id) {
            self.outbox.replace_all(path, last_word);
        }
        self.close(CloseReason::ProtocolViolation(what));
    }
}

/// What every INIT-ACK must have.
const MISSING: Cause<'static> =
    Cause::MissingParameters(FixedList::new(&[ParameterType::STATE_COOKIE]));

/// The parameters that are unknown and want to be reported, as far as `limit` bytes hold them.
fn unrecognized(parameters: Parameters<'_>, limit: usize) -> Vec<u8> {
    use UnrecognizedAction::{SkipAndReport, Stop, StopAndReport};
    let mut out = Vec::new();
    for parameter in parameters.iter().flatten() {
        let Parameter::Unknown(raw) = parameter else {
            continue;
        };
        let action = raw.kind.unrecognized_action();
        let padded = raw.wire_bytes().len().next_multiple_of(4);
        if matches!(action, StopAndReport | SkipAndReport) && out.len() + padded <= limit {
            let end = out.len() + padded;
            out.extend_from_slice(raw.wire_bytes());
            out.resize(end, 0);
        }
        if matches!(action, Stop | StopAndReport) {
            break;
        }
    }
    out
}

/// The host name parameter with its type and length, or nothing if it is larger than `limit`.
fn host_name(parameters: Parameters<'_>, limit: usize) -> Vec<u8> {
    let mut names = parameters.iter().flatten().filter_map(|p| match p {
        Parameter::HostName(name) if name.len() + 4 <= limit => Some(name),
        _ => None,
    });
    let name = names.next().unwrap_or_default();
    let len = (name.len() + 4) as u16;
    let kind = ParameterType::HOST_NAME_ADDRESS.0.to_be_bytes();
    [&kind[..], &len.to_be_bytes(), name].concat()
}
