//! Set-up chunks at an association that exists already (RFC 9260, section 5.2).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use manyway_wire::{Cause, CauseList, Tsn, VerificationTag};

use super::outbox::Control;
use super::{AssocState, Association, PeerInit};
use crate::event::Event;
use crate::path::{FourTuple, PathState};
use crate::time::Instant;

/// What a new cookie shall live longer than the round trip for which the last one was too old.
const PRESERVATIVE_MARGIN: Duration = Duration::from_secs(1);

impl Association {
    /// The TSN that INIT named. Only of use during set-up.
    pub(crate) fn initial_tsn(&self) -> Tsn {
        // Nothing is acknowledged before the end of set-up.
        self.sender.outstanding.cumulative().next()
    }

    /// The random number of AUTH that INIT named.
    pub(crate) fn auth_random(&self) -> Option<[u8; 32]> {
        self.auth.as_ref().map(|auth| auth.local().random)
    }

    /// Whether this is an address of the peer, as far as is known.
    pub(crate) fn knows_host(&self, ip: IpAddr) -> bool {
        let mut named = self.peer.addresses.iter();
        named.any(|address| address.ip() == ip)
            || self.confirmed_remotes().any(|remote| remote.ip() == ip)
    }

    /// Where the peer has shown that it receives.
    pub(crate) fn confirmed_remotes(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        let confirmed = self
            .paths
            .iter()
            .filter(|p| p.state != PathState::Unconfirmed && !p.candidate);
        confirmed.map(|p| p.tuple.remote)
    }

    /// Whether data went over this association.
    pub(crate) fn has_exchanged_data(&self) -> bool {
        self.stats.bytes_received > 0 || self.stats.bytes_acknowledged > 0
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
    //# The endpoint SHOULD stay in or enter the ESTABLISHED state, but it MUST update its peer's Verification Tag from the State Cookie, stop any T1-init or T1-cookie timers that might be running, and send a COOKIE ACK chunk
    /// A COOKIE-ECHO with a cookie of this very association (action D), or of this association with
    /// a peer that opened it at the same time (action B). `verified` if the cookie was sent to
    /// where it came from.
    pub(crate) fn handle_cookie_echo(
        &mut self,
        now: Instant,
        tuple: FourTuple,
        peer: &PeerInit,
        verified: bool,
    ) {
        let first = self.paths.iter().next().map(|p| p.id);
        if peer.tag != self.identity.peer_tag {
            self.identity.peer_tag = peer.tag;
            self.learn_peer(peer, tuple);
            // Data that left for the other tag were not taken.
            first.into_iter().for_each(|id| self.give_up_in_flight(id));
        }
        let heard_before = self.state != AssocState::CookieWait;
        if self.state.on_cookie_echo().is_ok() {
            self.setup = None;
            if let Some(id) = first {
                if let Some(path) = self.paths.get_mut(id).filter(|_| !heard_before) {
                    path.tuple = tuple;
                    path.heartbeats.due = !verified;
                }
                if heard_before || verified {
                    self.confirm_first_path(now, id);
                }
            }
            self.events.push_back(Event::Connected);
            if self.teardown.wanted {
                self.shutdown(now);
            } else {
                self.open_first_paths(now);
            }
        }
        let back = self.paths.by_tuple(&tuple).or_else(|| self.paths.best());
        if let Some(id) = back {
            self.outbox.push_cookie_ack(id);
        }
    }

    /// The peer has missed the end.
    pub(crate) fn repeat_shutdown_ack(&mut self) {
        let waits = self.outbox.contains(|c| matches!(c, Control::ShutdownAck));
        if let Some(id) = self.paths.best().filter(|_| !waits) {
            self.outbox.push(id, Control::ShutdownAck);
        }
    }

    /// The peer restarted while this side only waits for the end.
    pub(crate) fn refuse_restart(&mut self) {
        self.repeat_shutdown_ack();
        let mut causes = CauseList::new();
        causes.push(&Cause::CookieWhileShuttingDown);
        if let Some(id) = self.paths.best() {
            self.outbox.push(id, Control::Error(causes));
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.6
    //# Send a new INIT chunk to the endpoint, adding a Cookie Preservative parameter requesting an extension to the life time of the State Cookie
    /// A stale cookie: begin again with INIT.
    pub(super) fn restart_handshake(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.6
        //# In all cases, if the association is not in the COOKIE-ECHOED state, the ERROR chunk SHOULD be silently discarded
        if self.state != AssocState::CookieEchoed {
            return;
        }
        self.state = AssocState::CookieWait;
        self.identity.peer_tag = VerificationTag(0);
        let first = self.paths.iter().next().map(|p| p.id);
        first.into_iter().for_each(|id| self.give_up_in_flight(id));
        let heard = self.last_heard;
        if let Some(setup) = &mut self.setup {
            setup.cookie = None;
            setup.stale = true;
            setup.due = true;
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.6
            //# an implementation SHOULD use the RTT information measured based on the previous COOKIE ECHO/ERROR chunk exchange and SHOULD add no more than 1 second beyond the measured RTT
            let round_trip = setup.sent_at.map(|at| heard - at);
            setup.preservative = round_trip.map(|time| time + PRESERVATIVE_MARGIN);
        }
    }
}
