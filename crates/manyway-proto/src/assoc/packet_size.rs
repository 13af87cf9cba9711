//! The packet size of paths: what probes, timers and routers say (see [`crate::path::PacketSize`]).

use super::Association;
use crate::path::{FourTuple, Path, PathId};
use crate::time::Instant;

/// Length of the headers below SCTP: IP, and UDP if that carries it.
fn headers(tuple: &FourTuple) -> usize {
    let ip = if tuple.remote.is_ipv6() { 40 } else { 20 };
    ip + if tuple.is_raw() { 0 } else { 8 }
}

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
    //# Probe messages sent by a PL MUST contain enough information to uniquely identify the probe within the Maximum Segment Lifetime
    //
    // The heartbeat's nonce does.
    pub(super) fn on_pmtu_probe_answered(&mut self, now: Instant, id: PathId, size: usize) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if path.size.on_probe_answered(size) {
            path.on_size_changed();
            tracing::debug!(path = %id, size, "larger packets pass");
        }
        self.arm_pmtu_timer(now, id);
    }

    /// A probe was not answered in time, or it is time to try larger packets again.
    pub(super) fn on_pmtu_timeout(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let before = path.size.current();
        path.size.on_probe_timeout();
        path.size.on_raise_timer();
        if path.size.current() != before {
            path.on_size_changed();
        }
        self.arm_pmtu_timer(now, id);
    }

    /// Probes, or waits for the next step. A probe that leaves sets the timer itself.
    fn arm_pmtu_timer(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let wait = path.size.wait(&self.config, path.rtt.rto());
        path.probe_due = path.size.wants_probe();
        path.timers.probe = wait.filter(|_| !path.probe_due).map(|wait| now + wait);
    }

    /// A router says that packets on `tuple` may have no more than `mtu` bytes, IP header
    /// included; the caller has checked that it quotes one of ours. False if it means nothing.
    pub(crate) fn handle_packet_too_big(
        &mut self,
        now: Instant,
        tuple: &FourTuple,
        mtu: usize,
    ) -> bool {
        let id = self.paths.by_tuple(tuple);
        let Some(path) = id.and_then(|id| self.paths.get_mut(id)) else {
            return false;
        };
        let id = path.id;
        //= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.2
        //# Before using the size reported in the PTB message, it must first be converted to a PL_PTB_SIZE
        let size = mtu.saturating_sub(headers(tuple));
        let known = path.size;
        let shrinks = path.size.on_too_big(size);
        if shrinks {
            path.on_size_changed();
            // What is in flight was dropped there, for no congestion.
            self.give_up_in_flight(id);
        }
        let told = self.paths.get(id).is_some_and(|p| p.size != known);
        if told {
            tracing::debug!(path = %id, mtu, shrinks, "a router reports its MTU");
            self.arm_pmtu_timer(now, id);
        }
        told
    }
}

impl Path {
    /// The congestion window counts bytes; what it grows by follows the packet size.
    pub(super) fn on_size_changed(&mut self) {
        let size = self.size.current() as u64;
        self.controller.set_packet_size(size);
    }
}
