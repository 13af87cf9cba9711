//! Streams that begin anew, and more of them (RFC 6525).

use manyway_proto::{ReconfigError, ReconfigPolicy, StreamId};

use super::Association;

impl Association {
    /// Resets outgoing streams, all of them if none is named: messages handed over before are
    /// delivered first, those handed over from now on are numbered from 0 and leave when the peer
    /// has agreed. [`Event::StreamsReset`](crate::Event::StreamsReset),
    /// [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) or
    /// [`Event::ReconfigNothingToDo`](crate::Event::ReconfigNothingToDo) follows; several if the
    /// list does not fit one packet.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn reset_streams(&self, streams: &[StreamId]) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.reset_streams(now, streams)
        })
    }

    /// Asks the peer to reset streams that it sends on, all of them if none is named. Events as for
    /// [`Association::reset_streams`].
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn request_stream_reset(&self, streams: &[StreamId]) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.request_stream_reset(now, streams)
        })
    }

    /// Resets all streams and the numbers of what is sent, in both directions.
    /// [`Event::AssociationReset`](crate::Event::AssociationReset) or
    /// [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) follows.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`]; [`ReconfigError::TooSoon`] within 30 s of the last one.
    pub fn reset_association(&self) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.reset_association(now)
        })
    }

    /// Asks for more streams behind those that there are.
    /// [`Event::StreamsAdded`](crate::Event::StreamsAdded) or
    /// [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) follows for each direction.
    ///
    /// # Errors
    ///
    /// See [`ReconfigError`].
    pub fn add_streams(&self, outgoing: u16, incoming: u16) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.add_streams(now, outgoing, incoming)
        })
    }

    /// Changes which requests of the peer are carried out from now on.
    ///
    /// # Errors
    ///
    /// [`ReconfigError::NotSupported`] if the association does not have the extension,
    /// [`ReconfigError::NotEstablished`] if it is gone.
    pub fn set_reconfig_policy(&self, policy: ReconfigPolicy) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, _| {
            assoc.set_reconfig_policy(policy)
        })
    }
}
