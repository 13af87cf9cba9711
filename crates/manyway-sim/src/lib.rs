//! Virtual networks, links and NATs, in virtual time or on real packets.
//!
//! [`Link`] and [`Nat`] are pure models: packets are lengths and addresses to them, time comes in,
//! randomness follows from a seed. They serve two users alike: the virtual
//! [`Network`] of this crate, and relays that apply them to real packets.
//!
//! | module | concern |
//! |---|---|
//! | [`network`] | hosts, links, NATs and a core in virtual time; hooks, captures, scripts |
//! | [`station`] | an engine with an application that logs, reads and sends bulk data |
//! | [`scene`] | ready-made networks of a client, a server and several paths |
//! | [`nat`] | network address translation |
//! | [`inet`] | IP and UDP headers, checksums |
//!
//! ```
//! use manyway_sim::{Link, LinkConfig, Outcome, Rate};
//! use manyway_proto::Instant;
//! use std::time::Duration;
//!
//! let mut link = Link::new(LinkConfig::new(Rate::from_mbit(12), Duration::from_millis(10)), 1);
//! let Outcome::Deliver { at, .. } = link.enqueue(Instant::ZERO, 1500) else { panic!("dropped") };
//! assert_eq!(at - Instant::ZERO, Duration::from_millis(11)); // 1 ms on the wire, 10 ms on the way
//! ```

pub mod inet;
mod link;
mod loss;
pub mod nat;
pub mod network;
mod pcap;
mod rate;
pub mod scene;
pub mod station;

pub use link::{Link, LinkConfig, LinkCounters, LinkDrop, Outcome, QueueLimit};
pub use loss::Loss;
pub use manyway_proto::Instant;
pub use nat::{Nat, NatConfig};
pub use network::Network;
pub use pcap::PcapWriter;
pub use rate::Rate;
pub use scene::{Scene, ScenePath};
