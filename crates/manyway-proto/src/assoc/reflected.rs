//! Word from a host that has no association: ABORT and SHUTDOWN-COMPLETE with the T bit (RFC 9260,
//! sections 8.4 and 8.5.1).
//!
//! Whoever receives a packet of ours can send them, for all that they prove is the tag that the
//! packet carried. From the peer's address they mean that the peer forgot the association. Where a
//! path is only being tried, the host there need not be the peer: a private address that the peer
//! named may be somebody else's here, a heartbeat may overtake the ASCONF that announces its
//! address, and anybody who saw our tag once can make us challenge an address of its own.

use std::net::SocketAddr;

use manyway_wire::Abort;

use super::{AssocState, Association};
use crate::error::CloseReason;
use crate::path::{Path, PathId, PathState};
use crate::time::Instant;

impl Association {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
    //# The receiver of an ABORT chunk MUST accept the packet if the Verification Tag field of the packet matches its own tag and the T bit is not set OR if it is set to its Peer's Tag and the T bit is set in the Chunk Flags.
    // Not where it would end what works on other paths.
    /// Whether the host at `remote` is the peer as far as is known: it answered there lately, or
    /// nobody did anywhere else.
    pub(crate) fn is_peers(&self, remote: SocketAddr) -> bool {
        let works = |p: &Path| p.state == PathState::Active && !p.candidate;
        let believed = |p: &Path| match p.state {
            PathState::Active | PathState::Suspect => !p.candidate,
            PathState::Unconfirmed | PathState::Failed => {
                !p.candidate && !self.paths.iter().any(works)
            }
        };
        let mut there = self.paths.iter().filter(|p| p.tuple.remote == remote);
        there.any(believed)
    }

    /// A host that is not known to be the peer has no association: that costs the candidates there,
    /// and nothing else.
    pub(crate) fn on_stranger(&mut self, now: Instant, remote: SocketAddr) {
        self.stats.ignored_reflections += 1;
        let there = |p: &&Path| p.candidate && p.tuple.remote == remote;
        let candidates: Vec<PathId> = self.paths.iter().filter(there).map(|p| p.id).collect();
        for id in candidates {
            tracing::debug!(path = %id, ?now, "no association at a new address: not going there");
            self.remove_path_now(id);
        }
    }

    /// The peer has no association any more and returned our own tag.
    pub(crate) fn handle_reflected_abort(&mut self, abort: &Abort<'_>) {
        if self.state == AssocState::ShutdownAckSent {
            // It has finished: only its SHUTDOWN-COMPLETE was lost.
            return self.close(CloseReason::Graceful);
        }
        self.handle_abort(abort);
    }

    /// The peer has finished and forgotten already.
    pub(crate) fn handle_reflected_shutdown_complete(&mut self) {
        self.handle_shutdown_complete();
    }
}
