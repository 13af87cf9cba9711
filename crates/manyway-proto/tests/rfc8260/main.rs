//! What RFC 8260 (user message interleaving and stream schedulers) demands of an endpoint, packet
//! by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod interleaving;
#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../rfc9260/pair.rs"]
mod pair;
mod receiving;
mod support;
