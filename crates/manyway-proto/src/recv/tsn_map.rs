//! The TSNs that arrived.

use manyway_wire::{GapBlock, Tsn};

use crate::config::TransportConfig;
use crate::range_set::RangeSet;

/// What a [`TsnMap`] believes and remembers: see the options of the same names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TsnBounds {
    pub(crate) distance: u32,
    pub(crate) gaps: usize,
    pub(crate) duplicates: usize,
}

impl TsnBounds {
    pub(crate) fn new(config: &TransportConfig) -> Self {
        Self {
            distance: config.max_tsn_distance.min((1 << 31) - 2),
            gaps: config.max_gaps,
            duplicates: config.max_duplicates_reported,
        }
    }
}

/// What a TSN is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Not seen before; the index orders it among all TSNs without wrapping.
    New { index: u64 },
    /// Seen before.
    Duplicate,
    /// Absurdly far ahead.
    OutOfRange,
}

/// What a FORWARD-TSN is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// So old that it says nothing any more.
    Old,
    /// All indices below `bound` had arrived or were skipped before.
    Behind { bound: u64 },
    /// Absurdly far ahead.
    OutOfRange,
    /// All indices below `bound` count as received, the last `advance` of them since now; `missing`
    /// of these had not arrived.
    Forward {
        bound: u64,
        advance: u64,
        missing: u64,
    },
}

/// Cumulative point, the ranges beyond it, and duplicates to report.
#[derive(Debug)]
pub(crate) struct TsnMap {
    /// All indices below are received.
    next: u64,
    next_tsn: Tsn,
    ahead: RangeSet,
    duplicates: Vec<Tsn>,
    /// Duplicates that no SACK reports.
    pub(crate) unreported: u64,
    bounds: TsnBounds,
}

impl TsnMap {
    pub(crate) fn new(initial: Tsn, bounds: TsnBounds) -> Self {
        Self {
            unreported: 0,
            bounds,
            next: 0,
            next_tsn: initial,
            ahead: RangeSet::default(),
            duplicates: Vec::new(),
        }
    }

    /// The highest TSN with nothing missing before it.
    pub(crate) fn cumulative(&self) -> Tsn {
        self.next_tsn.sub(1)
    }

    pub(crate) fn is_contiguous(&self) -> bool {
        self.ahead.is_empty()
    }

    /// Whether `tsn` is the first that is missing.
    pub(crate) fn is_next(&self, tsn: Tsn) -> bool {
        tsn == self.next_tsn
    }

    /// What `tsn` would be, without recording it. A duplicate is noted for the next SACK.
    pub(crate) fn classify(&mut self, tsn: Tsn) -> Arrival {
        if tsn.is_before(self.next_tsn) {
            self.note_duplicate(tsn);
            return Arrival::Duplicate;
        }
        let offset = tsn.distance_from(self.next_tsn);
        if offset > self.bounds.distance {
            return Arrival::OutOfRange;
        }
        let index = self.next + u64::from(offset);
        if self.ahead.contains(index) {
            self.note_duplicate(tsn);
            return Arrival::Duplicate;
        }
        if index != self.next && self.ahead.len() >= self.bounds.gaps && !self.ahead.touches(index)
        {
            return Arrival::OutOfRange;
        }
        Arrival::New { index }
    }

    fn note_duplicate(&mut self, tsn: Tsn) {
        if self.duplicates.len() < self.bounds.duplicates {
            self.duplicates.push(tsn);
        } else {
            self.unreported += 1;
        }
    }

    /// Records an index that [`TsnMap::classify`] called new.
    pub(crate) fn record(&mut self, index: u64) {
        if index != self.next {
            self.ahead.insert(index);
            return;
        }
        let end = self
            .ahead
            .take_front_at(index + 1)
            .map_or(index + 1, |range| range.end);
        // Advances are bounded by the distance and one.
        self.next_tsn = self.next_tsn.add((end - self.next) as u32);
        self.next = end;
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.2
    //# Upon the reception of this value, the data receiver MUST consider any missing TSNs earlier than or equal to this value as received, and stop reporting them as gaps in any subsequent SACKs.
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# the data receiver MUST stop reporting any missing TSNs earlier than or equal to the new cumulative TSN point
    /// Takes everything up to and with `tsn` as received.
    pub(crate) fn skip_to(&mut self, tsn: Tsn) -> Skip {
        if tsn.is_before(self.next_tsn) {
            let behind = self.next_tsn.distance_from(tsn.next());
            let bound = self.next.saturating_sub(u64::from(behind));
            return match bound {
                1.. if behind <= self.bounds.distance => Skip::Behind { bound },
                _ => Skip::Old,
            };
        }
        let offset = tsn.distance_from(self.next_tsn);
        if offset > self.bounds.distance {
            return Skip::OutOfRange;
        }
        let bound = self.next + u64::from(offset) + 1;
        let advance = bound - self.next;
        let below = self.ahead.iter().take_while(|r| r.start < bound);
        let received: u64 = below.map(|r| r.end.min(bound) - r.start).sum();
        self.ahead.remove_below(bound);
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# the data receiver MUST first update its cumulative TSN point to the value carried in the FORWARD TSN chunk, and then MUST further advance its cumulative TSN point locally if possible
        let end = self.ahead.take_front_at(bound).map_or(bound, |r| r.end);
        // Advances are bounded by the distance and the ranges beyond it.
        self.next_tsn = self.next_tsn.add((end - self.next) as u32);
        self.next = end;
        Skip::Forward {
            bound,
            advance,
            missing: advance - received,
        }
    }

    /// Whether the TSN with this index arrived or was skipped.
    pub(crate) fn has(&self, index: u64) -> bool {
        index < self.next || self.ahead.contains(index)
    }

    /// The index of the first TSN that is missing.
    pub(crate) fn next_index(&self) -> u64 {
        self.next
    }

    /// The index after that of `tsn`, or the first that is missing if `tsn` has arrived; `None` if
    /// `tsn` is absurdly far ahead.
    pub(crate) fn index_after(&self, tsn: Tsn) -> Option<u64> {
        let after = tsn.next();
        if after.is_at_or_before(self.next_tsn) {
            return Some(self.next);
        }
        let offset = after.distance_from(self.next_tsn);
        (offset <= self.bounds.distance).then(|| self.next + u64::from(offset))
    }

    /// The peer goes on with `tsn` (RFC 6525, section 5.2.4): nothing before it will come. Returns
    /// its index.
    pub(crate) fn restart_at(&mut self, tsn: Tsn) -> u64 {
        let behind = self.next_tsn.distance_from(tsn);
        if behind <= self.bounds.distance {
            // Some of what follows has arrived already.
            return self.next.saturating_sub(u64::from(behind));
        }
        if let Skip::Forward { bound, .. } = self.skip_to(tsn.sub(1)) {
            return bound;
        }
        self.next = self.ahead.last().map_or(self.next, |range| range.end);
        self.ahead = RangeSet::default();
        self.duplicates.clear();
        self.next_tsn = tsn;
        self.next
    }

    /// Gap blocks relative to the cumulative point, at most `limit`, those that fit in 16 bits.
    pub(crate) fn gap_blocks(&self, limit: usize, out: &mut Vec<GapBlock>) {
        // Offset 1 is the TSN right after the cumulative point.
        let offset = |index: u64| u16::try_from(index - self.next + 1).ok();
        let blocks = self.ahead.iter().map_while(|r| {
            let start = offset(r.start)?;
            Some(GapBlock {
                start,
                end: offset(r.end - 1).unwrap_or(u16::MAX),
            })
        });
        out.extend(blocks.take(limit));
    }

    pub(crate) fn take_duplicates(&mut self, out: &mut Vec<Tsn>) {
        out.append(&mut self.duplicates);
    }

    pub(crate) fn has_duplicates(&self) -> bool {
        !self.duplicates.is_empty()
    }

    /// How far the highest TSN received lies beyond the cumulative one, less one.
    pub(crate) fn span(&self) -> u64 {
        self.ahead.last().map_or(0, |range| range.end - self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: TsnBounds = TsnBounds {
        distance: 1000,
        gaps: 3,
        duplicates: 2,
    };

    fn map(initial: u32) -> TsnMap {
        TsnMap::new(Tsn(initial), BOUNDS)
    }

    fn receive(map: &mut TsnMap, tsn: u32) -> Arrival {
        let arrival = map.classify(Tsn(tsn));
        if let Arrival::New { index } = arrival {
            map.record(index);
        }
        arrival
    }

    fn gaps(map: &TsnMap) -> Vec<(u16, u16)> {
        let mut out = Vec::new();
        map.gap_blocks(10, &mut out);
        out.iter().map(|g| (g.start, g.end)).collect()
    }

    #[test]
    fn gaps_are_reported_and_filled() {
        let mut map = map(10);
        for tsn in [10, 12, 13, 15] {
            receive(&mut map, tsn);
        }
        assert_eq!(map.cumulative(), Tsn(10));
        assert_eq!(gaps(&map), [(2, 3), (5, 5)]);
        let arrived: Vec<u64> = (0..7).filter(|index| map.has(*index)).collect();
        assert_eq!(arrived, [0, 2, 3, 5]);
        receive(&mut map, 11);
        assert_eq!(map.cumulative(), Tsn(13));
        assert_eq!(gaps(&map), [(2, 2)]);
        receive(&mut map, 14);
        assert_eq!(map.cumulative(), Tsn(15));
        assert!(map.is_contiguous());
    }

    #[test]
    fn the_wrap_of_the_number_space_is_invisible() {
        let mut map = map(u32::MAX);
        receive(&mut map, 0);
        assert_eq!(gaps(&map), [(2, 2)]);
        receive(&mut map, u32::MAX);
        assert_eq!(map.cumulative(), Tsn(0));
    }

    #[test]
    fn duplicates_are_noted_but_bounded() {
        let mut map = map(1);
        receive(&mut map, 1);
        for _ in 0..100 {
            assert_eq!(receive(&mut map, 1), Arrival::Duplicate);
        }
        let mut out = Vec::new();
        map.take_duplicates(&mut out);
        assert_eq!(out.len(), BOUNDS.duplicates);
        assert!(!map.has_duplicates());
        assert_eq!(map.unreported, 98);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //= type=test
    //# After the above processing, the data receiver MUST stop reporting any missing TSNs earlier than or equal to the new cumulative TSN point.
    #[test]
    fn the_example_of_rfc_3758() {
        let mut map = map(102);
        for tsn in [102, 104, 105, 107] {
            receive(&mut map, tsn);
        }
        let skip = Skip::Forward {
            bound: 2,
            advance: 1,
            missing: 1,
        };
        assert_eq!(map.skip_to(Tsn(103)), skip);
        assert_eq!(map.cumulative(), Tsn(105));
        assert_eq!(gaps(&map), [(2, 2)]);
        assert_eq!(receive(&mut map, 103), Arrival::Duplicate);
    }

    #[test]
    fn skipping_what_arrived_or_what_is_absurdly_far_changes_nothing() {
        let mut map = map(u32::MAX);
        receive(&mut map, u32::MAX);
        assert_eq!(map.skip_to(Tsn(u32::MAX)), Skip::Behind { bound: 1 });
        assert_eq!(map.skip_to(Tsn(u32::MAX - 1)), Skip::Old);
        assert_eq!(map.skip_to(Tsn(BOUNDS.distance + 1)), Skip::OutOfRange);
        assert_eq!(map.cumulative(), Tsn(u32::MAX));
        assert!(matches!(
            map.skip_to(Tsn(BOUNDS.distance)),
            Skip::Forward { .. }
        ));
        assert_eq!(map.cumulative(), Tsn(BOUNDS.distance));
    }

    #[test]
    fn what_is_named_again_is_known_by_its_index() {
        let mut map = map(5);
        assert!(matches!(
            map.skip_to(Tsn(BOUNDS.distance + 5)),
            Skip::Forward { .. }
        ));
        receive(&mut map, BOUNDS.distance + 6);
        assert_eq!(
            map.skip_to(Tsn(BOUNDS.distance + 6)),
            Skip::Behind {
                bound: u64::from(BOUNDS.distance) + 2
            }
        );
        assert_eq!(map.skip_to(Tsn(6)), Skip::Behind { bound: 2 });
        assert_eq!(map.skip_to(Tsn(5)), Skip::Old);
        assert_eq!(map.cumulative(), Tsn(BOUNDS.distance + 6));
    }

    #[test]
    fn skipping_into_a_range_that_arrived_goes_to_its_end() {
        let mut map = map(1);
        for tsn in [1, 3, 4, 5, 9] {
            receive(&mut map, tsn);
        }
        let skip = Skip::Forward {
            bound: 4,
            advance: 3,
            missing: 1,
        };
        assert_eq!(map.skip_to(Tsn(4)), skip);
        assert_eq!((map.cumulative(), gaps(&map)), (Tsn(5), vec![(4, 4)]));
    }

    #[test]
    fn a_restart_goes_on_with_another_tsn() {
        let mut map = map(10);
        for tsn in [10, 11, 13] {
            receive(&mut map, tsn);
        }
        assert_eq!(map.index_after(Tsn(9)), Some(2));
        assert_eq!(map.index_after(Tsn(11)), Some(2));
        assert_eq!(map.index_after(Tsn(12)), Some(3));
        assert_eq!(map.index_after(Tsn(11 + 1000)), Some(1002));
        assert_eq!(map.index_after(Tsn(11 + 1001)), None);
        assert_eq!(map.restart_at(Tsn(12)), 2, "nothing changes");
        assert_eq!(map.restart_at(Tsn(11)), 1, "nor here");
        assert_eq!(map.cumulative(), Tsn(11));
        let far = Tsn(12 + (1 << 31));
        assert_eq!(map.restart_at(far), 4, "no index is used twice");
        assert_eq!(map.classify(Tsn(12)), Arrival::OutOfRange);
        assert_eq!(receive(&mut map, far.0), Arrival::New { index: 4 });
        assert_eq!(map.restart_at(far.add(3)), 7);
        assert_eq!(map.cumulative(), far.add(2));
    }

    #[test]
    fn jumps_beyond_the_distance_are_refused() {
        let mut map = map(1);
        assert_eq!(receive(&mut map, 1 + 1001), Arrival::OutOfRange);
        assert_eq!(receive(&mut map, 1 + 1000), Arrival::New { index: 1000 });
        assert_eq!(receive(&mut map, 1), Arrival::New { index: 0 });
        assert_eq!(receive(&mut map, 2 + 1000), Arrival::New { index: 1001 });
        assert_eq!(receive(&mut map, 1 << 31), Arrival::OutOfRange);
    }

    #[test]
    fn the_largest_distance_compares_tsns_still() {
        let config = TransportConfig {
            max_tsn_distance: u32::MAX,
            ..TransportConfig::default()
        };
        let mut map = TsnMap::new(Tsn(1), TsnBounds::new(&config));
        let far = Tsn(1 + (1 << 31) - 2);
        assert_eq!(map.classify(far.next()), Arrival::OutOfRange);
        assert!(matches!(map.skip_to(far), Skip::Forward { .. }));
        assert_eq!(receive(&mut map, far.0), Arrival::Duplicate);
        assert_eq!(map.cumulative(), far);
    }

    #[test]
    fn one_gap_more_than_is_remembered_is_refused_and_old_ones_may_grow_and_close() {
        let mut map = map(1);
        for tsn in [3, 5, 7] {
            assert!(matches!(receive(&mut map, tsn), Arrival::New { .. }));
        }
        assert_eq!(receive(&mut map, 9), Arrival::OutOfRange);
        assert!(
            matches!(receive(&mut map, 8), Arrival::New { .. }),
            "it adjoins"
        );
        assert!(
            matches!(receive(&mut map, 4), Arrival::New { .. }),
            "it joins two"
        );
        assert!(matches!(receive(&mut map, 10), Arrival::New { .. }));
        assert_eq!(receive(&mut map, 12), Arrival::OutOfRange);
        assert!(
            matches!(receive(&mut map, 1), Arrival::New { .. }),
            "it is next"
        );
        assert_eq!(gaps(&map), [(2, 4), (6, 7), (9, 9)]);
    }
}
