//! What the fuzz targets do, as plain functions, so that `cargo test` replays the corpora too.

#![allow(dead_code, reason = "each target uses its part")]

mod chunks;
pub mod handshake;
mod input;
mod keys;
pub mod live_association;
pub mod packet_decode;
