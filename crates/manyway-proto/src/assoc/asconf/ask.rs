//! One chunk of requests at a time: sending it, repeating it, and what its answer means (RFC 5061,
//! section 5.1).

use bytes::Bytes;
use manyway_wire::{
    Asconf as AsconfChunk, AsconfAck, AsconfAction, AsconfRequest, AsconfRequests, Cause,
    EncodeChunk,
};

use super::sharing::{correlation_id, outcomes_of};
use super::{AddressChange, AddressRefusal, Ask, InFlight, Waiting};
use crate::assoc::Association;
use crate::assoc::outbox::Control;
use crate::path::PathId;
use crate::time::Instant;

/// As many requests wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::assoc) struct QueueFull;

impl From<QueueFull> for super::AddressError {
    fn from(_: QueueFull) -> Self {
        Self::QueueFull
    }
}

impl From<QueueFull> for crate::error::PathError {
    fn from(_: QueueFull) -> Self {
        Self::TooManyRequests
    }
}

/// Requests whose chunk is about to leave.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) what: Waiting,
    /// Further ones about addresses.
    pub(super) more: Vec<AddressChange>,
    /// The path that they leave on.
    pub(super) on: PathId,
}

impl Association {
    pub(super) fn has_room_to_ask(&mut self) -> Result<(), QueueFull> {
        if self.asconf.queue.len() < self.config.max_queued_asconfs {
            return Ok(());
        }
        self.stats.refused_asconfs += 1;
        Err(QueueFull)
    }

    /// Puts a request into the queue, unless it waits there already.
    pub(super) fn ask(&mut self, now: Instant, ask: Ask) -> Result<(), QueueFull> {
        if self.asconf.asked().any(|known| known == ask) {
            return Ok(());
        }
        self.has_room_to_ask()?;
        self.asconf.queue.push_back(Waiting { ask, attempts: 0 });
        self.send_next_asconf(now);
        Ok(())
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# If an ASCONF chunk is outstanding, then the ASCONF chunk should be queued for later transmission and no further action should be taken until the previous ASCONF is acknowledged or a timeout occurs.
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1.1
    //# If a sender, after sending an ASCONF chunk, decides it needs to transfer another ASCONF Chunk, it MUST wait until the ASCONF-ACK Chunk returns from the previous ASCONF Chunk before sending a subsequent ASCONF.
    pub(in crate::assoc) fn send_next_asconf(&mut self, now: Instant) {
        if self.asconf.in_flight.is_some()
            || self.asconf.queue.is_empty()
            || !self.may_speak_asconf()
        {
            return;
        }
        let ready = |at: &usize| {
            let waiting = self.asconf.queue.get(*at);
            waiting.is_some_and(|w| self.may_ask(w.ask))
        };
        let Some(at) = (0..self.asconf.queue.len()).find(ready) else {
            return;
        };
        let Some(what) = self.asconf.queue.remove(at) else {
            return;
        };
        match what.ask {
            Ask::Path(request, path) => self.begin_path_request(now, what, request, path),
            Ask::Address(change) => self.begin_address_request(now, what, change),
        }
    }

    /// Whether a packet with the request may get through: if not it waits, so that it does not hold
    /// up others.
    fn may_ask(&self, ask: Ask) -> bool {
        match ask {
            Ask::Path(_, path) => self.may_ask_on(path),
            Ask::Address(change) => self.may_ask_for(change),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# The Sequence Number MUST be larger by one.
    /// Makes the chunk of requests and sends it.
    pub(super) fn begin_asconf(
        &mut self,
        now: Instant,
        begun: Begun,
        address: std::net::IpAddr,
        actions: &[AsconfAction],
    ) {
        let serial = self.asconf.next_serial;
        self.asconf.next_serial = serial.next();
        let Begun { what, more, on } = begun;
        let request = |(at, action): (usize, &AsconfAction)| AsconfRequest {
            correlation_id: correlation_id(serial, at),
            action: *action,
        };
        let requests: Vec<AsconfRequest> = actions.iter().enumerate().map(request).collect();
        let mut chunk = Vec::new();
        let asconf = AsconfChunk {
            serial,
            address,
            requests: AsconfRequests::new(&requests),
        };
        asconf.encode(&mut chunk);
        let chunk = Bytes::from(chunk);
        self.transmit_asconf(
            now,
            InFlight {
                serial,
                what,
                more,
                on,
                chunk,
            },
        );
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# The sender MUST Start a T-4 Retransmission Timeout (RTO) timer, using the RTO value of the selected destination address
    pub(super) fn transmit_asconf(&mut self, now: Instant, in_flight: InFlight) {
        let wait = match in_flight.what.ask {
            Ask::Path(..) => self.path_request_timeout(&in_flight),
            Ask::Address(_) => self.address_request_timeout(&in_flight),
        };
        self.asconf.deadline = Some(now + wait);
        self.prepare_path_for(&in_flight);
        self.outbox
            .push(in_flight.on, Control::Asconf(in_flight.chunk.clone()));
        self.asconf.in_flight = Some(in_flight);
    }

    /// T4-rto.
    pub(in crate::assoc) fn on_asconf_timeout(&mut self, now: Instant) {
        if self.asconf.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.asconf.deadline = None;
        let Some(mut in_flight) = self.asconf.in_flight.take() else {
            return;
        };
        in_flight.what.attempts += 1;
        match in_flight.what.ask {
            Ask::Path(..) => self.repeat_path_request(now, in_flight),
            Ask::Address(change) => self.repeat_address_request(now, in_flight, change),
        }
    }

    pub(in crate::assoc) fn handle_asconf_ack(&mut self, now: Instant, ack: &AsconfAck<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //# If an endpoint receives an ASCONF-ACK that is greater than or equal to the next Sequence Number to be used but no ASCONF Chunk is outstanding, the endpoint MUST ABORT the association.
        if ack.serial.is_at_or_after(self.asconf.next_serial) {
            return self.abort_with(
                now,
                |causes| causes.push(&Cause::IllegalAsconfAck),
                "acknowledged an ASCONF that was never sent",
            );
        }
        let in_flight = self.asconf.in_flight.take_if(|f| f.serial == ack.serial);
        let Some(in_flight) = in_flight else { return };
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
        //# When the ASCONF-ACK that acknowledges the Sequence Number last sent arrives, the sender MUST stop the T-4 RTO timer, and clear the appropriate association and destination error counters as defined in [RFC4960], Sections 8.1 and 8.2.
        self.asconf.deadline = None;
        self.error_count = 0;
        if let Some(path) = self.paths.get_mut(in_flight.on) {
            path.error_count = 0;
        }
        let count = 1 + in_flight.more.len();
        let outcomes = outcomes_of(ack, in_flight.serial, count);
        for (ask, outcome) in in_flight.asks().zip(outcomes) {
            match ask {
                Ask::Path(request, path) => self.on_path_request_answered(request, path, outcome),
                Ask::Address(change) => self.on_address_request_answered(now, change, outcome),
            }
        }
        self.send_next_asconf(now);
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# If the peer responds to an ASCONF with an ERROR Chunk reporting that it did not recognize the ASCONF Chunk Type, the sender of the ASCONF MUST NOT send any further ASCONF Chunks and MUST stop its T-4 timer.
    pub(in crate::assoc) fn on_asconf_not_understood(&mut self) {
        let Some(in_flight) = self.asconf.in_flight.take() else {
            return;
        };
        self.asconf.deadline = None;
        self.asconf.locals.no_asconf = true;
        let waiting = std::mem::take(&mut self.asconf.queue);
        for ask in in_flight.asks().chain(waiting.iter().map(|w| w.ask)) {
            match ask {
                Ask::Path(request, path) => {
                    self.on_path_request_answered(
                        request,
                        path,
                        Err(AddressRefusal::NotUnderstood),
                    );
                }
                Ask::Address(change) => self.report_refusal(change, AddressRefusal::NotUnderstood),
            }
        }
    }
}
