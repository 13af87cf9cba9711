//! The peer's answers to our requests (RFC 6525, section 5.2.7).

use manyway_wire::{NextTsns, ReconfigResult, ReconfigSerial};

use super::asking::{Asked, Waiting};
use super::deferred::Pending;
use crate::assoc::Association;
use crate::event::Event;
use crate::reconfig::{ReconfigFailure, ReconfigRequest, StreamDirection};
use crate::time::Instant;

impl Association {
    pub(super) fn handle_reconfig_response(
        &mut self,
        now: Instant,
        serial: ReconfigSerial,
        result: ReconfigResult,
        next_tsns: Option<NextTsns>,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
        //# If the timer was not running for the Re-configuration Request Sequence Number, the processing of the Re-configuration Response Parameter is complete.
        if !self.awaits_answer(|asked| asked.serial == serial) {
            return;
        }
        self.error_count = 0;
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
        //# H2: If the Result field indicates "In progress", the timer for the Re-configuration Request Sequence Number is started again.
        if result == ReconfigResult::IN_PROGRESS {
            return self.on_in_progress(now);
        }
        let Some(what) = self.mark_answered(|asked| asked.serial == serial) else {
            return;
        };
        match result {
            ReconfigResult::NOTHING_TO_DO | ReconfigResult::PERFORMED => {
                self.on_performed(now, what, result, next_tsns);
            }
            result => self.on_refused(now, what, result),
        }
        self.advance_reconfig(now);
    }

    pub(super) fn awaits_answer(&self, wanted: impl Fn(&Asked) -> bool) -> bool {
        let in_flight = self.reconfig.as_deref().and_then(|r| r.in_flight.as_ref());
        in_flight.is_some_and(|f| f.requests.iter().any(|a| !a.answered && wanted(a)))
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
    //# H1: If the Re-configuration Timer is running for the Re-configuration Request Sequence Number indicated in the Re-configuration Response Sequence Number field, the Re-configuration Request Sequence Number MUST be marked as acknowledged. If all Re-configuration Request Sequence Numbers for which the Re-configuration Timer is running are acknowledged, the Re-configuration Timer MUST be stopped.
    /// Notes the answer to a request and gives back what was asked.
    pub(super) fn mark_answered(&mut self, wanted: impl Fn(&Asked) -> bool) -> Option<Waiting> {
        let reconfig = self.reconfig.as_deref_mut()?;
        let requests = &mut reconfig.in_flight.as_mut()?.requests;
        let at = requests.iter().position(|a| !a.answered && wanted(a))?;
        let asked = requests.get_mut(at)?;
        asked.answered = true;
        let nothing = Waiting::new(ReconfigRequest::AddOutgoing(0), 0);
        let what = std::mem::replace(&mut asked.what, nothing);
        if requests.iter().all(|asked| asked.answered) {
            reconfig.in_flight = None;
            reconfig.timer = None;
        }
        Some(what)
    }

    fn on_performed(
        &mut self,
        now: Instant,
        what: Waiting,
        result: ReconfigResult,
        next_tsns: Option<NextTsns>,
    ) {
        if let Some(serial) = what.fulfils {
            self.settle_answer(serial, ReconfigResult::PERFORMED);
        }
        let nothing_to_do = result == ReconfigResult::NOTHING_TO_DO;
        match what.request {
            ReconfigRequest::ResetOutgoing(streams) => {
                self.reset_outgoing(&streams);
                self.update_holds(&streams);
                self.events.push_back(Event::StreamsReset {
                    direction: StreamDirection::Outgoing,
                    streams,
                });
            }
            ReconfigRequest::ResetAssociation => match next_tsns {
                Some(next) => self.on_association_reset(now, next),
                None => self.violate(now, "reset of TSNs without the next TSNs"),
            },
            //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
            //# H6: If the request was to add outgoing streams, the endpoint MUST add the additional streams to the association.
            ReconfigRequest::AddOutgoing(count) if !nothing_to_do => {
                self.peer.inbound_streams = self.peer.inbound_streams.saturating_add(count);
                self.events.push_back(Event::StreamsAdded {
                    direction: StreamDirection::Outgoing,
                    count,
                });
            }
            request if nothing_to_do => {
                self.events
                    .push_back(Event::ReconfigNothingToDo { request });
            }
            // The peer's own request follows and does it.
            ReconfigRequest::ResetIncoming(_)
            | ReconfigRequest::AddIncoming(_)
            | ReconfigRequest::AddOutgoing(_) => {}
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
    //# H3: If the Result field does not indicate successful processing, the processing of this response is complete.
    fn on_refused(&mut self, now: Instant, what: Waiting, result: ReconfigResult) {
        if what.request == ReconfigRequest::ResetAssociation {
            self.release_barrier(now);
        }
        let fulfils = what.fulfils;
        let request = what.request.clone();
        let met = result == ReconfigResult::REQUEST_IN_PROGRESS;
        if met && !self.is_shutting_down() && self.retry_request(now, what) {
            return;
        }
        match &request {
            ReconfigRequest::ResetOutgoing(streams) => self.update_holds(streams),
            ReconfigRequest::ResetAssociation => self.update_holds(&[]),
            _ => {}
        }
        if let Some(serial) = fulfils {
            return self.settle_answer(serial, ReconfigResult::DENIED);
        }
        let failure = ReconfigFailure::of(result);
        self.events
            .push_back(Event::ReconfigFailed { request, failure });
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
    //# H5: If the request was an SSN/TSN Reset Request, new data MUST be sent from the Receiver's Next TSN, beginning with SSN 0 for all outgoing streams. All incoming streams MUST be reset to 0 as the next expected SSN. The peer will send DATA chunks starting with the Sender's Next TSN.
    fn on_association_reset(&mut self, now: Instant, next: NextTsns) {
        self.reset_outgoing(&[]);
        self.sender.outstanding.restart_at(next.receiver);
        let boundary = self.receiver.tsns.restart_at(next.sender);
        self.receiver.sack.make_due();
        self.reconfig_mut(|r| {
            r.tsns_reset = Some(now);
            r.pending = Some(Pending::own_association(boundary));
        });
        self.update_holds(&[]);
    }
}
