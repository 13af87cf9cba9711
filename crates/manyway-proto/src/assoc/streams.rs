//! What the application may say of its outgoing streams (RFC 8260, section 3).

use std::num::NonZeroU16;

use manyway_wire::StreamId;

use super::Association;
use crate::error::StreamError;
use crate::stream::StreamScheduler;

impl Association {
    /// Changes the scheduler of the outgoing streams, from the next chunk on. Without
    /// [`crate::Extension::Interleaving`] a message that was begun is finished first.
    ///
    /// ```
    /// # use manyway_proto::Association;
    /// use manyway_proto::{StreamId, StreamSchedulerKind};
    ///
    /// # fn example(association: &mut Association) -> Result<(), manyway_proto::StreamError> {
    /// association.set_stream_scheduler(StreamSchedulerKind::Priority.build());
    /// association.set_stream_priority(StreamId(3), 7)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_stream_scheduler(&mut self, scheduler: Box<dyn StreamScheduler>) {
        self.sender.queue.set_scheduler(scheduler);
    }

    /// Name of the scheduler of the outgoing streams.
    pub fn stream_scheduler(&self) -> &'static str {
        self.sender.queue.scheduler_name()
    }

    /// Sets a stream's priority, which [`crate::StreamSchedulerKind::Priority`] regards: 0, the
    /// default, is the highest.
    ///
    /// # Errors
    ///
    /// [`StreamError::Invalid`] if there is no such outgoing stream.
    pub fn set_stream_priority(
        &mut self,
        stream: StreamId,
        priority: u16,
    ) -> Result<(), StreamError> {
        self.require_stream(stream)?;
        self.sender.queue.set_priority(stream, priority);
        Ok(())
    }

    /// A stream's priority.
    pub fn stream_priority(&self, stream: StreamId) -> u16 {
        self.sender.queue.priority(stream)
    }

    /// Sets a stream's weight, which [`crate::StreamSchedulerKind::WeightedFair`] regards; 1 is the
    /// default.
    ///
    /// # Errors
    ///
    /// As [`Association::set_stream_priority`].
    pub fn set_stream_weight(
        &mut self,
        stream: StreamId,
        weight: NonZeroU16,
    ) -> Result<(), StreamError> {
        self.require_stream(stream)?;
        self.sender.queue.set_weight(stream, weight);
        Ok(())
    }

    /// A stream's weight.
    pub fn stream_weight(&self, stream: StreamId) -> NonZeroU16 {
        self.sender.queue.weight(stream)
    }

    pub(super) fn require_stream(&self, stream: StreamId) -> Result<(), StreamError> {
        if stream.0 < self.outbound_streams() {
            Ok(())
        } else {
            Err(StreamError::Invalid(stream.0))
        }
    }
}
