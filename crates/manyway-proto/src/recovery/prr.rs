//! Proportional rate reduction: how much leaves per acknowledgement while the window shrinks
//! (RFC 9937).

/// One reduction under way. All sizes are bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prr {
    /// What shall be in flight in the end (`ssthresh`).
    target: u64,
    /// What might be delivered, as of the beginning (`RecoverFS`).
    flight: u64,
    delivered: u64,
    out: u64,
    packet: u64,
    /// What may still be sent before the next acknowledgement (`SndCnt`).
    allowed: u64,
    /// The controller's window says what may leave, not this.
    released: bool,
}

impl Prr {
    /// Begins to reduce `flight` bytes, lost and just acknowledged ones included, to `target`.
    //= https://www.rfc-editor.org/rfc/rfc9937#section-6.1
    //# At the beginning of a congestion control response episode initiated by the congestion control algorithm, a data sender using PRR MUST initialize the PRR state
    pub(crate) fn new(flight: u64, target: u64, packet: u64) -> Self {
        Self {
            target,
            flight: flight.max(1),
            delivered: 0,
            out: 0,
            packet,
            //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.4
            //# When a Fast Retransmit is being performed, the sender SHOULD ignore the value of cwnd and SHOULD NOT delay retransmission for this single packet
            allowed: packet,
            released: false,
        }
    }

    /// Leaves it to the controller what may leave.
    pub(crate) fn release(&mut self) {
        self.released = true;
    }

    /// Whether [`Prr::has_room`] counts.
    pub(crate) fn governs(&self) -> bool {
        !self.released
    }

    /// `delivered` bytes were newly acknowledged on the path, `in_flight` are left. `safe` if
    /// the earliest outstanding packet changed and nothing further was lost.
    pub(crate) fn on_ack(&mut self, delivered: u64, in_flight: u64, safe: bool) {
        if delivered == 0 {
            return;
        }
        self.delivered += delivered;
        let count = if in_flight > self.target {
            let due = u128::from(self.delivered) * u128::from(self.target);
            // The quotient is at most `delivered` times a ratio that fits: no truncation.
            let due = due.div_ceil(u128::from(self.flight)) as u64;
            due.saturating_sub(self.out)
        } else {
            let bound = self.delivered.saturating_sub(self.out).max(delivered);
            let bound = bound + if safe { self.packet } else { 0 };
            bound.min(self.target - in_flight)
        };
        let force = self.out == 0 && count == 0;
        self.allowed = if force { self.packet } else { count };
    }

    pub(crate) fn on_sent(&mut self, bytes: u64) {
        self.out += bytes;
        self.allowed = self.allowed.saturating_sub(bytes);
    }

    /// Whether another packet may leave.
    pub(crate) fn has_room(&self) -> bool {
        self.allowed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    /// What leaves after each of `acks` acknowledgements of one packet each, `lost` of 20 packets
    /// being lost; RFC 9937, section 8, which retransmits at the third acknowledgement.
    fn run(lost: u64, acks: u64) -> (Vec<u64>, u64) {
        let mut in_flight = (20 - lost) * MSS;
        let mut prr = Prr::new(20 * MSS, 10 * MSS, MSS);
        let mut sent = Vec::new();
        for ack in 0..acks {
            in_flight -= MSS;
            prr.on_ack(MSS, in_flight, ack > 0);
            let mut packets = 0;
            while prr.has_room() {
                prr.on_sent(MSS);
                in_flight += MSS;
                packets += 1;
            }
            sent.push(packets);
        }
        (sent, in_flight)
    }

    //= https://www.rfc-editor.org/rfc/rfc9937#section-7
    //= type=test
    //# Normally, PRR will spread voluntary window reductions out evenly across a full RTT
    #[test]
    fn one_loss_halves_the_flight_evenly() {
        let (sent, in_flight) = run(1, 19);
        assert_eq!(in_flight, 10 * MSS);
        assert!(sent.iter().all(|n| *n <= 1), "{sent:?}");
        let half = sent.iter().take(10).sum::<u64>();
        assert!((4..=6).contains(&half), "{sent:?}");
    }

    #[test]
    fn the_first_acknowledgement_always_lets_one_packet_go() {
        let mut prr = Prr::new(100 * MSS, 50 * MSS, MSS);
        assert!(prr.has_room(), "even before an acknowledgement");
        prr.on_ack(1, 98 * MSS, false);
        assert!(prr.has_room());
        prr.on_sent(MSS);
        prr.on_ack(1, 98 * MSS, false);
        assert!(!prr.has_room());
    }

    //= https://www.rfc-editor.org/rfc/rfc9937#section-7
    //= type=test
    //# PRR attempts to maintain the sender's ACK clocking across recovery events, including burst losses
    #[test]
    fn a_burst_of_losses_sends_what_is_delivered_and_one_more_per_good_acknowledgement() {
        let (sent, _) = run(15, 5);
        assert_eq!(sent[0], 1);
        assert!(sent[1..].iter().all(|n| (1..=2).contains(n)), "{sent:?}");
    }
}
