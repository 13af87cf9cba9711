//! Paths to the addresses that a plain SCTP peer named (RFC 9260, sections 5.4 and 6.4): one for
//! each, from an address of this side that has none if possible. Further ones from the same address
//! are kept verified, and carry data only when the first one fails.

use std::net::SocketAddr;

use super::Association;
use super::setup::MAX_OWN_ADDRESSES;
use crate::path::{FourTuple, Path, PathId, PathState, Wish};
use crate::time::Instant;

/// Paths that are left for those that the peer opens.
const ROOM_FOR_OTHERS: usize = 4;

impl Association {
    /// One path to each address of a plain peer that has none. A Manyway peer's paths are chosen
    /// by the path manager instead.
    pub(super) fn open_paths_to_peer(&mut self, now: Instant) {
        if self.asks_by_path() || !self.is_established() {
            return;
        }
        let Some(here) = self.paths.best().and_then(|id| self.paths.get(id)) else {
            return;
        };
        let usual = here.tuple.local;
        let remotes = self.peer.addresses.clone();
        for remote in remotes {
            let reached = |p: &Path| p.tuple.remote.ip() == remote.ip();
            let local = self.local_for(remote, usual);
            let Some(local) = local.filter(|_| !self.paths.iter().any(reached)) else {
                continue;
            };
            if self
                .open_path_to(now, FourTuple { local, remote })
                .is_none()
            {
                break;
            }
        }
        self.prefer_primary(now);
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.4
    //# The inclusion of this parameter in the INIT or INIT-ACK can be used to indicate an initial preference of primary address.
    /// Does, once, what the peer said in INIT or INIT-ACK of where to send first.
    fn prefer_primary(&mut self, now: Instant) {
        let Some(ip) = self.peer.primary.take() else {
            return;
        };
        if self.asks_by_address() && self.config.peer_may_change_addresses {
            self.prefer_peer_address(now, ip);
        }
    }

    /// A path to an address of the peer; only for failure if another one leaves from there.
    pub(super) fn open_path_to(&mut self, now: Instant, pair: FourTuple) -> Option<PathId> {
        let spare = self.paths.iter().any(|p| p.tuple.local == pair.local);
        let id = self.open_plain_path(now, pair)?;
        if let Some(path) = self.paths.get_mut(id).filter(|_| spare) {
            path.wish = Wish::Backup;
        }
        Some(id)
    }

    /// What the peer learned of this side's addresses from INIT-ACK.
    pub(super) fn learn_own_addresses(&mut self, here: SocketAddr) {
        let named = self.locals.iter().map(SocketAddr::ip);
        let named = named.filter(|ip| *ip != here.ip()).take(MAX_OWN_ADDRESSES);
        for ip in std::iter::once(here.ip()).chain(named) {
            self.asconf.locals.learn(ip);
        }
    }

    /// An address of this side, known to the peer, that can send to `remote`: one without a path,
    /// else `usual`.
    pub(super) fn local_for(&self, remote: SocketAddr, usual: SocketAddr) -> Option<SocketAddr> {
        let locals = &self.asconf.locals;
        let can = |a: &SocketAddr| {
            let alike = a.ip().is_loopback() == remote.ip().is_loopback();
            a.is_ipv4() == remote.is_ipv4() && alike
        };
        let known = || {
            let known = self.locals.iter().copied();
            known.filter(|a| locals.may_send_from(a.ip()) && can(a))
        };
        let free = |local: &SocketAddr| !self.paths.iter().any(|p| p.tuple.local == *local);
        let usual = Some(usual).filter(can);
        known().find(free).or(usual).or_else(|| known().next())
    }

    /// A path that the peer need not be told of, to be verified; `None` if there are too many.
    pub(super) fn open_plain_path(&mut self, now: Instant, pair: FourTuple) -> Option<PathId> {
        if let Some(known) = self.paths.by_tuple(&pair) {
            return Some(known);
        }
        if self.paths.len() + ROOM_FOR_OTHERS >= self.config.max_paths.max(ROOM_FOR_OTHERS + 2) {
            return None;
        }
        let config = self.path_config();
        let id = self.paths.add(pair, &config, now);
        self.asconf.welcome(&pair);
        if let Some(path) = self.paths.get_mut(id) {
            path.heartbeats.due = true;
        }
        Some(id)
    }

    /// Whether a path that never worked is probed on: an address that the server named may come to
    /// life, while a client's may just be private.
    pub(super) fn is_kept_in_hope(&self, path: &Path) -> bool {
        let named = self.peer.addresses.contains(&path.tuple.remote);
        let spare = !path.is_wanted() && path.state == PathState::Unconfirmed;
        self.initiator && !self.asks_by_path() && named && spare
    }
}
