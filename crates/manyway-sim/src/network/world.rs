//! Building and running a network.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::queue::{Happening, Queue};
use super::tap::{Hook, Trace};
use super::{
    Action, Host, HostId, Interface, InterfaceConfig, InterfaceId, NatId, NetworkCounters, Node,
};
use crate::nat::{Nat, NatConfig};
use crate::{Instant, Link, LinkConfig};

/// A node whose timer fires more often than this at one instant is stuck.
const STUCK: u32 = 100_000;

/// Hosts, links, NATs and the core between them, in virtual time.
pub struct Network<N> {
    pub(super) now: Instant,
    pub(super) seed: u64,
    pub(super) hosts: Vec<Host<N>>,
    pub(super) nats: Vec<Nat>,
    /// Who has an address: among the public ones, or behind a NAT.
    pub(super) routes: BTreeMap<(Option<NatId>, IpAddr), InterfaceId>,
    pub(super) queue: Queue<N>,
    pub(super) timers: BTreeSet<(Instant, HostId)>,
    pub(super) fired_at_once: u32,
    pub(super) hook: Option<Hook>,
    pub(super) icmp: bool,
    pub(super) trace: Trace,
    pub(super) counters: NetworkCounters,
    pub(super) buffer: Vec<u8>,
}

impl<N> fmt::Debug for Network<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("now", &self.now)
            .field("hosts", &self.hosts.len())
            .field("nats", &self.nats)
            .field("queue", &self.queue)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// Building.
impl<N: Node> Network<N> {
    /// An empty network at [`Instant::ZERO`] whose random decisions follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            seed,
            hosts: Vec::new(),
            nats: Vec::new(),
            routes: BTreeMap::new(),
            queue: Queue::new(),
            timers: BTreeSet::new(),
            fired_at_once: 0,
            icmp: false,
            hook: None,
            trace: Trace::new(),
            counters: NetworkCounters::default(),
            buffer: Vec::new(),
        }
    }

    /// Adds a host without interfaces whose UDP port is `port`.
    pub fn add_host(&mut self, node: N, port: u16) -> HostId {
        let interfaces = Vec::new();
        self.hosts.push(Host {
            node,
            port,
            interfaces,
            timer: None,
            capture: None,
        });
        HostId(self.hosts.len() - 1)
    }

    /// Adds a NAT.
    pub fn add_nat(&mut self, config: NatConfig, public: IpAddr) -> NatId {
        let seed = self.next_seed();
        self.nats.push(Nat::new(config, public, seed));
        NatId(self.nats.len() - 1)
    }

    /// Adds an interface to a host, without telling its node.
    pub fn add_interface(&mut self, host: HostId, config: InterfaceConfig) -> InterfaceId {
        let (up, down) = (self.new_link(config.up), self.new_link(config.down));
        let interfaces = &mut self.hosts[host.0].interfaces;
        let (address, nat) = (config.address, config.nat);
        interfaces.push(Interface {
            address,
            is_up: true,
            up,
            down,
            nat,
            sent: 0,
        });
        let id = InterfaceId {
            host,
            index: interfaces.len() - 1,
        };
        self.routes.insert((nat, address), id);
        id
    }

    fn new_link(&mut self, config: LinkConfig) -> Link {
        let seed = self.next_seed();
        Link::new(config, seed)
    }

    /// Seeds that are far apart for every part of the network (splitmix64's increment).
    fn next_seed(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.seed
    }
}

/// Running.
impl<N: Node> Network<N> {
    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Does the next thing that happens and returns true, or false if nothing ever will.
    ///
    /// # Panics
    /// If a node is stuck: its timer does not advance, or it never stops sending.
    pub fn step(&mut self) -> bool {
        let timer = self.timers.first().copied();
        match (self.queue.next_time(), timer) {
            (Some(at), timer) if timer.is_none_or(|(due, _)| at <= due) => {
                self.advance(at);
                let what = self.queue.pop().expect("the queue has a next time");
                self.happen(what);
            }
            (_, Some((due, host))) => {
                self.advance(due);
                self.fired_at_once += 1;
                assert!(
                    self.fired_at_once < STUCK,
                    "the timer of {host:?} does not advance"
                );
                let now = self.now;
                self.with_node(host, |node| node.handle_timeout(now));
            }
            _ => return false,
        }
        true
    }

    /// Runs until nothing more happens before or at `end`, where the clock stands then.
    pub fn run_until(&mut self, end: Instant) {
        while self.next_time().is_some_and(|at| at <= end) {
            self.step();
        }
        self.advance(end);
    }

    /// Runs for this long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    /// Runs until `done` says so or nothing happens any more within `most`; returns what `done`
    /// says at the end.
    pub fn run_to(&mut self, most: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + most;
        loop {
            if done(self) {
                return true;
            }
            if self.next_time().is_none_or(|at| at > end) {
                self.advance(end);
                return done(self);
            }
            self.step();
        }
    }

    /// When something happens next.
    pub fn next_time(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(due, _)| *due);
        self.queue
            .next_time()
            .into_iter()
            .chain(timer)
            .min()
            .map(|at| at.max(self.now))
    }

    /// Does `action` at `at` (now, if that has passed).
    pub fn schedule(&mut self, at: Instant, action: Action) {
        self.queue.push(at.max(self.now), Happening::Action(action));
    }

    /// Runs `script` at `at` (now, if that has passed).
    pub fn schedule_with(&mut self, at: Instant, script: impl FnOnce(&mut Self) + 'static) {
        self.queue
            .push(at.max(self.now), Happening::Script(Box::new(script)));
    }

    fn advance(&mut self, to: Instant) {
        if to > self.now {
            self.now = to;
            self.fired_at_once = 0;
        }
    }

    fn happen(&mut self, what: Happening<N>) {
        match what {
            Happening::Depart(from, packet) => self.enter_uplink(from, packet),
            Happening::Core(from, packet) => self.leave_uplink(from, packet),
            Happening::TooBig(from, packet, mtu) => self.report_too_big(from, &packet, mtu),
            Happening::Arrive(to, packet) => self.leave_downlink(to, packet),
            Happening::Action(action) => self.apply(action),
            Happening::Script(script) => script(self),
        }
    }
}
