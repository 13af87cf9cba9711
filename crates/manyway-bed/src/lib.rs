//! Test networks on real packets: two hosts in network namespaces, and between them routers that
//! run the simulator's links and NATs.
//!
//! ```text
//!  client                 router (a thread of this process)                 server
//!  c1 10.1.0.2 ──TUN── link ── NAT 192.0.2.1 ────────────────TUN── s1 192.0.2.2
//!  c2 10.2.0.2 ──TUN── link ── NAT 198.51.100.1 ─────────────TUN── s2 198.51.100.2
//! ```
//!
//! With IPv6 ([`BedConfig::ipv6`]) path *i* also joins 2001:db8:0:*i*::2 to 2001:db8:1:*i*::2, past the
//! NAT.
//!
//! Nothing has to be installed and no names are left behind: the namespaces have none, the
//! interfaces vanish with the process's descriptors, and programs started inside are killed with
//! it. After a `SIGKILL` only programs that those programs started may survive; a [`Bed`] that is
//! dropped ends these too. Root or a user namespace is needed ([`manyway_net::namespace`]).
//!
//! ```no_run
//! use manyway_bed::{Bed, BedConfig};
//! use std::process::Command;
//!
//! let bed = Bed::build(&BedConfig::default())?;
//! let mut ping = Command::new("ping");
//! ping.args(["-c", "3", "192.0.2.2"]);
//! let mut ping = bed.client().spawn(ping)?;
//! bed.path(0).cut();
//! ping.wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bed;
mod capture;
mod error;
mod hosts;
mod ipv4;
mod ipv6;
mod path;
mod reap;
mod relay;
mod translate;

pub use bed::{Bed, BedConfig};
pub use error::BedError;
pub use manyway_sim::{LinkConfig, Loss, NatConfig, QueueLimit, Rate, ScenePath};
pub use path::{BedPath, DirectionCounters, PathCounters};
