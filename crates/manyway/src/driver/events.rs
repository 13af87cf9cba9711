//! The engine's events, brought to the tasks that wait for them.

use std::sync::Arc;

use bytes::Bytes;
use manyway_proto::{AssocId, CloseReason, Event};

use super::Progress;
use crate::association::Association;
use crate::shared::{Shared, State};

/// Delivers all events.
pub(super) fn dispatch(shared: &Arc<Shared>, state: &mut State) -> Progress {
    let mut progress = Progress::None;
    while let Some((id, event)) = state.proto.poll_event() {
        progress = Progress::Some;
        match event {
            Event::Incoming => on_incoming(shared, state, id),
            Event::Closed { reason } => on_closed(state, id, reason),
            event => notify(state, id, &event),
        }
    }
    progress
}

fn notify(state: &mut State, id: AssocId, event: &Event) {
    if *event == Event::Connected {
        state.on_settled(id);
    }
    let Some(entry) = state.entries.get_mut(&id) else {
        return;
    };
    entry.subscribers.publish(event);
    match event {
        Event::Connected => {
            entry.established = true;
            entry.signals.settled.notify_waiters();
        }
        Event::Readable => entry.signals.readable.notify_waiters(),
        Event::Writable => entry.signals.writable.notify_waiters(),
        Event::PeerShutdown => {
            entry.peer_done = true;
            entry.signals.readable.notify_waiters();
        }
        event => tracing::debug!(assoc = id.number(), ?event, "event"),
    }
}

fn on_incoming(shared: &Arc<Shared>, state: &mut State, id: AssocId) {
    let Some(port) = state.proto.association(id).map(|a| a.local_port().0) else {
        return;
    };
    let signals = state.add_entry(id, true);
    let association = Association::new(Arc::clone(shared), id, signals, port);
    let refused = match state.listeners.get(&port) {
        Some(listener) => listener.try_send(association).err().map(|e| e.into_inner()),
        None => Some(association),
    };
    if let Some(association) = refused {
        let now = shared.now();
        if let Some(assoc) = state.proto.association_mut(now, id) {
            assoc.abort(now, Bytes::from_static(b"nobody accepts"));
        }
        // Its drop takes the lock that is held here.
        tokio::spawn(async move { drop(association) });
    }
}

fn on_closed(state: &mut State, id: AssocId, reason: CloseReason) {
    state.on_settled(id);
    match state.entries.get_mut(&id) {
        Some(entry) => {
            let last = Event::Closed {
                reason: reason.clone(),
            };
            entry.subscribers.close(&last);
            entry.closed = Some(reason);
            entry.signals.wake_all();
        }
        // No handle is left to read what it received.
        None => state.orphans.push(id),
    }
}

/// The endpoint is gone: nobody shall wait for ever.
pub(super) fn close_all(state: &mut State) {
    for entry in state.entries.values_mut() {
        let reason = entry.closed.get_or_insert(CloseReason::LocalAbort).clone();
        entry.subscribers.close(&Event::Closed { reason });
        entry.signals.wake_all();
    }
}
