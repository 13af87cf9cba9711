//! Resetting and adding streams (RFC 6525).

use manyway_proto::{ReconfigError, ReconfigPolicy, StreamId};

use super::Association;

impl Association {
    /// Resets outgoing streams, all of them if none is named (RFC 6525, section 5.1.2): messages
    /// handed over before are delivered first, and those handed over from now on, which leave when
    /// the peer has agreed, begin a stream anew. What a stream was used for is over, and its number
    /// free for something else.
    ///
    /// [`Event::StreamsReset`](crate::Event::StreamsReset) follows at both ends, or here
    /// [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) or
    /// [`Event::ReconfigNothingToDo`](crate::Event::ReconfigNothingToDo); several if the list does
    /// not fit one packet. `cargo run --example reset` shows it.
    ///
    /// ```
    /// # use manyway::{Association, Message};
    /// use manyway::{Event, StreamId};
    ///
    /// # async fn example(association: Association) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut events = association.events();
    /// association.reset_streams(&[StreamId(4)])?;
    /// // Not sent before the peer has agreed.
    /// association.send(Message::new(4, "first of another conversation")).await?;
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Event::StreamsReset { .. } => break,
    ///         Event::ReconfigFailed { failure, .. } => return Err(failure.to_string().into()),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReconfigError::InvalidStream`] if there is no such outgoing stream,
    /// [`ReconfigError::NotSupported`] if the peer does not know the extension; otherwise see
    /// [`ReconfigError`].
    pub fn reset_streams(&self, streams: &[StreamId]) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.reset_streams(now, streams)
        })
    }

    /// Asks the peer to reset streams that it sends on, all of them if none is named (RFC 6525,
    /// section 5.1.3). Events as for [`Association::reset_streams`]; the peer's policy may deny it,
    /// and of streams on which it has sent nothing since they began it resets none.
    ///
    /// # Errors
    ///
    /// As [`Association::reset_streams`], of incoming streams.
    pub fn request_stream_reset(&self, streams: &[StreamId]) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.request_stream_reset(now, streams)
        })
    }

    /// Resets all streams and the transmission sequence numbers of both directions (RFC 6525,
    /// section 5.1.4): the association is as if it had just been opened. Messages handed over before
    /// are delivered first. [`Event::AssociationReset`](crate::Event::AssociationReset) follows at
    /// both ends, or [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) here.
    ///
    /// # Errors
    ///
    /// [`ReconfigError::TooSoon`] within 30 s of the last one; otherwise see [`ReconfigError`].
    pub fn reset_association(&self) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.reset_association(now)
        })
    }

    /// Adds streams: `outgoing` of this side, and `incoming` that the peer is asked to open (RFC
    /// 6525, sections 5.1.5 and 5.1.6). [`Event::StreamsAdded`](crate::Event::StreamsAdded) or
    /// [`Event::ReconfigFailed`](crate::Event::ReconfigFailed) follows for each direction; new
    /// outgoing streams can be sent on from then.
    ///
    /// ```
    /// # use manyway::{Association, ReconfigError};
    /// # fn example(association: &Association) -> Result<(), ReconfigError> {
    /// association.add_streams(16, 0)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReconfigError::TooManyStreams`] if a direction would have more than 65,535; otherwise see
    /// [`ReconfigError`].
    pub fn add_streams(&self, outgoing: u16, incoming: u16) -> Result<(), ReconfigError> {
        self.command(ReconfigError::NotEstablished, |assoc, now| {
            assoc.add_streams(now, outgoing, incoming)
        })
    }

    /// Changes which re-configuration requests of the peer are carried out from now on (RFC 6525,
    /// section 5.2.1). At first it is [`TransportConfig::reconfig`](crate::TransportConfig::reconfig).
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
