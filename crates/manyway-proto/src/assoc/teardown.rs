//! The end of an association: SHUTDOWN (RFC 9260, section 9.2) and ABORT (section 9.1).

use std::time::Duration;

use bytes::Bytes;
use manyway_wire::{Abort, Cause, CauseList, Shutdown};

use super::outbox::Control;
use super::{AssocState, Association};
use crate::error::CloseReason;
use crate::event::Event;
use crate::path::PathId;
use crate::send::Claims;
use crate::time::Instant;

/// The end under way.
#[derive(Debug, Default)]
pub(super) struct Teardown {
    /// T2-shutdown.
    pub(super) deadline: Option<Instant>,
    attempts: u32,
    /// No repetition goes on after this (T5-shutdown-guard).
    guard: Option<Instant>,
    /// Asked for before the peer answered.
    pub(super) wanted: bool,
}

impl Association {
    /// Ends the association once all messages are acknowledged, those included that wait for the
    /// end of set-up. The peer may still send until it learns of it.
    pub fn shutdown(&mut self, now: Instant) {
        match self.state {
            AssocState::CookieWait | AssocState::CookieEchoed if self.sender.is_drained() => {
                self.abort(now, Bytes::new());
            }
            AssocState::CookieWait | AssocState::CookieEchoed => self.teardown.wanted = true,
            _ => {
                let _ = self.state.on_shutdown_requested();
                self.advance_shutdown(now);
            }
        }
    }

    /// Ends the association at once; the peer is told `reason`, and messages on their way are lost.
    pub fn abort(&mut self, now: Instant, reason: Bytes) {
        if self.is_closed() {
            return;
        }
        let mut causes = CauseList::new();
        causes.push(&Cause::UserInitiatedAbort(&reason[..reason.len().min(512)]));
        self.send_abort(causes);
        tracing::debug!(?now, "aborted");
        self.close(CloseReason::LocalAbort);
    }

    /// The peer broke the rules: ABORT with a protocol violation.
    pub(super) fn violate(&mut self, now: Instant, what: &'static str) {
        self.abort_with(
            now,
            |causes| causes.push(&Cause::ProtocolViolation(what.as_bytes())),
            what,
        );
    }

    pub(super) fn abort_with(
        &mut self,
        now: Instant,
        fill: impl FnOnce(&mut CauseList),
        what: &'static str,
    ) {
        let mut causes = CauseList::new();
        fill(&mut causes);
        tracing::debug!(?now, what, "aborting");
        self.send_abort(causes);
        self.close(CloseReason::ProtocolViolation(what));
    }

    /// Ends the association for a reason that is no fault of the protocol's.
    pub(super) fn abort_because(&mut self, now: Instant, cause: &Cause<'_>, reason: CloseReason) {
        let mut causes = CauseList::new();
        causes.push(cause);
        tracing::debug!(?now, %reason, "aborting");
        self.send_abort(causes);
        self.close(reason);
    }

    fn send_abort(&mut self, causes: CauseList) {
        // Before INIT-ACK there is nobody who would understand it.
        if self.state == AssocState::CookieWait {
            return;
        }
        if let Some(path) = self.paths.best() {
            self.outbox.replace_all(path, Control::Abort(causes));
        }
    }

    /// Over: no timer runs any more, what waits to be sent is only the last control chunk.
    pub(crate) fn close(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.state = AssocState::Closed;
        self.abandon_reconfig();
        self.setup = None;
        self.teardown = Teardown::default();
        let final_word = |c: &Control| {
            matches!(
                c,
                Control::Abort(_) | Control::ReflectedAbort | Control::ShutdownComplete
            )
        };
        if !self.outbox.contains(final_word) {
            self.outbox = Default::default();
        }
        self.events.push_back(Event::Closed { reason });
    }

    /// Goes on with the end as far as the acknowledgements allow.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        if !self.sender.is_drained() || self.is_resetting_association() {
            return;
        }
        let mine = self.state.on_drained_after_request().is_ok();
        if mine || self.state.on_drained_after_shutdown().is_ok() {
            self.start_teardown(now);
        }
    }

    fn start_teardown(&mut self, now: Instant) {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
        //# An endpoint SHOULD limit the number of retransmissions of the SHUTDOWN chunk to the protocol parameter 'Association.Max.Retrans'
        let guard = now + self.config.peer_timeout;
        self.teardown.guard.get_or_insert(guard);
        self.teardown.attempts = 0;
        self.send_teardown(now);
    }

    fn send_teardown(&mut self, now: Instant) {
        let Some(id) = self.paths.best() else { return };
        let chunk = match self.state {
            AssocState::ShutdownSent => Control::Shutdown(self.receiver.tsns.cumulative()),
            AssocState::ShutdownAckSent => Control::ShutdownAck,
            _ => return,
        };
        self.teardown.deadline = Some(now + self.teardown_timeout(id));
        self.outbox.push(id, chunk);
    }

    /// The peer answers on no path.
    pub(super) fn give_up_peer(&mut self) {
        // Once SHUTDOWN-ACK was sent all data of both sides are acknowledged: the peer is gone
        // because it is done.
        self.close(match self.state {
            AssocState::ShutdownAckSent => CloseReason::Graceful,
            _ => CloseReason::PeerUnreachable,
        });
    }

    fn teardown_timeout(&self, path: PathId) -> Duration {
        // The path's own timeout may be backed off already.
        let path = self.paths.get(path);
        let rto = path.map_or(self.config.rto_initial, |p| p.rtt.rto());
        let rto = rto.min(self.config.rto_initial);
        (rto * (1 << self.teardown.attempts.min(6))).min(self.config.rto_max)
    }

    /// A path works again: what waited for a timeout that was backed off goes out now.
    pub(super) fn resume_teardown(&mut self, now: Instant) {
        if self.teardown.deadline.is_some() {
            self.teardown.attempts = 0;
            self.send_teardown(now);
        }
    }

    /// T2-shutdown: the peer did not answer.
    pub(super) fn on_teardown_timeout(&mut self, now: Instant) {
        if self.teardown.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.teardown.deadline = None;
        self.teardown.attempts += 1;
        let worn_out = self.teardown.attempts > self.config.association_max_retransmits;
        if worn_out || self.teardown.guard.is_some_and(|at| at <= now) {
            return self.give_up_peer();
        }
        if let Some(id) = self.paths.best() {
            self.on_path_error(now, id);
        }
        self.send_teardown(now);
    }

    pub(super) fn handle_shutdown(&mut self, now: Instant, path: PathId, chunk: Shutdown) {
        let arrived = chunk.cumulative_tsn_ack;
        if self.state.is_open()
            && let Err(bad) = self.acknowledge(now, path, arrived, &Claims::NONE)
        {
            return self.on_bad_ack(now, bad);
        }
        if self.is_closed() {
            return;
        }
        if self.state.on_shutdown().is_ok() {
            self.events.push_back(Event::PeerShutdown);
        } else if self.state.on_shutdowns_crossed().is_ok() {
            self.start_teardown(now);
        }
    }

    /// Data in SHUTDOWN-SENT: repeat the SHUTDOWN, with the new acknowledgement.
    pub(super) fn answer_data_while_shutting_down(&mut self, now: Instant) {
        if self.state != AssocState::ShutdownSent {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
        //# The reception of any packet from its peer ... SHOULD clear the endpoint's retransmission count and restart the T2-shutdown timer
        self.teardown.attempts = 0;
        self.teardown.guard = Some(now + self.config.peer_timeout);
        let waiting = self.outbox.contains(|c| matches!(c, Control::Shutdown(_)));
        if let Some(id) = self.paths.best()
            && !waiting
        {
            self.teardown.deadline = Some(now + self.teardown_timeout(id));
            self.outbox
                .push(id, Control::Shutdown(self.receiver.tsns.cumulative()));
        }
        self.receiver.sack.make_due();
    }

    pub(super) fn handle_shutdown_ack(&mut self, path: PathId) {
        if matches!(
            self.state,
            AssocState::ShutdownSent | AssocState::ShutdownAckSent
        ) {
            self.outbox.replace_all(path, Control::ShutdownComplete);
            self.close(CloseReason::Graceful);
        }
    }

    pub(super) fn handle_shutdown_complete(&mut self) {
        if self.state == AssocState::ShutdownAckSent {
            self.close(CloseReason::Graceful);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-9.1
    //# After checking the Verification Tag, the receiving endpoint MUST remove the association from its record
    pub(super) fn handle_abort(&mut self, abort: &Abort<'_>) {
        let mut text = Vec::new();
        let mut user = None;
        for cause in abort.causes.iter().flatten().take(8) {
            text.push(cause.to_string());
            if let Cause::UserInitiatedAbort(reason) = cause {
                user = Some(Bytes::copy_from_slice(reason));
            }
        }
        let setting_up = matches!(
            self.state,
            AssocState::CookieWait | AssocState::CookieEchoed
        );
        self.outbox = Default::default();
        self.close(match setting_up && user.is_none() {
            true => CloseReason::Refused,
            false => CloseReason::PeerAbort {
                causes: text.join("; "),
                user,
            },
        });
    }

    /// The peer restarted: its new association takes the place of this one.
    pub(crate) fn on_restarted(&mut self) {
        self.outbox = Default::default();
        self.close(CloseReason::Restarted);
    }
}
