//! Congestion told by marks (RFC 4960, appendix A; RFC 3168), packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod marks;
#[expect(dead_code, reason = "not all of it is needed here")]
#[path = "../rfc9260/pair.rs"]
mod pair;
