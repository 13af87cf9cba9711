//! Heartbeats: proof that a path works and that the peer is where it seems to be (RFC 9260,
//! sections 5.4 and 8.3).

use manyway_wire::{Cause, ChunkType};

use super::asconf::Request;
use super::input::PacketContext;
use super::outbox::Control;
use super::{Association, Extension};
use crate::event::Event;
use crate::path::{HEARTBEAT_INFO_LEN, Heartbeats, Path, PathId, PathState, Wish};
use crate::time::Instant;

/// Probes at the quick pace before a failed path is probed only as often as an idle one.
const QUICK_PROBES: u32 = 60;

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.3
    //# The receiver of the HEARTBEAT chunk SHOULD immediately respond with a HEARTBEAT ACK chunk that contains the Heartbeat Information TLV
    pub(super) fn handle_heartbeat(&mut self, ctx: &PacketContext<'_>, info: &[u8]) {
        if !self.state.is_open() {
            return;
        }
        if info.len() > self.config.max_heartbeat_info {
            self.outbox.dropped += 1;
            return;
        }
        self.outbox.push(
            ctx.path,
            Control::HeartbeatAck(ctx.datagram.slice_ref(info)),
        );
    }

    pub(super) fn handle_heartbeat_ack(&mut self, now: Instant, info: &[u8]) {
        let Some((id, nonce)) = Heartbeats::decode(info) else {
            return;
        };
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        // Whoever returns the nonce received it at the path's address.
        let Some(sent) = path.heartbeats.on_answer(nonce) else {
            return;
        };
        path.on_rtt_sample(now, sent.at);
        if let Some(size) = sent.probe {
            self.on_pmtu_probe_answered(now, id, size);
        }
        self.error_count = 0;
        self.on_path_answered(now, id);
    }

    /// The peer showed that it receives on the path and answers.
    pub(super) fn on_path_answered(&mut self, now: Instant, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let gone_for_long = std::mem::take(&mut path.error_count) > 1;
        path.rtt.reset_back_off();
        path.last_answered = Some(now);
        // A deadline that was backed off while nothing answered must not outlive that time.
        let soonest = now + path.rtt.rto();
        path.timers.t3 = path.timers.t3.map(|at| at.min(soonest));
        if path.heartbeats.awaiting || path.timers.heartbeat.is_none() {
            path.timers.heartbeat = Some(now + self.config.heartbeat_interval);
        }
        path.heartbeats.awaiting = false;
        path.heartbeats.due = false;
        let up = path.state.on_answered();
        if up {
            // Large packets vanished together with all others: they may pass again.
            path.size.on_return(gone_for_long);
            path.probe_due = path.size.wants_probe();
            // What was sent while the path was in doubt most likely went into the void.
            self.give_up_in_flight(id);
        }
        if self.paths.get(id).is_some_and(|p| p.candidate) {
            self.adopt_candidate(now, id);
            self.resume_teardown(now);
        } else if up {
            self.resume_teardown(now);
            self.events.push_back(Event::PathUp { path: id });
            if self.paths.get(id).is_some_and(|p| p.wish == Wish::Backup) {
                // The peer may have forgotten the path, and the wish with it.
                // Counted if there is no room to ask.
                let _ = self.request(now, Request::Wish(Wish::Backup), id);
            }
        }
    }

    /// The heartbeat timer: the next one is due, or the last one was not answered.
    pub(super) fn on_heartbeat_timeout(&mut self, now: Instant, id: PathId) {
        use rand::RngExt;
        let jitter = self.rng.random_range(0.75..1.25);
        let idle = self.config.heartbeat_interval.mul_f64(jitter);
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        path.timers.heartbeat = None;
        if path.heartbeats.awaiting {
            path.heartbeats.awaiting = false;
            path.rtt.back_off();
            self.on_path_error(now, id);
            self.give_up_unconfirmed(now, id);
            self.give_up_abandoned(id);
            return;
        }
        // Data keep a path alive; a heartbeat is for an idle one.
        let due = path.last_answered.map_or(now, |at| at + idle);
        if due > now {
            path.timers.heartbeat = Some(due);
        } else {
            path.heartbeats.due = true;
        }
    }

    /// A path that the peer opened and has long left (its address is gone) is not probed for ever.
    /// If the peer still has it, its next heartbeat opens it anew.
    fn give_up_abandoned(&mut self, id: PathId) {
        let silent = |p: &Path| p.state == PathState::Failed && p.error_count > QUICK_PROBES;
        let abandoned = !self.initiator && self.paths.get(id).is_some_and(silent);
        if abandoned && self.paths.iter().any(|p| p.state == PathState::Active) {
            self.remove_path_now(id);
        }
    }

    /// Data used to arrive on the path and stopped: ask whether it is still there. This is also
    /// what opens a new NAT mapping for a side that only receives.
    pub(super) fn on_quiet(&mut self, id: PathId) {
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        path.timers.quiet = None;
        if !path.heartbeats.awaiting {
            path.heartbeats.due = true;
        }
    }

    /// A heartbeat for `id` is about to leave: its information, and the timer for its answer.
    pub(super) fn new_heartbeat(
        &mut self,
        now: Instant,
        id: PathId,
        probe: Option<usize>,
    ) -> Option<[u8; HEARTBEAT_INFO_LEN]> {
        use rand::Rng;
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let config = &self.config;
        let path = self.paths.get_mut(id)?;
        path.heartbeats.on_sent(nonce, now, probe);
        if probe.is_none() {
            let wait = match path.state {
                PathState::Active => path.rtt.rto(),
                _ if path.error_count > QUICK_PROBES => config.heartbeat_interval,
                _ => path.rtt.rto().min(config.probe_interval_max),
            };
            path.timers.heartbeat = Some(now + wait);
        } else {
            let wait = path.size.wait(config, path.rtt.rto());
            path.timers.probe = wait.map(|wait| now + wait);
        }
        Some(Heartbeats::encode(id, &nonce))
    }

    pub(super) fn handle_error(&mut self, error: &manyway_wire::ErrorChunk<'_>) {
        for cause in error.causes.iter().flatten() {
            tracing::debug!(%cause, "the peer reports");
            self.stats.errors_received += 1;
            self.tell_peer_error(&cause);
            match cause {
                Cause::StaleCookie { .. } => self.restart_handshake(),
                Cause::UnrecognizedChunk([kind, ..]) if *kind == ChunkType::NR_SACK.0 => {
                    // It offered what it does not know; plain SACKs serve it as well.
                    self.peer.extensions = self.peer.extensions.without(Extension::NrSack);
                }
                Cause::UnrecognizedChunk([kind, ..]) if *kind == ChunkType::ASCONF.0 => {
                    self.on_asconf_not_understood();
                }
                _ => {}
            }
        }
    }
}
