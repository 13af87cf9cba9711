//! Explicit congestion notification of one path (RFC 3168; RFC 4960, appendix A).

use manyway_wire::Tsn;

use crate::time::Instant;

/// Times in a row that marked packets were lost while unmarked ones arrived, after which no more
/// are marked: some networks drop them.
const MAX_STRIKES: u32 = 3;

/// Both directions of a path.
#[derive(Debug, Default)]
pub(crate) struct PathEcn {
    /// Marked packets were lost since the last answer.
    losing: bool,
    strikes: u32,
    /// Chunks below this index were sent before the last reduction that a mark caused.
    pub(crate) reduced_until: u64,
    /// The last reduction that the peer was told of, and when.
    told: Option<(Tsn, Instant)>,
    /// A marked packet arrived here: its lowest TSN is echoed until the peer has reduced.
    pub(crate) echo: Option<Tsn>,
}

impl PathEcn {
    /// Whether packets may still say that they are ECN-capable.
    pub(crate) fn is_usable(&self) -> bool {
        self.strikes < MAX_STRIKES
    }

    /// A packet that said so was lost.
    pub(crate) fn on_lost(&mut self) {
        self.losing = true;
    }

    /// A packet was answered; `capable` if it had said that it is ECN-capable.
    pub(crate) fn on_delivered(&mut self, capable: bool) {
        if capable {
            self.strikes = 0;
        } else if self.losing {
            self.strikes += 1;
        }
        self.losing = false;
    }

    /// Whether the peer must be told, or told again, of the reduction for `tsn`. It repeats its
    /// question in every packet until it is.
    pub(crate) fn must_tell(&mut self, now: Instant, tsn: Tsn, rtt: std::time::Duration) -> bool {
        let told = self
            .told
            .is_some_and(|(of, at)| of == tsn && now - at < rtt);
        if !told {
            self.told = Some((tsn, now));
        }
        !told
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_path_that_drops_what_is_marked_is_marked_no_more() {
        let mut ecn = PathEcn::default();
        for strike in 0..MAX_STRIKES {
            assert!(ecn.is_usable(), "after {strike}");
            ecn.on_lost();
            ecn.on_lost();
            ecn.on_delivered(false);
            ecn.on_delivered(false);
        }
        assert!(!ecn.is_usable());
    }

    #[test]
    fn losses_among_arrivals_are_no_proof() {
        let mut ecn = PathEcn::default();
        for _ in 0..10 {
            ecn.on_lost();
            ecn.on_delivered(false);
            ecn.on_delivered(true);
        }
        assert!(ecn.is_usable());
    }

    #[test]
    fn a_reduction_is_told_once_per_round_trip() {
        let mut ecn = PathEcn::default();
        let (now, rtt) = (Instant::ZERO, Duration::from_millis(20));
        assert!(ecn.must_tell(now, Tsn(4), rtt));
        assert!(!ecn.must_tell(now, Tsn(4), rtt));
        assert!(ecn.must_tell(now, Tsn(5), rtt));
        assert!(ecn.must_tell(now + rtt, Tsn(5), rtt));
    }
}
