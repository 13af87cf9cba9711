//! Network address translators, by the terms of RFC 4787 (UDP) and RFC 5382 (TCP).

mod config;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use crate::Instant;

pub use config::{Dependence, NatConfig, NatCounters, NatDrop, PortAllocation, Protocol};

/// An outside address reduced to what counts; `None` stands for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outside(Option<(IpAddr, u16)>);

impl Dependence {
    /// The part of an outside address that counts.
    fn reduce(self, outside: SocketAddr) -> Outside {
        match self {
            Self::EndpointIndependent => Outside(None),
            Self::AddressDependent => Outside(Some((outside.ip(), 0))),
            Self::AddressAndPortDependent => Outside(Some((outside.ip(), outside.port()))),
        }
    }
}

type InsideKey = (Protocol, SocketAddr, Outside);
type PublicKey = (Protocol, u16);

#[derive(Debug)]
struct Mapping {
    key: InsideKey,
    last_used: Instant,
    peers: BTreeSet<Outside>,
}

/// A NAT with one public address.
///
/// It translates addresses and never touches packets, so that it serves virtual and real ones
/// alike.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    public: IpAddr,
    rng: Xoshiro256PlusPlus,
    by_inside: BTreeMap<InsideKey, u16>,
    by_public: BTreeMap<PublicKey, Mapping>,
    last_port: u16,
    next_sweep: Instant,
    counters: NatCounters,
}

/// The table is swept for outlived mappings when it is full, but not more often than this.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Nat {
    /// A NAT with this public address, whose random decisions follow from `seed`.
    pub fn new(config: NatConfig, public: IpAddr, seed: u64) -> Self {
        let last_port = *config.ports.end();
        Self {
            config,
            public,
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            by_inside: BTreeMap::new(),
            by_public: BTreeMap::new(),
            last_port,
            next_sweep: Instant::ZERO,
            counters: NatCounters::default(),
        }
    }

    /// Translates the source of a packet from inside, making a mapping if there is none.
    pub fn outbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        inside: SocketAddr,
        outside: SocketAddr,
    ) -> Result<SocketAddr, NatDrop> {
        let port = self
            .map(now, protocol, inside, outside)
            .inspect_err(|&why| self.count(why))?;
        self.counters.outbound += 1;
        Ok(SocketAddr::new(self.public, port))
    }

    /// Translates the destination of a packet from outside, if there is a mapping that lets it in.
    pub fn inbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        outside: SocketAddr,
        public: SocketAddr,
    ) -> Result<SocketAddr, NatDrop> {
        let inside = self.lookup_inbound(now, protocol, outside, public);
        let inside = inside.inspect_err(|&why| self.count(why))?;
        if self.config.inbound_refresh
            && let Some(mapping) = self.by_public.get_mut(&(protocol, public.port()))
        {
            mapping.last_used = now;
        }
        self.counters.inbound += 1;
        Ok(inside)
    }

    /// Where a packet from outside would go; changes nothing. For ICMP errors, whose quoted packet
    /// is looked up.
    pub fn lookup_inbound(
        &self,
        now: Instant,
        protocol: Protocol,
        outside: SocketAddr,
        public: SocketAddr,
    ) -> Result<SocketAddr, NatDrop> {
        if public.ip() != self.public {
            return Err(NatDrop::NotMyAddress);
        }
        let mapping = self
            .by_public
            .get(&(protocol, public.port()))
            .ok_or(NatDrop::NoMapping)?;
        if self.outlived(mapping, now) {
            return Err(NatDrop::NoMapping);
        }
        if !mapping
            .peers
            .contains(&self.config.filtering.reduce(outside))
        {
            return Err(NatDrop::Filtered);
        }
        Ok(mapping.key.1)
    }

    /// The public address and port that stand for `inside` towards `outside`; changes nothing.
    pub fn lookup_outbound(
        &self,
        now: Instant,
        protocol: Protocol,
        inside: SocketAddr,
        outside: SocketAddr,
    ) -> Option<SocketAddr> {
        let key = (protocol, inside, self.config.mapping.reduce(outside));
        let port = *self.by_inside.get(&key)?;
        let alive = !self.outlived(self.by_public.get(&(protocol, port))?, now);
        alive.then(|| SocketAddr::new(self.public, port))
    }

    /// Forgets all mappings, as a restart does. Flows from inside get new ports (with
    /// [`PortAllocation::Preserving`] they may get the same ones again).
    pub fn rebind(&mut self) {
        self.by_inside.clear();
        self.by_public.clear();
    }

    /// Takes another public address and forgets all mappings.
    pub fn renumber(&mut self, public: IpAddr) {
        self.public = public;
        self.rebind();
    }

    /// The public address.
    pub fn public_address(&self) -> IpAddr {
        self.public
    }

    /// The properties.
    pub fn config(&self) -> &NatConfig {
        &self.config
    }

    /// Mappings in the table, outlived ones that have not been swept yet included.
    pub fn mappings(&self) -> usize {
        self.by_public.len()
    }

    /// What the NAT has done so far.
    pub fn counters(&self) -> NatCounters {
        self.counters
    }

    fn outlived(&self, mapping: &Mapping, now: Instant) -> bool {
        now - mapping.last_used >= self.config.timeout
    }

    fn map(
        &mut self,
        now: Instant,
        protocol: Protocol,
        inside: SocketAddr,
        outside: SocketAddr,
    ) -> Result<u16, NatDrop> {
        if outside.ip() == self.public {
            return Err(NatDrop::Hairpin);
        }
        let key = (protocol, inside, self.config.mapping.reduce(outside));
        let peer = self.config.filtering.reduce(outside);
        let timeout = self.config.timeout;
        if let Some(&port) = self.by_inside.get(&key) {
            if let Some(mapping) = self.by_public.get_mut(&(protocol, port))
                && now - mapping.last_used < timeout
            {
                mapping.last_used = now;
                if mapping.peers.len() < self.config.max_peers {
                    mapping.peers.insert(peer);
                }
                return Ok(port);
            }
            self.remove((protocol, port));
        }
        self.make_room(now)?;
        let port = self
            .free_port(protocol, inside.port())
            .ok_or(NatDrop::PortsExhausted)?;
        let mapping = Mapping {
            key,
            last_used: now,
            peers: BTreeSet::from([peer]),
        };
        self.by_public.insert((protocol, port), mapping);
        self.by_inside.insert(key, port);
        self.counters.mappings_created += 1;
        Ok(port)
    }

    fn remove(&mut self, public: PublicKey) {
        if let Some(mapping) = self.by_public.remove(&public) {
            self.by_inside.remove(&mapping.key);
        }
    }

    fn make_room(&mut self, now: Instant) -> Result<(), NatDrop> {
        if self.by_public.len() < self.config.max_mappings {
            return Ok(());
        }
        if now >= self.next_sweep {
            self.next_sweep = now + SWEEP_INTERVAL;
            let timeout = self.config.timeout;
            self.by_public
                .retain(|_, mapping| now - mapping.last_used < timeout);
            let alive = &self.by_public;
            self.by_inside
                .retain(|key, port| alive.contains_key(&(key.0, *port)));
        }
        if self.by_public.len() < self.config.max_mappings {
            Ok(())
        } else {
            Err(NatDrop::TableFull)
        }
    }

    /// A free port: the one the policy wants, or the first free one after it.
    fn free_port(&mut self, protocol: Protocol, inside: u16) -> Option<u16> {
        let (first, last) = (*self.config.ports.start(), *self.config.ports.end());
        if first > last {
            return None;
        }
        let after = |port: u16| {
            if (first..last).contains(&port) {
                port + 1
            } else {
                first
            }
        };
        let start = match self.config.allocation {
            PortAllocation::Random => self.rng.random_range(first..=last),
            PortAllocation::Preserving if self.config.ports.contains(&inside) => inside,
            PortAllocation::Preserving | PortAllocation::Sequential => after(self.last_port),
        };
        let mut port = start;
        while self.by_public.contains_key(&(protocol, port)) {
            port = after(port);
            if port == start {
                return None;
            }
        }
        self.last_port = port;
        Some(port)
    }

    fn count(&mut self, why: NatDrop) {
        let counter = match why {
            NatDrop::NotMyAddress => &mut self.counters.not_my_address,
            NatDrop::NoMapping => &mut self.counters.no_mapping,
            NatDrop::Filtered => &mut self.counters.filtered,
            NatDrop::TableFull => &mut self.counters.table_full,
            NatDrop::PortsExhausted => &mut self.counters.ports_exhausted,
            NatDrop::Hairpin => &mut self.counters.hairpin,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests;
