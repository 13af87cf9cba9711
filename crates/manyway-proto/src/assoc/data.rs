//! DATA chunks in.

use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{Cause, CauseList, Data};

use super::Association;
use super::input::PacketContext;
use super::outbox::Control;
use crate::event::{Event, Message};
use crate::path::PathId;
use crate::recv::{Arrival, SackPolicy, Urgency};
use crate::stream::Fragment;
use crate::time::Instant;

/// Payloads below this size are copied.
const SMALL_PAYLOAD: usize = 512;
/// Messages beyond this backlog, in bytes, are copied: the application does not keep up.
const SHARED_BACKLOG: usize = 1 << 20;

/// The most that `SACK.Delay` may be.
const MAX_SACK_DELAY: Duration = Duration::from_millis(500);

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
        let contiguous_before = self.receiver.tsns.is_contiguous();
        let mut urgency = if data.flags.immediate {
            Urgency::Immediate
        } else {
            Urgency::None
        };
        match self.receiver.tsns.classify(data.tsn) {
            Arrival::OutOfRange => {
                self.stats.dropped_packets += 1;
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
            }
        }
        ctx.data = ctx.data.max(Some(urgency));
    }

    fn accept_data(
        &mut self,
        now: Instant,
        ctx: &PacketContext<'_>,
        data: &Data<'_>,
        index: u64,
    ) -> bool {
        let is_next = self.receiver.tsns.is_next(data.tsn);
        let max = self.config.max_message_size;
        let capacity = self.config.receive_buffer;
        if !self.receiver.has_room_for(capacity, max, is_next) {
            self.stats.receive_buffer_drops += 1;
            self.receiver.sack.make_due();
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
            ssn: data.ssn,
            ppid: data.ppid,
            flags: data.flags,
            payload: self.keep_payload(ctx, data, is_next),
        };
        let had_ready = self.receiver.inbound.has_ready();
        let span = self.receiver.tsns.span();
        if let Err(bad) = self.receiver.inbound.insert(index, fragment, max, span) {
            self.violate(now, bad.0);
            return false;
        }
        if !had_ready && self.receiver.inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
        true
    }

    /// The payload without copying if it goes to the application at once. What is held may be
    /// held long, and must not pin a receive buffer that is much larger.
    fn keep_payload(&self, ctx: &PacketContext<'_>, data: &Data<'_>, is_next: bool) -> Bytes {
        let inbound = &self.receiver.inbound;
        let whole = data.flags.begin && data.flags.end;
        let at_once = data.flags.unordered || inbound.is_next(data.stream, data.ssn);
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

    /// The next message for the application, if one is complete.
    pub fn recv(&mut self) -> Option<Message> {
        let message = self.receiver.inbound.pop()?;
        self.stats.messages_received += 1;
        let capacity = self.config.receive_buffer;
        let window = self.receiver.window(capacity);
        // A sender that was told of a small window waits for news.
        let opens = self.receiver.advertised < capacity as u64 / 4 && window >= capacity as u64 / 2;
        if opens && self.state.receives_data() {
            self.receiver.sack.make_due();
        }
        Some(message)
    }
}
