//! The sending half: messages waiting, chunks in flight, what was sent on which path.

mod abandon;
mod claims;
mod copies;
mod forward;
mod immediate;
mod options;
mod outstanding;
mod pr;
mod queue;
mod reliability;
mod sent_log;

use crate::recovery::Resent;
use crate::time::Instant;

pub(crate) use abandon::{BegunId, Limited, Membership};
pub(crate) use claims::{BadAck, Claims};
pub(crate) use copies::{Copied, Copies};
pub(crate) use forward::Forward;
pub(crate) use immediate::Afterwards;
pub use options::SendOptions;
pub(crate) use outstanding::{Fate, Outstanding, SentChunk, Shot};
pub(crate) use pr::Expendable;
pub(crate) use queue::{BeginLimits, MessageKey, SendQueue};
pub use reliability::{AbandonReason, AbandonedMessages, Reliability};
pub(crate) use sent_log::{Entry, SentLog};

/// The sending half of an association.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) queue: SendQueue,
    pub(crate) outstanding: Outstanding,
    pub(crate) resent: Resent,
    /// Chunks before this index were looked at for going out on another path as well.
    pub(crate) reinjected_to: u64,
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
    /// The packets at hand say that they are ECN-capable.
    pub(crate) marking: bool,
    /// Whether the application is told when nothing is left.
    pub(crate) dry_reports: DryReports,
    /// Which queued messages may be given up.
    pub(crate) expendable: Expendable,
    /// The peer understands that sent messages are given up.
    pub(crate) can_abandon_sent: bool,
    /// The scheduler waits for a better path than those that are ready.
    pub(crate) held_back: bool,
    /// What went out on a second path before anything was lost.
    pub(crate) copies: Copies,
    /// What the peer was told of messages given up.
    pub(crate) forward: Forward,
}

/// Whether the application is to be told that nothing is left to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DryReports {
    /// It does not want to know.
    #[default]
    Off,
    /// It is to be told when nothing is left.
    Armed,
    /// It was told; messages have to come before it is again.
    Told,
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
