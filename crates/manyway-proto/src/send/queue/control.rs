//! What others may do to queued messages and to streams: settings, partial reliability, resets.

use std::num::NonZeroU16;

use manyway_wire::StreamId;

use super::{MessageKey, Queued, SendQueue};
use crate::send::BegunId;
use crate::stream::StreamScheduler;
use crate::time::Instant;

impl SendQueue {
    /// Changes the scheduler, from the next piece on; a message that was begun is finished first
    /// unless messages are interleaved.
    pub(crate) fn set_scheduler(&mut self, mut scheduler: Box<dyn StreamScheduler>) {
        let ready = self.streams.iter().filter(|(_, stream)| stream.ready);
        let mut views: Vec<_> = ready
            .map(|(id, stream)| super::view(*id, stream, &self.messages))
            .collect();
        views.sort_by_key(|view| view.front.map(|front| front.arrival));
        views.into_iter().for_each(|view| scheduler.on_change(view));
        self.scheduler = scheduler;
    }

    pub(crate) fn scheduler_name(&self) -> &'static str {
        self.scheduler.name()
    }

    pub(crate) fn set_priority(&mut self, id: StreamId, priority: u16) {
        self.streams.entry(id).or_default().priority = priority;
        self.on_change(id);
    }

    pub(crate) fn priority(&self, id: StreamId) -> u16 {
        self.streams.get(&id).map_or(0, |s| s.priority)
    }

    pub(crate) fn set_weight(&mut self, id: StreamId, weight: NonZeroU16) {
        self.streams.entry(id).or_default().weight = weight;
        self.on_change(id);
    }

    pub(crate) fn weight(&self, id: StreamId) -> NonZeroU16 {
        self.streams.get(&id).map_or(NonZeroU16::MIN, |s| s.weight)
    }
}

impl SendQueue {
    /// A message that still waits, or of which a part does.
    pub(crate) fn get(&self, key: MessageKey) -> Option<&Queued> {
        self.messages.get(key)
    }

    /// Takes a message out of the queue. If pieces of it were sent ([`Queued::next_place`]) the
    /// peer must be told that the rest does not come.
    pub(crate) fn discard(&mut self, key: MessageKey) -> Option<Queued> {
        let id = self.messages.get(key)?.message.stream;
        let stream = self.streams.get_mut(&id)?;
        let queued = self.messages.remove(&mut stream.messages, key)?;
        self.bytes -= queued.message.payload.len();
        if queued.next_place.is_some() && self.begun == Some(id) {
            self.begun = None;
            self.begun_bytes = 0;
        }
        self.on_change(id);
        Some(queued)
    }

    /// The message is dropped at `at`.
    pub(crate) fn set_expiry(&mut self, key: MessageKey, at: Instant) {
        if let Some(queued) = self.messages.get_mut(key) {
            queued.expires = Some(at);
        }
    }

    /// The pieces of the message that were sent can be given up under this name.
    pub(crate) fn set_begun(&mut self, key: MessageKey, begun: BegunId) {
        if let Some(queued) = self.messages.get_mut(key) {
            queued.begun = Some(begun);
        }
    }
}

#[cfg_attr(not(test), expect(dead_code, reason = "for resets of streams"))]
impl SendQueue {
    /// Messages given from now on wait until [`SendQueue::release`]; those in the queue still go.
    pub(crate) fn hold(&mut self, id: StreamId) {
        let next = self.messages.next_number();
        let stream = self.streams.entry(id).or_default();
        stream.held_from.get_or_insert(next);
    }

    /// Messages held back may go.
    pub(crate) fn release(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.held_from = None;
            self.on_change(id);
        }
    }

    /// Whether nothing of the stream is left to send, messages held back aside. What was sent may
    /// still be unacknowledged.
    pub(crate) fn is_drained(&self, id: StreamId) -> bool {
        self.streams.get(&id).is_none_or(|stream| !stream.ready)
    }

    /// The next messages of the stream are numbered from 0.
    pub(crate) fn reset_numbers(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.reset_numbers();
        }
    }

    /// Streams that were used, in ascending order.
    pub(crate) fn used_streams(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.streams.keys().copied()
    }
}
