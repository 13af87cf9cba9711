//! What RFC 6525 (stream re-configuration) demands of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod asking;
mod collisions;
#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../rfc9260/pair.rs"]
mod pair;
mod resets;
mod serving;
mod support;
