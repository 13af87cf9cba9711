//! ECNE and CWR chunks (RFC 4960, appendix A): congestion told by marks instead of losses.
//!
//! Each path echoes its own marks, so that the peer's path that is congested slows down.

use manyway_wire::{Cwr, Ecne, PacketWriter, Tsn};

use super::outbox::Control;
use super::{Association, Extension};
use crate::cc::Signal;
use crate::ecn::Ecn;
use crate::path::{Path, PathId};
use crate::recovery::Cause;
use crate::send::Fate;
use crate::time::Instant;

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.5
    //# ECN-capable TCP implementations MUST NOT set either ECT codepoint (ECT(0) or ECT(1)) in the IP header for retransmitted data packets
    /// The mark of the next packet with data on the path.
    pub(super) fn mark_for(&self, id: PathId) -> Option<Ecn> {
        let anew = !self.sender.outstanding.has_lost() && !self.sender.queue.is_idle();
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.6
        //# Therefore, the TCP data sender MUST NOT set either an ECT codepoint or the CWR bit on window probe packets.
        let anew = anew && !self.sender.peer_full;
        let usable = self.paths.get(id).is_some_and(|p| p.ecn.is_usable());
        (self.has(Extension::Ecn) && anew && usable).then_some(Ecn::Ect0)
    }

    /// A packet with data arrived with a congestion mark; `lowest` is its lowest TSN.
    pub(super) fn on_congestion_mark(&mut self, id: PathId, lowest: Tsn) {
        if !self.has(Extension::Ecn) {
            return;
        }
        self.stats.congestion_marks += 1;
        if let Some(path) = self.paths.get_mut(id) {
            let newer = path.ecn.echo.is_none_or(|echo| lowest.is_after(echo));
            path.ecn.echo = if newer { Some(lowest) } else { path.ecn.echo };
        }
        self.receiver.sack.make_due();
    }

    /// Echoes go with every acknowledgement, and before it: the peer still knows then where the
    /// chunk went.
    pub(super) fn bundle_echoes(&self, writer: &mut PacketWriter<'_>) {
        for lowest_tsn in self.paths.iter().filter_map(|p| p.ecn.echo) {
            // One that finds no room goes with the next acknowledgement.
            let _ = writer.push(&Ecne { lowest_tsn });
        }
    }

    pub(super) fn handle_ecne(&mut self, now: Instant, arrived_on: PathId, ecne: Ecne) {
        if !self.has(Extension::Ecn) || !self.state.is_open() {
            return;
        }
        let tsn = ecne.lowest_tsn;
        let Some(index) = self.sender.outstanding.index_of(tsn) else {
            self.stats.dropped_packets += 1;
            return;
        };
        // What is acknowledged already went, most likely, where its acknowledgements come from.
        let fate = self.sender.outstanding.get(index).map(|c| c.fate);
        let (id, number) = match fate {
            Some(Fate::InFlight(shot) | Fate::Lost(shot)) => (shot.path, Some(shot.number)),
            _ => (arrived_on, None),
        };
        let next = self.sender.outstanding.next_index();
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if index >= path.ecn.reduced_until && path.on_echo(now, number) {
            path.ecn.reduced_until = next;
            self.stats.congestion_reductions += 1;
        }
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
        //# When an ECN-Capable TCP sender reduces its congestion window for any reason (because of a retransmit timeout, a Fast Retransmit, or in response to an ECN Notification), the TCP sender sets the CWR flag in the TCP header of the first new data packet sent after the window reduction.
        let rtt = path.rtt.srtt().unwrap_or_else(|| path.rtt.rto());
        if path.ecn.must_tell(now, tsn, rtt) {
            self.outbox.push(arrived_on, Control::Cwr(tsn));
        }
    }

    /// The TSNs begin anew: nobody knows those that are echoed.
    pub(super) fn forget_echoes(&mut self) {
        self.paths.iter_mut().for_each(|path| path.ecn.echo = None);
    }

    /// The peer has reduced its window. Some name the TSN that was echoed, others a later one.
    pub(super) fn handle_cwr(&mut self, cwr: Cwr) {
        let tsn = cwr.lowest_tsn;
        let exact = self.paths.iter().any(|p| p.ecn.echo == Some(tsn));
        for path in self.paths.iter_mut() {
            let answered = |echo: Tsn| echo == tsn || (!exact && echo.is_before(tsn));
            path.ecn.echo = path.ecn.echo.filter(|echo| !answered(*echo));
        }
    }
}

impl Path {
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
    //# TCP should not react to congestion indications more than once every window of data (or more loosely, more than once every round-trip time).
    /// A chunk of packet `number`, if that is known, met a queue that was too long: the window is
    /// reduced unless the last reduction answers for it.
    fn on_echo(&mut self, now: Instant, number: Option<u64>) -> bool {
        let number = number.or_else(|| self.sent.largest_acked());
        if !self
            .recovery
            .episode
            .is_over_for(number.unwrap_or_default())
        {
            return false;
        }
        self.begin_reduction(now, self.in_flight, Cause::Mark, Signal::Mark);
        self.recovery.tlp.cancel();
        self.timers.tail_probe = None;
        true
    }
}
