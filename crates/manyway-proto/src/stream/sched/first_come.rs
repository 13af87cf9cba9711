//! First come, first served (RFC 8260, section 3.1).

use manyway_wire::StreamId;

use super::agenda::Agenda;
use super::{StreamScheduler, StreamView};

//= https://www.rfc-editor.org/rfc/rfc8260#section-3.1
//# It just passes through the messages in the order in which they have been delivered by the application.
#[derive(Debug, Default)]
pub(super) struct FirstCome {
    agenda: Agenda<u64>,
}

impl StreamScheduler for FirstCome {
    fn on_change(&mut self, stream: StreamView) {
        match stream.front {
            Some(front) => self.agenda.set(stream.stream, front.arrival),
            None => {
                self.agenda.remove(stream.stream);
            }
        }
    }

    fn on_sent(&mut self, stream: StreamView, _bytes: usize) {
        self.on_change(stream);
    }

    fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
        self.agenda.first()
    }

    fn name(&self) -> &'static str {
        "first-come-first-served"
    }
}
