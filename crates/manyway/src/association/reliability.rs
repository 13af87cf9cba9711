//! Messages that may be given up.

use manyway_proto::{AbandonedMessages, Reliability, StreamError, StreamId};

use super::Association;

impl Association {
    /// How reliable messages are that do not say it themselves
    /// ([`crate::SendOptions::reliability`]): those of one stream, or of all streams that have no
    /// default of their own.
    ///
    /// ```
    /// # use manyway::{Association, StreamError, StreamId};
    /// use std::time::Duration;
    ///
    /// use manyway::Reliability;
    ///
    /// # fn example(association: &Association) -> Result<(), StreamError> {
    /// // Positions on stream 3: nobody wants old ones.
    /// let fresh = Reliability::RELIABLE.with_lifetime(Duration::from_millis(100));
    /// association.set_default_reliability(Some(StreamId(3)), fresh)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StreamError::Invalid`] if there is no such outgoing stream.
    pub fn set_default_reliability(
        &self,
        stream: Option<StreamId>,
        reliability: Reliability,
    ) -> Result<(), StreamError> {
        let gone = StreamError::Invalid(stream.map_or(0, |id| id.0));
        self.command(gone, |assoc, _| {
            assoc.set_default_reliability(stream, reliability)
        })
    }

    /// Whether subscribers are told of each message that is given up
    /// ([`crate::Event::Abandoned`]). They are not from the beginning; the counters always run.
    pub fn report_abandoned(&self, report: bool) {
        // An association that is gone gives nothing up.
        let _ = self.command((), |assoc, _| {
            assoc.report_abandoned(report);
            Ok(())
        });
    }

    /// Messages of an outgoing stream that were given up.
    pub fn abandoned_messages(&self, stream: StreamId) -> AbandonedMessages {
        self.inspect(|assoc| assoc.abandoned_messages(stream))
            .unwrap_or_default()
    }

    /// Whether messages can be given up after a part of them was sent: both ends can do it.
    pub fn can_abandon_sent(&self) -> bool {
        self.inspect(manyway_proto::Association::can_abandon_sent)
            .unwrap_or_default()
    }
}
