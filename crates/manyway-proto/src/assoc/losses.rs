//! What was lost: by later packets, by time, by the retransmission timer.

use std::time::Duration;

use manyway_wire::COMMON_HEADER_LEN;

use super::Association;
use crate::cc::{Acked, RateSample, Signal};
use crate::path::{Path, PathId};
use crate::recovery::{Cause, Verdict};
use crate::send::Shot;
use crate::time::Instant;

/// What a SACK says of a path, beyond what is in [`Path::ack`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    /// What the window may grow by: nothing if the path's earliest packet is still missing.
    pub(super) growth: u64,
    /// The round-trip time, if it was measured.
    pub(super) rtt_sample: Option<Duration>,
}

impl Association {
    /// Declares lost what later packets of the same path have overtaken. True if anything was.
    pub(super) fn detect_losses(&mut self, now: Instant, id: PathId) -> bool {
        let Some(path) = self.paths.get_mut(id) else {
            return false;
        };
        let outstanding = &mut self.sender.outstanding;
        //= https://www.rfc-editor.org/rfc/rfc9937#section-6.1
        //# This can be thought of as the sum of the following values at the start of the episode: inflight, the bytes cumulatively acknowledged in the ACK triggering recovery, the bytes SACKed in the ACK triggering recovery, and the bytes between SND.UNA and SND.NXT that have been marked lost
        let flight = path.in_flight + path.ack.bytes;
        path.timers.loss = None;
        let mut last_lost = None;
        while let Some(&entry) = path.sent.front() {
            let shot = Shot {
                path: id,
                number: entry.number,
            };
            if !outstanding.is_in_flight(entry.index, shot) {
                path.sent.pop();
                continue;
            }
            match path.recovery.judge(now, entry.number, entry.at) {
                Verdict::Fine => break,
                //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
                //# For timely loss detection, it is RECOMMENDED that the sender install a reordering timer
                Verdict::LostAt(at) => {
                    path.timers.loss = Some(at);
                    break;
                }
                Verdict::Lost => {
                    path.sent.pop();
                    //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.4
                    //# Restart the T3-rtx timer only if the last SACK chunk acknowledged the lowest outstanding TSN number sent to that address or the endpoint is retransmitting the first outstanding DATA chunk sent to that address
                    path.timers.t3 = None;
                    let bytes = outstanding.get(entry.index).map_or(0, |c| c.flight_bytes());
                    if outstanding.get(entry.index).is_some_and(|c| c.ecn_capable) {
                        path.ecn.on_lost();
                    }
                    outstanding.mark_lost(entry.index);
                    path.in_flight -= bytes;
                    path.on_chunk_lost(now, entry.number, bytes);
                    path.counters.lost_packets += u64::from(last_lost != Some(entry.number));
                    last_lost = Some(entry.number);
                    let begins = path.on_lost(now, entry.number, flight, Cause::Losses);
                    if begins && path.size.on_recovery(bytes as usize + COMMON_HEADER_LEN) {
                        path.on_size_changed();
                    }
                }
            }
        }
        last_lost.is_some()
    }

    /// What follows from an acknowledgement for the congestion window of its path.
    pub(super) fn on_delivered(&mut self, now: Instant, id: PathId, ack: Delivery) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let srtt = path.rtt.srtt().unwrap_or_default();
        path.rate.on_delivered(now, path.ack.bytes, srtt);
        let newest = path.ack.newest.map_or(0, |n| n.number);
        let min_rtt = path.recovery.rack.min_rtt();
        let rate = path.sampler.on_acked(now, newest, path.ack.bytes, min_rtt);
        //= https://www.rfc-editor.org/rfc/rfc9937#section-6.4
        //# A PRR episode ends upon either completing fast recovery or before initiating a new PRR episode due to a new congestion control response episode
        if path.recovery.is_active() && path.recovery.episode.is_over_for(newest) {
            // The window is the target since the reduction began.
            path.recovery.prr = None;
            path.recovery.rack.on_recovered();
        }
        self.on_probe_answered(now, id);
        let more_lost = self.detect_losses(now, id);
        self.tell_controller(now, id, ack, rate);
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let (delivered, in_flight) = (path.ack.bytes, path.in_flight);
        if let Some(prr) = &mut path.recovery.prr {
            //= https://www.rfc-editor.org/rfc/rfc9937#section-6.2
            //# SafeACK is true only when the ACK has cumulatively acknowledged new data and the ACK does not indicate further losses
            prr.on_ack(delivered, in_flight, ack.growth > 0 && !more_lost);
        }
        let settled = path.sent.front().map(|e| e.number);
        path.sampler
            .forget_before(settled.unwrap_or_else(|| path.sent.next_number()));
        // A later look, by a timer, belongs to no acknowledgement.
        path.ack.bytes = 0;
    }

    fn tell_controller(
        &mut self,
        now: Instant,
        id: PathId,
        ack: Delivery,
        rate: Option<RateSample>,
    ) {
        let mut others = std::mem::take(&mut self.shares);
        others.clear();
        let coupled = |p: &Path| p.controller.share().is_some();
        if self.paths.get(id).is_some_and(coupled) {
            let used = self.paths.iter().filter(|p| p.id != id && p.in_flight > 0);
            others.extend(used.filter_map(Path::share));
        }
        if let Some(path) = self.paths.get_mut(id) {
            let recovering = path.recovery.is_active();
            let acked = Acked {
                bytes: path.ack.bytes,
                //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.1
                //# use the slow-start algorithm to increase cwnd only if the current congestion window is being fully utilized and the data sender is not in Fast Recovery
                growth: if recovering { 0 } else { ack.growth },
                in_flight: path.in_flight,
                lost: path.sampler.take_lost(),
                recovering,
                window_limited: path.ack.window_limited,
                srtt: path.rtt.srtt().unwrap_or_else(|| path.rtt.rto()),
                rtt_sample: ack.rtt_sample,
                largest_acked: path.sent.largest_acked().unwrap_or_default(),
                next_number: path.sent.next_number(),
                rate,
                others: &others,
            };
            path.controller.on_ack(now, &acked);
        }
        self.shares = others;
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.3.3
    //# Whenever the retransmission timer T3-rtx expires for a destination address, do the following
    pub(super) fn on_t3_expired(&mut self, now: Instant, id: PathId) {
        self.stats.timeouts += 1;
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        path.timers.t3 = None;
        //= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
        //# If the sender continues to receive SACK chunks from the peer while doing zero window probing, the unacknowledged window probes SHOULD NOT increment the error counter
        if path
            .sent
            .front()
            .is_some_and(|e| self.sender.was_refused(e.at))
        {
            if path.rtt.rto() < self.config.probe_interval_max {
                path.rtt.back_off();
            }
            return self.give_up_in_flight(id);
        }
        path.counters.timeouts += 1;
        path.controller.on_timeout(now);
        path.recovery.on_timeout();
        let next = path.sent.next_number();
        let again = path.data_timeouts > 0;
        if !again {
            path.sent.forget_given_up();
        }
        path.recovery.episode.on_timeout(next, again);
        path.rtt.back_off();
        tracing::debug!(path = %id, rto = ?path.rtt.rto(), in_flight = path.in_flight, "T3-rtx expired");
        path.data_timeouts += 1;
        if path.size.on_timeout(path.data_timeouts) {
            path.on_size_changed();
        }
        self.take_back(id, true);
        self.on_path_error(now, id);
    }

    /// Everything in flight on the path is lost and goes out again at once, on whatever path is
    /// best.
    pub(super) fn give_up_in_flight(&mut self, id: PathId) {
        self.take_back(id, false);
    }

    /// As [`Association::give_up_in_flight`]; remembered if `by_timeout`, which may be in error.
    fn take_back(&mut self, id: PathId, by_timeout: bool) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let (outstanding, counters) = (&mut self.sender.outstanding, &mut path.counters);
        let (episode, sampler) = (&mut path.recovery.episode, &mut path.sampler);
        let mut last_number = None;
        path.sent.give_up(by_timeout, |entry| {
            let shot = Shot {
                path: id,
                number: entry.number,
            };
            if outstanding.is_in_flight(entry.index, shot) {
                if outstanding.get(entry.index).is_some_and(|c| c.ecn_capable) {
                    path.ecn.on_lost();
                }
                let bytes = outstanding.get(entry.index).map_or(0, |c| c.flight_bytes());
                sampler.on_lost(entry.number, bytes);
                outstanding.mark_lost(entry.index);
                counters.lost_packets += u64::from(last_number != Some(entry.number));
                last_number = Some(entry.number);
                if by_timeout {
                    episode.on_lost(entry.number);
                }
            }
        });
        self.sender.copies.forget(id);
        path.copied = 0;
        path.in_flight = 0;
        path.timers.t3 = None;
        path.timers.loss = None;
        path.timers.tail_probe = None;
        path.timers.pace = None;
        path.recovery.tlp.cancel();
    }
}

impl Path {
    /// A chunk of packet `number` was lost when `flight` bytes were in flight: the window is
    /// reduced unless the last reduction answers for it. True if it was.
    pub(super) fn on_lost(&mut self, now: Instant, number: u64, flight: u64, cause: Cause) -> bool {
        let begins = self.recovery.episode.is_over_for(number);
        if begins {
            self.begin_reduction(now, flight, cause, Signal::Loss);
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.1
            //# Reset TLP.is_retrans and TLP.end_seq when initiating a connection, fast recovery, or RTO recovery
            self.recovery.tlp.cancel();
            self.timers.tail_probe = None;
        }
        self.recovery.episode.on_lost(number);
        begins
    }
}
