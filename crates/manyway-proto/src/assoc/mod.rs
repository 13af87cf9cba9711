//! One association.
//!
//! | file | what |
//! |---|---|
//! | `state` | the states and their transitions |
//! | `extensions` | what both ends can do beyond RFC 9260 |
//! | `init_ack` | INIT-ACK at the initiator |
//! | `setup` | INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK |
//! | `collision` | both ends open at once, cookies that come twice, stale cookies |
//! | `input` | a packet's way to its handlers |
//! | `data`, `sack`, `forward_tsn`, `heartbeat` | handlers, one file per kind of chunk |
//! | `auth` | authenticated chunks |
//! | `asconf` | addresses that come and go |
//! | `failover` | paths to the addresses that a plain peer named |
//! | `ecn` | congestion told by marks |
//! | `reconfig` | streams that are reset and added |
//! | `moving` | packets from unknown addresses, paths that follow the peer |
//! | `reports` | what the application is told on request, errors of the peer |
//! | `path_errors` | paths that stop answering |
//! | `teardown` | SHUTDOWN and ABORT |
//! | `reflected` | hosts that have no association |
//! | `abandon`, `forward_tsn_out` | messages that are given up |
//! | `output`, `bundle`, `bundle_sack` | which packet leaves next, and what is in it |
//! | `losses`, `tail_probe`, `spurious` | what was lost, probes at the tail, losses that were none |
//! | `packet_size` | path MTU discovery |
//! | `reinject` | what blocks the flow goes out on another path as well |
//! | `timers` | deadlines |
//! | `streams` | priorities, weights and scheduling of the outgoing streams |
//! | `receive` | what the application reads |
//! | `commands`, `getters` | the application's side |

use std::collections::VecDeque;
use std::sync::Arc;

use manyway_wire::{Port, Tsn, VerificationTag};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::cc::Share;
use crate::config::TransportConfig;
use crate::event::Event;
use crate::path::{CandidateLimit, FourTuple, PathId, PathState, Paths};
use crate::recovery::Resent;
use crate::recv::{ReceiveGrant, Receiver, SackSchedule, TsnBounds, TsnMap};
use crate::sched::{PathView, Scheduler};
use crate::send::{Copies, DryReports, Expendable, Forward, Outstanding, SendQueue, Sender};
use crate::stats::AssocStats;
use crate::stream::Inbound;
use crate::time::Instant;

mod abandon;
mod asconf;
mod auth;
mod bundle;
mod bundle_sack;
mod collision;
mod commands;
mod copies;
mod data;
mod ecn;
mod extensions;
mod failover;
mod forward_tsn;
mod forward_tsn_out;
mod getters;
mod heartbeat;
mod init_ack;
mod input;
mod losses;
mod moving;
mod outbox;
mod output;
mod packet_size;
mod path_errors;
mod receive;
mod reconfig;
mod reflected;
mod reinject;
mod reports;
mod sack;
mod schedule;
mod setup;
mod spurious;
mod state;
mod streams;
mod tail_probe;
mod teardown;
mod timers;

use asconf::Asconf;
pub use asconf::{AddressChange, AddressError, AddressForm, AddressRefusal};
pub(crate) use auth::{Auth, AuthOffer};
pub use auth::{AuthConfig, AuthKeyError, AuthSecret};
pub use extensions::{Extension, Extensions};
use outbox::Outbox;
use reconfig::Reconfig;
#[cfg(test)]
pub(crate) use setup::MAX_PEER_ADDRESSES;
use setup::Setup;
pub(crate) use setup::{
    ASCONF_WITHOUT_AUTH, BadInit, MAX_OWN_ADDRESSES, PeerInit, local_parameters,
};
pub use state::AssocState;
use teardown::Teardown;

/// Names an association of an endpoint, for the endpoint's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AssocId(pub(crate) u64);

impl AssocId {
    /// A number that people can type.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Ports and tags: what the common header of this association's packets says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) local_port: Port,
    pub(crate) peer_port: Port,
    /// What the peer must put into its packets.
    pub(crate) local_tag: VerificationTag,
    /// What this side puts into its packets.
    pub(crate) peer_tag: VerificationTag,
}

/// What the peer can do and where it can be reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// What both ends offered.
    pub(crate) extensions: Extensions,
    /// Addresses it named or was reached at, with their UDP ports.
    pub(crate) addresses: Vec<std::net::SocketAddr>,
    /// Where it would like to be sent to first, until that is done.
    pub(crate) primary: Option<std::net::IpAddr>,
    pub(crate) outbound_streams: u16,
    pub(crate) inbound_streams: u16,
}

/// One association: see the crate's documentation for how to drive it.
#[derive(Debug)]
pub struct Association {
    id: AssocId,
    config: Arc<TransportConfig>,
    state: AssocState,
    initiator: bool,
    identity: Identity,
    peer: Peer,
    /// This endpoint's addresses, for new paths.
    locals: Vec<std::net::SocketAddr>,
    paths: Paths,
    sender: Sender,
    receiver: Receiver,
    scheduler: Box<dyn Scheduler>,
    /// Scratch space for the scheduler.
    views: Vec<PathView>,
    /// Scratch space for coupled congestion control.
    shares: Vec<Share>,
    setup: Option<Setup>,
    teardown: Teardown,
    asconf: Asconf,
    /// What is known of AUTH, if this side offers it.
    auth: Option<Box<Auth>>,
    /// Only if both ends can re-configure streams.
    reconfig: Option<Box<Reconfig>>,
    candidates: CandidateLimit,
    outbox: Outbox,
    events: VecDeque<Event>,
    stats: AssocStats,
    /// Timeouts in a row, over all paths.
    error_count: u32,
    last_heard: Instant,
    /// When the application last had its hands on it.
    now: Instant,
    rng: StdRng,
}

/// What is needed to make an association.
#[derive(Debug)]
pub(crate) struct NewAssociation {
    pub(crate) id: AssocId,
    pub(crate) config: Arc<TransportConfig>,
    pub(crate) identity: Identity,
    pub(crate) locals: Vec<std::net::SocketAddr>,
    pub(crate) local_initial_tsn: Tsn,
    /// What this side says of AUTH, if it offers it.
    pub(crate) auth: Option<AuthOffer>,
    pub(crate) seed: [u8; 32],
}

impl Association {
    fn new(now: Instant, new: NewAssociation, initiator: bool, state: AssocState) -> Self {
        Self {
            id: new.id,
            state,
            initiator,
            identity: new.identity,
            peer: Peer::default(),
            locals: new.locals,
            paths: Paths::default(),
            sender: Sender {
                queue: SendQueue::new(new.config.stream_scheduler.build()),
                outstanding: Outstanding::new(new.local_initial_tsn),
                resent: Resent::default(),
                reinjected_to: 0,
                peer_window: 0,
                peer_full: false,
                last_sack: None,
                reneges: 0,
                expendable: Expendable::default(),
                can_abandon_sent: false,
                held_back: false,
                copies: Copies::default(),
                forward: Forward::default(),
                blocked: false,
                marking: false,
                dry_reports: DryReports::Off,
            },
            receiver: Receiver {
                tsns: TsnMap::new(Tsn(0), TsnBounds::new(&new.config)),
                inbound: Inbound::new(new.config.partial_delivery_point),
                sack: SackSchedule::default(),
                gaps: Vec::new(),
                advertised: new.config.receive_buffer as u64,
                grant: ReceiveGrant {
                    bytes: new.config.receive_buffer,
                    completes: true,
                },
            },
            scheduler: new.config.scheduler.build(),
            views: Vec::new(),
            shares: Vec::new(),
            setup: None,
            teardown: Teardown::default(),
            asconf: Asconf::new(new.local_initial_tsn),
            auth: new
                .auth
                .map(|offer| Box::new(Auth::new(&new.config.auth, offer))),
            reconfig: None,
            candidates: CandidateLimit::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            stats: AssocStats::default(),
            error_count: 0,
            last_heard: now,
            now,
            rng: StdRng::from_seed(new.seed),
            config: new.config,
        }
    }

    /// The side that accepted a COOKIE-ECHO on `tuple`; `verified` if the cookie was sent to there.
    pub(crate) fn accept(
        now: Instant,
        new: NewAssociation,
        peer: PeerInit,
        tuple: FourTuple,
        verified: bool,
    ) -> Self {
        let mut assoc = Self::new(now, new, false, AssocState::Established);
        assoc.learn_peer(&peer, tuple);
        let path = assoc.paths.add(tuple, &assoc.config, now);
        assoc.learn_own_addresses(tuple.local);
        if verified {
            assoc.confirm_first_path(now, path);
            assoc.open_paths_to_peer(now);
        } else if let Some(path) = assoc.paths.get_mut(path) {
            path.heartbeats.due = true;
        }
        assoc.outbox.push_cookie_ack(path);
        assoc.events.push_back(Event::Incoming);
        assoc
    }

    /// The path of the handshake is verified: the cookie made the round trip on it.
    fn confirm_first_path(&mut self, now: Instant, id: PathId) {
        if let Some(path) = self.paths.get_mut(id) {
            path.state = PathState::Active;
            path.last_received = Some(now);
            path.probe_due = true;
            path.last_answered = Some(now);
            path.timers.heartbeat = Some(now + self.config.heartbeat_interval);
            self.asconf.locals.learn(path.tuple.local.ip());
        }
        self.events.push_back(Event::PathUp { path: id });
    }

    fn path_config(&self) -> Arc<TransportConfig> {
        Arc::clone(&self.config)
    }
}
