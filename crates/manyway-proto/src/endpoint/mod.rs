//! The endpoint: which association a packet belongs to, and the stateless half of the handshake.
//!
//! Look-ups go by the verification tag of this side, never by scanning.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use manyway_wire::{Port, VerificationTag};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::assoc::{AssocId, Association, Identity};
use crate::config::{EndpointConfig, TransportConfig};
use crate::ecn::Ecn;
use crate::error::{ConnectError, ListenError};
use crate::event::Event;
use crate::path::{FourTuple, PathId};
use crate::time::Instant;

mod auth;
mod budget;
mod collision;
mod cookie;
mod cookie_echo;
mod handshake;
mod hash;
mod icmp;
mod index;
mod input;
mod jar;
mod output;
mod ports;
mod stray;
mod timers;

use budget::ReceiveBudget;
use hash::OwnMap;
use jar::CookieJar;
use ports::PortUsers;
use stray::{RateLimit, StrayAnswers};
use timers::{TimerKey, Timers};

/// What [`Endpoint::connect`] needs to know.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Local UDP addresses to use, the first one first. Paths from the others are added when the
    /// association is established.
    pub locals: Vec<SocketAddr>,
    /// UDP addresses of the peer.
    pub remotes: Vec<SocketAddr>,
    /// The SCTP port that the peer listens on.
    pub port: Port,
}

/// A batch of datagrams to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Transmit {
    /// From and to where.
    pub path: FourTuple,
    /// Bytes in the buffer.
    pub size: usize,
    /// The size of each datagram but the last, which may be shorter, if there are several.
    pub segment_size: Option<usize>,
    /// The packet is larger than the path is known to carry, because a chunk was cut for another
    /// path: let IP fragment it. Only ever one datagram.
    pub may_fragment: bool,
    /// What the IP headers shall say of congestion (RFC 3168, section 5), the same for all
    /// datagrams: `Some(Ecn::Ect0)` on new data where both ends understand marks, and `None`,
    /// Not-ECT, on everything else. A driver that cannot set it sends without.
    pub ecn: Option<Ecn>,
    /// Whose packets they are; `None` for the endpoint's own answers.
    pub assoc: Option<AssocId>,
    /// On which of its paths.
    pub path_id: Option<PathId>,
}

/// Counters of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Datagrams that are no SCTP packets or have a wrong checksum.
    pub malformed_packets: u64,
    /// Packets whose verification tag belongs to no association.
    pub stray_packets: u64,
    /// Stray packets that were not answered because there were too many.
    pub stray_unanswered: u64,
    /// INITs answered.
    pub inits_answered: u64,
    /// COOKIE-ECHOs refused: forged, stale, used before, or too late for an association that has
    /// gone on without them.
    pub cookies_refused: u64,
    /// Associations that ended because the peer restarted.
    pub restarts: u64,
    /// INITs of peers of an association that named addresses which the association does not have.
    pub restarts_refused: u64,
    /// Associations opened by peers.
    pub associations_accepted: u64,
    /// Reports of packets that were too big which quote none of ours, or say nothing new.
    pub ignored_too_big: u64,
    /// Reports of addresses where nobody listens which quote no INIT of a handshake under way.
    pub ignored_unreachable: u64,
    /// Handshakes refused because of [`EndpointConfig::max_associations`], or because received
    /// data fill [`EndpointConfig::receive_budget`].
    pub associations_refused: u64,
    /// INITs not answered because of [`EndpointConfig::max_init_acks_per_second`].
    pub inits_unanswered: u64,
    /// Times that received data began to fill half of [`EndpointConfig::receive_budget`], whereupon
    /// windows shrink.
    pub memory_shortages: u64,
}

#[derive(Debug)]
struct Slot {
    assoc: Association,
    /// In the ready queue.
    ready: bool,
    /// In the queue of those that may have events.
    noisy: bool,
    timer: TimerKey,
    /// Among the timers at this time.
    armed: Option<Instant>,
    /// No longer found by its tag.
    unlinked: bool,
    /// Its entries in `by_peer`.
    peer_keys: Vec<PeerKey>,
    /// How many of them were given by who asked for the association.
    requested: usize,
    /// What it held of received data when that was last counted.
    held: usize,
    /// When it came into being here.
    began: Instant,
    /// Its entry in `by_reflected`.
    reflected_key: Option<ReflectedKey>,
}

/// All associations of a set of UDP ports. See the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    transport: Arc<TransportConfig>,
    listening: HashSet<Port>,
    ports: PortUsers,
    /// Boxed: moving a table of pointers is cheap when it grows.
    slots: OwnMap<AssocId, Box<Slot>>,
    by_tag: OwnMap<VerificationTag, AssocId>,
    by_peer: HashMap<PeerKey, AssocId>,
    by_reflected: HashMap<ReflectedKey, AssocId>,
    ready: VecDeque<AssocId>,
    /// Associations that may have events.
    noisy: VecDeque<AssocId>,
    timers: Timers,
    cookies: CookieJar,
    budget: ReceiveBudget,
    init_acks: RateLimit,
    stray: StrayAnswers,
    /// The last packet was a stray answer: the associations are next.
    stray_turn_over: bool,
    stats: EndpointStats,
    locals: Vec<SocketAddr>,
    next_id: u64,
    next_port: u16,
    now: Instant,
    rng: StdRng,
}

/// Finds an association by where its handshake came from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PeerKey {
    remote: SocketAddr,
    local_port: Port,
    peer_port: Port,
}

/// Finds an association by the tag it puts into its own packets, as a peer without the association
/// returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ReflectedKey {
    peer_tag: VerificationTag,
    local_port: Port,
    peer_port: Port,
}

impl ReflectedKey {
    /// The key of an association whose peer is known.
    fn of(identity: Identity) -> Option<Self> {
        (identity.peer_tag.0 != 0).then_some(Self {
            peer_tag: identity.peer_tag,
            local_port: identity.local_port,
            peer_port: identity.peer_port,
        })
    }
}

/// First of the SCTP ports that initiators use: each gives one association to a listener.
const EPHEMERAL_PORTS: u16 = 32_768;

impl Endpoint {
    /// An endpoint whose randomness comes from `seed`. Outside of tests the seed must come from
    /// the operating system: tags, cookies and challenges are only as secret as it is.
    pub fn new(config: EndpointConfig, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self {
            transport: Arc::new(config.transport.clone().offerable()),
            cookies: CookieJar::new(
                key,
                config.cookie_lifetime + config.max_cookie_lifetime_increment,
                config.max_used_cookies,
            ),
            budget: ReceiveBudget::new(config.receive_budget),
            init_acks: RateLimit::new(config.max_init_acks_per_second),
            stray: StrayAnswers::new(config.max_stray_answers_per_second),
            config,
            listening: HashSet::new(),
            ports: PortUsers::default(),
            slots: OwnMap::default(),
            by_tag: OwnMap::default(),
            by_peer: HashMap::new(),
            by_reflected: HashMap::new(),
            ready: VecDeque::new(),
            noisy: VecDeque::new(),
            timers: Timers::default(),
            stray_turn_over: false,
            stats: EndpointStats::default(),
            locals: Vec::new(),
            next_id: 1,
            next_port: EPHEMERAL_PORTS + rng.random_range(0..16_384),
            now: Instant::ZERO,
            rng,
        }
    }

    /// Accepts associations on an SCTP port.
    ///
    /// # Errors
    ///
    /// [`ListenError::InUse`] if it listens already.
    pub fn listen(&mut self, port: Port) -> Result<(), ListenError> {
        if self.listening.insert(port) {
            self.ports.add(port);
            Ok(())
        } else {
            Err(ListenError::InUse(port.0))
        }
    }

    /// Accepts no further associations on the port; those that are open go on.
    pub fn unlisten(&mut self, port: Port) {
        if self.listening.remove(&port) {
            self.ports.remove(port);
        }
    }

    /// Begins to open an association; [`Event::Connected`] or [`Event::Closed`] follows.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub fn connect(&mut self, now: Instant, request: Connect) -> Result<AssocId, ConnectError> {
        self.open(now, None, request)
    }

    /// As [`Endpoint::connect`], from a chosen SCTP port. If the peer opens the same association at
    /// the same time, both ends get one and the same (RFC 9260, section 5.2.1).
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub fn connect_from(
        &mut self,
        now: Instant,
        local_port: Port,
        request: Connect,
    ) -> Result<AssocId, ConnectError> {
        self.open(now, Some(local_port), request)
    }

    fn open(
        &mut self,
        now: Instant,
        local_port: Option<Port>,
        request: Connect,
    ) -> Result<AssocId, ConnectError> {
        self.advance(now);
        if self.slots.len() >= self.config.max_associations {
            return Err(ConnectError::TooManyAssociations);
        }
        let pairs: Vec<FourTuple> = request
            .locals
            .iter()
            .flat_map(|&local| {
                request
                    .remotes
                    .iter()
                    .map(move |&remote| FourTuple { local, remote })
            })
            .filter(FourTuple::is_possible)
            .collect();
        if pairs.is_empty() {
            return Err(ConnectError::NoUsableAddress);
        }
        let keys = |local_port: Port| {
            let to = |remote: &SocketAddr| PeerKey {
                remote: *remote,
                local_port,
                peer_port: request.port,
            };
            request.remotes.iter().map(to).collect::<Vec<_>>()
        };
        let local_port = match local_port {
            None => self
                .ephemeral_port(keys)
                .ok_or(ConnectError::TooManyAssociations)?,
            Some(port) if keys(port).iter().any(|key| self.by_peer.contains_key(key)) => {
                return Err(ConnectError::InUse);
            }
            Some(port) => port,
        };
        let keys = keys(local_port);
        let identity = Identity {
            local_port,
            peer_port: request.port,
            local_tag: self.fresh_tag(),
            peer_tag: VerificationTag(0),
        };
        let initial_tsn = manyway_wire::Tsn(self.rng.next_u32());
        let auth_random = self.fresh_auth_random();
        let new = self.new_association(identity, request.locals, initial_tsn, auth_random);
        let id = new.id;
        let assoc = Association::initiate(self.now, new, pairs);
        let requested = keys.len();
        self.insert(assoc, keys, requested);
        Ok(id)
    }

    /// Tells the endpoint which local addresses exist; associations that it opened use new ones
    /// and leave vanished ones.
    pub fn set_local_addresses(&mut self, now: Instant, locals: &[SocketAddr]) {
        self.advance(now);
        self.locals = locals.to_vec();
        let mut ids: Vec<AssocId> = self.slots.keys().copied().collect();
        // The order of a hash map must not decide the order of packets.
        ids.sort_unstable();
        for id in ids {
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.assoc.set_local_addresses(self.now, locals);
            }
            self.touch(id);
        }
    }

    /// An association, to look at.
    pub fn association(&self, id: AssocId) -> Option<&Association> {
        self.slots.get(&id).map(|slot| &slot.assoc)
    }

    /// An association, to give it commands; it is polled afterwards.
    pub fn association_mut(&mut self, now: Instant, id: AssocId) -> Option<&mut Association> {
        self.advance(now);
        self.touch(id);
        self.grant_memory(id);
        let assoc = self.slots.get_mut(&id).map(|slot| &mut slot.assoc)?;
        assoc.on_command(self.now);
        Some(assoc)
    }

    /// The associations, in no order.
    pub fn associations(&self) -> impl Iterator<Item = &Association> {
        self.slots.values().map(|slot| &slot.assoc)
    }

    /// Forgets an association. After [`Event::Closed`] it is kept, so that what it received can
    /// still be read, until this is called. An open one is dropped without a word to the peer.
    pub fn release(&mut self, id: AssocId) {
        self.unlink(id);
        if let Some(slot) = self.slots.remove(&id) {
            self.ports.remove(slot.assoc.identity().local_port);
            self.timers.unregister(slot.timer);
            self.budget.update(slot.held, 0);
        }
    }

    /// Counters.
    pub fn stats(&self) -> EndpointStats {
        self.stats
    }

    /// The next event of any association.
    pub fn poll_event(&mut self) -> Option<(AssocId, Event)> {
        while let Some(&id) = self.noisy.front() {
            let slot = self.slots.get_mut(&id);
            if let Some(slot) = slot {
                if let Some(event) = slot.assoc.poll_event() {
                    return Some((id, event));
                }
                slot.noisy = false;
            }
            self.noisy.pop_front();
        }
        None
    }

    /// When [`Endpoint::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| at)
    }

    /// Handles all deadlines up to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        while let Some((_, id)) = self.timers.first().filter(|(at, _)| *at <= self.now) {
            if let Some(slot) = self.slots.get_mut(&id) {
                self.timers.disarm(slot.timer);
                slot.armed = None;
                slot.assoc.handle_timeout(self.now);
            }
            self.touch(id);
            self.rearm(id);
        }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}
