//! Dynamic addresses (RFC 5061), in the form that passes NATs: the wildcard address, sent from
//! the address that is meant. The receiver takes address and UDP port of that very packet.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use manyway_wire::{
    Asconf as AsconfChunk, AsconfAck, AsconfAction, AsconfOutcome, AsconfRequest, AsconfRequests,
    AsconfResponseList, AsconfSerial, Cause, EncodeChunk, Tsn,
};

use super::Association;
use super::input::PacketContext;
use super::outbox::Control;
use crate::error::PathError;
use crate::event::Event;
use crate::path::{FourTuple, Path, PathId, PathState, Wish};
use crate::time::Instant;

/// Requests that wait; more are refused.
const MAX_QUEUED: usize = 32;
/// Repetitions of an ASCONF before it is given up.
const MAX_RETRANSMITS: u32 = 5;
/// Pairs remembered as left on purpose.
const MAX_LEFT: usize = 8;

/// Parameter types of Manyway's own, skipped and reported by those who do not know them: the
/// sender wants the path that the packet came on to be active, to be backup, or to end.
const PATH_WISH_ACTIVE: u16 = 0xc0f1;
const PATH_WISH_BACKUP: u16 = 0xc0f2;
const PATH_REMOVE: u16 = 0xc0f3;

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
    peer_serial: AsconfSerial,
    /// Our answer to it.
    answer: Option<Bytes>,
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

    pub(super) fn forget_path(&mut self, id: PathId) {
        self.queue.retain(|waiting| waiting.path != id);
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

    fn leave(&mut self, pair: FourTuple) {
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
        if !self.peer.asconf || self.asconf.queue.len() >= MAX_QUEUED {
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
    fn may_ask_on(&self, path: PathId) -> bool {
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

    /// Tells the peer that the path ends and takes it out when the peer has agreed. Until then it
    /// is used only if nothing else works.
    pub(super) fn leave_path(&mut self, now: Instant, id: PathId) {
        let stays = |p: &Path| p.id != id && !p.candidate && !self.asconf.is_leaving(p.id);
        if self.asconf.is_leaving(id) || !self.paths.iter().any(stays) {
            return;
        }
        if !self.peer.asconf || !self.may_ask_on(id) {
            return self.finish_removal(id);
        }
        if let Some(path) = self.paths.get_mut(id) {
            path.wish = Wish::Backup;
        }
        self.asconf.queue.retain(|waiting| waiting.path != id);
        self.request(now, Request::Remove, id);
    }

    /// Takes the path out, and keeps it out though packets may still come from there.
    fn finish_removal(&mut self, id: PathId) {
        if let Some(pair) = self.paths.get(id).map(|p| p.tuple)
            && self.remove_path_now(id)
        {
            self.asconf.leave(pair);
        }
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

    pub(super) fn handle_asconf(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        asconf: &AsconfChunk<'_>,
    ) {
        if !self.state.is_open() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
        //# include in the outbound response packet any previously cached ASCONF-ACK response that was sent and saved that matches the Sequence Number of the ASCONF
        if asconf.serial == self.asconf.peer_serial {
            if let Some(answer) = self.asconf.answer.clone() {
                self.outbox.push(ctx.path, Control::AsconfAck(answer));
            }
            return;
        }
        // Serials may be skipped: a peer gives up a request whose path died. Older ones are stale.
        if !asconf.serial.is_after(self.asconf.peer_serial) || self.must_wait(ctx.path, asconf) {
            return;
        }
        let mut responses = AsconfResponseList::new();
        for request in asconf.requests.iter() {
            let Ok(request) = request else {
                return self.violate(now, "malformed ASCONF");
            };
            match self.apply(now, ctx, request.action) {
                Ok(()) => responses.push_success(request.correlation_id),
                Err(cause) => responses.push_error(request.correlation_id, &cause),
            }
        }
        let mut chunk = Vec::new();
        let ack = AsconfAck {
            serial: asconf.serial,
            responses: responses.as_responses(),
        };
        ack.encode(&mut chunk);
        let chunk = Bytes::from(chunk);
        self.asconf.peer_serial = asconf.serial;
        self.asconf.answer = Some(chunk.clone());
        // The answer goes back the way the question came.
        self.outbox.push(ctx.path, Control::AsconfAck(chunk));
    }

    /// Requests from an address that is not verified yet wait until it is: the peer repeats them.
    /// Only a new path may come from a new address.
    fn must_wait(&self, arrived_on: PathId, asconf: &AsconfChunk<'_>) -> bool {
        let unverified = self.paths.get(arrived_on).is_some_and(|p| p.candidate);
        let adds = |request: AsconfRequest| matches!(request.action, AsconfAction::Add(_));
        unverified && !asconf.requests.iter().flatten().all(adds)
    }

    fn apply(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        action: AsconfAction,
    ) -> Result<(), Cause<'static>> {
        let arrived_on = ctx.path;
        match action {
            AsconfAction::Add(ip) if ip.is_unspecified() => {
                if self.asconf.has_left(&ctx.tuple) {
                    self.asconf.welcome(&ctx.tuple);
                    let known = self.on_unknown_source(now, ctx.tuple);
                    ctx.path = known.ok_or(Cause::RequestRefused(&[]))?;
                }
                if let Some(path) = self.paths.get_mut(ctx.path)
                    && path.candidate
                {
                    path.candidate = false;
                    path.heartbeats.due = true;
                }
                Ok(())
            }
            AsconfAction::Delete(ip) if !ip.is_unspecified() => self.delete_remote(ip),
            AsconfAction::SetPrimary(ip) => {
                let path = match ip.is_unspecified() {
                    true => Some(arrived_on),
                    false => self
                        .paths
                        .iter()
                        .find(|p| p.tuple.remote.ip() == ip)
                        .map(|p| p.id),
                };
                let path = path.ok_or(Cause::RequestRefused(&[]))?;
                self.paths.choose_primary(now, path);
                self.events.push_back(Event::PrimaryChanged { path });
                Ok(())
            }
            AsconfAction::Unknown {
                kind: PATH_WISH_ACTIVE,
            } => self.wish(arrived_on, Wish::Active),
            AsconfAction::Unknown {
                kind: PATH_WISH_BACKUP,
            } => self.wish(arrived_on, Wish::Backup),
            AsconfAction::Unknown { kind: PATH_REMOVE } if !self.asconf.has_left(&ctx.tuple) => {
                self.finish_removal(arrived_on);
                Ok(())
            }
            // An address that the packet does not come from cannot be verified to be the peer's.
            _ => Err(Cause::RequestRefused(&[])),
        }
    }

    fn wish(&mut self, path: PathId, wish: Wish) -> Result<(), Cause<'static>> {
        let path = self.paths.get_mut(path).ok_or(Cause::RequestRefused(&[]))?;
        path.peer_wish = wish;
        Ok(())
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# If a request is received to delete the last remaining IP address
    fn delete_remote(&mut self, ip: IpAddr) -> Result<(), Cause<'static>> {
        let doomed: Vec<PathId> = self
            .paths
            .iter()
            .filter(|p| p.tuple.remote.ip() == ip)
            .map(|p| p.id)
            .collect();
        let stays = |p: &Path| !p.candidate && !doomed.contains(&p.id);
        if !self.paths.iter().any(stays) {
            return Err(Cause::DeleteLastAddress(&[]));
        }
        for id in doomed {
            self.remove_path_now(id);
        }
        Ok(())
    }
}
