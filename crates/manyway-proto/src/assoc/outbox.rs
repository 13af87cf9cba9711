//! Control chunks that wait for their packet.

use std::collections::VecDeque;

use bytes::Bytes;
use manyway_wire::{CauseList, Tsn};

use crate::path::PathId;

/// More than this many answers are not kept: a peer that asks faster than we send loses answers.
const CAPACITY: usize = 64;

/// A control chunk.
#[derive(Clone, Debug)]
pub(super) enum Control {
    CookieAck,
    HeartbeatAck(Bytes),
    Error(CauseList),
    Abort(CauseList),
    /// An ABORT with the T bit, for a peer that has no tag.
    ReflectedAbort,
    Shutdown(Tsn),
    ShutdownAck,
    ShutdownComplete,
    /// An encoded ASCONF chunk.
    Asconf(Bytes),
    /// An encoded ASCONF-ACK chunk.
    AsconfAck(Bytes),
    /// An encoded RE-CONFIG chunk.
    Reconfig(Bytes),
    /// The window was reduced because of the mark that is echoed for this TSN.
    Cwr(Tsn),
}

/// Control chunks in the order they leave, each bound to the path it answers.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<(PathId, Control)>,
    /// Chunks that were not kept.
    pub(super) dropped: u64,
}

impl Outbox {
    pub(super) fn push(&mut self, path: PathId, control: Control) {
        if self.queue.len() < CAPACITY {
            self.queue.push_back((path, control));
        } else {
            self.dropped += 1;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.12
    //# This chunk MUST precede any DATA or SACK chunk sent within the association
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
    //# the COOKIE ACK chunk MUST be the first chunk in the SCTP packet
    /// COOKIE-ACK leaves before all that waits, once.
    pub(super) fn push_cookie_ack(&mut self, path: PathId) {
        if !self.contains(|control| matches!(control, Control::CookieAck)) {
            self.queue.push_front((path, Control::CookieAck));
        }
    }

    /// An ABORT makes everything else pointless.
    pub(super) fn replace_all(&mut self, path: PathId, control: Control) {
        self.queue.clear();
        self.queue.push_back((path, control));
    }

    pub(super) fn next_path(&self) -> Option<PathId> {
        self.queue.front().map(|(path, _)| *path)
    }

    /// The first chunk for `path`, and its position.
    pub(super) fn first_for(&self, path: PathId) -> Option<(usize, &Control)> {
        let at = self.queue.iter().position(|(p, _)| *p == path)?;
        self.queue.get(at).map(|(_, control)| (at, control))
    }

    /// Whether any chunk for `path` is `wanted`.
    pub(super) fn any_for(&self, path: PathId, wanted: impl Fn(&Control) -> bool) -> bool {
        self.queue
            .iter()
            .any(|(p, control)| *p == path && wanted(control))
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.queue.remove(at);
    }

    /// Chunks of a path that is no more go to another one.
    pub(super) fn reroute(&mut self, from: PathId, to: PathId) {
        self.queue
            .iter_mut()
            .filter(|(p, _)| *p == from)
            .for_each(|(p, _)| *p = to);
    }

    pub(super) fn contains(&self, wanted: impl Fn(&Control) -> bool) -> bool {
        self.queue.iter().any(|(_, control)| wanted(control))
    }
}
