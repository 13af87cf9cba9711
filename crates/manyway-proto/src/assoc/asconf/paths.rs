//! Asking a Manyway peer: about the path that the packet leaves on.

use std::time::Duration;

use manyway_wire::AsconfAction;

use super::ask::{Begun, QueueFull};
use super::{AddressRefusal, Ask, InFlight, Request, Waiting, wildcard};
use crate::assoc::Association;
use crate::error::PathError;
use crate::path::{FourTuple, PathId, PathState, Wish};
use crate::time::Instant;

/// Repetitions of a request before it is given up.
const MAX_RETRANSMITS: u32 = 5;

/// Parameter types of Manyway's own, skipped and reported by those who do not know them: the
/// sender wants the path that the packet came on to be active, to be backup, or to end.
pub(super) const PATH_WISH_ACTIVE: u16 = 0xc0f1;
pub(super) const PATH_WISH_BACKUP: u16 = 0xc0f2;
pub(super) const PATH_REMOVE: u16 = 0xc0f3;

impl Ask {
    /// Whether a later `request` for `path` makes this one pointless.
    fn is_replaced_by(&self, request: Request, path: PathId) -> bool {
        let kind = std::mem::discriminant::<Request>;
        matches!(self, Self::Path(mine, id) if *id == path && kind(mine) == kind(&request))
    }
}

impl Association {
    /// Opens a path and tells the peer, from the new address itself.
    pub(in crate::assoc) fn open_path(
        &mut self,
        now: Instant,
        pair: FourTuple,
    ) -> Result<PathId, PathError> {
        if let Some(id) = self.paths.by_tuple(&pair) {
            return match self.asconf.is_leaving(id) {
                false => Ok(id),
                true => Err(PathError::Removing),
            };
        }
        if self.paths.len() >= self.config.max_paths {
            return Err(PathError::TooMany);
        }
        self.has_room_to_ask()?;
        let config = self.path_config();
        let id = self.paths.add(pair, &config, now);
        self.asconf.welcome(&pair);
        self.request(now, Request::Add, id)?;
        Ok(id)
    }

    /// Tells a Manyway peer about a path; others need not know.
    pub(in crate::assoc) fn request(
        &mut self,
        now: Instant,
        request: Request,
        path: PathId,
    ) -> Result<(), QueueFull> {
        if !self.asks_by_path() || self.asconf.locals.no_asconf {
            return Ok(());
        }
        // A later wish for the same path replaces an earlier one that still waits.
        self.asconf
            .queue
            .retain(|waiting| !waiting.ask.is_replaced_by(request, path));
        self.has_room_to_ask()?;
        let ask = Ask::Path(request, path);
        self.asconf.queue.push_back(Waiting { ask, attempts: 0 });
        self.send_next_asconf(now);
        Ok(())
    }

    pub(in crate::assoc) fn may_ask_on(&self, path: PathId) -> bool {
        let state = self.paths.get(path).map(|p| p.state);
        matches!(state, Some(PathState::Active | PathState::Unconfirmed))
    }

    pub(super) fn begin_path_request(
        &mut self,
        now: Instant,
        what: Waiting,
        request: Request,
        path: PathId,
    ) {
        let Some(tuple) = self.paths.get(path).map(|p| p.tuple) else {
            return;
        };
        let here = wildcard(tuple.local);
        let action = match request {
            Request::Add => AsconfAction::Add(here),
            Request::SetPrimary => AsconfAction::SetPrimary(here),
            Request::Wish(Wish::Active) => AsconfAction::Unknown {
                kind: PATH_WISH_ACTIVE,
            },
            Request::Wish(Wish::Backup) => AsconfAction::Unknown {
                kind: PATH_WISH_BACKUP,
            },
            Request::Remove => AsconfAction::Unknown { kind: PATH_REMOVE },
        };
        let begun = Begun {
            what,
            more: Vec::new(),
            on: path,
        };
        self.begin_asconf(now, begun, here, &[action]);
    }

    pub(super) fn path_request_timeout(&self, in_flight: &InFlight) -> Duration {
        let path = self.paths.get(in_flight.on);
        let measured = path.filter(|p| p.rtt.srtt().is_some()).map(|p| p.rtt.rto());
        let first = self.config.handshake_timeout;
        measured.map_or(first, |rto| rto.max(first)) * (1 << in_flight.what.attempts.min(6))
    }

    /// The same chunk again on the same path, because its source address is its message.
    pub(super) fn repeat_path_request(&mut self, now: Instant, in_flight: InFlight) {
        let what = in_flight.what;
        let Ask::Path(request, path) = what.ask else {
            return;
        };
        let works = self.paths.get(path).map(|p| p.state) == Some(PathState::Active);
        if works {
            self.on_path_error(now, path);
        }
        if what.attempts > MAX_RETRANSMITS {
            tracing::debug!(%path, ?request, "no answer to ASCONF");
            if request == Request::Remove {
                self.finish_removal(path);
            }
        } else if self.may_ask_on(path) {
            return self.transmit_asconf(now, in_flight);
        } else if request == Request::Remove {
            self.finish_removal(path);
        } else if !self.is_replaced(request, path) {
            self.asconf.queue.push_front(what);
        }
        self.send_next_asconf(now);
    }

    fn is_replaced(&self, request: Request, path: PathId) -> bool {
        let mut later = self.asconf.queue.iter();
        later.any(|w| w.ask.is_replaced_by(request, path))
    }

    pub(super) fn on_path_request_answered(
        &mut self,
        request: Request,
        path: PathId,
        outcome: Result<(), AddressRefusal>,
    ) {
        match (request, outcome) {
            (Request::Add, Err(reason)) => {
                tracing::debug!(%path, ?reason, "the peer refused the address");
                self.remove_path_now(path);
            }
            (Request::Remove, _) => self.finish_removal(path),
            _ => {}
        }
    }
}
