//! What the application may ask for.

use std::time::Duration;

use manyway_wire::StreamId;

use super::asking::{Asked, Waiting};
use super::sorted;
use crate::assoc::Association;
use crate::error::ReconfigError;
use crate::reconfig::{ReconfigPolicy, ReconfigRequest};
use crate::time::Instant;

/// A maximum segment lifetime: packets from before a reset of TSNs may arrive until then.
pub(super) const SEGMENT_LIFETIME: Duration = Duration::from_secs(30);

impl Association {
    /// Resets outgoing streams, all of them if none is named (RFC 6525, section 5.1.2): messages
    /// handed over before are delivered first, those handed over from now on are numbered from 0
    /// and leave when the peer has agreed. [`crate::Event::StreamsReset`],
    /// [`crate::Event::ReconfigFailed`] or [`crate::Event::ReconfigNothingToDo`] follows; several
    /// if the list does not fit one packet.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn reset_streams(
        &mut self,
        now: Instant,
        streams: &[StreamId],
    ) -> Result<(), ReconfigError> {
        self.require_reconfig(1)?;
        let streams = check_streams(streams, self.peer.inbound_streams)?;
        self.ask_to_reconfig(now, ReconfigRequest::ResetOutgoing(streams));
        Ok(())
    }

    /// Asks the peer to reset streams that it sends on, all of them if none is named (RFC 6525,
    /// section 5.1.3). Events as for [`Association::reset_streams`].
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn request_stream_reset(
        &mut self,
        now: Instant,
        streams: &[StreamId],
    ) -> Result<(), ReconfigError> {
        self.require_reconfig(1)?;
        let streams = check_streams(streams, self.peer.outbound_streams)?;
        self.ask_to_reconfig(now, ReconfigRequest::ResetIncoming(streams));
        Ok(())
    }

    /// Resets all streams and the TSNs of both directions (RFC 6525, section 5.1.4). Messages
    /// handed over before are delivered first. [`crate::Event::AssociationReset`] or
    /// [`crate::Event::ReconfigFailed`] follows.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`]; [`ReconfigError::TooSoon`] within 30 s of the last one.
    pub fn reset_association(&mut self, now: Instant) -> Result<(), ReconfigError> {
        self.require_reconfig(1)?;
        //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.4
        //# Only one SSN/TSN Reset Request SHOULD be sent within 30 seconds, which is considered a maximum segment lifetime (the IP MSL).
        let reconfig = self.reconfig.as_deref();
        let resets_all = |w: &Waiting| w.request == ReconfigRequest::ResetAssociation;
        let asked = reconfig.is_some_and(|r| r.open_requests().any(resets_all));
        if asked || self.reset_tsns_lately(now) {
            return Err(ReconfigError::TooSoon);
        }
        self.ask_to_reconfig(now, ReconfigRequest::ResetAssociation);
        Ok(())
    }

    /// Adds streams: `outgoing` of this side, and `incoming` that the peer is asked to open (RFC
    /// 6525, sections 5.1.5 and 5.1.6). [`crate::Event::StreamsAdded`] or
    /// [`crate::Event::ReconfigFailed`] follows for each direction.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn add_streams(
        &mut self,
        now: Instant,
        outgoing: u16,
        incoming: u16,
    ) -> Result<(), ReconfigError> {
        self.require_reconfig(2)?;
        let too_many = self
            .outgoing_streams_asked()
            .checked_add(outgoing)
            .is_none()
            || self.peer.outbound_streams.checked_add(incoming).is_none();
        if too_many {
            return Err(ReconfigError::TooManyStreams);
        }
        if outgoing > 0 {
            self.enqueue(ReconfigRequest::AddOutgoing(outgoing));
        }
        if incoming > 0 {
            self.enqueue(ReconfigRequest::AddIncoming(incoming));
        }
        self.advance_reconfig(now);
        Ok(())
    }

    /// Changes which requests of the peer are carried out from now on (RFC 6525, section 5.2.1:
    /// "user configurable even after the association has formed").
    ///
    /// # Errors
    ///
    /// [`ReconfigError::NotSupported`] if the association does not have the extension.
    pub fn set_reconfig_policy(&mut self, policy: ReconfigPolicy) -> Result<(), ReconfigError> {
        let reconfig = self.reconfig.as_deref_mut();
        reconfig.ok_or(ReconfigError::NotSupported)?.policy = policy;
        Ok(())
    }

    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
    //# If the chunk type of the RE-CONFIG chunk does not appear in the supported extension's list of chunks, then the sender MUST NOT send any re-configuration request to the peer, and any request by the application for such service SHOULD be responded to with an appropriate error
    fn require_reconfig(&self, requests: usize) -> Result<(), ReconfigError> {
        if !self.is_established() {
            return Err(ReconfigError::NotEstablished);
        }
        if self.is_shutting_down() {
            return Err(ReconfigError::Closing);
        }
        let reconfig = self.reconfig.as_deref();
        let reconfig = reconfig.ok_or(ReconfigError::NotSupported)?;
        match reconfig.waiting.len() + requests > self.config.max_queued_reconfigs {
            true => Err(ReconfigError::TooManyRequests),
            false => Ok(()),
        }
    }

    fn ask_to_reconfig(&mut self, now: Instant, request: ReconfigRequest) {
        self.enqueue(request);
        self.advance_reconfig(now);
    }

    fn enqueue(&mut self, request: ReconfigRequest) {
        let waiting = Waiting::new(request, self.sender.queue.next_number());
        self.enqueue_request(waiting);
    }

    pub(super) fn enqueue_request(&mut self, waiting: Waiting) {
        let held = match &waiting.request {
            ReconfigRequest::ResetOutgoing(streams) => Some(streams.clone()),
            ReconfigRequest::ResetAssociation => Some(Vec::new()),
            _ => None,
        };
        self.reconfig_mut(|r| r.waiting.push_back(waiting));
        if let Some(streams) = held {
            self.update_holds(&streams);
        }
    }

    /// Outgoing streams when all that was asked for has been added.
    pub(super) fn outgoing_streams_asked(&self) -> u16 {
        let Some(reconfig) = self.reconfig.as_deref() else {
            return self.peer.inbound_streams;
        };
        let all = reconfig.open_requests();
        let now = self.peer.inbound_streams;
        all.fold(now, |sum, what| match &what.request {
            ReconfigRequest::AddOutgoing(count) => sum.saturating_add(*count),
            _ => sum,
        })
    }

    /// Whether acknowledgements may come from the other side of a reset of TSNs.
    pub(in crate::assoc) fn resets_tsns(&self, now: Instant) -> bool {
        let all = |w: &Asked| w.what.request == ReconfigRequest::ResetAssociation;
        self.reset_tsns_lately(now) || self.awaits_answer(all)
    }

    /// Whether packets from before the last reset of TSNs may still arrive.
    pub(super) fn reset_tsns_lately(&self, now: Instant) -> bool {
        let reset = self.reconfig.as_deref().and_then(|r| r.tsns_reset);
        reset.is_some_and(|at| now - at < SEGMENT_LIFETIME)
    }
}

fn check_streams(streams: &[StreamId], count: u16) -> Result<Vec<StreamId>, ReconfigError> {
    match streams.iter().find(|s| s.0 >= count) {
        Some(unknown) => Err(ReconfigError::InvalidStream(unknown.0)),
        None => Ok(sorted(streams.iter().copied())),
    }
}
