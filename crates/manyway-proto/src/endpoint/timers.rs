//! The associations' deadlines: an indexed heap, so that each has one entry that moves.

use crate::assoc::AssocId;
use crate::time::Instant;

/// Children of a node. Four lie in one or two cache lines, and the heap is half as high as with
/// two.
const ARITY: usize = 4;

/// Names an association's place among the timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerKey(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    id: AssocId,
    key: u32,
}

/// Not in the heap.
const IDLE: u32 = u32::MAX;

/// One deadline per association. Changing one costs a few steps up or down a heap that is as high
/// as the logarithm of the number of deadlines; looking at the first costs nothing.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Vec<Entry>,
    /// Where each key's entry is in the heap.
    places: Vec<u32>,
    free: Vec<u32>,
}

impl Timers {
    /// A key for one more association, without a deadline yet.
    pub(super) fn register(&mut self) -> TimerKey {
        if let Some(key) = self.free.pop() {
            return TimerKey(key);
        }
        self.places.push(IDLE);
        // Associations are far fewer than u32::MAX.
        TimerKey(self.places.len() as u32 - 1)
    }

    /// The association is gone.
    pub(super) fn unregister(&mut self, key: TimerKey) {
        self.disarm(key);
        self.free.push(key.0);
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<(Instant, AssocId)> {
        self.heap.first().map(|entry| (entry.at, entry.id))
    }

    /// Sets or moves the deadline of an association.
    pub(super) fn arm(&mut self, key: TimerKey, id: AssocId, at: Instant) {
        let entry = Entry { at, id, key: key.0 };
        let place = match self.places.get(key.0 as usize) {
            Some(&IDLE) => {
                self.heap.push(entry);
                self.heap.len() - 1
            }
            Some(&place) => place as usize,
            None => return,
        };
        self.settle(place, entry);
    }

    /// Takes away the deadline of an association.
    pub(super) fn disarm(&mut self, key: TimerKey) {
        let Some(place) = self.places.get_mut(key.0 as usize) else {
            return;
        };
        let place = std::mem::replace(place, IDLE);
        if place == IDLE {
            return;
        }
        // Some place is taken, so the heap is not empty.
        if let Some(last) = self.heap.pop()
            && last.key != key.0
        {
            self.settle(place as usize, last);
        }
    }

    /// Puts `entry` where the hole at `place` has wandered to.
    fn settle(&mut self, mut place: usize, entry: Entry) {
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        loop {
            let first = place * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            let least = (first..end).min_by_key(|&child| self.heap[child]);
            match least {
                Some(child) if self.heap[child] < entry => {
                    self.put(place, self.heap[child]);
                    place = child;
                }
                _ => break,
            }
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.places[entry.key as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_deadline_is_that_of_a_sorted_map(
            ops in prop::collection::vec((0u64..40, prop::option::of(0u64..100)), 1..300),
        ) {
            let mut timers = Timers::default();
            let keys: Vec<_> = (0..40).map(|_| timers.register()).collect();
            let mut model = BTreeMap::new();
            for (who, at) in ops {
                let (key, id) = (keys[who as usize], AssocId(who));
                match at {
                    Some(at) => {
                        timers.arm(key, id, Instant::from_nanos(at));
                        model.insert(id, Instant::from_nanos(at));
                    }
                    None => {
                        timers.disarm(key);
                        model.remove(&id);
                    }
                }
                let first = model.iter().map(|(id, at)| (*at, *id)).min();
                prop_assert_eq!(timers.first(), first);
                prop_assert_eq!(timers.heap.len(), model.len());
            }
        }
    }

    #[test]
    fn keys_are_used_again() {
        let mut timers = Timers::default();
        let first = timers.register();
        timers.arm(first, AssocId(1), Instant::ZERO);
        timers.unregister(first);
        assert_eq!(timers.first(), None);
        assert_eq!(timers.register(), first);
        assert_eq!(timers.places.len(), 1);
    }
}
