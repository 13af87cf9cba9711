//! Which stream's messages leave next.

use std::num::NonZeroU16;

use manyway_proto::{StreamError, StreamId, StreamScheduler};

use super::Association;

impl Association {
    /// Changes the scheduler of the outgoing streams, from the next chunk on (RFC 8260, section 3).
    /// If the peer cannot interleave messages, one that was begun is finished first.
    ///
    /// ```
    /// # use manyway::{Association, StreamError, StreamId};
    /// use manyway::StreamSchedulerKind;
    ///
    /// # fn example(association: &Association) -> Result<(), StreamError> {
    /// association.set_stream_scheduler(StreamSchedulerKind::Priority.build());
    /// // Everything else before the logs.
    /// association.set_stream_priority(StreamId(9), 100)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_stream_scheduler(&self, scheduler: Box<dyn StreamScheduler>) {
        // An association that is gone schedules nothing.
        let _ = self.command((), |assoc, _| {
            assoc.set_stream_scheduler(scheduler);
            Ok(())
        });
    }

    /// Sets an outgoing stream's priority; 0, the default, is the highest.
    ///
    /// # Errors
    ///
    /// [`StreamError::Invalid`] if there is no such stream.
    pub fn set_stream_priority(&self, stream: StreamId, priority: u16) -> Result<(), StreamError> {
        self.command(StreamError::Invalid(stream.0), |assoc, _| {
            assoc.set_stream_priority(stream, priority)
        })
    }

    /// Sets an outgoing stream's weight; 1 is the default.
    ///
    /// # Errors
    ///
    /// As [`Association::set_stream_priority`].
    pub fn set_stream_weight(
        &self,
        stream: StreamId,
        weight: NonZeroU16,
    ) -> Result<(), StreamError> {
        self.command(StreamError::Invalid(stream.0), |assoc, _| {
            assoc.set_stream_weight(stream, weight)
        })
    }
}
