//! Streams that take turns (RFC 8260, sections 3.2 and 3.3).

use manyway_wire::StreamId;

use super::agenda::Agenda;
use super::{StreamScheduler, StreamView};

/// The order of turns.
#[derive(Debug, Default)]
struct Turns {
    agenda: Agenda<u64>,
    next: u64,
}

impl Turns {
    fn send_to_back(&mut self, stream: StreamId) {
        self.agenda.set(stream, self.next);
        self.next += 1;
    }

    fn on_change(&mut self, stream: StreamView) {
        if stream.front.is_none() {
            self.agenda.remove(stream.stream);
        } else if !self.agenda.contains(stream.stream) {
            self.send_to_back(stream.stream);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.2
//# When not using user message interleaving, this scheduler provides a fair scheduling based on the number of user messages by cycling around non-empty stream queues.
//# When using user message interleaving, this scheduler provides a fair scheduling based on the number of I-DATA chunks by cycling around non-empty stream queues.
#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    turns: Turns,
}

impl StreamScheduler for RoundRobin {
    fn on_change(&mut self, stream: StreamView) {
        self.turns.on_change(stream);
    }

    fn on_sent(&mut self, stream: StreamView, _bytes: usize) {
        self.turns.on_change(stream);
        if stream.front.is_some() {
            self.turns.send_to_back(stream.stream);
        }
    }

    fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
        self.turns.agenda.first()
    }

    fn name(&self) -> &'static str {
        "round-robin"
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.3
//# This is a round-robin scheduler, which only switches streams when starting to fill a new packet.
#[derive(Debug, Default)]
pub(super) struct RoundRobinPerPacket {
    turns: Turns,
    /// The stream that sent something in the packet being filled.
    served: Option<StreamId>,
}

impl StreamScheduler for RoundRobinPerPacket {
    fn on_change(&mut self, stream: StreamView) {
        self.turns.on_change(stream);
    }

    fn on_sent(&mut self, stream: StreamView, _bytes: usize) {
        self.turns.on_change(stream);
        self.served = Some(stream.stream);
    }

    fn on_packet_end(&mut self) {
        if let Some(stream) = self.served.take()
            && self.turns.agenda.contains(stream)
        {
            self.turns.send_to_back(stream);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.3
    //# It bundles only DATA or I-DATA chunks referring to the same stream in a packet.
    fn next(&self, packet: Option<StreamId>) -> Option<StreamId> {
        match packet {
            Some(stream) => self.turns.agenda.contains(stream).then_some(stream),
            None => self.turns.agenda.first(),
        }
    }

    fn name(&self) -> &'static str {
        "round-robin-per-packet"
    }
}
