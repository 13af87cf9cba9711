//! Messages in and out.

use manyway_proto::{CloseReason, Message, MessagePart, SendOptions};

use super::Association;
use crate::error::{RecvError, SendError};

impl Association {
    /// Sends a message; waits while the send buffer is full.
    ///
    /// # Errors
    ///
    /// Any [`SendError`] but `WouldBlock`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the message is not sent.
    pub async fn send(&self, message: Message) -> Result<(), SendError> {
        self.send_with(message, SendOptions::default()).await
    }

    /// Sends a message as `options` say; waits while the send buffer is full.
    ///
    /// # Errors
    ///
    /// As [`Association::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Association::send`].
    pub async fn send_with(&self, message: Message, options: SendOptions) -> Result<(), SendError> {
        let mut message = message;
        loop {
            let writable = self.0.signals.writable.notified();
            tokio::pin!(writable);
            writable.as_mut().enable();
            match self.try_send_with(message, options) {
                Err(SendError::WouldBlock(back)) => message = back,
                other => return other,
            }
            writable.await;
        }
    }

    /// Sends a message if there is room in the send buffer.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; `WouldBlock` gives the message back.
    pub fn try_send(&self, message: Message) -> Result<(), SendError> {
        self.try_send_with(message, SendOptions::default())
    }

    /// Sends a message as `options` say if there is room in the send buffer.
    ///
    /// # Errors
    ///
    /// As [`Association::try_send`].
    pub fn try_send_with(&self, message: Message, options: SendOptions) -> Result<(), SendError> {
        let now = self.0.shared.now();
        self.with(|state| {
            if let Some(reason) = state.entries.get(&self.0.id).and_then(|e| e.closed.clone()) {
                return Err(SendError::Closed(reason));
            }
            let Some(assoc) = state.proto.association_mut(now, self.0.id) else {
                return Err(SendError::Closing);
            };
            let sent = assoc.send_with(message, options);
            state.wake_driver();
            sent.map_err(SendError::from)
        })
    }

    /// The next message; `None` when the peer has shut down and everything was read.
    ///
    /// # Errors
    ///
    /// [`RecvError::Aborted`] if the association ended otherwise. What had arrived whole is given
    /// out before.
    ///
    /// # Cancel safety
    ///
    /// No message is lost if the future is dropped.
    pub async fn recv(&self) -> Result<Option<Message>, RecvError> {
        self.next(Self::try_recv).await
    }

    /// The next message or the next part of one, where
    /// [`TransportConfig::partial_delivery_point`](crate::TransportConfig::partial_delivery_point)
    /// lets large messages come in parts; `None` when the peer has shut down and everything was
    /// read.
    ///
    /// # Errors
    ///
    /// As [`Association::recv`].
    ///
    /// # Cancel safety
    ///
    /// As [`Association::recv`].
    pub async fn recv_part(&self) -> Result<Option<MessagePart>, RecvError> {
        self.next(Self::try_recv_part).await
    }

    /// Waits until `take` gives something or nothing more will come.
    async fn next<T>(&self, take: impl Fn(&Self) -> Option<T>) -> Result<Option<T>, RecvError> {
        loop {
            let readable = self.0.signals.readable.notified();
            tokio::pin!(readable);
            readable.as_mut().enable();
            if let Some(taken) = take(self) {
                return Ok(Some(taken));
            }
            if let Some(end) = self.end_of_data() {
                return end.map(|()| None);
            }
            readable.await;
        }
    }

    fn end_of_data(&self) -> Option<Result<(), RecvError>> {
        self.with(|state| {
            let Some(entry) = state.entries.get(&self.0.id) else {
                return Some(Ok(()));
            };
            match &entry.closed {
                Some(CloseReason::Graceful) => Some(Ok(())),
                Some(reason) => Some(Err(RecvError::Aborted(reason.clone()))),
                None if entry.peer_done => Some(Ok(())),
                None => None,
            }
        })
    }

    /// The next message if one is complete.
    pub fn try_recv(&self) -> Option<Message> {
        self.take(manyway_proto::Association::recv)
    }

    /// The next message or the next part of one, if there is any: see [`Association::recv_part`].
    pub fn try_recv_part(&self) -> Option<MessagePart> {
        self.take(manyway_proto::Association::recv_part)
    }

    fn take<T>(
        &self,
        from: impl FnOnce(&mut manyway_proto::Association) -> Option<T>,
    ) -> Option<T> {
        let now = self.0.shared.now();
        self.with(|state| {
            if !state.proto.association(self.0.id)?.has_message() {
                return None;
            }
            let assoc = state.proto.association_mut(now, self.0.id)?;
            let taken = from(assoc);
            if assoc.wants_to_send() {
                state.wake_driver();
            }
            taken
        })
    }
}
