//! When to ask for an acknowledgement without delay: the I bit (RFC 7053, RFC 9260 section 6.1).

/// A sender whose packets in flight are at least as many is acknowledged soon enough without
/// asking: receivers delay the acknowledgement of a packet or two, not of more.
const ENOUGH_PACKETS: u64 = 4;

/// What is left to the sender once a chunk has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Afterwards {
    /// No message waits for its first transmission and no chunk for another.
    pub(crate) nothing_waits: bool,
    /// A reset of the chunk's stream can be asked for once this chunk is acknowledged.
    pub(crate) reset_waits: bool,
    /// Bytes in flight on the chunk's path.
    pub(crate) in_flight: u64,
    /// The path's congestion window, bytes.
    pub(crate) window: u64,
    /// What the peer's window leaves, bytes.
    pub(crate) peer_window: u64,
    /// The path's packet size, bytes.
    pub(crate) packet_size: u64,
}

impl Afterwards {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
    //# Whenever the sender of a DATA chunk can benefit from the corresponding SACK chunk being sent back without delay, the sender MAY set the I bit in the DATA chunk header
    //= https://www.rfc-editor.org/rfc/rfc7053#section-5.1
    //# Whenever the sender of a DATA chunk can benefit from the corresponding SACK chunk being sent back without delay, the sender MAY set the I bit in the DATA chunk header.
    /// Whether the sender gains by a SACK without delay: because the chunk is the last, which
    /// SHUTDOWN, a blocked writer, or a loss of it would wait for, because a reset of its stream
    /// waits for it (RFC 7053, section 5.1), or because a window is full and
    /// so little is in flight that the receiver may be waiting for more. Asking whenever a window
    /// is full would double the number of SACKs of every bulk transfer, and speed up none.
    pub(crate) fn asks_for_sack(self) -> bool {
        let full = self.in_flight >= self.window || self.peer_window < self.packet_size;
        self.nothing_waits
            || self.reset_waits
            || full && self.in_flight < ENOUGH_PACKETS * self.packet_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Afterwards = Afterwards {
        nothing_waits: false,
        reset_waits: false,
        in_flight: 3_000,
        window: 30_000,
        peer_window: 1_000_000,
        packet_size: 1_400,
    };

    //= https://www.rfc-editor.org/rfc/rfc7053#section-5.1
    //= type=test
    //# The sending of a DATA chunk fills the congestion or receiver window.
    #[test]
    fn the_last_chunk_asks_and_so_does_one_that_fills_a_small_window() {
        assert!(!ROOMY.asks_for_sack());
        let cases = [
            Afterwards {
                nothing_waits: true,
                ..ROOMY
            },
            Afterwards {
                reset_waits: true,
                ..ROOMY
            },
            Afterwards {
                window: 3_000,
                ..ROOMY
            },
            Afterwards {
                peer_window: 1_399,
                ..ROOMY
            },
        ];
        assert!(cases.into_iter().all(Afterwards::asks_for_sack));
    }

    #[test]
    fn a_large_window_is_acknowledged_without_asking() {
        let bulk = Afterwards {
            in_flight: 30_000,
            ..ROOMY
        };
        assert!(!bulk.asks_for_sack());
        let at_the_edge = |in_flight| Afterwards {
            in_flight,
            window: in_flight,
            ..ROOMY
        };
        assert!(at_the_edge(5_599).asks_for_sack());
        assert!(!at_the_edge(5_600).asks_for_sack());
    }
}
