//! Fair shares of the capacity, equal or weighted (RFC 8260, sections 3.5 and 3.6).
//!
//! Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): each unit begins, in virtual time,
//! when the one before it on its stream was over or when it arrived, and lasts as long as its bytes
//! divided by the stream's weight. The unit that begins first leaves first. A stream that was idle
//! gets no credit for it, and one that goes idle between its messages no discount either.

use manyway_wire::StreamId;

use super::agenda::{Agenda, StreamMap};
use super::{StreamScheduler, StreamView};

/// Parts of a byte in which virtual time is counted, so that large weights divide small messages.
const PRECISION: u32 = 16;
/// Idle streams that are remembered before it is looked which may be forgotten.
const LEAST_SWEEP: usize = 32;

/// Virtual time: bytes divided by weight, in fractions of a byte.
type Virtual = u128;

#[derive(Debug)]
pub(super) struct Fair {
    weighted: bool,
    /// By the beginning of the next unit, then by turn.
    agenda: Agenda<(Virtual, u64)>,
    next_turn: u64,
    /// When the unit that was sent last began.
    now: Virtual,
    /// When the last units of idle streams are over, if that is not past.
    idle: StreamMap<Virtual>,
    sweep_at: usize,
}

impl Fair {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.5
    //# This scheduler considers the lengths of the messages of each stream and schedules them in a specific way to maintain an equal capacity for all streams.
    pub(super) fn equal() -> Self {
        Self::new(false)
    }

    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.6
    //# If the weight of stream S1 is n times the weight of stream S2, the scheduler should assign to stream S1 n times the capacity it assigns to stream S2.
    pub(super) fn weighted() -> Self {
        Self::new(true)
    }

    fn new(weighted: bool) -> Self {
        Self {
            weighted,
            agenda: Agenda::default(),
            next_turn: 0,
            now: 0,
            idle: StreamMap::default(),
            sweep_at: LEAST_SWEEP,
        }
    }

    fn enlist(&mut self, stream: StreamId, begin: Virtual) {
        self.agenda.set(stream, (begin, self.next_turn));
        self.next_turn += 1;
    }

    fn retire(&mut self, stream: StreamId, over: Virtual) {
        self.agenda.remove(stream);
        if self.agenda.is_empty() {
            // Nobody waits, so nobody has to be compared with the past.
            self.now = 0;
            self.idle.clear();
            self.idle.shrink_to(LEAST_SWEEP);
            self.sweep_at = LEAST_SWEEP;
            return;
        }
        if over > self.now {
            self.idle.insert(stream, over);
        }
        if self.idle.len() > self.sweep_at {
            let now = self.now;
            self.idle.retain(|_, over| *over > now);
            self.sweep_at = LEAST_SWEEP.max(2 * self.idle.len());
        }
    }
}

impl StreamScheduler for Fair {
    fn on_change(&mut self, stream: StreamView) {
        let id = stream.stream;
        match (stream.front, self.agenda.key(id)) {
            (Some(_), None) => {
                let over = self.idle.remove(&id).unwrap_or_default();
                self.enlist(id, over.max(self.now));
            }
            (None, Some((begin, _))) => self.retire(id, begin),
            _ => {}
        }
    }

    fn on_sent(&mut self, stream: StreamView, bytes: usize) {
        let id = stream.stream;
        let (begin, _) = self.agenda.key(id).unwrap_or((self.now, 0));
        self.now = self.now.max(begin);
        let weight = match self.weighted {
            true => Virtual::from(stream.weight.get()),
            false => 1,
        };
        let over = begin + ((bytes as Virtual) << PRECISION) / weight;
        match stream.front {
            Some(_) => self.enlist(id, over),
            None => self.retire(id, over),
        }
    }

    fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
        self.agenda.first()
    }

    fn name(&self) -> &'static str {
        match self.weighted {
            true => "weighted-fair",
            false => "fair-capacity",
        }
    }
}
