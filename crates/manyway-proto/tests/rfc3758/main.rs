//! What RFC 3758 and RFC 7496 (partial reliability) demand of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod interleaved;
#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../rfc9260/pair.rs"]
mod pair;
mod receiver;
mod sender;
