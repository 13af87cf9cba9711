//! The end.

use bytes::Bytes;
use manyway_proto::CloseReason;

use super::Association;
use crate::error::ShutdownError;

impl Association {
    /// Ends the association when all messages have been acknowledged, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Aborted`] if it ended before.
    ///
    /// # Cancel safety
    ///
    /// The shutdown goes on if the future, and even the last handle, is dropped.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        let now = self.0.shared.now();
        self.with(|state| {
            if let Some(assoc) = state.proto.association_mut(now, self.0.id) {
                assoc.shutdown(now);
            }
            state.wake_driver();
        });
        match self.closed().await {
            CloseReason::Graceful => Ok(()),
            reason => Err(ShutdownError::Aborted(reason)),
        }
    }

    /// Ends the association at once; the peer is told `reason` (at most 512 bytes of it).
    pub fn abort(&self, reason: &[u8]) {
        let now = self.0.shared.now();
        let reason = Bytes::copy_from_slice(reason);
        self.with(|state| {
            if let Some(assoc) = state.proto.association_mut(now, self.0.id) {
                assoc.abort(now, reason);
            }
            state.wake_driver();
        });
    }

    /// Waits until the association has ended.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time.
    pub async fn closed(&self) -> CloseReason {
        loop {
            let closed = self.0.signals.closed.notified();
            tokio::pin!(closed);
            closed.as_mut().enable();
            let reason = self.with(|state| match state.entries.get(&self.0.id) {
                Some(entry) => entry.closed.clone(),
                None => Some(CloseReason::LocalAbort),
            });
            match reason {
                Some(reason) => return reason,
                None => closed.await,
            }
        }
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        self.with(|state| {
            state
                .entries
                .get(&self.0.id)
                .is_some_and(|e| e.closed.is_none())
        })
    }
}
