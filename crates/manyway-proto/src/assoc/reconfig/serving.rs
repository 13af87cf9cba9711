//! The peer's requests and our answers (RFC 6525, section 5.2).

use manyway_wire::{
    Cause, CauseList, NextTsns, Reconfig as ReconfigChunk, ReconfigParameter,
    ReconfigParameterList, ReconfigResult, ReconfigSerial,
};

use super::Answer;
use super::asking::Asked;
use super::judging::Verdict;
use super::transmit::encode;
use crate::assoc::Association;
use crate::assoc::input::PacketContext;
use crate::assoc::outbox::Control;
use crate::path::PathId;
use crate::reconfig::ReconfigRequest;
use crate::time::Instant;

/// Answers kept for repetitions: a chunk holds at most two requests.
const MAX_ANSWERS: usize = 2;

impl Association {
    pub(in crate::assoc) fn handle_reconfig(
        &mut self,
        now: Instant,
        ctx: &PacketContext<'_>,
        chunk: &ReconfigChunk<'_>,
    ) {
        if !self.state.is_open() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc6525#section-3.1
        //# If a sender transmits an unsupported combination, the receiver SHOULD send an ERROR chunk with a Protocol Violation cause
        if !chunk.is_allowed_combination() {
            self.stats.dropped_packets += 1;
            let mut causes = CauseList::new();
            causes.push(&Cause::ProtocolViolation(b"RE-CONFIG parameters"));
            return self.outbox.push(ctx.path, Control::Error(causes));
        }
        let mut answers: Vec<Answer> = Vec::with_capacity(MAX_ANSWERS);
        let mut put_off = false;
        for parameter in chunk.parameters.iter().flatten() {
            if let ReconfigParameter::Response {
                response,
                result,
                next_tsns,
            } = parameter
            {
                self.handle_reconfig_response(now, response, result, next_tsns);
            } else if let Some(serial) = parameter.request() {
                let answer = match put_off {
                    true => Some(Answer::new(serial, ReconfigResult::IN_PROGRESS)),
                    false => self.serve(now, ctx.path, serial, &parameter),
                };
                // What was put off is not known yet, and what comes after it is put off as well.
                put_off = answer.is_some()
                    && self
                        .reconfig
                        .as_deref()
                        .is_some_and(|r| r.expected == serial);
                answers.extend(answer);
                //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
                //# If the received RE-CONFIG chunk contains at least one request parameter, a selective acknowledgment (SACK) chunk SHOULD be sent back
                self.receiver.sack.make_due();
            }
            if self.is_closed() {
                return;
            }
        }
        self.send_answers(now, ctx.path, answers);
    }

    /// The answer to a request; none if our own request that fulfils it is one.
    fn serve(
        &mut self,
        now: Instant,
        path: PathId,
        serial: ReconfigSerial,
        request: &ReconfigParameter<'_>,
    ) -> Option<Answer> {
        let answer = |result| Answer::new(serial, result);
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
        //# this is the last received RE-CONFIG chunk (i.e., a retransmission), the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier.
        if let Some(stored) = self.stored_answer(serial) {
            let fulfils = |request: &Asked| request.what.fulfils == Some(serial);
            if self.awaits_answer(fulfils) {
                self.repeat_requests(path);
                return (stored.result != ReconfigResult::IN_PROGRESS).then_some(stored);
            }
            return Some(stored);
        }
        let reconfig = self.reconfig.as_deref_mut()?;
        if serial != reconfig.expected {
            self.stats.reconfig_refused += 1;
            return Some(answer(ReconfigResult::BAD_SEQUENCE_NUMBER));
        }
        // Numbered before it is judged: our own request that it causes names this number.
        reconfig.expected = serial.next();
        while reconfig.answers.len() >= MAX_ANSWERS {
            reconfig.answers.pop_front();
        }
        reconfig
            .answers
            .push_back(answer(ReconfigResult::IN_PROGRESS));
        match self.judge(now, path, serial, request) {
            Verdict::Result(result) => {
                let good = [ReconfigResult::NOTHING_TO_DO, ReconfigResult::PERFORMED];
                self.stats.reconfig_refused += u64::from(!good.contains(&result));
                self.settle_answer(serial, result);
            }
            Verdict::InProgress => {}
            Verdict::NotYet => {
                self.reconfig_mut(|r| {
                    r.expected = serial;
                    r.answers.pop_back();
                });
                return Some(answer(ReconfigResult::IN_PROGRESS));
            }
        }
        self.stored_answer(serial)
    }

    pub(super) fn stored_answer(&self, serial: ReconfigSerial) -> Option<Answer> {
        let answers = self.reconfig.as_deref().map(|r| &r.answers)?;
        answers.iter().find(|a| a.serial == serial).copied()
    }

    /// The result of a request that was in progress.
    pub(super) fn settle_answer(&mut self, serial: ReconfigSerial, result: ReconfigResult) {
        self.reconfig_mut(|r| {
            if let Some(answer) = r.answers.iter_mut().find(|a| a.serial == serial) {
                answer.result = result;
            }
        });
    }

    /// Tells the peer the result of a request that it waits for.
    pub(super) fn push_stored_answer(&mut self, serial: ReconfigSerial, path: PathId) {
        if let Some(answer) = self.stored_answer(serial) {
            self.push_answers(path, &[answer]);
        }
    }

    pub(super) fn send_stored_answer(&mut self, serial: ReconfigSerial) {
        if let Some(path) = self.paths.best() {
            self.push_stored_answer(serial, path);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
    //# If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk.
    fn send_answers(&mut self, now: Instant, path: PathId, mut answers: Vec<Answer>) {
        // A request that the peer asked for may leave in the same chunk.
        let reconfig = self.reconfig.as_deref();
        let next = reconfig.and_then(|r| r.waiting.get(r.next_waiting()));
        let fulfilled = next.and_then(|w| w.fulfils);
        let others: Vec<Answer> = answers
            .iter()
            .filter(|a| Some(a.serial) != fulfilled)
            .copied()
            .collect();
        let rider = match others[..] {
            [only] => Some(response(&only)),
            _ => None,
        };
        let rode = self.send_reconfig_with(now, rider);
        if rode {
            return;
        }
        // Our own request, if it left, is the answer to the one that it fulfils.
        let in_flight = |asked: &Asked| {
            let reset = matches!(asked.what.request, ReconfigRequest::ResetOutgoing(_));
            reset && asked.what.fulfils.is_some() && asked.what.fulfils == fulfilled
        };
        if self.awaits_answer(in_flight) {
            answers = others;
        }
        // Adding streams may have settled an answer meanwhile.
        let current = |a: &Answer| self.stored_answer(a.serial).unwrap_or(*a);
        let answers: Vec<Answer> = answers.iter().map(current).collect();
        if !answers.is_empty() {
            self.push_answers(path, &answers);
        }
    }

    fn push_answers(&mut self, path: PathId, answers: &[Answer]) {
        let mut list = ReconfigParameterList::new();
        answers
            .iter()
            .for_each(|answer| list.push(&response(answer)));
        self.push_reconfig(path, encode(&list));
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.7
//# D1: The Re-configuration Request Sequence number of the incoming request MUST be copied to the Re-configuration Response Sequence Number field of the Re-configuration Response Parameter.
//# D2: The result of the processing of the incoming request according to Table 3 MUST be placed in the Result field of the Re-configuration Response Parameter.
fn response(answer: &Answer) -> ReconfigParameter<'static> {
    let next_tsns: Option<NextTsns> = answer.next_tsns;
    ReconfigParameter::Response {
        response: answer.serial,
        result: answer.result,
        next_tsns,
    }
}
