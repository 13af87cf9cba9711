//! What becomes of each kind of request of the peer (RFC 6525, sections 5.2.2 to 5.2.6).

use manyway_wire::{ReconfigParameter, ReconfigResult, ReconfigSerial, StreamId, StreamIds, Tsn};

use super::asking::{Asked, Waiting};
use super::deferred::Pending;
use super::{covers, sorted};
use crate::assoc::Association;
use crate::event::Event;
use crate::path::PathId;
use crate::reconfig::{ReconfigRequest, StreamDirection};
use crate::time::Instant;

/// What becomes of a request of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// That is the answer.
    Result(ReconfigResult),
    /// Under way; the result follows.
    InProgress,
    /// Not looked at yet: it meets a request of ours. Its repetition is.
    NotYet,
}

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
    //# If for whatever reason the endpoint does not wish to process a received request parameter, it MUST send a corresponding response parameter as described in Section 5.1.7, with an appropriate Result field.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        path: PathId,
        serial: ReconfigSerial,
        request: &ReconfigParameter<'_>,
    ) -> Verdict {
        match *request {
            ReconfigParameter::OutgoingSsnReset {
                response,
                last_tsn,
                streams,
                ..
            } => self.judge_outgoing_reset(now, path, serial, response, last_tsn, streams),
            ReconfigParameter::IncomingSsnReset { streams, .. } => {
                self.judge_incoming_reset(serial, streams)
            }
            ReconfigParameter::SsnTsnReset { .. } => {
                self.judge_association_reset(now, path, serial)
            }
            ReconfigParameter::AddOutgoingStreams { count, .. } => {
                Verdict::Result(self.add_incoming(count))
            }
            ReconfigParameter::AddIncomingStreams { count, .. } => {
                self.judge_add_incoming(serial, count)
            }
            ReconfigParameter::Response { .. } | ReconfigParameter::Unknown(_) => {
                Verdict::Result(ReconfigResult::DENIED)
            }
        }
    }

    /// RFC 6525, section 5.2.2.
    fn judge_outgoing_reset(
        &mut self,
        now: Instant,
        path: PathId,
        serial: ReconfigSerial,
        response: ReconfigSerial,
        last_tsn: Tsn,
        streams: StreamIds<'_>,
    ) -> Verdict {
        let Some(list) = self.read_streams(streams, self.peer.outbound_streams) else {
            return Verdict::Result(ReconfigResult::WRONG_SSN);
        };
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
        //# E1: If the Re-configuration Timer is running for the Re-configuration Request Sequence Number indicated in the Re-configuration Response Sequence Number field, the Re-configuration Request Sequence Number MUST be marked as acknowledged.
        let is_answer = |asked: &Asked| {
            let incoming = matches!(asked.what.request, ReconfigRequest::ResetIncoming(_));
            incoming && asked.serial == response
        };
        self.mark_answered(is_answer);
        let Some(reconfig) = self.reconfig.as_deref() else {
            return Verdict::Result(ReconfigResult::DENIED);
        };
        let asked = reconfig.asked_resets.as_deref();
        let wanted = asked.is_some_and(|asked| covers(asked, &list));
        if !reconfig.policy.reset_streams && !wanted {
            return Verdict::Result(ReconfigResult::DENIED);
        }
        if let Some(verdict) = self.meets_own_reset() {
            return verdict;
        }
        // Nobody assigns so many TSNs at once as to be out of range.
        let Some(until) = self.receiver.tsns.index_after(last_tsn) else {
            return Verdict::Result(ReconfigResult::DENIED);
        };
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
        //# E2: If the Sender's Last Assigned TSN is greater than the cumulative acknowledgment point, then the endpoint MUST enter "deferred reset processing".
        //# In this mode, any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s) MUST be queued locally and held until the cumulative acknowledgment point reaches the Sender's Last Assigned TSN.
        self.receiver.inbound.hold_behind(list.clone(), until);
        let pending = Pending::streams(serial, list, until, path);
        self.reconfig_mut(|r| r.pending = Some(pending));
        self.perform_pending(now);
        Verdict::InProgress
    }

    /// What becomes of a reset of the peer that meets one that is under way here.
    fn meets_own_reset(&self) -> Option<Verdict> {
        let reconfig = self.reconfig.as_deref()?;
        if let Some(pending) = &reconfig.pending {
            // A peer that asks for another one before the first is answered breaks the rules.
            let busy = Verdict::Result(ReconfigResult::REQUEST_IN_PROGRESS);
            return Some(if pending.is_peers() {
                busy
            } else {
                Verdict::NotYet
            });
        }
        let all = |asked: &Asked| asked.what.request == ReconfigRequest::ResetAssociation;
        self.awaits_answer(all).then(|| self.yield_or_refuse())
    }

    /// Two requests each of which waits for the other: the initiator's goes first. The acceptor's
    /// is refused, so that it is made anew later.
    fn yield_or_refuse(&self) -> Verdict {
        match self.initiator {
            true => Verdict::Result(ReconfigResult::REQUEST_IN_PROGRESS),
            false => Verdict::NotYet,
        }
    }

    /// Whether our request in flight waits for one of the peer.
    fn awaits_peers_request(&self) -> bool {
        use ReconfigRequest::{AddIncoming, ResetAssociation, ResetIncoming};
        self.awaits_answer(|asked| {
            matches!(
                asked.what.request,
                ResetIncoming(_) | AddIncoming(_) | ResetAssociation
            )
        })
    }

    /// RFC 6525, section 5.2.3.
    fn judge_incoming_reset(&mut self, serial: ReconfigSerial, streams: StreamIds<'_>) -> Verdict {
        let Some(list) = self.read_streams(streams, self.peer.inbound_streams) else {
            return Verdict::Result(ReconfigResult::WRONG_SSN);
        };
        let allowed = self
            .reconfig
            .as_deref()
            .is_some_and(|r| r.policy.reset_streams);
        if !allowed || self.is_shutting_down() || list.len() > self.max_streams_named() {
            return Verdict::Result(ReconfigResult::DENIED);
        }
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
        //# If the Outgoing SSN Reset Request Parameter that was just sent completely overlaps the received Incoming SSN Reset Request Parameter, respond to the peer with an acknowledgment indicating that there was "Nothing to do".
        let same = self.awaits_answer(|asked| {
            matches!(&asked.what.request, ReconfigRequest::ResetOutgoing(own) if covers(own, &list))
        });
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
        //# In such a case, all of the streams being requested will be already set to 0. If so, the local endpoint SHOULD send back a Re-configuration Response with the success code "Nothing to do".
        let queue = &self.sender.queue;
        let at_zero = match list.is_empty() {
            true => queue.all_at_zero(),
            false => list.iter().all(|&stream| queue.is_at_zero(stream)),
        };
        if same || at_zero {
            return Verdict::Result(ReconfigResult::NOTHING_TO_DO);
        }
        self.fulfil(serial, ReconfigRequest::ResetOutgoing(list))
    }

    /// Makes the request of our own that the peer asked for.
    fn fulfil(&mut self, serial: ReconfigSerial, request: ReconfigRequest) -> Verdict {
        let Some(reconfig) = self.reconfig.as_deref() else {
            return Verdict::Result(ReconfigResult::DENIED);
        };
        if reconfig.waiting.iter().any(|w| w.fulfils.is_some()) {
            let busy = ReconfigResult::REQUEST_IN_PROGRESS;
            return Verdict::Result(busy);
        }
        if self.awaits_peers_request() && self.initiator {
            return self.yield_or_refuse();
        }
        let mut waiting = Waiting::new(request, self.sender.queue.next_number());
        waiting.fulfils = Some(serial);
        self.enqueue_request(waiting);
        Verdict::InProgress
    }

    /// RFC 6525, section 5.2.4.
    fn judge_association_reset(
        &mut self,
        now: Instant,
        path: PathId,
        serial: ReconfigSerial,
    ) -> Verdict {
        let allowed = self
            .reconfig
            .as_deref()
            .is_some_and(|r| r.policy.reset_association);
        // Late packets from before the last reset could be taken for new ones.
        if !allowed || self.is_shutting_down() || self.reset_tsns_lately(now) {
            return Verdict::Result(ReconfigResult::DENIED);
        }
        if let Some(verdict) = self.meets_own_reset() {
            return verdict;
        }
        // The peer, for its part, puts off a reset of ours.
        let reset = |asked: &Asked| matches!(asked.what.request, ReconfigRequest::ResetOutgoing(_));
        if self.awaits_peers_request() || self.awaits_answer(reset) {
            return self.yield_or_refuse();
        }
        if self.awaits_answer(|_| true) {
            return Verdict::NotYet;
        }
        let from = self.sender.queue.next_number();
        let pending = Pending::peers_association(serial, from, path);
        self.reconfig_mut(|r| r.pending = Some(pending));
        self.update_holds(&[]);
        self.perform_pending(now);
        Verdict::InProgress
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.5
    //# When an SCTP endpoint receives a re-configuration request adding additional streams, it MUST send a response parameter either acknowledging or denying the request.
    fn add_incoming(&mut self, count: u16) -> ReconfigResult {
        // It may be what we asked for: some peers answer with nothing else.
        self.mark_answered(|a| matches!(a.what.request, ReconfigRequest::AddIncoming(_)));
        if count == 0 {
            return ReconfigResult::NOTHING_TO_DO;
        }
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.5
        //# The SCTP endpoint SHOULD deny the request if the number of streams exceeds a limit that should be configurable by the application.
        let limit = self
            .reconfig
            .as_deref()
            .map_or(0, |r| r.policy.max_inbound_streams.max(r.asked_inbound));
        match self.peer.outbound_streams.checked_add(count) {
            Some(total) if total <= limit => {
                self.peer.outbound_streams = total;
                self.events.push_back(Event::StreamsAdded {
                    direction: StreamDirection::Incoming,
                    count,
                });
                ReconfigResult::PERFORMED
            }
            _ => ReconfigResult::DENIED,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.6
    //# When an SCTP endpoint receives a re-configuration request adding additional incoming streams, it MUST either send a response parameter denying the request or send a corresponding Add Outgoing Streams Request Parameter, following the rules given in Section 5.1.5.
    fn judge_add_incoming(&mut self, serial: ReconfigSerial, count: u16) -> Verdict {
        if count == 0 {
            return Verdict::Result(ReconfigResult::NOTHING_TO_DO);
        }
        let limit = self
            .reconfig
            .as_deref()
            .map_or(0, |r| r.policy.max_outbound_streams);
        let total = self.outgoing_streams_asked().checked_add(count);
        if total.is_none_or(|total| total > limit) || self.is_shutting_down() {
            return Verdict::Result(ReconfigResult::DENIED);
        }
        self.fulfil(serial, ReconfigRequest::AddOutgoing(count))
    }

    /// The streams of a request, sorted; `None` if it names one that does not exist, or more than
    /// exist.
    fn read_streams(&self, streams: StreamIds<'_>, count: u16) -> Option<Vec<StreamId>> {
        let all_exist = streams.len() <= usize::from(count) && streams.iter().all(|s| s.0 < count);
        all_exist.then(|| sorted(streams.iter()))
    }
}
