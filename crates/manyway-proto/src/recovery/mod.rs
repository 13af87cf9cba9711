//! Loss recovery of one path: which packets are lost, and what may leave while they are repaired.
//! Pure functions of explicit state; the association feeds them.
//!
//! | file | what |
//! |---|---|
//! | `rack` | losses by time, with a reordering window that adapts (RFC 8985, section 6) |
//! | `tlp` | the tail loss probe (RFC 8985, section 7) |
//! | `prr` | sending while the window is reduced (RFC 9937) |
//! | `episode` | one reduction of the window, and whether it was called for |
//! | `resent` | which loss each retransmission repairs, for reports of duplicates |
//!
//! Each path numbers its packets, retransmissions included. This is split fast retransmit (Iyengar,
//! Amer, Stewart, "Concurrent Multipath Transfer Using SCTP Multihoming Over Independent End-to-End
//! Paths", IEEE/ACM ToN 2006): what was sent on one path is never counted missing because of what
//! arrived on another. And it tells a retransmission's loss from that of the original, so that
//! RFC 8985's comparisons of transmission times become comparisons of numbers.

mod episode;
mod min_rtt;
mod prr;
mod rack;
mod resent;
mod tlp;

pub(crate) use episode::{Cause, Episode};
pub(crate) use prr::Prr;
pub(crate) use rack::{Rack, Verdict};
pub(crate) use resent::Resent;
pub(crate) use tlp::{Probe, Tlp};

use crate::time::Instant;

/// The loss recovery of a path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) rack: Rack,
    pub(crate) tlp: Tlp,
    /// The window is being reduced.
    pub(crate) prr: Option<Prr>,
    /// The latest reduction.
    pub(crate) episode: Episode,
    /// The latest reduction has proved wrong.
    pub(crate) undo: bool,
    /// When another path last took over what blocked the peer's window here.
    pub(crate) penalised: Option<Instant>,
}

impl Recovery {
    /// Whether losses are being repaired: packets sent before the reduction are not all settled.
    pub(crate) fn is_active(&self) -> bool {
        self.prr.is_some()
    }

    /// How a packet that is not acknowledged stands.
    pub(crate) fn judge(&self, now: Instant, number: u64, sent_at: Instant) -> Verdict {
        self.rack.judge(now, number, sent_at, self.is_active())
    }

    /// A retransmission timeout: slow start takes the place of recovery.
    pub(crate) fn on_timeout(&mut self) {
        self.prr = None;
        self.tlp.cancel();
    }
}
