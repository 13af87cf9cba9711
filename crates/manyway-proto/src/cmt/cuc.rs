//! Congestion window update for CMT (CUC, version 2).
//!
//! RFC 9260 lets a window grow only when the association's cumulative acknowledgement advances,
//! which with several paths it rarely does in step with any of them. CUC looks at each path's own
//! *pseudo-cumulative* point: the earliest packet outstanding on that path, retransmissions
//! included.

use crate::time::Instant;

/// Bytes newly acknowledged on a path, collected until its pseudo-cumulative point advances.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PathAck {
    /// Bytes newly acknowledged by the SACK at hand.
    pub(crate) bytes: u64,
    /// The earliest outstanding packet before the SACK, if there was one.
    pub(crate) earliest_before: Option<u64>,
    /// Whether the window limited the sender before the SACK.
    pub(crate) window_limited: bool,
    /// The latest packet acknowledged: its number, when it left, and whether each of its chunks
    /// was sent only once (Karn's rule).
    pub(crate) newest: Option<Newest>,
    /// Something that was sent on no other path was acknowledged.
    pub(crate) proven: bool,
    /// Something that had been given up arrived after all, and was sent on no other path.
    pub(crate) revived: bool,
}

/// See [`PathAck::newest`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    pub(crate) number: u64,
    pub(crate) sent_at: Instant,
    pub(crate) sent_once: bool,
}

impl PathAck {
    /// A chunk of the path's packet `number` was acknowledged.
    pub(crate) fn on_acked(&mut self, bytes: u64, newest: Newest) {
        self.bytes += bytes;
        match &mut self.newest {
            Some(n) if n.number > newest.number => {}
            Some(n) if n.number == newest.number => n.sent_once &= newest.sent_once,
            other => *other = Some(newest),
        }
    }
}

/// The bytes that the path's window may grow by.
pub(crate) fn growth(ack: PathAck, earliest_after: Option<u64>) -> u64 {
    if ack.bytes > 0 && earliest_after != ack.earliest_before {
        ack.bytes
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_only_when_the_paths_own_earliest_packet_is_acknowledged() {
        let ack = PathAck {
            bytes: 3000,
            earliest_before: Some(7),
            ..PathAck::default()
        };
        assert_eq!(growth(ack, Some(7)), 0);
        assert_eq!(growth(ack, Some(9)), 3000);
        assert_eq!(growth(ack, None), 3000);
        assert_eq!(growth(PathAck::default(), None), 0);
    }
}
