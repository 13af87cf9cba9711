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
use crate::path::{FourTuple, PathId, Wish};
use crate::time::Instant;

/// Requests that wait; more are refused.
const MAX_QUEUED: usize = 32;
/// Repetitions of an ASCONF before it is given up.
const MAX_RETRANSMITS: u32 = 5;

/// Parameter types of Manyway's own, skipped and reported by those who do not know them: the
/// sender wants the path that the packet came on to be active, or backup.
const PATH_WISH_ACTIVE: u16 = 0xc0f1;
const PATH_WISH_BACKUP: u16 = 0xc0f2;

/// What to tell the peer about a path, by a packet on that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Add,
    SetPrimary,
    Wish(Wish),
}

#[derive(Debug)]
struct InFlight {
    serial: AsconfSerial,
    request: Request,
    path: PathId,
    chunk: Bytes,
    attempts: u32,
}

/// Both directions of the ASCONF dialogue.
#[derive(Debug)]
pub(super) struct Asconf {
    next_serial: AsconfSerial,
    queue: VecDeque<(Request, PathId)>,
    in_flight: Option<InFlight>,
    /// T4-rto.
    pub(super) deadline: Option<Instant>,
    /// The peer's last serial and our answer to it.
    answered: Option<(AsconfSerial, Bytes)>,
    /// Pairs that did not answer since the local addresses last changed.
    pub(super) tried: Vec<FourTuple>,
}

impl Asconf {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
    //# This value represents a Serial Number for the ASCONF chunk ... it MUST be initialized to the same value as the initial TSN
    pub(super) fn new(initial: Tsn) -> Self {
        Self {
            next_serial: AsconfSerial(initial.0),
            queue: VecDeque::new(),
            in_flight: None,
            deadline: None,
            answered: None,
            tried: Vec::new(),
        }
    }

    pub(super) fn forget_path(&mut self, id: PathId) {
        self.queue.retain(|(_, path)| *path != id);
        if self.in_flight.as_ref().is_some_and(|f| f.path == id) {
            self.in_flight = None;
            self.deadline = None;
        }
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
        if let Some(path) = self.paths.get_mut(id) {
            path.heartbeats.due = true;
        }
        self.request(now, Request::Add, id);
        Ok(id)
    }

    pub(super) fn request(&mut self, now: Instant, request: Request, path: PathId) {
        if !self.peer.asconf || self.asconf.queue.len() >= MAX_QUEUED {
            return;
        }
        // A later wish for the same path replaces an earlier one that still waits.
        self.asconf.queue.retain(|(r, p)| {
            *p != path || std::mem::discriminant(r) != std::mem::discriminant(&request)
        });
        self.asconf.queue.push_back((request, path));
        self.send_next_asconf(now);
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# an endpoint MUST NOT send an ASCONF chunk if there is one outstanding that has not been acknowledged
    fn send_next_asconf(&mut self, now: Instant) {
        if self.asconf.in_flight.is_some() {
            return;
        }
        let Some((request, path)) = self.asconf.queue.pop_front() else {
            return;
        };
        let Some(tuple) = self.paths.get(path).map(|p| p.tuple) else {
            return;
        };
        let wildcard: IpAddr = match tuple.local.is_ipv4() {
            true => Ipv4Addr::UNSPECIFIED.into(),
            false => Ipv6Addr::UNSPECIFIED.into(),
        };
        let action = match request {
            Request::Add => AsconfAction::Add(wildcard),
            Request::SetPrimary => AsconfAction::SetPrimary(wildcard),
            Request::Wish(Wish::Active) => AsconfAction::Unknown {
                kind: PATH_WISH_ACTIVE,
            },
            Request::Wish(Wish::Backup) => AsconfAction::Unknown {
                kind: PATH_WISH_BACKUP,
            },
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
        let in_flight = InFlight {
            serial,
            request,
            path,
            chunk: chunk.into(),
            attempts: 0,
        };
        self.transmit_asconf(now, in_flight);
    }

    fn transmit_asconf(&mut self, now: Instant, in_flight: InFlight) {
        let base = self.config.handshake_timeout * (1 << in_flight.attempts.min(6));
        self.asconf.deadline = Some(now + base);
        self.outbox
            .push(in_flight.path, Control::Asconf(in_flight.chunk.clone()));
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
        in_flight.attempts += 1;
        if in_flight.attempts <= MAX_RETRANSMITS {
            self.transmit_asconf(now, in_flight);
        } else {
            tracing::debug!(path = %in_flight.path, request = ?in_flight.request, "no answer to ASCONF");
            self.send_next_asconf(now);
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
        let in_flight = self.asconf.in_flight.take();
        self.asconf.deadline = None;
        let refused = ack
            .responses
            .iter()
            .flatten()
            .any(|r| r.outcome != AsconfOutcome::Success);
        if let Some(InFlight {
            request: Request::Add,
            path,
            ..
        }) = in_flight
            && refused
        {
            tracing::debug!(%path, "the peer refused the address");
            self.remove_path_now(path);
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
        match &self.asconf.answered {
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
            //# If the value found in the Sequence Number is equal to the ('Peer-Sequence-Number'), the endpoint MUST ... send the cached response
            Some((serial, answer)) if *serial == asconf.serial => {
                let answer = answer.clone();
                self.outbox.push(ctx.path, Control::AsconfAck(answer));
                return;
            }
            Some((serial, _)) if serial.next() != asconf.serial => return,
            _ => {}
        }
        let mut responses = AsconfResponseList::new();
        for request in asconf.requests.iter() {
            let Ok(request) = request else {
                return self.violate(now, "malformed ASCONF");
            };
            match self.apply(now, ctx.path, request.action) {
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
        self.asconf.answered = Some((asconf.serial, chunk.clone()));
        // The answer goes back the way the question came.
        self.outbox.push(ctx.path, Control::AsconfAck(chunk));
    }

    fn apply(
        &mut self,
        now: Instant,
        arrived_on: PathId,
        action: AsconfAction,
    ) -> Result<(), Cause<'static>> {
        match action {
            AsconfAction::Add(ip) if ip.is_unspecified() => {
                if let Some(path) = self.paths.get_mut(arrived_on)
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
    //# If an endpoint receives a Delete IP Address request that is for the last IP address, it MUST reject the request
    fn delete_remote(&mut self, ip: IpAddr) -> Result<(), Cause<'static>> {
        let doomed: Vec<PathId> = self
            .paths
            .iter()
            .filter(|p| p.tuple.remote.ip() == ip)
            .map(|p| p.id)
            .collect();
        if doomed.len() == self.paths.len() {
            return Err(Cause::DeleteLastAddress(&[]));
        }
        doomed.into_iter().for_each(|id| self.remove_path_now(id));
        Ok(())
    }
}
