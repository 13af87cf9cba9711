//! Buffer splitting: no path may fill the buffers that all share.
//!
//! Dreibholz, Becke, Rathgeb, Tüxen, "On the Use of Concurrent Multipath Transfer over Asymmetric
//! Paths", GLOBECOM 2010.

/// The buffers at both ends and what is in them, bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffers {
    /// The sender's buffer.
    pub(crate) send_capacity: u64,
    /// The peer's last advertised window.
    pub(crate) peer_window: u64,
    /// Sent and not acknowledged, over all paths.
    pub(crate) outstanding: u64,
    /// Paths that share the buffers, at least one.
    pub(crate) paths: u64,
}

/// Whether a path with `in_flight` bytes may send new data of `bytes`.
///
/// A share is enforced only once half of a buffer is used: while there is plenty, each path may
/// fill its window. The share is what the path needs in flight to keep its rate, if that is known
/// (`need`), so that a queue on a slow path takes nothing from a fast one; else an equal part.
pub(crate) fn may_send(buffers: Buffers, in_flight: u64, need: Option<u64>, bytes: u64) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
    //# At any given time, the data sender MUST NOT transmit new data to any destination transport address if its peer's rwnd indicates that the peer has no buffer space
    let Buffers {
        send_capacity,
        peer_window,
        outstanding,
        paths,
    } = buffers;
    if outstanding == 0 {
        // One chunk may always be in flight, to probe a closed window.
        return true;
    }
    if peer_window < bytes {
        return false;
    }
    let share_left = |capacity: u64| {
        let crowded = outstanding + bytes > capacity / 2;
        paths < 2 || !crowded || in_flight + bytes <= need.unwrap_or(capacity / paths)
    };
    share_left(send_capacity) && share_left(peer_window + outstanding)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Buffers = Buffers {
        send_capacity: 100_000,
        peer_window: 60_000,
        outstanding: 40_000,
        paths: 2,
    };

    #[test]
    fn a_closed_window_admits_one_probe_and_no_more() {
        let closed = Buffers {
            peer_window: 0,
            ..ROOMY
        };
        assert!(!may_send(closed, 0, None, 1400));
        assert!(may_send(
            Buffers {
                outstanding: 0,
                ..closed
            },
            0,
            None,
            1400
        ));
    }

    #[test]
    fn a_slow_path_cannot_take_more_than_its_share_of_a_crowded_buffer() {
        assert!(may_send(ROOMY, 40_000, None, 1400));
        let crowded = Buffers {
            peer_window: 40_000,
            outstanding: 60_000,
            ..ROOMY
        };
        assert!(!may_send(crowded, 50_000, None, 1400));
        assert!(may_send(crowded, 10_000, None, 1400));
        assert!(may_send(crowded, 50_000, Some(60_000), 1400));
        assert!(!may_send(crowded, 10_000, Some(5_000), 1400));
    }

    #[test]
    fn a_single_path_may_fill_the_buffer() {
        let single = Buffers {
            peer_window: 2_000,
            outstanding: 98_000,
            paths: 1,
            ..ROOMY
        };
        assert!(may_send(single, 98_000, Some(10_000), 1400));
    }
}
