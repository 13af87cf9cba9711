//! One path of a bed, and changing it while packets flow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use manyway_sim::nat::{Nat, NatCounters};
use manyway_sim::{Link, LinkConfig, LinkCounters, Loss, Rate, ScenePath};
use serde::Serialize;

use crate::hosts;

/// What the router of a path and the handles on it share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) up: Link,
    pub(crate) down: Link,
    pub(crate) nat: Option<Nat>,
    pub(crate) router: RouterCounters,
}

/// What the router does besides the models.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RouterCounters {
    pub(crate) unsupported: u64,
    pub(crate) hops_exceeded: u64,
    pub(crate) overflow: u64,
    pub(crate) refused: u64,
    pub(crate) max_lateness: Duration,
    pub(crate) total_lateness: Duration,
}

/// What has crossed a path in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DirectionCounters {
    /// Packets given to the link.
    pub packets_in: u64,
    /// Bytes given to the link, IP headers included.
    pub bytes_in: u64,
    /// Packets that came out of the link.
    pub packets: u64,
    /// Bytes that came out of the link, IP headers included.
    pub bytes: u64,
    /// Packets dropped at the tail of the queue.
    pub dropped_queue: u64,
    /// Packets lost at random.
    pub dropped_loss: u64,
    /// Packets dropped because the link was cut.
    pub dropped_cut: u64,
    /// Packets larger than the link's MTU.
    pub dropped_too_big: u64,
    /// Highest number of bytes seen in the queue.
    pub queue_peak: usize,
}

impl From<LinkCounters> for DirectionCounters {
    fn from(link: LinkCounters) -> Self {
        Self {
            packets_in: link.offered_packets,
            bytes_in: link.offered_bytes,
            packets: link.delivered_packets,
            bytes: link.delivered_bytes,
            dropped_queue: link.dropped_queue,
            dropped_loss: link.dropped_loss,
            dropped_cut: link.dropped_cut,
            dropped_too_big: link.dropped_too_big,
            queue_peak: link.queue_peak,
        }
    }
}

/// What has happened on a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PathCounters {
    /// From the client to the server.
    pub up: DirectionCounters,
    /// From the server to the client.
    pub down: DirectionCounters,
    /// Mappings the NAT has made.
    pub nat_mappings: u64,
    /// Packets the NAT has dropped, for whatever reason.
    pub nat_dropped: u64,
    /// Packets that no router here forwards: what belongs to an IPv6 link only, and behind a NAT
    /// IPv4 fragments and protocols other than TCP, UDP and ICMP.
    pub unsupported: u64,
    /// Packets whose time to live was used up.
    pub hops_exceeded: u64,
    /// Packets dropped because too many were on their way.
    pub overflow: u64,
    /// Packets that the receiving host's kernel did not take.
    pub refused: u64,
    /// By how much the most belated packet left after its time: the router's own error.
    pub max_lateness: Duration,
    /// By how much all packets together left after their time.
    pub total_lateness: Duration,
}

/// A handle on one path of a bed; clones are handles on the same path.
///
/// Changes take effect with the next packet. They do nothing any more once the bed is gone.
#[derive(Clone, Debug)]
pub struct BedPath {
    pub(crate) shared: Arc<Mutex<Shared>>,
    pub(crate) client: Ipv4Addr,
    pub(crate) server: Ipv4Addr,
    pub(crate) index: usize,
}

impl BedPath {
    pub(crate) fn new(
        config: &ScenePath,
        index: usize,
        [client, server, public]: [Ipv4Addr; 3],
        seed: u64,
    ) -> Self {
        let seed = seed.wrapping_add(3 * index as u64);
        let nat = |config| Nat::new(config, IpAddr::V4(public), seed.wrapping_add(2));
        let shared = Shared {
            up: Link::new(config.up, seed),
            down: Link::new(config.down, seed.wrapping_add(1)),
            nat: config.nat.clone().map(nat),
            router: RouterCounters::default(),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            client,
            server,
            index,
        }
    }

    /// The client's address on this path.
    pub fn client_address(&self) -> Ipv4Addr {
        self.client
    }

    /// The server's address on this path.
    pub fn server_address(&self) -> Ipv4Addr {
        self.server
    }

    /// The client's IPv6 address on this path, if the bed has IPv6.
    pub fn client_ipv6(&self) -> Ipv6Addr {
        hosts::client_ipv6(self.index)
    }

    /// The server's IPv6 address on this path, if the bed has IPv6.
    pub fn server_ipv6(&self) -> Ipv6Addr {
        hosts::server_ipv6(self.index)
    }

    /// The name of the client's interface.
    pub fn client_interface(&self) -> String {
        format!("c{}", self.index + 1)
    }

    /// The name of the server's interface.
    pub fn server_interface(&self) -> String {
        format!("s{}", self.index + 1)
    }

    /// The address the server sees at present: the NAT's, or the client's own.
    pub fn public_address(&self) -> IpAddr {
        let nat = self.lock().nat.as_ref().map(Nat::public_address);
        nat.unwrap_or(IpAddr::V4(self.client))
    }

    /// Cuts the path in both directions: a silent black hole.
    pub fn cut(&self) {
        self.each_link(|link| link.set_cut(true));
    }

    /// Makes the path whole again.
    pub fn restore(&self) {
        self.each_link(|link| link.set_cut(false));
    }

    /// Cuts or restores one direction: from the client to the server if `up`.
    pub fn set_cut(&self, up: bool, cut: bool) {
        let shared = &mut *self.lock();
        let link = if up { &mut shared.up } else { &mut shared.down };
        link.set_cut(cut);
    }

    /// Makes the NAT forget its mappings; flows from inside get new public ports.
    pub fn rebind(&self) {
        if let Some(nat) = &mut self.lock().nat {
            nat.rebind();
        }
    }

    /// Gives the NAT another public address, which should be one of the server interface's network
    /// (as the first one, but for the last byte) so that the server finds the way.
    pub fn renumber(&self, public: Ipv4Addr) {
        if let Some(nat) = &mut self.lock().nat {
            nat.renumber(IpAddr::V4(public));
        }
    }

    /// Changes the rate of both directions, and the queues with it.
    pub fn set_rate(&self, rate: Option<Rate>) {
        self.each_link(|link| link.set_rate(rate));
    }

    /// Changes the one-way delay of both directions.
    pub fn set_delay(&self, delay: Duration) {
        self.each_link(|link| link.set_delay(delay));
    }

    /// Changes the random loss of both directions.
    pub fn set_loss(&self, loss: Loss) {
        self.each_link(|link| link.set_loss(loss));
    }

    /// Replaces all properties of the two directions' links.
    pub fn set_links(&self, up: LinkConfig, down: LinkConfig) {
        let mut shared = self.lock();
        shared.up.set_config(up);
        shared.down.set_config(down);
    }

    /// What has happened so far.
    pub fn counters(&self) -> PathCounters {
        let shared = self.lock();
        let nat = shared
            .nat
            .as_ref()
            .map_or_else(NatCounters::default, Nat::counters);
        let router = shared.router;
        PathCounters {
            up: shared.up.counters().into(),
            down: shared.down.counters().into(),
            nat_mappings: nat.mappings_created,
            nat_dropped: nat.dropped(),
            unsupported: router.unsupported,
            hops_exceeded: router.hops_exceeded,
            overflow: router.overflow,
            refused: router.refused,
            max_lateness: router.max_lateness,
            total_lateness: router.total_lateness,
        }
    }

    fn each_link(&self, f: impl Fn(&mut Link)) {
        let mut shared = self.lock();
        f(&mut shared.up);
        f(&mut shared.down);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        // The models have no state between two calls that a panic could leave half-changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
