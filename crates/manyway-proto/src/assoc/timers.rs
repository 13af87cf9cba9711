//! Deadlines: which is next, and what happens when they pass.

use super::Association;
use crate::path::PathId;
use crate::time::{Instant, earlier};

impl Association {
    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.is_closed() {
            return None;
        }
        let setup = self.setup.as_ref().and_then(|s| s.deadline);
        let own = [
            setup,
            self.teardown.deadline,
            self.asconf.deadline,
            self.reconfig.as_deref().and_then(|r| r.deadline()),
            self.receiver.sack.deadline(),
            self.sender.forward.deadline(),
            self.sender.expendable.next_deadline(),
            self.sender.outstanding.lost_deadline(),
        ];
        let own = own.into_iter().fold(None, earlier);
        self.paths
            .iter()
            .map(|p| p.next_deadline())
            .fold(own, earlier)
    }

    /// Handles every deadline that lies at or before `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.on_handshake_timeout(now);
        self.on_teardown_timeout(now);
        self.on_asconf_timeout(now);
        self.on_reconfig_timeout(now);
        self.receiver.sack.on_timeout(now);
        for id in self.paths.ids() {
            self.handle_path_timeout(now, id);
        }
        self.on_forward_tsn_timeout(now);
        self.give_up_messages(now);
        self.after_input(now);
    }

    fn handle_path_timeout(&mut self, now: Instant, id: PathId) {
        if self.is_closed() {
            return;
        }
        let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        if passed(path.timers.pace) {
            path.timers.pace = None;
        }
        let timers = path.timers;
        if passed(timers.quiet) {
            self.on_quiet(id);
        }
        if passed(timers.probe) {
            self.on_pmtu_timeout(now, id);
        }
        if passed(timers.loss) {
            self.detect_losses(now, id);
            self.arm_data_timers(now, id);
        } else if passed(timers.tail_probe) {
            self.on_tail_probe_timeout(now, id);
        } else if passed(timers.t3) {
            self.on_t3_expired(now, id);
        }
        if passed(timers.heartbeat) {
            self.on_heartbeat_timeout(now, id);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.1
    //# An endpoint SHOULD keep a counter on the total number of consecutive retransmissions to its peer ... If the value of this counter exceeds the limit indicated in the protocol parameter 'Association.Max.Retrans', the endpoint SHOULD consider the peer endpoint unreachable
    pub(super) fn check_peer_alive(&mut self, now: Instant) {
        let many = self.error_count > self.config.association_max_retransmits;
        if many && now - self.last_heard >= self.config.peer_timeout {
            self.give_up_peer();
        }
    }
}
