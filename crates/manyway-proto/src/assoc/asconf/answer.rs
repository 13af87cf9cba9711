//! The peer's requests: their serial numbers, and the answers (RFC 5061, section 5.2).

use std::collections::VecDeque;

use bytes::Bytes;
use manyway_wire::{
    Asconf as AsconfChunk, AsconfAck, AsconfRequest, AsconfResponseList, AsconfSerial, Cause,
    EncodeChunk,
};

use super::answer_addresses::Batch;
use crate::assoc::Association;
use crate::assoc::input::PacketContext;
use crate::assoc::outbox::Control;
use crate::time::Instant;

/// Answers kept for repeated requests.
const MAX_ANSWERS: usize = 8;
/// Bytes of responses after which further requests are not done: the answer has to fit a packet.
const MAX_RESPONSES: usize = 900;

/// Our answers to the peer's last requests.
#[derive(Debug)]
pub(super) struct Answers {
    /// 'Peer-Sequence-Number'.
    last: AsconfSerial,
    kept: VecDeque<(AsconfSerial, Bytes)>,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            last: AsconfSerial(0),
            kept: VecDeque::new(),
        }
    }
}

impl Answers {
    pub(super) fn expect(&mut self, next: AsconfSerial) {
        self.last = next.sub(1);
        self.kept.clear();
    }

    fn find(&self, serial: AsconfSerial) -> Option<Bytes> {
        let mut kept = self.kept.iter();
        kept.find(|(of, _)| *of == serial).map(|(_, a)| a.clone())
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //# If the value found in the Sequence Number of the ASCONF Chunk is equal to the ('Peer-Sequence-Number' + 1) and the Sequence Number of the ASCONF Chunk is the first in the SCTP Packet, the endpoint MAY clean any old cached ASCONF-ACK up to the 'Peer-Sequence-Number'
    fn keep(&mut self, serial: AsconfSerial, answer: Bytes, first_in_packet: bool) {
        if first_in_packet {
            self.kept.clear();
        }
        if self.kept.len() == MAX_ANSWERS {
            self.kept.pop_front();
        }
        self.last = serial;
        self.kept.push_back((serial, answer));
    }
}

/// What a request came to.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Done,
    Refused(Cause<'a>),
    /// Nothing is done and nothing said.
    Ignored,
    /// Nothing is done, and neither is what follows.
    Stop(Option<Cause<'a>>),
}

impl Association {
    pub(in crate::assoc) fn handle_asconf(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        asconf: &AsconfChunk<'_>,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
        //# If this chunk is received unauthenticated it MUST be silently discarded as described in [RFC4895].
        let unproven = self.asks_by_address() && !ctx.authenticated;
        if !self.may_speak_asconf() || unproven {
            self.stats.dropped_asconfs += 1;
            return;
        }
        let first_in_packet = ctx.asconfs == 0;
        ctx.asconfs += 1;
        let last = self.asconf.answers.last;
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
        //# If the value found in the Sequence Number is less than the ('Peer- Sequence-Number' + 1), simply skip to the next ASCONF, and include in the outbound response packet any previously cached ASCONF-ACK response that was sent and saved that matches the Sequence Number of the ASCONF.
        if asconf.serial.is_at_or_before(last) {
            match self.asconf.answers.find(asconf.serial) {
                Some(answer) => self.outbox.push(ctx.path, Control::AsconfAck(answer)),
                None => self.stats.dropped_asconfs += 1,
            }
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
        //# Otherwise, the ASCONF Chunk is discarded since it must be either a stale packet or from an attacker.
        // A Manyway peer skips numbers: it gives up a request whose path died.
        let expected = match self.asks_by_path() {
            true => asconf.serial.is_after(last),
            false => asconf.serial == last.next(),
        };
        if !expected {
            self.stats.dropped_asconfs += 1;
            return;
        }
        if self.asks_by_path() && self.must_wait(ctx.path, asconf) {
            return;
        }
        let Some(responses) = self.do_requests(now, ctx, asconf) else {
            return;
        };
        let ack = AsconfAck {
            serial: asconf.serial,
            responses: responses.as_responses(),
        };
        let mut chunk = Vec::new();
        ack.encode(&mut chunk);
        let chunk = Bytes::from(chunk);
        let answers = &mut self.asconf.answers;
        answers.keep(asconf.serial, chunk.clone(), first_in_packet);
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
        //# The destination address of the SCTP packet containing the ASCONF-ACK Chunks MUST be the source address of the SCTP packet that held the ASCONF Chunks.
        self.outbox.push(ctx.path, Control::AsconfAck(chunk));
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //# The TLVs MUST be processed in order within the Chunk.
    /// Does what is asked for, one by one; `None` if the chunk is malformed.
    fn do_requests(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        asconf: &AsconfChunk<'_>,
    ) -> Option<AsconfResponseList> {
        let mut responses = AsconfResponseList::new();
        let mut batch = Batch::default();
        for request in asconf.requests.with_values() {
            let Ok((request, value)) = request else {
                self.violate(now, "malformed ASCONF");
                return None;
            };
            let copy = copy_of(&request, value);
            if responses.len() > MAX_RESPONSES {
                // What has no response after a refusal counts as not done.
                let cause = Cause::ResourceShortage(&copy);
                responses.push_error(request.correlation_id, &cause);
                break;
            }
            let verdict = match self.asks_by_path() {
                true => self.do_path_request(now, ctx, request.action, &copy),
                false => self.do_address_request(now, ctx, request.action, &copy, &mut batch),
            };
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
            //# All responses MUST copy the ASCONF-Request Correlation ID field received in the ASCONF parameter from the TLV being responded to, into the ASCONF-Request Correlation ID field in the response parameter.
            let id = request.correlation_id;
            match verdict {
                Verdict::Done => responses.push_success(id),
                Verdict::Refused(cause) => responses.push_error(id, &cause),
                Verdict::Ignored => {}
                Verdict::Stop(cause) => {
                    cause
                        .iter()
                        .for_each(|cause| responses.push_error(id, cause));
                    break;
                }
            }
        }
        Some(responses)
    }
}

/// The request as it came, for the error cause that is about it.
fn copy_of(request: &AsconfRequest, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + value.len()).unwrap_or(u16::MAX);
    let kind = request.action.kind().0.to_be_bytes();
    let id = request.correlation_id.to_be_bytes();
    [&kind[..], &len.to_be_bytes(), &id, value].concat()
}
