//! The messages of all streams in one place: lists without an allocation per stream or message.

use crate::event::Message;
use crate::send::pr::Origin;
use crate::send::{BegunId, Reliability, SendOptions};
use crate::stream::Place;
use crate::time::Instant;

const NIL: u32 = u32::MAX;
/// Room that an empty queue keeps, in messages.
const KEPT: usize = 64;

/// Names a message while it is in the queue. It never names another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageKey {
    /// Counts the messages of the association.
    number: u64,
    slot: u32,
}

/// A message that waits, or what is left of it.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) number: u64,
    pub(crate) message: Message,
    pub(crate) options: SendOptions,
    /// The next piece's place, once a piece was taken.
    pub(crate) next_place: Option<Place>,
    /// Bytes that it counts for among the interleaved messages that were begun.
    pub(super) begun_bytes: usize,
    /// The message is dropped then.
    pub(crate) expires: Option<Instant>,
    /// Names its pieces that were sent, if they can be given up.
    pub(crate) begun: Option<BegunId>,
}

impl Queued {
    pub(crate) fn reliability(&self) -> Reliability {
        self.options.reliability.unwrap_or_default()
    }

    /// Whether it will take a number of its stream when it begins.
    pub(super) fn is_numbered(&self) -> bool {
        self.next_place.is_none() && !self.message.unordered
    }

    /// What is to be known of a message that may be given up when a piece of it is sent.
    pub(super) fn origin(&self, key: MessageKey) -> Option<Origin> {
        let reliability = self.options.reliability.filter(|r| !r.is_reliable())?;
        Some(Origin {
            key,
            reliability,
            context: self.options.context,
            expires: self.expires,
            begun: self.begun,
        })
    }
}

#[derive(Debug)]
struct Slot {
    queued: Option<Queued>,
    prev: u32,
    next: u32,
}

/// One stream's messages, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        Self {
            head: NIL,
            tail: NIL,
        }
    }
}

/// Messages in lists.
#[derive(Debug)]
pub(super) struct Messages {
    slots: Vec<Slot>,
    free: u32,
    len: usize,
    next_number: u64,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NIL,
            len: 0,
            next_number: 0,
        }
    }
}

impl Messages {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Room for messages, as far as it is allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// The number of the next message.
    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    pub(super) fn push_back(
        &mut self,
        list: &mut List,
        message: Message,
        options: SendOptions,
    ) -> MessageKey {
        let number = self.next_number;
        self.next_number += 1;
        let slot = Slot {
            queued: Some(Queued {
                number,
                message,
                options,
                next_place: None,
                begun_bytes: 0,
                expires: None,
                begun: None,
            }),
            prev: list.tail,
            next: NIL,
        };
        let at = self.place(slot);
        match self.slots.get_mut(list.tail as usize) {
            Some(tail) => tail.next = at,
            None => list.head = at,
        }
        list.tail = at;
        self.len += 1;
        MessageKey { number, slot: at }
    }

    fn place(&mut self, slot: Slot) -> u32 {
        let at = self.free;
        if let Some(free) = self.slots.get_mut(at as usize) {
            self.free = free.next;
            *free = slot;
            return at;
        }
        self.slots.push(slot);
        // Four thousand million messages fit no memory.
        (self.slots.len() - 1) as u32
    }

    pub(super) fn front(&self, list: &List) -> Option<&Queued> {
        self.slots.get(list.head as usize)?.queued.as_ref()
    }

    /// See [`Queued::origin`].
    pub(super) fn front_origin(&self, list: &List) -> Option<Origin> {
        let front = self.front(list)?;
        let (number, slot) = (front.number, list.head);
        front.origin(MessageKey { number, slot })
    }

    pub(super) fn front_mut(&mut self, list: &List) -> Option<&mut Queued> {
        self.slots.get_mut(list.head as usize)?.queued.as_mut()
    }

    pub(super) fn pop_front(&mut self, list: &mut List) -> Option<Queued> {
        self.take(list, list.head)
    }

    pub(super) fn get(&self, key: MessageKey) -> Option<&Queued> {
        let queued = self.slots.get(key.slot as usize)?.queued.as_ref()?;
        (queued.number == key.number).then_some(queued)
    }

    pub(super) fn get_mut(&mut self, key: MessageKey) -> Option<&mut Queued> {
        let queued = self.slots.get_mut(key.slot as usize)?.queued.as_mut()?;
        (queued.number == key.number).then_some(queued)
    }

    /// Takes a message out of `list`, in which it must be.
    pub(super) fn remove(&mut self, list: &mut List, key: MessageKey) -> Option<Queued> {
        self.get(key)?;
        self.take(list, key.slot)
    }

    fn take(&mut self, list: &mut List, at: u32) -> Option<Queued> {
        let free = self.free;
        let slot = self.slots.get_mut(at as usize)?;
        let queued = slot.queued.take()?;
        let (prev, next) = (slot.prev, slot.next);
        slot.next = free;
        self.free = at;
        match self.slots.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => list.head = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(next) => next.prev = prev,
            None => list.tail = prev,
        }
        self.len -= 1;
        if self.len == 0 && self.slots.capacity() > KEPT {
            self.slots = Vec::new();
            self.free = NIL;
        }
        Some(queued)
    }
}
