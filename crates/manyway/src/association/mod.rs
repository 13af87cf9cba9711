//! A connection's handle.
//!
//! | file | what |
//! |---|---|
//! | `messages` | sending and receiving |
//! | `streams` | scheduling of streams |
//! | `reconfig` | resetting and adding streams |
//! | `reports` | what subscribers are told on request |
//! | `commands`, `getters` | steering and looking |
//! | `closing` | the end |

use std::sync::Arc;

use bytes::Bytes;
use manyway_proto::{AssocId, CloseReason, Event};

use crate::events::{self, Events};
use crate::shared::{Shared, Signals, State};

mod closing;
mod commands;
mod getters;
mod messages;
mod reconfig;
mod reliability;
mod reports;
mod streams;

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

    /// Subscribes to what happens to the association besides messages: paths that come up, go down
    /// and move, a new primary, streams that are reset and added, errors that the peer reports, the
    /// peer's shutdown, the end; see [`Event`]. Of messages that were given up
    /// ([`Association::report_abandoned`]) and of an empty send buffer
    /// ([`Association::report_sender_dry`]) only on request. An association that has ended tells
    /// just its end. `cargo run --example events` shows it.
    ///
    /// Each subscription has its own place; what happened before it is not told.
    ///
    /// ```
    /// # use manyway::{Association, Event};
    /// # async fn example(association: Association) {
    /// let mut events = association.events();
    /// while let Some(event) = events.next().await {
    ///     if let Event::PathDown { path } = event {
    ///         eprintln!("path {path:?} does not answer");
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> Events {
        let over = |reason| events::ended(Event::Closed { reason });
        self.with(|state| match state.entries.get_mut(&self.0.id) {
            Some(entry) => match &entry.closed {
                Some(reason) => over(reason.clone()),
                None => entry.subscribers.subscribe(),
            },
            None => over(CloseReason::LocalAbort),
        })
    }

    fn inspect<T>(&self, f: impl FnOnce(&manyway_proto::Association) -> T) -> Option<T> {
        self.with(|state| state.proto.association(self.0.id).map(f))
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
