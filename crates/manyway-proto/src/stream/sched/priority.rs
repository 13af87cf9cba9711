//! Strict priorities (RFC 8260, section 3.4).

use manyway_wire::StreamId;

use super::agenda::Agenda;
use super::{StreamScheduler, StreamView};

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.4
//# Streams having a higher priority will be scheduled first and when multiple streams have the same priority, the scheduling between them is implementation dependent.
// They take turns.
#[derive(Debug, Default)]
pub(super) struct Priority {
    /// By priority, then by turn.
    agenda: Agenda<(u16, u64)>,
    next_turn: u64,
}

impl Priority {
    fn enlist(&mut self, stream: StreamView) {
        if stream.front.is_none() {
            self.agenda.remove(stream.stream);
            return;
        }
        self.agenda
            .set(stream.stream, (stream.priority, self.next_turn));
        self.next_turn += 1;
    }
}

impl StreamScheduler for Priority {
    fn on_change(&mut self, stream: StreamView) {
        let known = self.agenda.key(stream.stream);
        let unchanged = known.is_some_and(|(priority, _)| priority == stream.priority);
        if stream.front.is_none() || !unchanged {
            self.enlist(stream);
        }
    }

    fn on_sent(&mut self, stream: StreamView, _bytes: usize) {
        self.enlist(stream);
    }

    fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
        self.agenda.first()
    }

    fn name(&self) -> &'static str {
        "priority"
    }
}
