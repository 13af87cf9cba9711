//! Our requests: one chunk of them at a time, repeated until it is answered.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{
    COMMON_HEADER_LEN, ReconfigParameter, ReconfigResult, ReconfigSerial, StreamId,
};

use super::{Reconfig, names};
use crate::assoc::Association;
use crate::path::PathId;
use crate::reconfig::ReconfigRequest;
use crate::send::SendQueue;
use crate::time::Instant;

/// Headers of a chunk with a response and an outgoing reset.
const RESET_HEADERS: usize = COMMON_HEADER_LEN + 4 + 12 + 16;

/// A request that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) request: ReconfigRequest,
    /// The first message that waits for it, by its number in the queue.
    pub(super) from: u64,
    /// The request of the peer that it fulfils.
    pub(super) fulfils: Option<ReconfigSerial>,
    drained: Drained,
    pub(super) retries: u32,
}

impl Waiting {
    pub(super) fn new(request: ReconfigRequest, from: u64) -> Self {
        let drained = match &request {
            ReconfigRequest::ResetOutgoing(list) => Drained::Queue { left: list.len() },
            ReconfigRequest::ResetAssociation => Drained::Queue { left: 0 },
            _ => Drained::Done,
        };
        Self {
            request,
            from,
            fulfils: None,
            drained,
            retries: 0,
        }
    }
}

/// How far the messages are that go before a reset.
#[derive(Clone, Copy, Debug)]
enum Drained {
    /// Of the streams named, the first `left` may have messages that were not sent yet.
    Queue { left: usize },
    /// All were sent; chunks below this index may not be acknowledged yet.
    Sent { until: u64 },
    /// All are acknowledged.
    Done,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) serial: ReconfigSerial,
    pub(super) what: Waiting,
    pub(super) answered: bool,
}

/// The chunk on its way.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) requests: Vec<Asked>,
    pub(super) chunk: Bytes,
    pub(super) path: Option<PathId>,
    /// The last value of the timer.
    pub(super) timeout: Option<Duration>,
    /// The peer has the request and works on it.
    pub(super) in_progress: bool,
    /// Times that the peer said so.
    pub(super) polls: u32,
}

impl InFlight {
    /// Requests not answered yet.
    pub(super) fn open(&self) -> impl Iterator<Item = &Waiting> {
        let open = self.requests.iter().filter(|asked| !asked.answered);
        open.map(|asked| &asked.what)
    }
}

impl Reconfig {
    /// The place of the request that is next. The peer's only one in flight waits for those that
    /// fulfil it: behind one that waits for the peer in its turn they would never get theirs.
    pub(super) fn next_waiting(&self) -> usize {
        let fulfils = |w: &Waiting| w.fulfils.is_some();
        self.waiting.iter().position(fulfils).unwrap_or(0)
    }

    /// Whether the reset that is next waits for the acknowledgement of what has just left of the
    /// stream: nothing more of it goes before the reset.
    pub(in crate::assoc) fn waits_for_end(&self, stream: StreamId, queue: &SendQueue) -> bool {
        let resets = |w: &Waiting| {
            let queued = matches!(w.drained, Drained::Queue { .. });
            let request = &w.request;
            queued && matches!(request, ReconfigRequest::ResetOutgoing(l) if names(l, stream))
        };
        let next = self.waiting.get(self.next_waiting());
        next.is_some_and(resets) && queue.is_drained(stream)
    }

    /// Whether it waits for the acknowledgement of the chunk with this index, all before it being
    /// sent.
    pub(in crate::assoc) fn waits_for_ack(&self, index: u64) -> bool {
        let next = self.waiting.get(self.next_waiting());
        next.is_some_and(|w| matches!(w.drained, Drained::Sent { until } if index < until))
    }
}

impl Association {
    /// Sends the next request if nothing speaks against it.
    pub(super) fn send_next_reconfig(&mut self, now: Instant) {
        self.send_reconfig_with(now, None);
    }

    /// As [`Association::send_next_reconfig`], with `answer` in the same chunk if that is allowed;
    /// whether it was.
    pub(super) fn send_reconfig_with(
        &mut self,
        now: Instant,
        answer: Option<ReconfigParameter<'_>>,
    ) -> bool {
        if !self.may_ask_to_reconfig(now) || !self.is_front_drained() {
            return false;
        }
        let requests = self.take_requests();
        let Some(first) = requests.first() else {
            return false;
        };
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
        //# The Outgoing SSN Reset Request Parameter MAY be put together with either an Incoming SSN Reset Request Parameter or a Re-configuration Response Parameter, but not with both.
        let resets = matches!(first.what.request, ReconfigRequest::ResetOutgoing(_));
        let answer = answer.filter(|_| requests.len() == 1 && resets);
        let chunk = self.encode_requests(&requests, answer);
        self.on_requests_leave(&requests);
        let in_flight = InFlight {
            requests,
            chunk,
            path: None,
            timeout: None,
            in_progress: false,
            polls: 0,
        };
        self.transmit_requests(now, in_flight);
        answer.is_some()
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
    //# At any given time, there MUST NOT be more than one request in flight.
    fn may_ask_to_reconfig(&self, now: Instant) -> bool {
        let Some(reconfig) = self.reconfig.as_deref() else {
            return false;
        };
        let next = reconfig.waiting.get(reconfig.next_waiting());
        let all = next.is_some_and(|w| w.request == ReconfigRequest::ResetAssociation);
        let again = next.is_some_and(|w| w.retries > 0);
        let pending = reconfig.pending.as_ref();
        let meets = pending.is_some_and(|pending| pending.holds_all().is_some() || all);
        reconfig.in_flight.is_none()
            && !meets
            && reconfig.retry.is_none_or(|at| at <= now || !again)
            && self.state.sends_data()
    }

    /// Whether what goes before the next request is acknowledged.
    fn is_front_drained(&mut self) -> bool {
        let (queue, outstanding) = (&self.sender.queue, &self.sender.outstanding);
        let reconfig = self.reconfig.as_deref_mut();
        let next = reconfig.and_then(|r| {
            let at = r.next_waiting();
            r.waiting.get_mut(at)
        });
        let Some(front) = next else {
            return false;
        };
        if let Drained::Queue { left } = &mut front.drained {
            match &front.request {
                // New messages of these streams are held, so what is empty once stays so.
                ReconfigRequest::ResetOutgoing(list) if !list.is_empty() => {
                    while *left > 0 && queue.is_drained(list[*left - 1]) {
                        *left -= 1;
                    }
                    if *left > 0 {
                        return false;
                    }
                }
                _ if !queue.is_exhausted() => return false,
                _ => {}
            }
            let until = outstanding.next_index();
            front.drained = Drained::Sent { until };
        }
        if let Drained::Sent { until } = front.drained {
            if outstanding.first_index() < until {
                return false;
            }
            front.drained = Drained::Done;
        }
        true
    }

    /// The next request, and the one after it if both may share a chunk.
    fn take_requests(&mut self) -> Vec<Asked> {
        let limit = self.max_streams_named();
        let Some(reconfig) = self.reconfig.as_deref_mut() else {
            return Vec::new();
        };
        let mut requests = Vec::with_capacity(2);
        let at = reconfig.next_waiting();
        let Some(first) = take_part(&mut reconfig.waiting, at, limit) else {
            return requests;
        };
        let named = |request: &ReconfigRequest| match request {
            ReconfigRequest::ResetOutgoing(list) | ReconfigRequest::ResetIncoming(list) => {
                list.len()
            }
            _ => 0,
        };
        //= https://www.rfc-editor.org/rfc/rfc6525#section-3.1
        //# Note that each RE-CONFIG chunk holds at least one parameter and at most two parameters.
        let second = reconfig
            .waiting
            .front()
            .filter(|_| at == 0)
            .is_some_and(|second| {
                use ReconfigRequest::{AddIncoming, AddOutgoing, ResetIncoming, ResetOutgoing};
                let pair = matches!(
                    (&first.request, &second.request),
                    (ResetOutgoing(_), ResetIncoming(_)) | (AddOutgoing(_), AddIncoming(_))
                );
                pair && named(&first.request) + named(&second.request) <= limit
            });
        let second = if second {
            reconfig.waiting.pop_front()
        } else {
            None
        };
        for what in std::iter::once(first).chain(second) {
            //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
            //# A2: The sender MUST assign the next re-configuration request sequence number and MUST put it into the Re-configuration Request Sequence Number field of the Outgoing SSN Reset Request Parameter. The next re-configuration request sequence number MUST then be incremented by 1.
            let serial = reconfig.next_serial;
            reconfig.next_serial = serial.next();
            requests.push(Asked {
                serial,
                what,
                answered: false,
            });
        }
        requests
    }

    /// Streams that one request may name, so that it fits a packet on every path.
    pub(super) fn max_streams_named(&self) -> usize {
        let size = self.paths.smallest_packet();
        let size = size.unwrap_or(self.config.base_packet_size);
        (size - RESET_HEADERS) / 2
    }

    /// What a request changes at once.
    fn on_requests_leave(&mut self, requests: &[Asked]) {
        for asked in requests {
            match (&asked.what.request, asked.what.fulfils) {
                (ReconfigRequest::ResetIncoming(streams), _) => {
                    let streams = Some(streams.clone());
                    self.reconfig_mut(|r| r.asked_resets = streams);
                }
                (ReconfigRequest::AddIncoming(count), _) => {
                    let total = self.peer.outbound_streams.saturating_add(*count);
                    self.reconfig_mut(|r| r.asked_inbound = r.asked_inbound.max(total));
                }
                // What arrives from now on may belong behind the reset.
                (ReconfigRequest::ResetAssociation, _) => {
                    self.receiver.inbound.hold_behind(Vec::new(), 0);
                }
                (ReconfigRequest::AddOutgoing(_), Some(serial)) => {
                    self.settle_answer(serial, ReconfigResult::PERFORMED);
                    self.send_stored_answer(serial);
                }
                _ => {}
            }
        }
    }
}

/// The request at a place; of a list that is too long its first part, the rest stays.
fn take_part(waiting: &mut VecDeque<Waiting>, at: usize, limit: usize) -> Option<Waiting> {
    let front = waiting.get_mut(at)?;
    if let ReconfigRequest::ResetOutgoing(list) | ReconfigRequest::ResetIncoming(list) =
        &mut front.request
        && list.len() > limit
    {
        let rest: Vec<StreamId> = list.split_off(limit);
        let part = std::mem::replace(list, rest);
        let request = match &front.request {
            ReconfigRequest::ResetIncoming(_) => ReconfigRequest::ResetIncoming(part),
            _ => ReconfigRequest::ResetOutgoing(part),
        };
        let mut part = Waiting::new(request, front.from);
        part.drained = Drained::Done;
        return Some(part);
    }
    waiting.remove(at)
}
