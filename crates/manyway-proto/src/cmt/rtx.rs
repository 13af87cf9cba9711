//! Where a lost chunk is sent again: the retransmission policies of CMT.
//!
//! Iyengar, Amer, Stewart, "Concurrent Multipath Transfer Using SCTP Multihoming Over Independent
//! End-to-End Paths", IEEE/ACM ToN 2006, section V.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use manyway_wire::COMMON_HEADER_LEN;

use crate::path::{Path, PathId, PathState, Paths};

/// On which path lost data go out again.
///
/// Each policy chooses among the paths that work and that a packet with the data passes; those that
/// both ends want data on come first. All but [`RetransmissionPolicy::Asap`] wait until the path
/// they choose has room.
///
/// ```
/// use manyway_proto::RetransmissionPolicy;
///
/// assert_eq!("lossrate".parse(), Ok(RetransmissionPolicy::LossRate));
/// assert_eq!(RetransmissionPolicy::default().to_string(), "cwnd");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetransmissionPolicy {
    /// Where they were lost, while that path works; then as [`RetransmissionPolicy::Cwnd`].
    Same,
    /// On the path with the largest slow start threshold.
    Ssthresh,
    /// On the path with the largest congestion window.
    #[default]
    Cwnd,
    /// On the path that lost the smallest share of its latest packets.
    LossRate,
    /// On any path that has room now, that with the largest congestion window first.
    Asap,
}

impl RetransmissionPolicy {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Same,
        Self::Ssthresh,
        Self::Cwnd,
        Self::LossRate,
        Self::Asap,
    ];

    /// Its name, as it is written in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Ssthresh => "ssthresh",
            Self::Cwnd => "cwnd",
            Self::LossRate => "lossrate",
            Self::Asap => "asap",
        }
    }
}

impl fmt::Display for RetransmissionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no retransmission policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no retransmission policy; there are same, ssthresh, cwnd, lossrate, asap")]
pub struct UnknownPolicy {
    given: String,
}

impl FromStr for RetransmissionPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|policy| policy.name() == text);
        found.ok_or_else(|| UnknownPolicy {
            given: text.to_owned(),
        })
    }
}

/// Where a retransmission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// There, now.
    Now(PathId),
    /// To the best path, which has no room yet: elsewhere it would likely be lost again.
    Wait,
    /// No path that works can carry it.
    NoPath,
}

/// Where `chunk_bytes` that were lost on `holder` are sent again.
pub(crate) fn select(
    policy: RetransmissionPolicy,
    paths: &Paths,
    holder: PathId,
    chunk_bytes: u64,
) -> Choice {
    let carries = |p: &&Path| {
        p.state == PathState::Active
            && chunk_bytes + COMMON_HEADER_LEN as u64 <= p.size.current() as u64
    };
    let usable = || paths.iter().filter(carries);
    let widest = |p: &&Path| (p.is_wanted(), p.controller.window(), Reverse(p.id));
    let best = match policy {
        RetransmissionPolicy::Same => usable()
            .find(|p| p.id == holder && p.is_wanted())
            .or_else(|| usable().max_by_key(widest)),
        RetransmissionPolicy::Cwnd => usable().max_by_key(widest),
        RetransmissionPolicy::Ssthresh => {
            let threshold = |p: &&Path| p.controller.slow_start_threshold();
            usable().max_by_key(|p| (p.is_wanted(), threshold(p), widest(p)))
        }
        RetransmissionPolicy::LossRate => {
            let losses = |p: &&Path| Reverse((p.loss_rate() * 1e6) as u64);
            usable().max_by_key(|p| (p.is_wanted(), losses(p), widest(p)))
        }
        RetransmissionPolicy::Asap => usable()
            .filter(|p| p.has_room())
            .max_by_key(widest)
            .or_else(|| usable().next()),
    };
    match best {
        Some(path) if path.has_room() => Choice::Now(path.id),
        Some(_) => Choice::Wait,
        None => Choice::NoPath,
    }
}
