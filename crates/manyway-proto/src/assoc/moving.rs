//! Paths that come, move and go.
//!
//! An address of the peer is believed only when two things come together: a packet with the right
//! verification tag came from there, and a heartbeat sent there was answered.

use std::net::SocketAddr;

use super::asconf::Request;
use super::{Association, Extension};
use crate::event::Event;
use crate::path::{FourTuple, Path, PathId, PathState, Wish, wanted_pairs};
use crate::time::Instant;

/// Unanswered heartbeats after which a path that never worked is given up.
const UNCONFIRMED_TRIES: u32 = 4;

impl Association {
    /// A packet with the right tag came from an address that no path has: a candidate, to be
    /// challenged. `None` if there are too many already.
    pub(super) fn on_unknown_source(&mut self, now: Instant, tuple: FourTuple) -> Option<PathId> {
        if !self.state.is_open() {
            // During set-up the answer may come from any of the addresses that INIT was sent to.
            return self.paths.iter().next().map(|p| p.id);
        }
        if self.asconf.locals.is_deleting(tuple.local.ip()) {
            // It still arrives where nothing is sent from any more.
            return self.paths.best();
        }
        let others_work = self.paths.iter().any(|p| p.state == PathState::Active);
        if self.asconf.has_left(&tuple) && others_work {
            return self.paths.best();
        }
        let waiting = self.paths.iter().filter(|p| p.candidate).count();
        if self.paths.len() >= self.config.max_paths || !self.candidates.allow(now, waiting) {
            return None;
        }
        let config = self.path_config();
        let id = self.paths.add(tuple, &config, now);
        if let Some(path) = self.paths.get_mut(id) {
            path.candidate = true;
            path.heartbeats.due = true;
        }
        tracing::debug!(path = %id, ?tuple, "packet from a new address: challenging it");
        Some(id)
    }

    /// The path that a verified candidate is the continuation of: one to the same local address
    /// from which nothing came since the candidate appeared. Best the same host behind another
    /// port (a NAT rebinding), else the one that fell silent last.
    fn superseded_by(&self, tuple: FourTuple, since: Instant) -> Option<PathId> {
        let silent = self.paths.iter().filter(|p| {
            let same_place = p.tuple.local == tuple.local && !p.candidate && p.tuple != tuple;
            same_place && p.last_received.is_none_or(|at| at <= since)
        });
        let rank = |p: &&Path| (p.tuple.remote.ip() == tuple.remote.ip(), p.last_received);
        silent.max_by_key(rank).map(|p| p.id)
    }

    /// A candidate answered its challenge: the path it supersedes moves there, or it becomes a
    /// path of its own if all others are alive.
    pub(super) fn adopt_candidate(&mut self, now: Instant, id: PathId) {
        let Some(candidate) = self.paths.get_mut(id) else {
            return;
        };
        candidate.candidate = false;
        let (tuple, created) = (candidate.tuple, candidate.created_at);
        let config = self.path_config();
        let Some(target) = self.superseded_by(tuple, created) else {
            self.events.push_back(Event::PathUp { path: id });
            return;
        };
        self.give_up_in_flight(id);
        self.give_up_in_flight(target);
        let Some(candidate) = self.paths.remove(id) else {
            return;
        };
        self.outbox.reroute(id, target);
        let Some(path) = self.paths.get_mut(target) else {
            return;
        };
        path.move_to(tuple.remote, &config, now);
        path.state = PathState::Active;
        path.rtt = candidate.rtt;
        path.last_sample = candidate.last_sample;
        path.last_received = candidate.last_received;
        path.last_answered = Some(now);
        path.counters.bytes_received += candidate.counters.bytes_received;
        path.counters.bytes_sent += candidate.counters.bytes_sent;
        path.probe_due = true;
        path.timers.heartbeat = Some(now + config.heartbeat_interval);
        tracing::debug!(path = %target, remote = %tuple.remote, "the peer moved");
        self.events.push_back(Event::PathMoved { path: target });
    }

    /// A path that never worked is not kept for ever; another remote address may do.
    pub(super) fn give_up_unconfirmed(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get(id) else {
            return;
        };
        let hopeless =
            path.state == PathState::Unconfirmed && path.error_count >= UNCONFIRMED_TRIES;
        if !hopeless || self.paths.len() < 2 || self.is_kept_in_hope(path) {
            return;
        }
        let tuple = path.tuple;
        self.remove_path_now(id);
        if self.initiator && self.state.takes_messages() {
            self.asconf.tried.push(tuple);
            self.add_missing_paths(now);
        }
    }

    /// Tells the peer that the path ends and takes it out when the peer has agreed. Until then it
    /// is used only if nothing else works.
    pub(super) fn leave_path(&mut self, now: Instant, id: PathId) {
        if self.asconf.is_leaving(id) || !self.can_do_without(id) {
            return;
        }
        if !self.has(Extension::DynamicPaths) || !self.may_ask_on(id) {
            return self.finish_removal(id);
        }
        if let Some(path) = self.paths.get_mut(id) {
            path.wish = Wish::Backup;
        }
        self.asconf.drop_waiting(id);
        if self.request(now, Request::Remove, id).is_err() {
            self.finish_removal(id);
        }
    }

    /// Whether another path stays that is known to reach the peer.
    pub(super) fn can_do_without(&self, id: PathId) -> bool {
        let reaches = |p: &Path| p.state != PathState::Unconfirmed && !self.asconf.is_leaving(p.id);
        self.paths.iter().any(|p| p.id != id && reaches(p))
    }

    /// Takes the path out, and keeps it out though packets may still come from there.
    pub(super) fn finish_removal(&mut self, id: PathId) {
        if let Some(pair) = self.paths.get(id).map(|p| p.tuple)
            && self.remove_path_now(id)
        {
            self.asconf.leave(pair);
        }
    }

    /// Takes a path out for good; false if it is the last one, which stays.
    pub(super) fn remove_path_now(&mut self, id: PathId) -> bool {
        if self.paths.len() < 2 {
            return false;
        }
        self.give_up_in_flight(id);
        if self.paths.remove(id).is_none() {
            return false;
        }
        self.asconf.forget_path(id);
        if let Some(best) = self.paths.best() {
            self.outbox.reroute(id, best);
        }
        self.events.push_back(Event::PathRemoved { path: id });
        true
    }

    /// This side opened the association, and it is established: whatever further paths there are
    /// to be.
    pub(super) fn open_first_paths(&mut self, now: Instant) {
        self.add_missing_paths(now);
        self.open_paths_to_peer(now);
        self.tell_addresses(now);
    }

    /// The paths that the path manager wants and that there are not, if this side opened the association and the
    /// peer can learn addresses.
    pub(super) fn add_missing_paths(&mut self, now: Instant) {
        if !self.initiator || !self.has(Extension::DynamicPaths) || !self.is_established() {
            return;
        }
        let in_use: Vec<FourTuple> = self.paths.iter().map(|p| p.tuple).collect();
        let pairs = wanted_pairs(
            self.config.path_manager,
            &self.locals,
            &self.peer.addresses,
            &in_use,
            &self.asconf.tried,
        );
        for pair in pairs {
            // Each pair is tried once per set of local addresses.
            if !self.asconf.tried.contains(&pair) && self.open_path(now, pair).is_err() {
                break;
            }
        }
    }

    /// The endpoint's addresses changed: paths from vanished ones are removed, new ones used.
    pub(crate) fn set_local_addresses(&mut self, now: Instant, locals: &[SocketAddr]) {
        self.locals = locals.to_vec();
        self.asconf.tried.clear();
        let gone: Vec<PathId> = self
            .paths
            .iter()
            .filter(|p| !locals.contains(&p.tuple.local))
            .map(|p| p.id)
            .collect();
        if self.asks_by_address() && self.is_established() {
            self.drop_outdated_requests();
            for id in gone {
                self.remove_path_now(id);
            }
            self.tell_addresses(now);
        } else if self.is_setting_up() {
            self.move_setup(locals);
        } else if self.initiator && self.is_established() {
            self.add_missing_paths(now);
            for id in gone {
                self.remove_path_now(id);
            }
        }
    }
}
