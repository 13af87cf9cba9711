//! The sending half: messages waiting, chunks in flight, what was sent on which path.

mod claims;
mod immediate;
mod options;
mod outstanding;
mod queue;
mod sent_log;

use crate::time::Instant;

pub(crate) use claims::{BadAck, Claims};
pub(crate) use immediate::Afterwards;
pub use options::SendOptions;
pub(crate) use outstanding::{Fate, Outstanding, SentChunk, Shot};
pub(crate) use queue::SendQueue;
pub(crate) use sent_log::SentLog;

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) queue: SendQueue,
    pub(crate) outstanding: Outstanding,
    /// What the peer's window leaves for new data, bytes.
    pub(crate) peer_window: u64,
    /// The peer has advertised that it has no room at all.
    pub(crate) peer_full: bool,
    /// When the last SACK arrived.
    pub(crate) last_sack: Option<Instant>,
    /// How often the peer took acknowledgements back.
    pub(crate) reneges: u32,
    /// The application was refused and waits for room.
    pub(crate) blocked: bool,
}

impl Sender {
    /// Whether what was sent at `sent_at` was refused by a peer that is there but has no room.
    pub(crate) fn was_refused(&self, sent_at: Instant) -> bool {
        self.peer_full && self.last_sack.is_some_and(|at| at > sent_at)
    }

    /// Bytes of user data that this side keeps: waiting or not acknowledged.
    pub(crate) fn buffered(&self) -> usize {
        self.queue.bytes() + self.outstanding.buffered()
    }

    /// Whether everything was acknowledged.
    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && self.outstanding.is_empty()
    }
}
