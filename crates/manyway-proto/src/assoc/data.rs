//! DATA and I-DATA chunks in.

use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{
    Cause, CauseList, Data, DataFlags, Fragment as Numbered, IData, Ppid, StreamId, Tsn,
};

use super::input::PacketContext;
use super::outbox::Control;
use super::{Association, Extension};
use crate::error::CloseReason;
use crate::event::Event;
use crate::path::PathId;
use crate::recv::{Arrival, SackPolicy, Urgency};
use crate::stream::{Fragment, Limits, Place};
use crate::time::Instant;

/// Payloads below this size are copied.
const SMALL_PAYLOAD: usize = 512;
/// Messages beyond this backlog, in bytes, are copied: the application does not keep up.
const SHARED_BACKLOG: usize = 1 << 20;

/// The most that `SACK.Delay` may be.
const MAX_SACK_DELAY: Duration = Duration::from_millis(500);

/// A chunk of user data of either kind.
#[derive(Clone, Copy, Debug)]
struct UserData<'a> {
    tsn: Tsn,
    stream: StreamId,
    place: Place,
    ppid: Ppid,
    flags: DataFlags,
    payload: &'a [u8],
}

impl Association {
    pub(super) fn handle_data(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        data: &Data<'_>,
    ) {
        if !self.state.receives_data() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
        //# If I-DATA support has been negotiated for an association, the reception of a DATA chunk is a violation of the above rules and therefore the receiver of the DATA chunk MUST abort the association by sending an ABORT chunk.
        if self.has(Extension::Interleaving) {
            return self.violate(now, "DATA although I-DATA was negotiated");
        }
        let data = UserData {
            tsn: data.tsn,
            stream: data.stream,
            place: Place::Plain(data.ssn),
            ppid: data.ppid,
            flags: data.flags,
            payload: data.payload,
        };
        self.handle_user_data(now, ctx, &data);
    }

    pub(super) fn handle_i_data(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        data: &IData<'_>,
    ) {
        if !self.state.receives_data() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
        //# The same applies if I-DATA support has not been negotiated for an association and an I-DATA chunk is received.
        if !self.has(Extension::Interleaving) {
            return self.violate(now, "I-DATA although it was not negotiated");
        }
        let ppid = match data.fragment {
            Numbered::First(ppid) => ppid,
            Numbered::Later(_) => Ppid(0),
        };
        let place = Place::Interleaved {
            mid: data.mid,
            fsn: data.fragment.fsn(),
        };
        let data = UserData {
            tsn: data.tsn,
            stream: data.stream,
            place,
            ppid,
            flags: data.flags(),
            payload: data.payload,
        };
        self.handle_user_data(now, ctx, &data);
    }

    fn handle_user_data(&mut self, now: Instant, ctx: &mut PacketContext<'_>, data: &UserData<'_>) {
        let lowest = ctx.lowest_tsn.filter(|lowest| lowest.is_before(data.tsn));
        ctx.lowest_tsn = Some(lowest.unwrap_or(data.tsn));
        let contiguous_before = self.receiver.tsns.is_contiguous();
        let is_first = self.stats.bytes_received == 0;
        let mut urgency = if data.flags.immediate {
            Urgency::Immediate
        } else {
            Urgency::None
        };
        match self.receiver.tsns.classify(data.tsn) {
            Arrival::OutOfRange => {
                self.stats.out_of_range_chunks += 1;
                return;
            }
            Arrival::Duplicate => {
                self.stats.duplicate_chunks += 1;
                urgency = Urgency::Immediate;
            }
            Arrival::New { index } => {
                if !self.accept_data(now, ctx, data, index) {
                    return;
                }
                if !contiguous_before || !self.receiver.tsns.is_contiguous() {
                    urgency = urgency.max(Urgency::Gap);
                }
                //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
                //# After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a SACK chunk to acknowledge the DATA chunk.
                if is_first {
                    urgency = Urgency::Immediate;
                }
            }
        }
        ctx.data = ctx.data.max(Some(urgency));
    }

    fn accept_data(
        &mut self,
        now: Instant,
        ctx: &PacketContext<'_>,
        data: &UserData<'_>,
        index: u64,
    ) -> bool {
        let is_next = self.receiver.tsns.is_next(data.tsn);
        let max = self.config.max_message_size;
        let capacity = self.receiver.grant.bytes;
        if self.receiver.window(capacity) == 0 {
            self.relieve_buffer();
        }
        if !self.receiver.has_room_for(capacity, max, is_next) {
            self.on_no_room(now, is_next);
            return false;
        }
        self.receiver.tsns.record(index);
        self.stats.bytes_received += data.payload.len() as u64;
        if data.stream.0 >= self.peer.outbound_streams {
            //= https://www.rfc-editor.org/rfc/rfc9260#section-6.5
            //# If an endpoint receives a DATA chunk with an invalid stream identifier, it SHOULD acknowledge the reception of the DATA chunk following the normal procedure, immediately send an ERROR chunk with cause set to "Invalid Stream Identifier"
            let mut causes = CauseList::new();
            causes.push(&Cause::InvalidStreamId(data.stream));
            self.outbox.push(ctx.path, Control::Error(causes));
            return true;
        }
        let fragment = Fragment {
            stream: data.stream,
            place: data.place,
            ppid: data.ppid,
            flags: data.flags,
            payload: self.keep_payload(ctx, data, is_next),
        };
        let had_ready = self.receiver.inbound.has_ready();
        let limits = Limits {
            follows: self.receiver.tsns.has(index + 1),
            ..self.limits()
        };
        if let Err(bad) = self.receiver.inbound.insert(index, fragment, limits) {
            self.violate(now, bad.0);
            return false;
        }
        if !had_ready && self.receiver.inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
        true
    }

    /// What chunks that go into the streams now may be.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_message: self.config.max_message_size,
            span: self.receiver.tsns.span(),
            gives_up: self.has(Extension::PartialReliability),
            follows: false,
        }
    }

    /// A chunk was refused because the buffer is full.
    fn on_no_room(&mut self, now: Instant, is_next: bool) {
        self.stats.receive_buffer_drops += 1;
        self.receiver.sack.make_due();
        // While memory is short all over the endpoint, there is room again later.
        let for_good = self.receiver.grant.completes;
        if for_good && is_next && !self.receiver.inbound.has_ready() {
            // The peer interleaves more than fits: no message can be completed any more.
            const WHAT: &str = "the beginnings of messages fill the receive buffer";
            self.abort_because(
                now,
                &Cause::OutOfResource,
                CloseReason::OutOfResources(WHAT),
            );
        }
    }

    /// An application that takes parts of messages gets what there is.
    fn relieve_buffer(&mut self) {
        let had_ready = self.receiver.inbound.has_ready();
        self.receiver.inbound.relieve();
        if !had_ready && self.receiver.inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
    }

    /// The payload without copying if it goes to the application at once. What is held may be
    /// held long, and must not pin a receive buffer that is much larger.
    fn keep_payload(&self, ctx: &PacketContext<'_>, data: &UserData<'_>, is_next: bool) -> Bytes {
        let inbound = &self.receiver.inbound;
        let whole = data.flags.begin && data.flags.end;
        let at_once = data.flags.unordered || inbound.is_next(data.stream, data.place);
        let read_soon = inbound.buffered() <= SHARED_BACKLOG;
        if is_next && whole && at_once && read_soon && data.payload.len() >= SMALL_PAYLOAD {
            ctx.datagram.slice_ref(data.payload)
        } else {
            Bytes::copy_from_slice(data.payload)
        }
    }

    /// The packet at hand carried DATA on `path`.
    pub(super) fn on_data_packet(&mut self, now: Instant, path: PathId, urgency: Urgency) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
        //# An implementation MUST NOT allow the maximum delay (protocol parameter 'SACK.Delay') to be configured to be more than 500 ms.
        let policy = SackPolicy {
            delay: self.config.sack_delay.min(MAX_SACK_DELAY),
            frequency: self.config.sack_frequency,
        };
        self.receiver
            .sack
            .on_data_packet(now, path, urgency, policy);
        if let Some(path) = self.paths.get_mut(path) {
            path.timers.quiet = Some(now + path.patience());
        }
        self.answer_data_while_shutting_down(now);
    }
}
