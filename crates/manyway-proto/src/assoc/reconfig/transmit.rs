//! Our requests as chunks, and the Re-configuration Timer.

use bytes::Bytes;
use manyway_wire::{
    EncodeChunk, Reconfig as ReconfigChunk, ReconfigParameter, ReconfigParameterList,
    ReconfigResult, StreamIds,
};

use super::Reconfig;
use super::asking::{Asked, InFlight, Waiting};
use crate::assoc::Association;
use crate::assoc::outbox::Control;
use crate::path::PathId;
use crate::reconfig::ReconfigRequest;
use crate::time::Instant;

/// Doublings of the wait before a request is repeated that the peer works on, or made anew.
const MAX_DOUBLINGS: u32 = 10;
/// Times that a request is made anew after it met another one.
const MAX_RETRIES: u32 = 8;

impl Association {
    pub(super) fn encode_requests(
        &self,
        requests: &[Asked],
        answer: Option<ReconfigParameter<'_>>,
    ) -> Bytes {
        let mut list = ReconfigParameterList::new();
        answer.iter().for_each(|answer| list.push(answer));
        let expected = self.reconfig.as_deref().map(|r| r.expected);
        let last_received = expected.unwrap_or_default().sub(1);
        for asked in requests {
            let request = asked.serial;
            list.push(&match &asked.what.request {
                ReconfigRequest::ResetOutgoing(streams) => ReconfigParameter::OutgoingSsnReset {
                    request,
                    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
                    //# The Re-configuration Response Sequence Number of the Outgoing SSN Reset Request Parameter MUST be the Re-configuration Request Sequence Number of the Incoming SSN Reset Request Parameter.
                    //# The Re-configuration Response Sequence Number is the next expected Re-configuration Request Sequence Number of the peer minus 1.
                    response: asked.what.fulfils.unwrap_or(last_received),
                    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
                    //# A3: The Sender's Last Assigned TSN MUST be set to the next TSN the sender assigns minus 1.
                    last_tsn: self.sender.outstanding.next_tsn().sub(1),
                    streams: StreamIds::new(streams),
                },
                ReconfigRequest::ResetIncoming(streams) => ReconfigParameter::IncomingSsnReset {
                    request,
                    streams: StreamIds::new(streams),
                },
                //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.4
                //# C3: The SSN/TSN Reset Request Parameter MUST be put into a RE-CONFIG chunk. There MUST NOT be any other parameter in this chunk.
                ReconfigRequest::ResetAssociation => ReconfigParameter::SsnTsnReset { request },
                ReconfigRequest::AddOutgoing(count) => ReconfigParameter::AddOutgoingStreams {
                    request,
                    count: *count,
                },
                ReconfigRequest::AddIncoming(count) => ReconfigParameter::AddIncomingStreams {
                    request,
                    count: *count,
                },
            });
        }
        encode(&list)
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
    //# This timer MUST use the same value as SCTP's data transmission timer (i.e., the retransmission timeout (RTO) timer) and MUST use exponential backoff, doubling the value at every expiration.
    pub(super) fn transmit_requests(&mut self, now: Instant, mut in_flight: InFlight) {
        let best = self.paths.best();
        let rto = best.and_then(|id| self.paths.get(id)).map(|p| p.rtt.rto());
        let rto = rto.unwrap_or(self.config.rto_initial);
        let timeout = in_flight.timeout.map_or(rto, |last| last * 2);
        let timeout = timeout.min(self.config.rto_max);
        in_flight.timeout = Some(timeout);
        if let Some(path) = best {
            self.push_reconfig(path, in_flight.chunk.clone());
        }
        in_flight.path = best;
        self.reconfig_mut(|r| {
            r.timer = Some(now + timeout);
            r.retry = None;
            r.in_flight = Some(in_flight);
        });
    }

    /// Puts a chunk into the outbox unless it still waits there from the last time.
    pub(super) fn push_reconfig(&mut self, path: PathId, chunk: Bytes) {
        let waits = |c: &Control| matches!(c, Control::Reconfig(other) if *other == chunk);
        if !self.outbox.contains(waits) {
            self.outbox.push(path, Control::Reconfig(chunk));
        }
    }

    /// The chunk on its way once more, because the peer repeated the request that it fulfils.
    pub(super) fn repeat_requests(&mut self, path: PathId) {
        let chunk = self.reconfig.as_deref().and_then(|r| r.in_flight.as_ref());
        if let Some(chunk) = chunk.map(|f| f.chunk.clone()) {
            self.push_reconfig(path, chunk);
        }
    }

    /// The end has begun, so that requests cannot leave any more. The peer may wait for those that
    /// it asked for, with messages of its own behind them.
    pub(super) fn drop_waiting_requests(&mut self) {
        let waiting = self
            .reconfig
            .as_deref_mut()
            .map(|r| std::mem::take(&mut r.waiting));
        self.drop_requests(waiting.into_iter().flatten());
    }

    fn drop_requests(&mut self, requests: impl Iterator<Item = Waiting>) {
        for serial in requests.filter_map(|what| what.fulfils) {
            self.settle_answer(serial, ReconfigResult::DENIED);
            self.send_stored_answer(serial);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
    //# If the timer expires, besides doubling the value, the sender MUST retransmit the RE-CONFIG chunk, increment the appropriate error counts (for both the association and the destination), and perform threshold management, possibly destroying the association if SCTP retransmission thresholds are exceeded.
    pub(in crate::assoc) fn on_reconfig_timeout(&mut self, now: Instant) {
        let Some(reconfig) = self.reconfig.as_deref_mut() else {
            return;
        };
        if reconfig.retry.is_some_and(|at| at <= now) {
            reconfig.retry = None;
        }
        if reconfig.timer.is_none_or(|at| at > now) {
            return;
        }
        reconfig.timer = None;
        let Some(mut in_flight) = reconfig.in_flight.take() else {
            return;
        };
        if !self.state.sends_data() {
            // The end has begun: whatever the peer says makes no difference.
            let open = in_flight
                .requests
                .into_iter()
                .filter(|asked| !asked.answered);
            return self.drop_requests(open.map(|asked| asked.what));
        }
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
        //# If the timer runs out, the RE-CONFIG chunk MUST be retransmitted but the corresponding error counters MUST NOT be incremented.
        let silent = !std::mem::replace(&mut in_flight.in_progress, false);
        if silent && let Some(path) = in_flight.path {
            self.on_path_error(now, path);
        }
        if !self.is_closed() {
            self.transmit_requests(now, in_flight);
        }
    }

    /// The peer works on it: asked again later, without counting an error.
    pub(super) fn on_in_progress(&mut self, now: Instant) {
        let longest = self.config.probe_interval_max;
        let best = self.paths.best().and_then(|id| self.paths.get(id));
        let rto = best.map_or(self.config.rto_initial, |p| p.rtt.rto());
        self.reconfig_mut(|r| {
            if let Some(in_flight) = &mut r.in_flight {
                in_flight.in_progress = true;
                in_flight.timeout = None;
                let wait = rto * (1 << in_flight.polls.min(MAX_DOUBLINGS));
                in_flight.polls += 1;
                r.timer = Some(now + wait.min(longest.max(rto)));
            }
        });
    }

    /// The peer was busy with another request: made anew later, under a new number. False if it
    /// was tried often enough.
    pub(super) fn retry_request(&mut self, now: Instant, mut what: Waiting) -> bool {
        what.retries += 1;
        if what.retries > MAX_RETRIES {
            return false;
        }
        let rto = self.paths.best().and_then(|id| self.paths.get(id));
        let rto = rto.map_or(self.config.rto_initial, |p| p.rtt.rto());
        // Two sides that met must not meet again.
        let jitter = rand::RngExt::random_range(&mut self.rng, 50..150_u32);
        let wait = rto * jitter / 100 * (1 << (what.retries - 1).min(MAX_DOUBLINGS));
        self.reconfig_mut(|r| {
            r.retry = Some(now + wait);
            r.waiting.push_front(what);
        });
        true
    }

    pub(super) fn reconfig_mut(&mut self, change: impl FnOnce(&mut Reconfig)) {
        if let Some(reconfig) = self.reconfig.as_deref_mut() {
            change(reconfig);
        }
    }
}

pub(super) fn encode(list: &ReconfigParameterList) -> Bytes {
    let mut chunk = Vec::new();
    let parameters = list.as_parameters();
    ReconfigChunk { parameters }.encode(&mut chunk);
    chunk.into()
}
