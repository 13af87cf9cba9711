//! What RFC 9260 and its extensions demand of an endpoint, packet by packet.
//!
//! Modules are families of test purposes; `cargo xtask conformance` shows them by the names that
//! ETSI TS 102 369 has.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod acknowledging;
mod bounds;
mod bundling;
mod collisions;
mod cookies;
mod data;
mod duplicates;
mod errors;
mod failover;
mod fault_handling;
mod first_words;
mod init_ack;
mod invalid_messages;
mod misbehaviour;
mod nr_sack;
mod out_of_the_blue;
mod pair;
mod reflected;
mod restarts;
mod retransmission_timer;
mod sack_immediately;
mod sending;
mod set_up;
mod termination;
mod zero_checksum;
