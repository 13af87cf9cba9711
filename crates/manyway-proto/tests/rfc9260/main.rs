//! What RFC 9260 and its extensions demand of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod acknowledging;
mod association;
mod collisions;
mod cookies;
mod nr_sack;
mod pair;
mod restarts;
mod sack_immediately;
mod set_up;
