//! A set of numbers kept as sorted, disjoint, non-adjacent ranges.

use std::collections::VecDeque;
use std::ops::Range;

/// Ranges of `u64`. Insertion at the end and removal at the front are O(1); elsewhere the cost is
/// a binary search plus moving the later *ranges* (not numbers).
#[derive(Clone, Debug, Default)]
pub(crate) struct RangeSet(VecDeque<Range<u64>>);

impl RangeSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().cloned()
    }

    pub(crate) fn last(&self) -> Option<&Range<u64>> {
        self.0.back()
    }

    pub(crate) fn contains(&self, value: u64) -> bool {
        let at = self.0.partition_point(|r| r.end <= value);
        self.0.get(at).is_some_and(|r| r.contains(&value))
    }

    /// Whether `value` would extend a range rather than begin one.
    pub(crate) fn touches(&self, value: u64) -> bool {
        let at = self.0.partition_point(|r| r.end < value);
        self.0.get(at).is_some_and(|r| r.start <= value + 1)
    }

    /// Adds one number; false if it was there.
    pub(crate) fn insert(&mut self, value: u64) -> bool {
        let mut new = false;
        self.insert_range(value..value + 1, |_| new = true);
        new
    }

    /// Adds a range and calls `missing` for each part of it that was not in the set, ascending.
    pub(crate) fn insert_range(&mut self, range: Range<u64>, mut missing: impl FnMut(Range<u64>)) {
        if range.is_empty() {
            return;
        }
        // Ranges from `first` to before `last` touch or overlap the new one.
        let first = self.0.partition_point(|r| r.end < range.start);
        let mut last = first;
        let mut cursor = range.start;
        let mut merged = range.clone();
        while let Some(r) = self.0.get(last).filter(|r| r.start <= range.end) {
            if r.start > cursor {
                missing(cursor..r.start);
            }
            cursor = cursor.max(r.end);
            merged = merged.start.min(r.start)..merged.end.max(r.end);
            last += 1;
        }
        if cursor < range.end {
            missing(cursor..range.end);
        }
        if first == last {
            self.0.insert(first, merged);
        } else {
            self.0[first] = merged;
            self.0.drain(first + 1..last);
        }
    }

    /// Removes everything below `bound`.
    pub(crate) fn remove_below(&mut self, bound: u64) {
        while let Some(front) = self.0.front_mut() {
            if front.end <= bound {
                self.0.pop_front();
            } else {
                front.start = front.start.max(bound);
                break;
            }
        }
    }

    /// Removes and returns the first range if it starts at `start`.
    pub(crate) fn take_front_at(&mut self, start: u64) -> Option<Range<u64>> {
        if self.0.front()?.start == start {
            self.0.pop_front()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_like_a_set_of_numbers(ops in prop::collection::vec((0u64..60, 0u64..8), 1..80)) {
            let mut set = RangeSet::default();
            let mut model = BTreeSet::new();
            for (start, len) in ops {
                let mut missing = Vec::new();
                set.insert_range(start..start + len, |r| missing.extend(r));
                let expected: Vec<u64> = (start..start + len).filter(|v| model.insert(*v)).collect();
                prop_assert_eq!(missing, expected);
                prop_assert_eq!(set.iter().flatten().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
                let ranges: Vec<_> = set.iter().collect();
                prop_assert!(ranges.windows(2).all(|w| w[0].end < w[1].start), "adjacent ranges are merged");
            }
            set.remove_below(30);
            prop_assert!(set.iter().flatten().eq(model.into_iter().filter(|v| *v >= 30)));
        }
    }
}
