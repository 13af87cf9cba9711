//! Dynamic addresses (RFC 5061), in the form that passes NATs: the wildcard address, sent from
//! the address that is meant. The receiver takes address and UDP port of that very packet. This is
//! the side that asks.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use manyway_wire::{
    Asconf as AsconfChunk, AsconfAck, AsconfAction, AsconfOutcome, AsconfRequest, AsconfRequests,
    AsconfSerial, EncodeChunk, Tsn,
};

use super::outbox::Control;
use super::{Association, Extension};
use crate::error::PathError;
use crate::path::{FourTuple, PathId, PathState, Wish};
use crate::time::Instant;

/// Requests that wait; more are refused.
const MAX_QUEUED: usize = 32;
/// Repetitions of an ASCONF before it is given up.
const MAX_RETRANSMITS: u32 = 5;
/// Pairs remembered as left on purpose.
const MAX_LEFT: usize = 8;

/// Parameter types of Manyway's own, skipped and reported by those who do not know them: the
/// sender wants the path that the packet came on to be active, to be backup, or to end.
pub(super) const PATH_WISH_ACTIVE: u16 = 0xc0f1;
pub(super) const PATH_WISH_BACKUP: u16 = 0xc0f2;
pub(super) const PATH_REMOVE: u16 = 0xc0f3;

/// What to tell the peer about a path, by a packet on that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Add,
    SetPrimary,
    Wish(Wish),
    Remove,
}

/// A request that waits for its turn, or for its path to work again.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    request: Request,
    path: PathId,
    attempts: u32,
}

impl Waiting {
    /// Whether a later `request` for `path` makes this one pointless.
    fn is_replaced_by(&self, request: Request, path: PathId) -> bool {
        let same_kind = std::mem::discriminant(&self.request) == std::mem::discriminant(&request);
        self.path == path && same_kind
    }
}

#[derive(Debug)]
struct InFlight {
    serial: AsconfSerial,
    what: Waiting,
    chunk: Bytes,
}

/// Both directions of the ASCONF dialogue.
#[derive(Debug)]
pub(super) struct Asconf {
    next_serial: AsconfSerial,
    queue: VecDeque<Waiting>,
    in_flight: Option<InFlight>,
    /// T4-rto.
    pub(super) deadline: Option<Instant>,
    /// The peer's last serial.
    pub(super) peer_serial: AsconfSerial,
    /// Our answer to it.
    pub(super) answer: Option<Bytes>,
    /// Pairs whose path was removed on purpose: late packets from there revive nothing.
    left: VecDeque<FourTuple>,
    /// Pairs that did not answer since the local addresses last changed.
    pub(super) tried: Vec<FourTuple>,
}

impl Asconf {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# The Sequence Number MUST be initialized at the start of the association to the same value as the Initial Transmission Sequence Number (TSN)
    pub(super) fn new(initial: Tsn) -> Self {
        Self {
            next_serial: AsconfSerial(initial.0),
            queue: VecDeque::new(),
            in_flight: None,
            deadline: None,
            peer_serial: AsconfSerial(0),
            answer: None,
            left: VecDeque::new(),
            tried: Vec::new(),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //# If the value found in the Sequence Number of the ASCONF Chunk is equal to the ('Peer-Sequence-Number' + 1)
    pub(super) fn expect_peer_serial(&mut self, initial: Tsn) {
        self.peer_serial = AsconfSerial(initial.0).sub(1);
    }

    /// Requests about the path that were not sent are pointless.
    pub(super) fn drop_waiting(&mut self, id: PathId) {
        self.queue.retain(|waiting| waiting.path != id);
    }

    pub(super) fn forget_path(&mut self, id: PathId) {
        self.drop_waiting(id);
        if self.in_flight.as_ref().is_some_and(|f| f.what.path == id) {
            self.in_flight = None;
            self.deadline = None;
        }
    }

    /// Whether the peer is being told that the path ends.
    pub(super) fn is_leaving(&self, id: PathId) -> bool {
        let in_flight = self.in_flight.iter().map(|f| &f.what);
        self.queue
            .iter()
            .chain(in_flight)
            .any(|what| what.path == id && what.request == Request::Remove)
    }

    /// A path over this pair was removed on purpose.
    pub(super) fn leave(&mut self, pair: FourTuple) {
        if self.left.len() == MAX_LEFT {
            self.left.pop_front();
        }
        self.left.push_back(pair);
    }

    /// Whether a path over this pair was removed on purpose.
    pub(super) fn has_left(&self, pair: &FourTuple) -> bool {
        self.left.contains(pair)
    }

    /// The pair may be used again.
    pub(super) fn welcome(&mut self, pair: &FourTuple) {
        self.left.retain(|left| left != pair);
    }
}

impl Association {
    /// Opens a path and tells the peer, from the new address itself.
    pub(super) fn open_path(&mut self, now: Instant, pair: FourTuple) -> Result<PathId, PathError> {
        if let Some(id) = self.paths.by_tuple(&pair) {
            return match self.asconf.is_leaving(id) {
                false => Ok(id),
                true => Err(PathError::Removing),
            };
        }
        if self.paths.len() >= self.config.max_paths {
            return Err(PathError::TooMany);
        }
        let config = self.path_config();
        let id = self.paths.add(pair, &config, now);
        self.asconf.welcome(&pair);
        self.request(now, Request::Add, id);
        Ok(id)
    }

    pub(super) fn request(&mut self, now: Instant, request: Request, path: PathId) {
        if !self.has(Extension::DynamicPaths) || self.asconf.queue.len() >= MAX_QUEUED {
            return;
        }
        // A later wish for the same path replaces an earlier one that still waits.
        self.asconf
            .queue
            .retain(|waiting| !waiting.is_replaced_by(request, path));
        self.asconf.queue.push_back(Waiting {
            request,
            path,
            attempts: 0,
        });
        self.send_next_asconf(now);
    }

    /// Whether a packet on the path may get through: if not, requests about it wait, so that they
    /// do not hold up those about other paths.
    pub(super) fn may_ask_on(&self, path: PathId) -> bool {
        let state = self.paths.get(path).map(|p| p.state);
        matches!(state, Some(PathState::Active | PathState::Unconfirmed))
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# If an ASCONF chunk is outstanding, then the ASCONF chunk should be queued for later transmission
    pub(super) fn send_next_asconf(&mut self, now: Instant) {
        if self.asconf.in_flight.is_some() || !self.state.is_open() {
            return;
        }
        let queue = &self.asconf.queue;
        let Some(at) = queue.iter().position(|w| self.may_ask_on(w.path)) else {
            return;
        };
        let Some(what) = self.asconf.queue.remove(at) else {
            return;
        };
        let Some(tuple) = self.paths.get(what.path).map(|p| p.tuple) else {
            return;
        };
        let wildcard: IpAddr = match tuple.local.is_ipv4() {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let action = match what.request {
            Request::Add => AsconfAction::Add(wildcard),
            Request::SetPrimary => AsconfAction::SetPrimary(wildcard),
            Request::Wish(Wish::Active) => AsconfAction::Unknown {
                kind: PATH_WISH_ACTIVE,
            },
            Request::Wish(Wish::Backup) => AsconfAction::Unknown {
                kind: PATH_WISH_BACKUP,
            },
            Request::Remove => AsconfAction::Unknown { kind: PATH_REMOVE },
        };
        let serial = self.asconf.next_serial;
        self.asconf.next_serial = serial.next();
        let requests = [AsconfRequest {
            correlation_id: serial.0,
            action,
        }];
        let requests = AsconfRequests::new(&requests);
        let mut chunk = Vec::new();
        AsconfChunk {
            serial,
            address: wildcard,
            requests,
        }
        .encode(&mut chunk);
        let chunk = chunk.into();
        self.transmit_asconf(
            now,
            InFlight {
                serial,
                what,
                chunk,
            },
        );
    }

    fn transmit_asconf(&mut self, now: Instant, in_flight: InFlight) {
        let Waiting {
            request,
            path: id,
            attempts,
        } = in_flight.what;
        let Some(path) = self.paths.get_mut(id) else {
            return;
        };
        let first = match path.rtt.srtt() {
            Some(_) => self.config.handshake_timeout.max(path.rtt.rto()),
            None => self.config.handshake_timeout,
        };
        self.asconf.deadline = Some(now + first * (1 << attempts.min(6)));
        if request == Request::Add {
            // Probed in the same packet, and not before the peer is told of the address.
            path.heartbeats.due = true;
        }
        self.outbox
            .push(id, Control::Asconf(in_flight.chunk.clone()));
        self.asconf.in_flight = Some(in_flight);
    }

    /// T4-rto: the same chunk again on the same path, because its source address is its message.
    pub(super) fn on_asconf_timeout(&mut self, now: Instant) {
        if self.asconf.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.asconf.deadline = None;
        let Some(mut in_flight) = self.asconf.in_flight.take() else {
            return;
        };
        in_flight.what.attempts += 1;
        let what = in_flight.what;
        let works = self.paths.get(what.path).map(|p| p.state) == Some(PathState::Active);
        if works {
            self.on_path_error(now, what.path);
        }
        if what.attempts > MAX_RETRANSMITS {
            tracing::debug!(path = %what.path, request = ?what.request, "no answer to ASCONF");
            if what.request == Request::Remove {
                self.finish_removal(what.path);
            }
        } else if self.may_ask_on(what.path) {
            return self.transmit_asconf(now, in_flight);
        } else if what.request == Request::Remove {
            self.finish_removal(what.path);
        } else if !self.is_replaced(what) {
            self.asconf.queue.push_front(what);
        }
        self.send_next_asconf(now);
    }

    fn is_replaced(&self, what: Waiting) -> bool {
        let mut later = self.asconf.queue.iter();
        later.any(|w| what.is_replaced_by(w.request, w.path))
    }

    pub(super) fn handle_asconf_ack(&mut self, now: Instant, ack: &AsconfAck<'_>) {
        let current = self
            .asconf
            .in_flight
            .as_ref()
            .is_some_and(|f| f.serial == ack.serial);
        if !current {
            return;
        }
        let what = self.asconf.in_flight.take().map(|f| f.what);
        self.asconf.deadline = None;
        let refused = ack
            .responses
            .iter()
            .flatten()
            .any(|r| r.outcome != AsconfOutcome::Success);
        match what.map(|w| (w.request, w.path)) {
            Some((Request::Add, path)) if refused => {
                tracing::debug!(%path, "the peer refused the address");
                self.remove_path_now(path);
            }
            Some((Request::Remove, path)) => self.finish_removal(path),
            _ => {}
        }
        self.send_next_asconf(now);
    }
}
