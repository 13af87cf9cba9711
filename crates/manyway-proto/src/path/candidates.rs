//! How many new addresses of the peer are believed in a time.

use std::time::Duration;

use crate::time::Instant;

/// New addresses taken up per second.
const PER_SECOND: u32 = 8;
/// Candidates that wait for their verification at once.
pub(crate) const MAX_CANDIDATES: usize = 4;

/// Limits how often packets from unknown addresses make a candidate path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CandidateLimit {
    window_start: Instant,
    taken: u32,
}

impl CandidateLimit {
    /// Whether one more may be taken up; `waiting` candidates are not verified yet.
    pub(crate) fn allow(&mut self, now: Instant, waiting: usize) -> bool {
        if now - self.window_start >= Duration::from_secs(1) {
            *self = Self {
                window_start: now,
                taken: 0,
            };
        }
        let allowed = self.taken < PER_SECOND && waiting < MAX_CANDIDATES;
        self.taken += u32::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_of_new_addresses_are_bounded() {
        let mut limit = CandidateLimit::default();
        let now = Instant::from_nanos(5_000_000_000);
        assert!(!limit.allow(now, MAX_CANDIDATES));
        assert_eq!((0..100).filter(|_| limit.allow(now, 0)).count(), 8);
        assert!(limit.allow(now + Duration::from_secs(1), 0));
    }
}
