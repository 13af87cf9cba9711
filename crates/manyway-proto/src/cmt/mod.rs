//! Concurrent multipath transfer: what changes when one association sends on several paths at
//! once. Pure functions of explicit state (Iyengar, Amer, Stewart, "Concurrent Multipath Transfer
//! Using SCTP Multihoming Over Independent End-to-End Paths", IEEE/ACM ToN 2006, and later work
//! named in each file).

pub(crate) mod buffers;
pub(crate) mod cuc;
pub(crate) mod dac;
pub(crate) mod reinject;
pub(crate) mod rtx;

pub use rtx::{RetransmissionPolicy, UnknownPolicy};
