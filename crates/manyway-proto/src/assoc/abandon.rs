//! Giving messages up (RFC 3758, RFC 7496): when, and what follows.

use manyway_wire::StreamId;

use super::{Association, Extension};
use crate::error::StreamError;
use crate::event::Event;
use crate::send::{AbandonReason, AbandonedMessages, BegunId, MessageKey, Reliability};
use crate::time::Instant;

impl Association {
    /// How reliable messages are that do not say it themselves ([`crate::SendOptions`]): those of
    /// one stream, or of all streams that have no default of their own.
    ///
    /// # Errors
    ///
    /// [`StreamError::Invalid`] if there is no such outgoing stream.
    pub fn set_default_reliability(
        &mut self,
        stream: Option<StreamId>,
        reliability: Reliability,
    ) -> Result<(), StreamError> {
        match stream {
            Some(stream) => {
                self.require_stream(stream)?;
                let defaults = &mut self.sender.expendable.stream_defaults;
                defaults.insert(stream, reliability);
            }
            None => self.sender.expendable.default = reliability,
        }
        Ok(())
    }

    /// Whether [`Event::Abandoned`] tells of each message that is given up. It does not from the
    /// beginning; the counters ([`crate::AssocStats`], [`Association::abandoned_messages`]) always
    /// run.
    pub fn report_abandoned(&mut self, report: bool) {
        self.sender.expendable.reports = report;
    }

    /// Messages of an outgoing stream that were given up (RFC 7496, section 4.3).
    pub fn abandoned_messages(&self, stream: StreamId) -> AbandonedMessages {
        self.sender.expendable.abandoned(stream)
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.2
    //# SHOULD record the fact that the peer does not support the FORWARD TSN chunk,
    /// Whether messages can be given up after a part of them was sent: both ends have agreed on it.
    pub fn can_abandon_sent(&self) -> bool {
        self.sender.can_abandon_sent
    }

    /// What the handshake agreed on is known.
    pub(super) fn agree_on_partial_reliability(&mut self) {
        self.sender.can_abandon_sent = self.has(Extension::PartialReliability);
    }

    /// Gives up what must not be sent any more, and sees how far the peer can be moved.
    pub(super) fn give_up_messages(&mut self, now: Instant) {
        if self.is_closed() {
            return;
        }
        let mut any = false;
        //= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
        //# Before assigning a TSN to any message, the SCTP sender MUST evaluate the lifetime of that message.
        //= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
        //# If it is expired, the SCTP sender MUST NOT assign a TSN to that message, but instead, SHOULD issue a notification to the upper layer and abandon the message.
        while let Some(key) = self.sender.next_expired(now) {
            any |= self.abandon_queued(now, key, AbandonReason::Lifetime);
        }
        any |= self.give_up_lost(now);
        if any {
            self.wake_writer();
            self.tell_sender_dry();
            self.advance_shutdown(now);
        }
        self.advance_peer();
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
    //# If the lifetime of the message is expired, the SCTP sender MUST "abandon" the message, as per the rules specified in Section 3.5 marking that TSN as eligible for forward TSN.
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# F5) If the decision to "abandon" a chunk is made, no matter how such a decision is made, the appropriate congestion adjustment MUST be made as specified in RFC 2960 if the chunk would have been marked for retransmission later (e.g., either by T3-Timeout or by Fast Retransmit).
    /// Gives up messages whose lost chunks must not be sent again, as far as they are next. The
    /// congestion window has paid for the loss when it was found.
    pub(super) fn give_up_lost(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some((id, reason)) = self.sender.outstanding.hopeless(now) {
            self.abandon_begun(now, id, reason);
            any = true;
        }
        any
    }

    /// Takes a message out of the queue; false if it must go on because a part of it was sent and
    /// the peer does not know FORWARD-TSN.
    fn abandon_queued(&mut self, now: Instant, key: MessageKey, reason: AbandonReason) -> bool {
        let Some(queued) = self.sender.queue.get(key) else {
            return false;
        };
        if queued.next_place.is_some() {
            let begun = queued.begun;
            begun
                .into_iter()
                .for_each(|id| self.abandon_begun(now, id, reason));
            return begun.is_some();
        }
        if let Some(queued) = self.sender.discard(key) {
            let (stream, context) = (queued.message.stream, queued.options.context);
            self.on_abandoned(stream, context, false, reason);
        }
        true
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3
    //# (G1) When the sender side implementation gives up on transmitting a message that has been assigned a TSN (i.e., when that message is "abandoned", as defined in Section 3.4), the sender side MUST mark that TSN as eligible for forward TSN, and the rules in Section 3.4 regarding the sending of FORWARD TSN chunks MUST be followed.
    fn abandon_begun(&mut self, now: Instant, id: BegunId, reason: AbandonReason) {
        let Some(begun) = self.sender.outstanding.begun(id).copied() else {
            return;
        };
        let rest = begun.waiting.and_then(|key| self.sender.discard(key));
        let place = rest.and_then(|queued| queued.next_place);
        let paths = &mut self.paths;
        self.sender.outstanding.abandon(id, place, |shot, bytes| {
            if let Some(path) = paths.get_mut(shot.path) {
                path.in_flight -= bytes;
            }
        });
        for position in 0..self.paths.len() {
            if let Some(path) = self.paths.id_at(position) {
                self.arm_data_timers(now, path);
            }
        }
        self.on_abandoned(begun.message.stream, begun.message.context, true, reason);
    }

    fn on_abandoned(&mut self, stream: StreamId, context: u64, sent: bool, reason: AbandonReason) {
        let expendable = &mut self.sender.expendable;
        expendable.on_abandoned(stream, sent);
        if expendable.reports {
            self.events.push_back(Event::Abandoned {
                stream,
                context,
                sent,
                reason,
            });
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc7496#section-3.2
    //# When storing a user message in the send buffer while there is not enough available space, the SCTP stack at the sender side MAY abandon other user message(s) of the same SCTP association (with the same or a different stream) with a priority lower than the provided one.
    /// Makes room for `bytes` by giving up messages that nothing was sent of: what has expired, and
    /// what ranks lower than `priority`. If that is not enough the latter stay.
    pub(super) fn make_room(&mut self, bytes: usize, priority: Option<u32>) {
        let now = self.now;
        self.give_up_messages(now);
        let used = self.sender.buffered() + bytes;
        let needed = used.saturating_sub(self.config.send_buffer);
        if needed == 0 || !self.sender.expendable.can_free(needed, priority) {
            return;
        }
        while self.sender.buffered() + bytes > self.config.send_buffer {
            let Some(key) = self.sender.expendable.lowest(priority) else {
                return;
            };
            self.abandon_queued(now, key, AbandonReason::Priority);
        }
    }
}
