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
            .map(|(id, stream)| super::view(*id, stream, &self.messages, self.held_from))
            .collect();
        views.sort_by_key(|view| view.front.map(|front| front.arrival));
        views.into_iter().for_each(|view| scheduler.on_change(view));
        self.scheduler = scheduler;
    }

    pub(crate) fn scheduler_name(&self) -> &'static str {
        self.scheduler.name()
    }

    pub(crate) fn set_priority(&mut self, id: StreamId, priority: u16) {
        self.stop_waiting(id);
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
        self.stop_waiting(id);
        self.on_change(id);
        self.on_left(queued.begun_bytes);
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

/// What resets need.
impl SendQueue {
    /// The number that the next message gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.messages.next_number()
    }

    /// Messages of the stream with this number or a later one wait; with `None` none does.
    pub(crate) fn hold_from(&mut self, id: StreamId, from: Option<u64>) {
        // A stream that was not used yet may be so while it is held.
        if from.is_some() || self.streams.contains_key(&id) {
            self.streams.entry(id).or_default().held_from = from;
            self.on_change(id);
        }
    }

    /// As [`SendQueue::hold_from`], of all streams, also those not used yet.
    pub(crate) fn hold_all_from(&mut self, from: Option<u64>) {
        if self.held_from != from {
            self.held_from = from;
            let used: Vec<StreamId> = self.streams.keys().copied().collect();
            used.into_iter().for_each(|id| self.on_change(id));
        }
    }

    /// Whether nothing of the stream is left to send, messages held back aside. What was sent may
    /// still be unacknowledged.
    pub(crate) fn is_drained(&self, id: StreamId) -> bool {
        self.streams.get(&id).is_none_or(|s| !s.ready && !s.stalled)
    }

    /// The next messages of the stream are numbered from 0.
    pub(crate) fn reset_numbers(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.reset_numbers();
        }
    }

    /// The next messages of all streams are numbered from 0.
    pub(crate) fn reset_all_numbers(&mut self) {
        self.streams.values_mut().for_each(|s| s.reset_numbers());
    }

    /// Whether the next messages of the stream are numbered from 0 anyway.
    pub(crate) fn is_at_zero(&self, id: StreamId) -> bool {
        self.streams.get(&id).is_none_or(|s| s.is_at_zero())
    }

    /// [`SendQueue::is_at_zero`] of all streams.
    pub(crate) fn all_at_zero(&self) -> bool {
        self.streams.values().all(|s| s.is_at_zero())
    }
}
