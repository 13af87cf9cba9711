//! Paths that stop answering: potentially failed, failed, no longer the primary (RFC 7829,
//! RFC 9260 section 8.2).

use super::Association;
use crate::error::PathError;
use crate::event::Event;
use crate::path::{PathId, PathState, PathThresholds};
use crate::time::Instant;

impl Association {
    /// A timeout on the path: count it, take the path out of use, probe it.
    pub(super) fn on_path_error(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        path.error_count += 1;
        let (errors, limits) = (path.error_count, path.thresholds);
        let worked = path.state == PathState::Active;
        //= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
        //# When the value in the destination address error counter exceeds PFMR, the endpoint MUST mark the destination address as in the PF state.
        if errors > limits.potentially_failed && limits.potentially_failed < limits.failed {
            path.state.on_timeout();
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-8.2
        //# When the value of this counter exceeds the protocol parameter 'Path.Max.Retrans', the endpoint SHOULD mark the corresponding destination transport address as inactive if it is not so marked and SHOULD notify the upper layer about the change of reachability of this destination address.
        let confirmed = path.state != PathState::Unconfirmed;
        let failed = errors > limits.failed && confirmed && path.state.on_exhausted();
        if path.state == PathState::Active {
            // Idle by then, because its data have moved on, it is probed.
            path.timers.heartbeat = Some(now + path.rtt.rto());
        } else {
            path.heartbeats.due = true;
            path.timers.heartbeat = None;
        }
        let down = worked && path.state != PathState::Active;
        // A path that never worked says nothing of the peer, unless there is no other.
        if confirmed || !self.paths.iter().any(|p| p.state != PathState::Unconfirmed) {
            self.error_count += 1;
        }
        if down {
            self.events.push_back(Event::PathDown { path: id });
            self.give_up_in_flight(id);
        }
        if failed {
            self.events.push_back(Event::PathFailed { path: id });
        }
        if limits
            .primary_switchover
            .is_some_and(|limit| errors > limit)
        {
            self.switch_primary(now, id);
        }
        self.check_peer_alive(now);
    }

    //= https://www.rfc-editor.org/rfc/rfc7829#section-5
    //# When the path error counter on a set primary path exceeds PSMR, the SCTP implementation MUST autonomously select and set a new primary path.
    //= https://www.rfc-editor.org/rfc/rfc7829#section-5
    //# The primary path selected by the SCTP implementation MUST be the path that, at the given time, would be chosen for data transfer.
    fn switch_primary(&mut self, now: Instant, from: PathId) {
        if self.paths.chosen_primary() != Some(from) {
            return;
        }
        if let Some(to) = self.paths.best().filter(|to| *to != from) {
            self.paths.choose_primary(now, to);
            self.events.push_back(Event::PrimaryChanged { path: to });
        }
    }

    /// When timeouts in a row change what `path` is used for; `None` if there is no such path.
    pub fn path_thresholds(&self, path: PathId) -> Option<PathThresholds> {
        self.paths.get(path).map(|p| p.thresholds)
    }

    /// Sets the thresholds of `path`, as RFC 7829's `SCTP_PEER_ADDR_THLDS` does. New paths get
    /// those of [`crate::TransportConfig`].
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`] if there is no such path, and [`PathError::InvalidThresholds`] if
    /// the primary would be switched before the path is suspected (RFC 7829, section 5).
    pub fn set_path_thresholds(
        &mut self,
        path: PathId,
        thresholds: PathThresholds,
    ) -> Result<(), PathError> {
        //= https://www.rfc-editor.org/rfc/rfc7829#section-5
        //# Implementations MUST reject any other values of PSMR.
        if !thresholds.is_valid() {
            return Err(PathError::InvalidThresholds);
        }
        let path = self.paths.get_mut(path).ok_or(PathError::Unknown)?;
        path.thresholds = thresholds;
        Ok(())
    }
}
