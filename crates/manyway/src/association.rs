//! A connection's handle.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use manyway_proto::{
    AssocId, AssocState, AssocStats, CloseReason, Message, PathError, PathId, PathInfo, Wish,
};

use crate::error::{RecvError, SendError, ShutdownError};
use crate::shared::{Shared, Signals, State};

/// A connection to a peer over any number of paths. Cheap to clone; all clones are the same
/// connection. When the last clone is dropped before a shutdown the association is aborted.
#[derive(Clone, Debug)]
pub struct Association(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    id: AssocId,
    signals: Arc<Signals>,
    port: u16,
}

impl Association {
    pub(crate) fn new(shared: Arc<Shared>, id: AssocId, signals: Arc<Signals>, port: u16) -> Self {
        Self(Arc::new(Handle {
            shared,
            id,
            signals,
            port,
        }))
    }

    /// Its number, unique within the endpoint.
    pub fn id(&self) -> u64 {
        self.0.id.number()
    }

    /// The SCTP port on the listening side: the service that the association is for.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.shared.lock())
    }

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
        let mut message = message;
        loop {
            let writable = self.0.signals.writable.notified();
            tokio::pin!(writable);
            writable.as_mut().enable();
            match self.try_send(message) {
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
        let now = self.0.shared.now();
        self.with(|state| {
            if let Some(reason) = state.entries.get(&self.0.id).and_then(|e| e.closed.clone()) {
                return Err(SendError::Closed(reason));
            }
            let Some(assoc) = state.proto.association_mut(now, self.0.id) else {
                return Err(SendError::Closing);
            };
            let sent = assoc.send(message);
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
        loop {
            let readable = self.0.signals.readable.notified();
            tokio::pin!(readable);
            readable.as_mut().enable();
            if let Some(message) = self.try_recv() {
                return Ok(Some(message));
            }
            if let Some(end) = self.end_of_data() {
                return end;
            }
            readable.await;
        }
    }

    fn end_of_data(&self) -> Option<Result<Option<Message>, RecvError>> {
        self.with(|state| {
            let Some(entry) = state.entries.get(&self.0.id) else {
                return Some(Ok(None));
            };
            match &entry.closed {
                Some(CloseReason::Graceful) => Some(Ok(None)),
                Some(reason) => Some(Err(RecvError::Aborted(reason.clone()))),
                None if entry.peer_done => Some(Ok(None)),
                None => None,
            }
        })
    }

    /// The next message if one is complete.
    pub fn try_recv(&self) -> Option<Message> {
        let now = self.0.shared.now();
        self.with(|state| {
            if !state.proto.association(self.0.id)?.has_message() {
                return None;
            }
            let assoc = state.proto.association_mut(now, self.0.id)?;
            let message = assoc.recv();
            if assoc.wants_to_send() {
                state.wake_driver();
            }
            message
        })
    }

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

    fn inspect<T>(&self, f: impl FnOnce(&manyway_proto::Association) -> T) -> Option<T> {
        self.with(|state| state.proto.association(self.0.id).map(f))
    }

    /// Snapshots of the paths.
    pub fn paths(&self) -> Vec<PathInfo> {
        self.inspect(|assoc| assoc.paths().collect())
            .unwrap_or_default()
    }

    /// Counters.
    pub fn stats(&self) -> AssocStats {
        self.inspect(manyway_proto::Association::stats)
            .unwrap_or_default()
    }

    /// The state of the protocol.
    pub fn state(&self) -> AssocState {
        self.inspect(manyway_proto::Association::state)
            .unwrap_or(AssocState::Closed)
    }

    /// The peer's UDP addresses, the first one first contacted.
    pub fn remote_addresses(&self) -> Vec<SocketAddr> {
        self.inspect(|assoc| assoc.peer_addresses().to_vec())
            .unwrap_or_default()
    }

    /// Bytes that a message may have to fit one packet on every path that works. It changes as
    /// paths come, go and are measured.
    pub fn max_message_payload(&self) -> usize {
        self.inspect(manyway_proto::Association::max_message_payload)
            .unwrap_or(1024)
    }

    /// Bytes accepted for sending and not yet acknowledged.
    pub fn send_backlog(&self) -> usize {
        self.inspect(manyway_proto::Association::send_backlog)
            .unwrap_or_default()
    }

    fn command(
        &self,
        f: impl FnOnce(&mut manyway_proto::Association, manyway_proto::Instant) -> Result<(), PathError>,
    ) -> Result<(), PathError> {
        let now = self.0.shared.now();
        self.with(|state| {
            let assoc = state.proto.association_mut(now, self.0.id);
            let result = assoc.map_or(Err(PathError::NotEstablished), |assoc| f(assoc, now));
            state.wake_driver();
            result
        })
    }

    /// Makes a path the one that is used first, in both directions.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_primary(&self, path: PathId) -> Result<(), PathError> {
        self.command(|assoc, now| assoc.set_primary(now, path))
    }

    /// States how a path shall be used, to this side and to the peer.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_wish(&self, path: PathId, wish: Wish) -> Result<(), PathError> {
        self.command(|assoc, now| assoc.set_wish(now, path, wish))
    }

    /// Waits for the end of the handshake.
    pub(crate) async fn settled(&self) -> Option<CloseReason> {
        loop {
            let settled = self.0.signals.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let outcome = self.with(|state| {
                let entry = state.entries.get(&self.0.id)?;
                // An association may be over before anybody has looked, its messages unread.
                match entry.established {
                    true => Some(None),
                    false => entry.settled.then(|| entry.closed.clone()),
                }
            });
            match outcome {
                Some(reason) => return reason,
                None => settled.await,
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        state.on_settled(self.id);
        let entry = state.entries.remove(&self.id);
        if entry.is_some_and(|e| e.closed.is_some()) {
            // The driver releases it when its last words are sent.
            state.orphans.push(self.id);
            state.wake_driver();
        } else if let Some(assoc) = state.proto.association_mut(now, self.id) {
            // A shutdown under way goes on without handles; the driver releases it at its end.
            if !assoc.is_shutting_down() {
                assoc.abort(now, Bytes::new());
            }
            state.wake_driver();
        }
    }
}
