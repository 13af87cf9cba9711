//! What was lost: by later packets, by time, by the retransmission timer.

use super::Association;
use crate::cmt::sfr::{self, Verdict};
use crate::path::PathId;
use crate::send::Shot;
use crate::time::Instant;

impl Association {
    /// Declares lost what later packets of the same path have overtaken.
    pub(super) fn detect_losses(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let outstanding = &mut self.sender.outstanding;
        let reordering = path.rtt.reordering_window();
        path.timers.loss = None;
        let mut newest_lost = None;
        let mut last_number = None;
        while let Some(&entry) = path.sent.front() {
            let shot = Shot {
                path: id,
                number: entry.number,
            };
            if !outstanding.is_in_flight(entry.index, shot) {
                path.sent.pop();
                continue;
            }
            let largest = path.sent.largest_acked();
            match sfr::judge(now, entry.number, entry.at, largest, reordering) {
                Verdict::Fine => break,
                Verdict::LostAt(at) => {
                    path.timers.loss = Some(at);
                    break;
                }
                Verdict::Lost => {
                    path.sent.pop();
                    let bytes = outstanding.get(entry.index).map_or(0, |c| c.flight_bytes());
                    outstanding.mark_lost(entry.index);
                    path.in_flight -= bytes;
                    path.counters.lost_packets += u64::from(last_number != Some(entry.number));
                    last_number = Some(entry.number);
                    newest_lost = Some(entry.at);
                }
            }
        }
        let Some(sent_at) = newest_lost else { return };
        if path.recovery_start.is_none_or(|start| sent_at > start) {
            path.recovery_start = Some(now);
            path.controller.on_congestion(now);
            //= https://www.rfc-editor.org/rfc/rfc9260#section-7.2.4
            //# When a Fast Retransmit is being performed, the sender SHOULD ignore the value of cwnd and SHOULD NOT delay retransmission for this single packet
            path.rescue_packets = 1;
        }
    }

    /// Keeps T3-rtx running just while data are in flight on the path.
    pub(super) fn arm_t3(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if path.in_flight == 0 {
            path.timers.t3 = None;
            path.timers.loss = None;
        } else if path.timers.t3.is_none() {
            path.timers.t3 = Some(now + path.rtt.rto());
        }
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
        path.recovery_start = Some(now);
        path.rtt.back_off();
        tracing::debug!(path = %id, rto = ?path.rtt.rto(), in_flight = path.in_flight, "T3-rtx expired");
        path.data_timeouts += 1;
        if path.size.on_timeout(path.data_timeouts) {
            let size = path.size.current() as u64;
            path.controller.set_packet_size(size);
        }
        self.give_up_in_flight(id);
        self.on_path_error(now, id);
    }

    /// Everything in flight on the path is lost and goes out again at once, on whatever path is
    /// best.
    pub(super) fn give_up_in_flight(&mut self, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let mut last_number = None;
        for entry in path.sent.take_all() {
            let shot = Shot {
                path: id,
                number: entry.number,
            };
            if self.sender.outstanding.is_in_flight(entry.index, shot) {
                self.sender.outstanding.mark_lost(entry.index);
                path.counters.lost_packets += u64::from(last_number != Some(entry.number));
                last_number = Some(entry.number);
            }
        }
        path.in_flight = 0;
        path.timers.t3 = None;
        path.timers.loss = None;
        path.timers.pace = None;
    }
}
