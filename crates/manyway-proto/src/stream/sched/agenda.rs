//! Streams in the order of a key.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use manyway_wire::StreamId;

/// Room that an empty agenda keeps, in streams.
const KEPT: usize = 64;

/// Spreads stream identifiers. This side chooses them, so that nobody can make them collide.
#[derive(Debug, Default)]
pub(super) struct SpreadId(u64);

impl Hasher for SpreadId {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u16(u16::from(*byte));
        }
    }

    fn write_u16(&mut self, value: u16) {
        // The golden ratio of 2^64: neighbours end far apart.
        self.0 = (self.0 ^ u64::from(value)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map by stream.
pub(super) type StreamMap<V> = HashMap<StreamId, V, BuildHasherDefault<SpreadId>>;

/// Streams, each with a key; the one with the lowest key is at hand. A binary heap that knows where
/// each stream is: changes cost O(log streams) and no allocation once it has grown.
#[derive(Debug)]
pub(super) struct Agenda<K> {
    heap: Vec<(K, StreamId)>,
    places: StreamMap<usize>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self {
            heap: Vec::new(),
            places: StreamMap::default(),
        }
    }
}

impl<K: Copy + Ord> Agenda<K> {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    pub(super) fn contains(&self, stream: StreamId) -> bool {
        self.places.contains_key(&stream)
    }

    /// The stream with the lowest key.
    pub(super) fn first(&self) -> Option<StreamId> {
        self.heap.first().map(|(_, stream)| *stream)
    }

    pub(super) fn key(&self, stream: StreamId) -> Option<K> {
        let place = self.places.get(&stream)?;
        self.heap.get(*place).map(|(key, _)| *key)
    }

    /// Puts the stream where `key` wants it, whether or not it was there before.
    pub(super) fn set(&mut self, stream: StreamId, key: K) {
        match self.places.get(&stream) {
            Some(&place) => {
                if self.heap[place].0 != key {
                    self.heap[place].0 = key;
                    self.settle(place);
                }
            }
            None => {
                let place = self.heap.len();
                self.heap.push((key, stream));
                self.places.insert(stream, place);
                self.settle(place);
            }
        }
    }

    pub(super) fn remove(&mut self, stream: StreamId) -> Option<K> {
        let place = self.places.remove(&stream)?;
        let (key, _) = self.heap.swap_remove(place);
        if let Some((_, moved)) = self.heap.get(place) {
            self.places.insert(*moved, place);
            self.settle(place);
        }
        if self.heap.is_empty() && self.heap.capacity() > KEPT {
            *self = Self::default();
        }
        Some(key)
    }

    /// Moves the entry at `place` up or down to where it belongs.
    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.heap[place] < self.heap[(place - 1) / 2] {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut least = place;
            if left < self.heap.len() && self.heap[left] < self.heap[least] {
                least = left;
            }
            if right < self.heap.len() && self.heap[right] < self.heap[least] {
                least = right;
            }
            if least == place {
                break;
            }
            self.swap(place, least);
            place = least;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places.insert(self.heap[a].1, a);
        self.places.insert(self.heap[b].1, b);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_always_the_one_with_the_lowest_key(
            steps in prop::collection::vec((0_u16..20, prop::option::of(0_u32..50)), 1..200)
        ) {
            let mut agenda = Agenda::default();
            let mut model = std::collections::BTreeMap::new();
            for (stream, key) in steps {
                let stream = StreamId(stream);
                match key {
                    Some(key) => {
                        agenda.set(stream, key);
                        model.insert(stream, key);
                    }
                    None => prop_assert_eq!(agenda.remove(stream), model.remove(&stream)),
                }
                let first = model.iter().map(|(stream, key)| (*key, *stream)).min();
                prop_assert_eq!(agenda.first(), first.map(|(_, stream)| stream));
                prop_assert_eq!(agenda.len(), model.len());
                prop_assert_eq!(agenda.key(stream), model.get(&stream).copied());
            }
        }
    }
}
