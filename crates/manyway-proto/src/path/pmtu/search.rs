//! Which sizes are worth a probe (RFC 8899, section 5.3.2).

/// Sizes that links and tunnels leave for a UDP payload over IPv4: IP packets of 1,280 (IPv6's
/// minimum), 1,350 and 1,380 (tunnels), 1,400, 1,420 (WireGuard), 1,440, 1,460, 1,480 (6in4),
/// 1,492 (PPPoE), 1,500 (Ethernet), 2,048, 4,352 (FDDI), 8,192, 9,000 (jumbo frames), 16,384 and
/// 65,535 bytes.
const COMMON: [usize; 16] = [
    1252, 1322, 1352, 1372, 1392, 1412, 1432, 1452, 1464, 1472, 2020, 4324, 8164, 8972, 16_356,
    65_507,
];

/// A gain of less than one part in this many is not worth a probe.
const LEAST_GAIN: usize = 32;

/// What may pass: sizes up to a limit that only grows smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    base: usize,
    largest: usize,
    /// The largest size itself was given up or reported, or has not been tried: it is next.
    limit_next: bool,
}

impl Range {
    pub(super) fn new(base: usize, max: usize) -> Self {
        Self {
            base,
            largest: max,
            limit_next: true,
        }
    }

    /// The largest size that may pass.
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    /// The size that the first probe has.
    pub(super) fn first(&self) -> usize {
        if self.limit_next {
            self.largest
        } else {
            self.base
        }
    }

    /// `size` does not pass.
    pub(super) fn exclude(&mut self, size: usize) {
        self.largest = self.largest.min(size.saturating_sub(1)).max(self.base);
        self.limit_next = false;
    }

    /// A router says that no more than `size` passes.
    pub(super) fn limit(&mut self, size: usize) {
        self.largest = self.largest.min(size).max(self.base);
        self.limit_next = true;
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.2
    //# Implementations SHOULD select the set of probe packet sizes to maximize the gain in PLPMTU from each search step
    //
    // The limit first; then the middle one of the common sizes between, then of all sizes.
    /// The next size to try when `current` passes; `None` if the search is over.
    pub(super) fn next(&self, current: usize) -> Option<usize> {
        if self.largest <= current {
            return None;
        }
        if self.limit_next {
            return Some(self.largest);
        }
        let above = COMMON.partition_point(|size| *size <= current);
        let below = COMMON.partition_point(|size| *size <= self.largest);
        if let Some(&size) = COMMON.get((above + below) / 2).filter(|_| above < below) {
            return Some(size);
        }
        let middle = (current + self.largest).div_ceil(2);
        (middle > current + current / LEAST_GAIN).then_some(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a path that carries `real` bytes; the sizes tried and what was found.
    fn search(max: usize, real: usize) -> (Vec<usize>, usize) {
        let mut range = Range::new(1232, max);
        let (mut current, mut tried) = (1232, Vec::new());
        while let Some(size) = range.next(current) {
            tried.push(size);
            match size <= real {
                true => current = size,
                false => range.exclude(size),
            }
        }
        (tried, current)
    }

    #[test]
    fn the_largest_size_is_tried_first() {
        assert_eq!(search(1472, 1472), (vec![1472], 1472));
        assert_eq!(search(8972, 8972), (vec![8972], 8972));
    }

    #[test]
    fn common_sizes_are_found_in_few_steps_and_others_nearly() {
        for real in [1232, 1372, 1392, 1452, 1464] {
            let (tried, found) = search(1472, real);
            assert_eq!(found, real.max(1232), "{tried:?}");
            assert!(tried.len() <= 5, "{real}: {tried:?}");
        }
        for real in [1300, 1500, 3000, 9000, 20_000, 65_507] {
            let (tried, found) = search(65_507, real);
            assert!(
                found <= real && found * 33 / 32 + 32 >= real,
                "{real}: {found}"
            );
            assert!(tried.len() <= 11, "{real}: {tried:?}");
        }
    }

    #[test]
    fn a_reported_size_is_tried_next() {
        let mut range = Range::new(1232, 1472);
        range.limit(1390);
        assert_eq!(range.next(1232), Some(1390));
        assert_eq!(range.next(1390), None);
    }
}
