//! Opportunistic retransmission: what holds up the flow on one path goes out on another as well.
//!
//! Raiciu et al., "How Hard Can It Be? Designing and Implementing a Deployable Multipath TCP",
//! NSDI 2012, section 4.2: the sender that the peer's window stops repeats the first unacknowledged
//! data on a path with room, and halves the window of the path that holds them up.

use std::time::Duration;

use crate::path::{Path, PathId, PathState, Paths};
use crate::time::Instant;

/// Why the flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standstill {
    /// The peer's window, or this side's buffer, is full.
    Buffers,
    /// Everything was sent.
    Tail,
}

/// What becomes of a chunk in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// It goes out on this path, too.
    On(PathId),
    /// It will arrive soon enough: later chunks need not be looked at.
    Wait,
    /// No other path would be faster; a later chunk may be elsewhere.
    Skip,
}

/// Where else a chunk that was sent on `holder` at `sent_at` shall go.
pub(crate) fn select(
    now: Instant,
    paths: &Paths,
    why: Standstill,
    holder: PathId,
    sent_at: Instant,
    packet_len: usize,
) -> Choice {
    let Some(holder) = paths.get(holder) else {
        return Choice::Skip;
    };
    let usable = |p: &&Path| {
        let carries = packet_len <= p.size.current();
        p.id != holder.id && p.state == PathState::Active && p.is_wanted() && carries
    };
    let srtt = |p: &Path| p.rtt.srtt().unwrap_or(Duration::MAX);
    let Some(best) = paths.iter().filter(usable).min_by_key(|p| srtt(p)) else {
        return Choice::Skip;
    };
    let (here, there) = (srtt(holder), srtt(best));
    let age = now - sent_at;
    // Late beyond what the round-trip times of its path explain.
    let overdue = age > here.saturating_add((holder.rtt.variation() * 4).max(here / 4));
    let sooner = age.saturating_add(there) < here;
    let blocks = sooner && why == Standstill::Buffers;
    if !overdue && !blocks {
        return if here > there {
            Choice::Wait
        } else {
            Choice::Skip
        };
    }
    if best.has_room() {
        Choice::On(best.id)
    } else {
        Choice::Wait
    }
}
