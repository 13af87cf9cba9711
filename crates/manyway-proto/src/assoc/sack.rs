//! SACK and NR-SACK chunks in: what they acknowledge and what follows for each path.

use manyway_wire::{COMMON_HEADER_LEN, DuplicateTsns, GapBlocks, NrSack, Sack, Tsn};

use super::Association;
use super::losses::Delivery;
use super::spurious::{self, Proof};
use crate::cmt::cuc;
use crate::path::{PathId, PathState, Paths};
use crate::recovery::Resent;
use crate::send::{BadAck, Claims, Copies, Fate, SentChunk, Shot};
use crate::time::Instant;

/// What SACK and NR-SACK have in common.
struct Report<'a> {
    cumulative: Tsn,
    a_rwnd: u32,
    dac_packets: u8,
    claims: Claims<'a>,
    duplicates: DuplicateTsns<'a>,
}

impl Association {
    pub(super) fn handle_sack(&mut self, now: Instant, arrived_on: PathId, sack: &Sack<'_>) {
        let report = Report {
            cumulative: sack.cumulative_tsn_ack,
            a_rwnd: sack.a_rwnd,
            dac_packets: sack.cmt_dac_packets(),
            claims: Claims {
                renegable: sack.gaps,
                non_renegable: GapBlocks::EMPTY,
                limit: self.config.max_gap_blocks_taken,
                tells_gaps: true,
            },
            duplicates: sack.duplicates,
        };
        self.take_report(now, arrived_on, &report);
    }

    /// Taken from whoever offered NR-SACK. A plain SACK is as good from them: it says nothing of
    /// what is held for good.
    pub(super) fn handle_nr_sack(&mut self, now: Instant, arrived_on: PathId, sack: &NrSack<'_>) {
        let report = Report {
            cumulative: sack.cumulative_tsn_ack,
            a_rwnd: sack.a_rwnd,
            dac_packets: sack.flags >> 6,
            claims: Claims {
                renegable: sack.gaps,
                non_renegable: sack.non_renegable,
                limit: self.config.max_gap_blocks_taken,
                tells_gaps: true,
            },
            duplicates: sack.duplicates,
        };
        self.take_report(now, arrived_on, &report);
    }

    fn take_report(&mut self, now: Instant, arrived_on: PathId, report: &Report<'_>) {
        if !self.state.is_open() {
            return;
        }
        self.stats.sacks_received += 1;
        self.stats.duplicates_reported += report.duplicates.len() as u64;
        self.sender.last_sack = Some(now);
        tracing::trace!(
            packets = report.dac_packets,
            cumulative = report.cumulative.0,
            "SACK"
        );
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
        //# If Cumulative TSN Ack is less than the Cumulative TSN Ack Point, then drop the SACK chunk
        if report
            .cumulative
            .is_before(self.sender.outstanding.cumulative())
        {
            self.stats.stale_sacks += 1;
            return;
        }
        self.on_duplicates(report.duplicates.iter());
        if let Err(bad) = self.acknowledge(now, arrived_on, report.cumulative, &report.claims) {
            return self.on_bad_ack(now, bad);
        }
        if self.is_closed() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
        //# Set rwnd equal to the newly received a_rwnd minus the number of bytes still outstanding after processing the Cumulative TSN Ack and the Gap Ack Blocks
        let window = u64::from(report.a_rwnd).saturating_sub(self.sender.outstanding.unacked());
        self.sender.peer_window = window;
        self.sender.queue.on_peer_window(report.a_rwnd as usize);
        let was_full = std::mem::replace(&mut self.sender.peer_full, report.a_rwnd == 0);
        if was_full && report.a_rwnd > 0 {
            self.resend_refused(now);
        }
    }

    /// An acknowledgement that cannot be true: a late one from before a reset of TSNs, one that
    /// overtook the news of the reset, or a lie.
    pub(super) fn on_bad_ack(&mut self, now: Instant, bad: BadAck) {
        if bad == BadAck::NeverSent && self.resets_tsns(now) {
            self.stats.dropped_packets += 1;
        } else {
            self.violate(now, bad.as_str());
        }
    }

    /// The peer's window opened: what it refused while the window was closed need not wait for its
    /// timeout.
    fn resend_refused(&mut self, now: Instant) {
        for id in self.paths.ids() {
            let refused = self.paths.get(id).is_some_and(|path| {
                let answer_due = path.rtt.answer_due();
                path.sent.front().is_some_and(|e| now - e.at > answer_due)
            });
            if refused {
                self.give_up_in_flight(id);
            }
        }
    }

    /// Takes in a cumulative acknowledgement with gap blocks.
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        arrived_on: PathId,
        cumulative: Tsn,
        claims: &Claims<'_>,
    ) -> Result<(), BadAck> {
        for path in self.paths.iter_mut() {
            path.ack = cuc::PathAck {
                earliest_before: path.sent.front().map(|e| e.number),
                window_limited: path.is_window_limited(),
                ..cuc::PathAck::default()
            };
        }
        let (paths, sender) = (&mut self.paths, &mut self.sender);
        let (resent, queue) = (&mut sender.resent, &mut sender.queue);
        let copies = &mut sender.copies;
        let ctx = (now, arrived_on);
        let mut bytes = 0;
        let result = sender.outstanding.acknowledge(
            cumulative,
            claims,
            |index, chunk| {
                bytes += chunk.payload.len() as u64;
                on_copy_acked(paths, copies, index);
                on_chunk_acked(ctx, paths, resent, index, chunk);
            },
            |stream, ssn| queue.on_passed(stream, ssn),
        );
        self.stats.bytes_acknowledged += bytes;
        let outcome = result?;
        self.stats.ignored_gap_blocks += outcome.ignored_blocks;
        if bytes > 0 || outcome.advanced {
            self.error_count = 0;
        }
        if outcome.withdrawn > 0 {
            self.on_reneged(now, outcome.withdrawn);
        }
        // From the back: a candidate that is adopted leaves its place.
        for position in (0..self.paths.len()).rev() {
            if let Some(id) = self.paths.id_at(position) {
                self.on_path_acked(now, id, arrived_on);
                self.undo_if_spurious(now, id);
            }
        }
        self.advance_peer_after_sack(now);
        Ok(())
    }

    /// A peer may take back what it acknowledged by gap blocks, but who does it time and again
    /// makes us send and account for the same data for ever.
    fn on_reneged(&mut self, now: Instant, chunks: u64) {
        self.stats.reneged_chunks += chunks;
        self.sender.reneges += 1;
        tracing::debug!(chunks, "the peer took acknowledgements back");
        if self.sender.reneges > self.config.max_reneges {
            self.violate(now, "took acknowledgements back too often");
        }
    }

    fn on_path_acked(&mut self, now: Instant, id: PathId, arrived_on: PathId) {
        let outstanding = &self.sender.outstanding;
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if path.ack.bytes == 0 {
            if path.ack.revived {
                self.on_path_answered(now, id);
            }
            return;
        }
        path.data_timeouts = 0;
        path.sent.skip_stale(|e| {
            outstanding.is_in_flight(
                e.index,
                Shot {
                    path: id,
                    number: e.number,
                },
            )
        });
        let earliest_after = path.sent.front().map(|e| e.number);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.1
        //# RTT measurements MUST NOT be made using chunks that were retransmitted
        //
        // An answer on another path does not measure this one.
        let measured = path.ack.newest.filter(|n| n.sent_once && id == arrived_on);
        if let Some(newest) = measured {
            path.on_rtt_sample(now, newest.sent_at);
        }
        let wants_sample = path.wants_sample(now);
        let growth = cuc::growth(path.ack, earliest_after);
        let settled = growth > 0;
        let delivery = Delivery {
            growth,
            rtt_sample: measured.map(|n| now - n.sent_at),
        };
        if settled {
            //= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.2
            //# Whenever a SACK chunk is received that acknowledges the DATA chunk with the earliest outstanding TSN for that address, restart the T3-rtx timer for that address with its current RTO
            path.timers.t3 = None;
        }
        //= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
        //# Acknowledgments for chunks that have been transmitted to multiple destinations (i.e., a chunk that has been retransmitted to a different destination address than the destination address to which the chunk was first transmitted) SHOULD NOT clear the error count for an inactive destination address and SHOULD NOT move a destination address in PF state back to active state, since a sender cannot disambiguate whether the ACK was for the original transmission or the retransmission(s).
        //= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
        //# Acknowledgments for data chunks that have been transmitted to one destination address only MUST clear the error counter for the destination address and MUST transition a destination address in PF state back to active state.
        if path.state == PathState::Active || path.ack.proven {
            self.on_path_answered(now, id);
        }
        if wants_sample && let Some(path) = self.paths.get_mut(id) {
            path.heartbeats.due = true;
        }
        self.on_delivered(now, id, delivery);
        self.arm_data_timers(now, id);
    }
}

fn on_copy_acked(paths: &mut Paths, copies: &mut Copies, index: u64) {
    if let Some(copied) = copies.take(index)
        && let Some(path) = paths.get_mut(copied.path)
    {
        path.copied -= copied.bytes;
    }
}

fn on_chunk_acked(
    (now, arrived_on): (Instant, PathId),
    paths: &mut Paths,
    resent: &mut Resent,
    index: u64,
    chunk: &SentChunk,
) {
    match chunk.fate {
        Fate::InFlight(shot) => {
            let Some(path) = paths.get_mut(shot.path) else {
                return;
            };
            path.in_flight -= chunk.flight_bytes();
            path.sent.on_acked(shot.number);
            let size = COMMON_HEADER_LEN + chunk.flight_bytes() as usize;
            path.size.on_delivered(size);
            path.ecn.on_delivered(chunk.ecn_capable);
            // Each copy is acknowledged where it arrived.
            let arrived_here = !chunk.moved || arrived_on == shot.path;
            let sent_once = chunk.transmissions == 1 && arrived_here;
            let sent_at = chunk.sent_at;
            if sent_once {
                let rack = &mut path.recovery.rack;
                rack.on_delivered(now, shot.number, now - sent_at);
            } else if let Some(lost) = resent.get(index) {
                let rtt = now - sent_at;
                let same_path = lost.path == shot.path;
                let rack = &mut path.recovery.rack;
                if !rack.on_resent_delivered(shot.number, rtt, same_path) {
                    resent.take(index);
                    spurious::on_proof(paths, lost, Proof::Answer);
                }
            }
            let Some(path) = paths.get_mut(shot.path) else {
                return;
            };
            let newest = cuc::Newest {
                number: shot.number,
                sent_at,
                sent_once,
            };
            path.ack.on_acked(chunk.flight_bytes(), newest);
            path.ack.proven |= !chunk.moved;
        }
        Fate::Lost(shot) => {
            if let Some(path) = paths.get_mut(shot.path) {
                path.ack.revived |= !chunk.moved;
            }
            spurious::on_proof(paths, shot, Proof::Answer);
        }
        Fate::Acked | Fate::Settled | Fate::Abandoned => {}
    }
}
