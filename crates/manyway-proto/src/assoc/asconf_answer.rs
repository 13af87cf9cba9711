//! ASCONF requests of the peer and our answers (RFC 5061, section 5.2).

use std::net::IpAddr;

use bytes::Bytes;
use manyway_wire::{
    Asconf as AsconfChunk, AsconfAck, AsconfAction, AsconfRequest, AsconfResponseList, Cause,
    EncodeChunk,
};

use super::asconf::{PATH_REMOVE, PATH_WISH_ACTIVE, PATH_WISH_BACKUP};
use super::input::PacketContext;
use super::outbox::Control;
use super::{Association, Extension};
use crate::event::Event;
use crate::path::{Path, PathId, Wish};
use crate::time::Instant;

/// Requests in one ASCONF: their answers must fit a packet.
const MAX_REQUESTS: usize = 32;

impl Association {
    pub(super) fn handle_asconf(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        asconf: &AsconfChunk<'_>,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
        //# If this chunk is received unauthenticated it MUST be silently discarded
        if !self.state.is_open() || !self.has(Extension::DynamicPaths) {
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
        if asconf.requests.iter().take(MAX_REQUESTS + 1).count() > MAX_REQUESTS {
            self.stats.dropped_packets += 1;
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
                if !self.can_do_without(arrived_on) {
                    return Err(Cause::RequestRefused(&[]));
                }
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
