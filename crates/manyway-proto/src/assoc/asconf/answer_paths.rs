//! What a Manyway peer's requests do: they are about the path that they came on.

use std::net::IpAddr;

use manyway_wire::{Asconf as AsconfChunk, AsconfAction, AsconfRequest, Cause};

use super::answer::Verdict;
use super::paths::{PATH_REMOVE, PATH_WISH_ACTIVE, PATH_WISH_BACKUP};
use crate::assoc::Association;
use crate::assoc::input::PacketContext;
use crate::event::Event;
use crate::path::{Path, PathId, Wish};
use crate::time::Instant;

impl Association {
    /// Requests from an address that is not verified yet wait until it is: the peer repeats them.
    /// Only a new path may come from a new address.
    pub(super) fn must_wait(&self, arrived_on: PathId, asconf: &AsconfChunk<'_>) -> bool {
        let unverified = self.paths.get(arrived_on).is_some_and(|p| p.candidate);
        let adds = |request: AsconfRequest| matches!(request.action, AsconfAction::Add(_));
        unverified && !asconf.requests.iter().flatten().all(adds)
    }

    pub(super) fn do_path_request<'a>(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        action: AsconfAction,
        copy: &'a [u8],
    ) -> Verdict<'a> {
        let refused = || Verdict::Refused(Cause::RequestRefused(copy));
        let arrived_on = ctx.path;
        match action {
            AsconfAction::Add(ip) if ip.is_unspecified() => match self.welcome_path(now, ctx) {
                true => Verdict::Done,
                false => refused(),
            },
            AsconfAction::Delete(ip) if !ip.is_unspecified() => self.delete_remote(ip, copy),
            AsconfAction::SetPrimary(ip) => {
                let there = |p: &&Path| p.tuple.remote.ip() == ip;
                let path = match ip.is_unspecified() {
                    true => Some(arrived_on),
                    false => self.paths.iter().find(there).map(|p| p.id),
                };
                let Some(path) = path else { return refused() };
                self.paths.choose_primary(now, path);
                self.events.push_back(Event::PrimaryChanged { path });
                Verdict::Done
            }
            AsconfAction::Unknown {
                kind: PATH_WISH_ACTIVE,
            } => self.wish(arrived_on, Wish::Active, copy),
            AsconfAction::Unknown {
                kind: PATH_WISH_BACKUP,
            } => self.wish(arrived_on, Wish::Backup, copy),
            AsconfAction::Unknown { kind: PATH_REMOVE } if !self.asconf.has_left(&ctx.tuple) => {
                if !self.can_do_without(arrived_on) {
                    return refused();
                }
                self.finish_removal(arrived_on);
                Verdict::Done
            }
            // An address that the packet does not come from cannot be verified to be the peer's.
            _ => refused(),
        }
    }

    /// A path that the peer opens from where the packet came; false if there are too many.
    fn welcome_path(&mut self, now: Instant, ctx: &mut PacketContext<'_>) -> bool {
        if self.asconf.has_left(&ctx.tuple) {
            self.asconf.welcome(&ctx.tuple);
            match self.on_unknown_source(now, ctx.tuple) {
                Some(known) => ctx.path = known,
                None => return false,
            }
        }
        if let Some(path) = self.paths.get_mut(ctx.path)
            && path.candidate
        {
            path.candidate = false;
            path.heartbeats.due = true;
        }
        true
    }

    fn wish<'a>(&mut self, path: PathId, wish: Wish, copy: &'a [u8]) -> Verdict<'a> {
        match self.paths.get_mut(path) {
            Some(path) => {
                path.peer_wish = wish;
                Verdict::Done
            }
            None => Verdict::Refused(Cause::RequestRefused(copy)),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# If a request is received to delete the last remaining IP address of a peer endpoint, the receiver MUST send an Error Cause TLV with the Error Cause set to the new error code 'Request to Delete Last Remaining IP Address'.
    fn delete_remote<'a>(&mut self, ip: IpAddr, copy: &'a [u8]) -> Verdict<'a> {
        let there = |p: &&Path| p.tuple.remote.ip() == ip;
        let doomed: Vec<PathId> = self.paths.iter().filter(there).map(|p| p.id).collect();
        let stays = |p: &Path| !p.candidate && !doomed.contains(&p.id);
        if !self.paths.iter().any(stays) {
            return Verdict::Refused(Cause::DeleteLastAddress(copy));
        }
        for id in doomed {
            self.remove_path_now(id);
        }
        Verdict::Done
    }
}
