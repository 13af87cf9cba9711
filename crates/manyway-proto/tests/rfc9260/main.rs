//! What RFC 9260 demands of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod association;
mod pair;
mod set_up;
