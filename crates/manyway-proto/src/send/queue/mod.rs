//! Messages that wait for their first transmission, one queue per stream.
//!
//! | file | what |
//! |---|---|
//! | `messages` | the messages of all streams, as lists in one place |
//! | `out_stream` | a stream's numbers and settings |
//! | `control` | what others may do to queued messages and to streams |
//! | `begin` | which messages may begin |

use std::collections::BTreeMap;

use bytes::Bytes;
use manyway_wire::{DATA_HEADER_LEN, DataFlags, I_DATA_HEADER_LEN, Ppid, StreamId};

use super::SendOptions;
use super::pr::Origin;
use crate::event::Message;
use crate::stream::{FrontMessage, Place, StreamScheduler, StreamView};

mod begin;
mod control;
mod messages;
mod out_stream;
#[cfg(test)]
mod tests;

pub(crate) use begin::BeginLimits;
use begin::Begins;
use messages::Messages;
pub(crate) use messages::{MessageKey, Queued};
use out_stream::OutStream;

/// A piece of a message, ready for a DATA or I-DATA chunk.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) stream: StreamId,
    pub(crate) place: Place,
    pub(crate) ppid: Ppid,
    pub(crate) flags: DataFlags,
    pub(crate) payload: Bytes,
    /// Where it comes from, if its message may be given up.
    pub(crate) origin: Option<Origin>,
}

/// The messages of all streams; a [`StreamScheduler`] says which stream is next.
#[derive(Debug)]
pub(crate) struct SendQueue {
    streams: BTreeMap<StreamId, OutStream>,
    messages: Messages,
    scheduler: Box<dyn StreamScheduler>,
    /// I-DATA is used: other streams may send between the pieces of a message.
    interleaving: bool,
    /// The stream whose message was begun and must be finished first.
    begun: Option<StreamId>,
    /// Bytes taken of the message that was begun.
    begun_bytes: usize,
    /// The stream of the last piece in the packet being filled.
    packet: Option<StreamId>,
    begins: Begins,
    /// Streams that have something to send.
    ready: usize,
    /// Streams that have something whose turn is later: it must not begin yet.
    stalled: usize,
    bytes: usize,
    /// Messages with this number or a later one must wait, whatever their stream.
    held_from: Option<u64>,
}

impl SendQueue {
    pub(crate) fn new(scheduler: Box<dyn StreamScheduler>) -> Self {
        Self {
            streams: BTreeMap::new(),
            messages: Messages::default(),
            scheduler,
            interleaving: false,
            begun: None,
            begun_bytes: 0,
            packet: None,
            begins: Begins::default(),
            ready: 0,
            stalled: 0,
            bytes: 0,
            held_from: None,
        }
    }

    /// Payload bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no message is left, not even one that must wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.len() == 0
    }

    /// Whether nothing can be sent now.
    pub(crate) fn is_idle(&self) -> bool {
        self.ready == 0
    }

    /// Whether nothing is left to send, messages held back aside.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.ready + self.stalled == 0
    }

    /// Bytes of a chunk besides its payload.
    pub(crate) fn header_len(&self) -> usize {
        match self.interleaving {
            true => I_DATA_HEADER_LEN,
            false => DATA_HEADER_LEN,
        }
    }

    pub(crate) fn is_interleaving(&self) -> bool {
        self.interleaving
    }

    /// Whether messages are interleaved is known once both ends have said what they can.
    pub(crate) fn set_interleaving(&mut self, interleaving: bool) {
        self.interleaving = interleaving;
    }

    /// Takes a message; the key names it while it waits.
    pub(crate) fn push(&mut self, message: Message, options: SendOptions) -> MessageKey {
        let id = message.stream;
        self.bytes += message.payload.len();
        let stream = self.streams.entry(id).or_default();
        let key = self
            .messages
            .push_back(&mut stream.messages, message, options);
        if !stream.ready {
            self.on_change(id);
        }
        key
    }

    /// Bytes left of the message that the next piece comes from.
    pub(crate) fn next_len(&mut self) -> Option<usize> {
        let id = self.next_stream()?;
        let stream = self.streams.get(&id)?;
        let front = self.messages.front(&stream.messages)?;
        Some(front.message.payload.len())
    }

    /// Takes the next piece that fits into `space` bytes of packet. A message is split only where
    /// it does not fit into an empty packet (`packet_empty`), so that small ones stay whole.
    pub(crate) fn next_piece(&mut self, space: usize, packet_empty: bool) -> Option<Piece> {
        let room = space.checked_sub(self.header_len())?;
        let id = self.next_stream()?;
        let stream = self.streams.get_mut(&id)?;
        let origin = self.messages.front_origin(&stream.messages);
        let front = self.messages.front_mut(&stream.messages)?;
        let len = front.message.payload.len();
        if len > room && (!packet_empty || room < 4) {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.2
        //# The first fragment MUST have the B bit set. The last fragment MUST have the E bit set. All other fragments MUST NOT have the B or E bit set.
        let (begin, end) = (front.next_place.is_none(), len <= room);
        let (ppid, unordered) = (front.message.ppid, front.message.unordered);
        let immediate = end && front.options.immediate;
        let place = match front.next_place {
            Some(place) => place,
            None => stream.begin_message(unordered, self.interleaving),
        };
        let mut finished = 0;
        let payload = if end {
            let whole = self.messages.pop_front(&mut stream.messages)?;
            finished = whole.begun_bytes;
            whole.message.payload
        } else {
            if begin && self.interleaving {
                front.begun_bytes = len;
                self.begins.bytes += len;
            }
            front.next_place = Some(place.next_piece());
            // Whole words, so that pieces need no padding.
            front.message.payload.split_to(room & !3)
        };
        self.on_taken(id, payload.len(), end);
        self.on_left(finished);
        Some(Piece {
            stream: id,
            place,
            ppid,
            flags: DataFlags {
                immediate,
                unordered,
                begin,
                end,
            },
            payload,
            origin,
        })
    }

    /// The packet that the last pieces went into is complete.
    pub(crate) fn finish_packet(&mut self) {
        if self.packet.take().is_some() {
            self.scheduler.on_packet_end();
        }
    }

    /// The stream whose turn it is, whether or not its message may begin.
    fn chosen_stream(&self) -> Option<StreamId> {
        if self.ready == 0 {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
        //# The transmitter MUST then assign, in sequence, a separate TSN to each of the DATA chunks in the series.
        if self.begun.is_some() {
            return self.begun;
        }
        match self.scheduler.next(self.packet) {
            Some(id) if self.streams.get(&id).is_some_and(|s| s.ready) => Some(id),
            None if self.packet.is_some() => None,
            _ => {
                let mut ready = self.streams.iter().filter(|(_, s)| s.ready);
                ready.next().map(|(id, _)| *id)
            }
        }
    }

    fn on_taken(&mut self, id: StreamId, bytes: usize, end: bool) {
        self.bytes -= bytes;
        self.packet = Some(id);
        self.begun_bytes += bytes;
        if !end && !self.interleaving {
            self.begun = Some(id);
            return;
        }
        self.begun = None;
        let unit = std::mem::take(&mut self.begun_bytes);
        if let Some(view) = self.update(id) {
            self.scheduler.on_sent(view, unit);
        }
    }

    /// The front of the stream changed otherwise than by sending.
    fn on_change(&mut self, id: StreamId) {
        if let Some(view) = self.update(id) {
            self.scheduler.on_change(view);
        }
    }

    /// Notes whether the stream has something to send; what the scheduler shall see of it.
    fn update(&mut self, id: StreamId) -> Option<StreamView> {
        let stream = self.streams.get_mut(&id)?;
        let mut view = view(id, stream, &self.messages, self.held_from);
        self.ready -= usize::from(stream.ready);
        self.stalled -= usize::from(stream.stalled);
        stream.stalled = view.front.is_some()
            && (stream.waits_at.is_some()
                || stream.in_window() >= self.begins.limits.ordered
                    && self
                        .messages
                        .front(&stream.messages)
                        .is_some_and(Queued::is_numbered));
        if stream.stalled {
            view.front = None;
        }
        stream.ready = view.front.is_some();
        self.ready += usize::from(stream.ready);
        self.stalled += usize::from(stream.stalled);
        Some(view)
    }
}

/// What there is of a stream; messages numbered from `held_from` on wait.
fn view(
    id: StreamId,
    stream: &OutStream,
    messages: &Messages,
    held_from: Option<u64>,
) -> StreamView {
    let mut holds = stream.held_from.iter().chain(&held_from);
    let mut held = |number| holds.any(|from| number >= *from);
    let front = messages
        .front(&stream.messages)
        .filter(|front| !held(front.number));
    StreamView {
        stream: id,
        priority: stream.priority,
        weight: stream.weight,
        front: front.map(|front| FrontMessage {
            remaining: front.message.payload.len(),
            arrival: front.number,
        }),
    }
}
