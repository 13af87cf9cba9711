//! Where a lost chunk is sent again: the policy `RTX-CWND`.

use manyway_wire::COMMON_HEADER_LEN;

use crate::path::{Path, PathId, PathState, Paths};

/// The working path with the largest window that has room, or that may rescue one packet beyond
/// its window. `None`: wait.
pub(crate) fn select(paths: &Paths, chunk_bytes: u64) -> Option<PathId> {
    let able = |p: &&Path| {
        p.state == PathState::Active
            && (p.has_room() || p.rescue_packets > 0)
            && chunk_bytes + COMMON_HEADER_LEN as u64 <= p.size.current() as u64
    };
    let rank = |p: &&Path| {
        (
            p.is_wanted(),
            p.controller.window(),
            std::cmp::Reverse(p.id),
        )
    };
    paths.iter().filter(able).max_by_key(rank).map(|p| p.id)
}
