//! The sending half: messages waiting, chunks in flight, what was sent on which path.

mod outstanding;
mod queue;
mod sent_log;

pub(crate) use outstanding::{Fate, NeverSent, Outstanding, SentChunk, Shot};
pub(crate) use queue::SendQueue;
pub(crate) use sent_log::SentLog;

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) queue: SendQueue,
    pub(crate) outstanding: Outstanding,
    /// The peer's last advertised window, bytes.
    pub(crate) peer_window: u64,
    /// The application was refused and waits for room.
    pub(crate) blocked: bool,
}

impl Sender {
    /// Bytes of user data that this side keeps: waiting or not acknowledged.
    pub(crate) fn buffered(&self) -> usize {
        self.queue.bytes() + self.outstanding.buffered()
    }

    /// Whether everything was acknowledged.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.outstanding.is_empty()
    }
}
