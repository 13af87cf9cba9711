//! The associations' deadlines: indexed heaps, so that each has one entry that moves.

use std::time::Duration;

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

/// Deadlines further away than this have a heap of their own. An association that is busy goes back
/// and forth between a deadline soon, for an acknowledgement say, and one far away; in one heap it
/// would pass all that are idle each time.
const SOON: Duration = Duration::from_secs(1);

/// In neither heap.
const IDLE: u32 = u32::MAX;

/// One deadline per association. Changing one costs a few steps up or down a heap that is as high
/// as the logarithm of the number of its deadlines; looking at the first costs nothing.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Deadlines that were soon when they were set, and those that were not.
    heaps: [Vec<Entry>; 2],
    /// Where each key's entry is: its place in its heap times two, and the heap.
    places: Vec<u32>,
    free: Vec<u32>,
    /// Entries that were put somewhere.
    #[cfg(test)]
    puts: usize,
}

impl Timers {
    /// A key for one more association, without a deadline yet.
    pub(super) fn register(&mut self) -> TimerKey {
        if let Some(key) = self.free.pop() {
            return TimerKey(key);
        }
        self.places.push(IDLE);
        // Associations are far fewer than u32::MAX / 2.
        TimerKey(self.places.len() as u32 - 1)
    }

    /// The association is gone.
    pub(super) fn unregister(&mut self, key: TimerKey) {
        self.disarm(key);
        self.free.push(key.0);
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<(Instant, AssocId)> {
        let firsts = self.heaps.iter().filter_map(|heap| heap.first());
        firsts.min().map(|entry| (entry.at, entry.id))
    }

    /// Sets or moves the deadline of an association.
    pub(super) fn arm(&mut self, now: Instant, key: TimerKey, id: AssocId, at: Instant) {
        let entry = Entry { at, id, key: key.0 };
        let heap = usize::from(at > now + SOON);
        let Some(&place) = self.places.get(key.0 as usize) else {
            return;
        };
        if place != IDLE && place as usize % 2 == heap {
            return self.settle(heap, place as usize / 2, entry);
        }
        self.disarm(key);
        self.heaps[heap].push(entry);
        self.settle(heap, self.heaps[heap].len() - 1, entry);
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
        let (heap, place) = (place as usize % 2, place as usize / 2);
        // Some place is taken, so the heap is not empty.
        if let Some(last) = self.heaps[heap].pop()
            && last.key != key.0
        {
            self.settle(heap, place, last);
        }
    }

    /// Puts `entry` where the hole at `place` has wandered to.
    fn settle(&mut self, heap: usize, mut place: usize, entry: Entry) {
        let (entries, places) = (&mut self.heaps[heap], &mut self.places);
        #[cfg(test)]
        let puts = &mut self.puts;
        let mut put = |entries: &mut Vec<Entry>, place: usize, entry: Entry| {
            #[cfg(test)]
            {
                *puts += 1;
            }
            entries[place] = entry;
            places[entry.key as usize] = (2 * place + heap) as u32;
        };
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if entries[parent] <= entry {
                break;
            }
            let moved = entries[parent];
            put(entries, place, moved);
            place = parent;
        }
        loop {
            let first = place * ARITY + 1;
            let end = (first + ARITY).min(entries.len());
            let least = (first..end).min_by_key(|&child| entries[child]);
            match least {
                Some(child) if entries[child] < entry => {
                    let moved = entries[child];
                    put(entries, place, moved);
                    place = child;
                }
                _ => break,
            }
        }
        put(entries, place, entry);
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
            // Seconds and halves, soon and not.
            ops in prop::collection::vec((0u64..40, 0u64..20, prop::option::of(0u64..100)), 1..300),
        ) {
            let mut timers = Timers::default();
            let keys: Vec<_> = (0..40).map(|_| timers.register()).collect();
            let mut model = BTreeMap::new();
            for (who, now, at) in ops {
                let half = |n| Instant::from_nanos(n * 500_000_000);
                let (key, id) = (keys[who as usize], AssocId(who));
                match at {
                    Some(at) => {
                        timers.arm(half(now), key, id, half(at));
                        model.insert(id, half(at));
                    }
                    None => {
                        timers.disarm(key);
                        model.remove(&id);
                    }
                }
                let first = model.iter().map(|(id, at)| (*at, *id)).min();
                prop_assert_eq!(timers.first(), first);
                prop_assert_eq!(timers.heaps.iter().map(Vec::len).sum::<usize>(), model.len());
            }
        }
    }

    #[test]
    fn who_is_busy_passes_few_that_are_idle() {
        const IDLE: u64 = 100_000;
        let at = |us: u64| Instant::from_nanos(us * 1000);
        let mut timers = Timers::default();
        // Heartbeats, spread over 15 seconds without order.
        for who in 0..IDLE {
            let key = timers.register();
            let due = 2_000_000 + who * 7_919 % 15_000_000;
            timers.arm(at(0), key, AssocId(who), at(due));
        }
        let busy = timers.register();
        timers.puts = 0;
        for round in 0..1000 {
            let now = round * 100;
            timers.arm(at(now), busy, AssocId(IDLE), at(now + 20_000));
            timers.arm(at(now), busy, AssocId(IDLE), at(9_000_000));
        }
        assert!(timers.puts <= 6 * 1000, "{} puts", timers.puts);
    }

    #[test]
    fn keys_are_used_again() {
        let mut timers = Timers::default();
        let first = timers.register();
        timers.arm(Instant::ZERO, first, AssocId(1), Instant::ZERO);
        timers.unregister(first);
        assert_eq!(timers.first(), None);
        assert_eq!(timers.register(), first);
        assert_eq!(timers.places.len(), 1);
    }
}
