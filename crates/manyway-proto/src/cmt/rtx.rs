//! Where a lost chunk is sent again: the policy `RTX-CWND`.

use manyway_wire::COMMON_HEADER_LEN;

use crate::path::{Path, PathId, PathState, Paths};

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

/// The working path with the largest window that carries `chunk_bytes`, if it has room.
pub(crate) fn select(paths: &Paths, chunk_bytes: u64) -> Choice {
    let carries = |p: &&Path| {
        p.state == PathState::Active
            && chunk_bytes + COMMON_HEADER_LEN as u64 <= p.size.current() as u64
    };
    let rank = |p: &&Path| {
        (
            p.is_wanted(),
            p.controller.window(),
            std::cmp::Reverse(p.id),
        )
    };
    match paths.iter().filter(carries).max_by_key(rank) {
        Some(path) if path.has_room() => Choice::Now(path.id),
        Some(_) => Choice::Wait,
        None => Choice::NoPath,
    }
}
