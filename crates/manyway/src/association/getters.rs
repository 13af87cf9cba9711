//! What is known of the association.

use std::net::SocketAddr;

use manyway_proto::{AssocState, AssocStats, PathInfo};

use super::Association;

impl Association {
    /// Snapshots of the paths.
    pub fn paths(&self) -> Vec<PathInfo> {
        self.inspect(|assoc| assoc.paths().collect())
            .unwrap_or_default()
    }

    /// Counters.
    pub fn stats(&self) -> AssocStats {
        self.inspect(manyway_proto::Association::stats)
            .unwrap_or_default()
    }

    /// The state of the protocol.
    pub fn state(&self) -> AssocState {
        self.inspect(manyway_proto::Association::state)
            .unwrap_or(AssocState::Closed)
    }

    /// The peer's UDP addresses, the first one first contacted.
    pub fn remote_addresses(&self) -> Vec<SocketAddr> {
        self.inspect(|assoc| assoc.peer_addresses().to_vec())
            .unwrap_or_default()
    }

    /// Bytes that a message may have to fit one packet on every path that works. It changes as
    /// paths come, go and are measured.
    pub fn max_message_payload(&self) -> usize {
        self.inspect(manyway_proto::Association::max_message_payload)
            .unwrap_or(1024)
    }

    /// Bytes accepted for sending and not yet acknowledged.
    pub fn send_backlog(&self) -> usize {
        self.inspect(manyway_proto::Association::send_backlog)
            .unwrap_or_default()
    }
}
