//! A world in virtual time: hosts, their interfaces, links, NATs, and a core that routes between
//! them.
//!
//! Every interface is joined to the core by one link in each direction, behind a NAT or not. The
//! core itself takes no time and reaches every public address. Nothing depends on anything but the
//! seed, so a run can be repeated exactly.
//! A link's congestion marks are set on the datagrams that are ECN-capable.

mod access;
mod action;
mod node;
mod queue;
mod tap;
mod way;
mod world;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use manyway_proto::Ecn;

pub use action::{Action, Direction};
pub use node::Node;
pub use tap::{Sent, Verdict};
pub use world::Network;

use crate::{Link, LinkConfig};

/// A host of a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(usize);

/// A NAT of a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatId(usize);

/// An interface of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId {
    /// The host.
    pub host: HostId,
    /// Which of the host's interfaces, in the order in which they were added.
    pub index: usize,
}

/// How an interface is attached to the core.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceConfig {
    /// Its address. Behind different NATs the same one may be used twice.
    pub address: IpAddr,
    /// The link towards the core.
    pub up: LinkConfig,
    /// The link from the core.
    pub down: LinkConfig,
    /// The NAT between the links and the core.
    pub nat: Option<NatId>,
}

impl InterfaceConfig {
    /// An interface with a public address and ideal links.
    pub fn public(address: IpAddr) -> Self {
        Self {
            address,
            up: LinkConfig::default(),
            down: LinkConfig::default(),
            nat: None,
        }
    }
}

/// What the network has done with datagrams so far; what links and NATs dropped is counted by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounters {
    /// Datagrams that hosts sent.
    pub sent: u64,
    /// Datagrams that hosts received.
    pub delivered: u64,
    /// Sent from an address that no interface has, or whose interface is down.
    pub no_interface: u64,
    /// Sent to an address that nobody has, or whose interface is down.
    pub no_route: u64,
    /// Arrived at a port that the host does not use.
    pub no_port: u64,
    /// Dropped by the hook.
    pub hooked: u64,
}

#[derive(Clone, Debug)]
struct Packet {
    source: SocketAddr,
    destination: SocketAddr,
    payload: Bytes,
    /// IP may fragment it: no link is too narrow for it.
    may_fragment: bool,
    /// What its IP header says of congestion.
    ecn: Option<Ecn>,
}

impl Packet {
    /// A queue on the way is too long, if `congested`.
    fn mark(&mut self, congested: bool) {
        if congested && self.ecn.is_some() {
            self.ecn = Some(Ecn::Ce);
        }
    }

    /// Its length on a link that carries packets of `mtu` bytes. Fragments count as one packet of
    /// the largest size, which favours them by a little.
    fn wire_len(&self, mtu: usize) -> usize {
        let len = crate::inet::udp_overhead(self.destination.ip()) + self.payload.len();
        if self.may_fragment { len.min(mtu) } else { len }
    }
}

#[derive(Debug)]
struct Interface {
    address: IpAddr,
    is_up: bool,
    up: Link,
    down: Link,
    nat: Option<NatId>,
    sent: u64,
}

#[derive(Debug)]
struct Host<N> {
    node: N,
    port: u16,
    interfaces: Vec<Interface>,
    timer: Option<crate::Instant>,
    capture: Option<tap::Capture>,
}

#[cfg(test)]
mod tests;
