//! What is known of the association.

use std::net::SocketAddr;

use manyway_proto::{AssocState, AssocStats, Extensions, KeyId, PathId, PathInfo, PathThresholds};

use super::Association;

impl Association {
    /// Snapshots of the paths: addresses, state, round-trip times, windows, and what has crossed
    /// them (RFC 6458, section 8.2.2, `SCTP_GET_PEER_ADDR_INFO`). Empty once the association is
    /// gone.
    ///
    /// ```
    /// # use manyway::Association;
    /// # fn example(association: &Association) {
    /// for path in association.paths() {
    ///     println!("{}: {:?}, {} packets lost", path.id, path.srtt, path.lost_packets);
    /// }
    /// # }
    /// ```
    pub fn paths(&self) -> Vec<PathInfo> {
        self.inspect(|assoc| assoc.paths().collect())
            .unwrap_or_default()
    }

    /// Counters since the association began; zeros once it is gone. What concerns one path is in
    /// [`Association::paths`], what concerns no association in
    /// [`Endpoint::stats`](crate::Endpoint::stats) and
    /// [`Endpoint::socket_stats`](crate::Endpoint::socket_stats).
    pub fn stats(&self) -> AssocStats {
        self.inspect(manyway_proto::Association::stats)
            .unwrap_or_default()
    }

    /// Name of the scheduler in use.
    pub fn scheduler(&self) -> &'static str {
        self.inspect(manyway_proto::Association::scheduler)
            .unwrap_or("none")
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

    /// Bytes of user data accepted for sending and not yet acknowledged.
    pub fn send_backlog(&self) -> usize {
        self.inspect(manyway_proto::Association::send_backlog)
            .unwrap_or_default()
    }

    /// Bytes of user data that [`Association::try_send`] would take now.
    pub fn send_room(&self) -> usize {
        self.inspect(manyway_proto::Association::send_room)
            .unwrap_or_default()
    }

    /// Outgoing streams: messages can be sent on those below this number.
    pub fn outgoing_streams(&self) -> u16 {
        self.inspect(manyway_proto::Association::outgoing_streams)
            .unwrap_or_default()
    }

    /// Streams on which the peer may send.
    pub fn incoming_streams(&self) -> u16 {
        self.inspect(manyway_proto::Association::incoming_streams)
            .unwrap_or_default()
    }

    /// The extensions that are in use: both ends offered them.
    ///
    /// ```
    /// # use manyway::Association;
    /// use manyway::Extension;
    ///
    /// # fn example(association: &Association) {
    /// if association.extensions().contains(Extension::StreamReconfig) {
    ///     // Streams can be reset.
    /// }
    /// # }
    /// ```
    pub fn extensions(&self) -> Extensions {
        self.inspect(manyway_proto::Association::extensions)
            .unwrap_or(Extensions::NONE)
    }

    /// The key that authenticates what is sent (RFC 4895); `None` unless both ends offered AUTH.
    pub fn active_auth_key(&self) -> Option<KeyId> {
        self.inspect(manyway_proto::Association::active_auth_key)?
    }

    /// When timeouts in a row change what a path is used for (RFC 7829, section 7.2,
    /// `SCTP_PEER_ADDR_THLDS`); `None` if there is no such path.
    pub fn path_thresholds(&self, path: PathId) -> Option<PathThresholds> {
        self.inspect(|assoc| assoc.path_thresholds(path))?
    }
}
