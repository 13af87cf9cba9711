//! The task that moves datagrams between sockets and engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use manyway_net::interfaces::watch::AddressWatcher;
use manyway_net::udp::RecvBatch;
use manyway_proto::Transmit;
use tokio::time::Sleep;

use crate::shared::{Shared, State};

mod events;
mod receive;
mod sockets;
mod transmit;

pub(crate) use sockets::Sockets;

/// Rounds of receiving and sending before other tasks get a turn.
const ROUNDS: usize = 16;

/// Drives one endpoint. It ends when the endpoint is closed and its last words are sent.
pub(crate) struct Driver {
    shared: Arc<Shared>,
    sockets: Sockets,
    watcher: Option<AddressWatcher>,
    batch: RecvBatch,
    buffer: Vec<u8>,
    /// The largest packet that the engine makes, bytes.
    max_packet_size: usize,
    timer: Pin<Box<Sleep>>,
    /// The state of the engine's ports that the sockets know.
    ports_version: u64,
}

/// Whether a step found something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Some,
    None,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, sockets: Sockets, max_packet_size: usize) -> Self {
        let watcher = if sockets.follows_host() {
            AddressWatcher::new()
                .inspect_err(|error| {
                    tracing::warn!(%error, "cannot follow changes of addresses; paths stay as they are");
                })
                .ok()
        } else {
            None
        };
        Self {
            shared,
            sockets,
            watcher,
            batch: RecvBatch::default(),
            buffer: Vec::with_capacity(1 << 16),
            max_packet_size,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            ports_version: 0,
        }
    }

    /// Arms the timer for the engine's next deadline; true if it has passed already.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Progress {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let Some(deadline) = state.proto.poll_timeout() else {
            return Progress::None;
        };
        let now = shared.now();
        if deadline <= now {
            state.proto.handle_timeout(now);
            return Progress::Some;
        }
        drop(state);
        let at = tokio::time::Instant::from_std(shared.clock(deadline));
        if self.timer.deadline() != at {
            self.timer.as_mut().reset(at);
        }
        match self.timer.as_mut().poll(cx) {
            Poll::Ready(()) => Progress::Some,
            Poll::Pending => Progress::None,
        }
    }

    fn poll_addresses(&mut self, cx: &mut Context<'_>) {
        let mut changed = false;
        while let Some(watcher) = &mut self.watcher {
            match watcher.poll_next(cx) {
                Poll::Ready(Ok(_)) => changed = true,
                Poll::Ready(Err(error)) => {
                    tracing::warn!(%error, "lost track of the host's addresses");
                    self.watcher = None;
                }
                Poll::Pending => break,
            }
        }
        let wanted = std::mem::take(&mut self.shared.lock().wanted_loopback);
        let more = !wanted.is_empty();
        let mut answers = Vec::with_capacity(wanted.len());
        for (ip, answer) in wanted {
            answers.push((answer, self.sockets.add_loopback(ip)));
        }
        changed = changed && self.sockets.follow_host();
        if changed || more {
            let locals = self.sockets.local_addresses();
            let now = self.shared.now();
            let mut state = self.shared.lock();
            state.locals.clone_from(&locals);
            if changed {
                state.proto.set_local_addresses(now, &locals);
            }
        }
        for (answer, bound) in answers {
            // Who no longer waits needs no answer.
            let _ = answer.send(bound);
        }
    }

    /// Tells raw sockets which SCTP ports are in use.
    fn follow_ports(&mut self) {
        if !self.sockets.is_raw() {
            return;
        }
        let state = self.shared.lock();
        let version = state.proto.ports_version();
        if version != self.ports_version {
            let ports = state.proto.ports().map(|port| port.0).collect();
            drop(state);
            self.ports_version = version;
            self.sockets.set_ports(ports);
        }
    }

    /// Whether nothing is left to do for ever.
    fn is_finished(&self, state: &State) -> bool {
        let idle = || state.proto.associations().all(|a| !a.is_established());
        let unused = state.abandoned && state.listeners.is_empty() && state.entries.is_empty();
        (state.closing || unused) && idle() && self.sockets.is_flushed()
    }
}

/// Nobody shall wait for an endpoint that is driven no more, whatever the reason.
impl Drop for Driver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        state.wanted_loopback.clear();
        events::close_all(&mut state);
        let listeners = std::mem::take(&mut state.listeners);
        // Associations that nobody accepted take the lock when they are dropped.
        drop(state);
        drop(listeners);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.shared.lock().driver = Some(cx.waker().clone());
        this.poll_addresses(cx);
        for _ in 0..ROUNDS {
            this.follow_ports();
            let received = this.receive(cx);
            let timed = this.poll_timer(cx);
            let sent = this.transmit(cx);
            let shared = Arc::clone(&this.shared);
            let mut state = shared.lock();
            let told = events::dispatch(&shared, &mut state);
            if sent == Progress::None && this.is_finished(&state) {
                return Poll::Ready(());
            }
            if [received, timed, sent, told]
                .iter()
                .all(|p| *p == Progress::None)
            {
                // Handles that came in between may have taken the waker.
                state.driver = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A batch that a full socket did not take.
#[derive(Debug)]
struct Held {
    transmit: Transmit,
    contents: Vec<u8>,
}
