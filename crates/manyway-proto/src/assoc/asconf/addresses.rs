//! Asking a plain SCTP peer: about addresses, by an authenticated request on any path that works.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use manyway_wire::AsconfAction;

use super::ask::Begun;
use super::{AddressChange, AddressForm, AddressRefusal, Ask, InFlight, Waiting, wildcard};
use crate::assoc::Association;
use crate::event::Event;
use crate::path::{FourTuple, Path, PathId, PathState, choose_pairs};
use crate::time::Instant;

impl AddressChange {
    /// What this address is after the change: the one that packets may come from meanwhile.
    fn removes(self, ip: IpAddr) -> bool {
        match self {
            Self::Delete(local) => local.ip() == ip,
            Self::DeleteOthers(keep) => keep.ip() != ip,
            Self::Add(_) | Self::SetPrimary(_) => false,
        }
    }
}

impl Association {
    /// Whether the request can leave now. Deleting waits until another address is known to work.
    pub(super) fn may_ask_for(&self, change: AddressChange) -> bool {
        let works = |p: &Path| p.state == PathState::Active && !p.candidate;
        match change {
            AddressChange::Delete(_) | AddressChange::DeleteOthers(_) => {
                let stays = |p: &Path| {
                    let ip = p.tuple.local.ip();
                    works(p) && self.asconf.locals.may_send_from(ip) && !change.removes(ip)
                };
                self.paths.iter().any(stays)
            }
            AddressChange::Add(_) | AddressChange::SetPrimary(_) => true,
        }
    }

    /// Whether the request goes without the address in it, from the address itself.
    pub(super) fn asks_by_wildcard(&self, change: AddressChange) -> bool {
        let local = match change {
            AddressChange::Add(local) | AddressChange::SetPrimary(local) => local,
            AddressChange::Delete(_) => return false,
            AddressChange::DeleteOthers(_) => return true,
        };
        match self.config.address_form {
            AddressForm::Explicit => false,
            AddressForm::Wildcard => true,
            AddressForm::Auto => {
                let mut remotes = self.peer.addresses.iter();
                is_private(local.ip()) && remotes.any(|remote| !is_private(remote.ip()))
            }
        }
    }

    /// The path for the request: one that works, another one than `avoid` if possible.
    fn asking_path(&self, change: AddressChange, avoid: Option<PathId>) -> Option<PathId> {
        let wildcard = self.asks_by_wildcard(change);
        let usable = |p: &&Path| {
            let ip = p.tuple.local.ip();
            let from_there = p.tuple.local == change.address();
            match wildcard {
                true => from_there,
                //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
                //# An endpoint MUST NOT set an IP header source address for an SCTP packet holding the ASCONF Chunk to be the same as an address being deleted by the ASCONF Chunk.
                false => {
                    let bound = self.locals.is_empty() || self.locals.contains(&p.tuple.local);
                    bound && self.asconf.locals.may_send_from(ip) && !change.removes(ip)
                }
            }
        };
        let rank = |p: &&Path| {
            let state = match p.state {
                PathState::Active => 0,
                PathState::Suspect => 1,
                PathState::Failed => 2,
                PathState::Unconfirmed => 3,
            };
            (
                state,
                Some(p.id) == avoid,
                p.rtt.srtt().unwrap_or(Duration::MAX),
            )
        };
        // Another path than the last one, if any other may work at all.
        let others = self.paths.iter().filter(usable);
        let others = others.filter(|p| Some(p.id) != avoid && p.state != PathState::Unconfirmed);
        let best = others.min_by_key(rank);
        best.or_else(|| self.paths.iter().filter(usable).min_by_key(rank))
            .map(|p| p.id)
    }

    /// A path for a request from an address that the peer does not know yet.
    fn silent_path(&mut self, now: Instant, local: SocketAddr) -> Option<PathId> {
        let pairs = choose_pairs(&[local], &self.peer.addresses, &[], &[]);
        let pair = pairs.first().copied()?;
        if let Some(known) = self.paths.by_tuple(&pair) {
            return Some(known);
        }
        let config = self.path_config();
        let id = self.paths.add(pair, &config, now);
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //# This means that until such time as the ASCONF containing the add is acknowledged, the sender MUST NOT use the new IP address as a source for ANY SCTP packet except on carrying an ASCONF Chunk.
        if let Some(path) = self.paths.get_mut(id) {
            path.candidate = true;
        }
        Some(id)
    }

    fn path_to_ask(
        &mut self,
        now: Instant,
        change: AddressChange,
        avoid: Option<PathId>,
    ) -> Option<PathId> {
        let path = self.asking_path(change, avoid);
        let hopeless = |id: PathId| {
            let path = self.paths.get(id);
            path.is_none_or(|p| p.state == PathState::Failed)
        };
        match change {
            // All the addresses that the peer knows are gone: the new one speaks for itself.
            AddressChange::Add(local) if path.is_none_or(hopeless) => {
                self.silent_path(now, local).or(path)
            }
            _ => path,
        }
    }

    pub(super) fn begin_address_request(
        &mut self,
        now: Instant,
        what: Waiting,
        change: AddressChange,
    ) {
        let doomed = self.asconf.locals.known().iter().copied();
        let doomed: Vec<IpAddr> = doomed.filter(|ip| change.removes(*ip)).collect();
        let Some(on) = self.path_to_ask(now, change, None) else {
            return self.report_refusal(change, AddressRefusal::Unresolvable);
        };
        let Some(tuple) = self.paths.get(on).map(|p| p.tuple) else {
            return;
        };
        let address = match self.asks_by_wildcard(change) {
            true => wildcard(tuple.local),
            false => self.lookup_address(tuple.local.ip(), change),
        };
        self.withdraw_from(&doomed);
        self.asconf.locals.begin_deletion(doomed);
        let mut all = self.take_companions(change);
        let actions: Vec<AsconfAction> = all.iter().map(|c| self.action_for(*c)).collect();
        let more = all.split_off(1);
        self.begin_asconf(now, Begun { what, more, on }, address, &actions);
    }

    fn action_for(&self, change: AddressChange) -> AsconfAction {
        let subject = match self.asks_by_wildcard(change) {
            true => wildcard(change.address()),
            false => change.address().ip(),
        };
        match change {
            AddressChange::Add(_) => AsconfAction::Add(subject),
            AddressChange::Delete(_) | AddressChange::DeleteOthers(_) => {
                AsconfAction::Delete(subject)
            }
            AddressChange::SetPrimary(_) => AsconfAction::SetPrimary(subject),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3.2
    //# For this reason, the sender MUST fill in the Address Parameter field with an address that is part of the association (in this case, the one being deleted).
    /// An address by which the peer finds the association.
    fn lookup_address(&self, source: IpAddr, change: AddressChange) -> IpAddr {
        let locals = &self.asconf.locals;
        if locals.knows(source) {
            return source;
        }
        let stays = |ip: &&IpAddr| !change.removes(**ip);
        let known = locals.known();
        let found = known.iter().find(stays).or_else(|| known.first());
        found
            .copied()
            .unwrap_or_else(|| wildcard(SocketAddr::new(source, 0)))
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# When deleting an IP address from an association, the IP address MUST be considered a valid destination address for the reception of SCTP packets until the ASCONF-ACK arrives and MUST NOT be used as a source address for any subsequent packets.
    fn withdraw_from(&mut self, doomed: &[IpAddr]) {
        let from = |p: &&Path| doomed.contains(&p.tuple.local.ip());
        let leaving: Vec<PathId> = self.paths.iter().filter(from).map(|p| p.id).collect();
        for id in leaving {
            self.remove_path_now(id);
        }
    }

    pub(super) fn address_request_timeout(&self, in_flight: &InFlight) -> Duration {
        let path = self.paths.get(in_flight.on);
        let rto = path.map_or(self.config.rto_initial, |p| p.rtt.rto());
        rto.max(self.config.handshake_timeout)
    }

    /// A request is about to leave: a Manyway peer's new path is probed in the same packet.
    pub(super) fn prepare_path_for(&mut self, in_flight: &InFlight) {
        if let Ask::Path(super::Request::Add, id) = in_flight.what.ask
            && let Some(path) = self.paths.get_mut(id)
        {
            path.heartbeats.due = true;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# Re-transmit the ASCONF Chunk last sent and if possible choose an alternate destination address
    //# An endpoint MUST NOT add new parameters to this chunk; it MUST be the same (including its Sequence Number) as the last ASCONF sent.
    // A serial number that was given up would leave the peer waiting for it: the request goes on
    // until it is answered or the association ends.
    pub(super) fn repeat_address_request(
        &mut self,
        now: Instant,
        mut in_flight: InFlight,
        change: AddressChange,
    ) {
        let on = in_flight.on;
        if let Some(path) = self.paths.get_mut(on) {
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
            //# Backoff the destination address RTO value to which the ASCONF chunk was sent by doubling the RTO timer value.
            path.rtt.back_off();
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
            //# Increment the error counters and perform path failure detection on the appropriate destination address as defined in [RFC4960], Sections 8.1 and 8.2.
            if !path.candidate {
                self.on_path_error(now, on);
            }
        }
        if self.is_closed() {
            return;
        }
        if let Some(path) = self.path_to_ask(now, change, Some(on)) {
            in_flight.on = path;
        }
        self.transmit_asconf(now, in_flight);
    }

    pub(super) fn on_address_request_answered(
        &mut self,
        now: Instant,
        change: AddressChange,
        outcome: Result<(), AddressRefusal>,
    ) {
        let withdrawn = self.asconf.locals.end_deletion(outcome.is_ok());
        match outcome {
            Ok(()) => {
                match change {
                    AddressChange::Add(local) => {
                        self.asconf.locals.learn(local.ip());
                        self.open_paths_from(now, local);
                    }
                    AddressChange::SetPrimary(_) => {}
                    _ => self.locals.retain(|a| !withdrawn.contains(&a.ip())),
                }
                self.events.push_back(Event::AddressChanged { change });
            }
            Err(reason) => {
                self.on_address_refused(now, change, reason, &withdrawn);
            }
        }
    }

    fn on_address_refused(
        &mut self,
        now: Instant,
        change: AddressChange,
        reason: AddressRefusal,
        withdrawn: &[IpAddr],
    ) {
        self.report_refusal(change, reason);
        match change {
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
            //# In other words, if the endpoint does not ABORT the association, it must consider the add attempt failed and NOT use this address since its peer will treat SCTP packets destined to the address as Out Of The Blue packets.
            AddressChange::Add(local) => {
                let silent = |p: &&Path| p.candidate && p.tuple.local == local;
                let unused = self.paths.iter().find(silent).map(|p| p.id);
                if let Some(id) = unused {
                    self.remove_path_now(id);
                }
            }
            _ => {
                let back = |a: &&SocketAddr| withdrawn.contains(&a.ip());
                let locals: Vec<SocketAddr> = self.locals.iter().filter(back).copied().collect();
                locals
                    .into_iter()
                    .for_each(|l| self.open_paths_from(now, l));
            }
        }
        if reason == AddressRefusal::NotUnderstood {
            self.on_kind_not_understood(change);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# If an endpoint receives an Error Cause TLV indicating that the IP address Add or IP address Deletion parameters was not understood, the endpoint MUST consider the operation failed and MUST NOT attempt to send any subsequent Add or Delete requests to the peer.
    //# If an endpoint receives an Error Cause TLV indicating that the IP address Set Primary IP Address parameter was not understood, the endpoint MUST consider the operation failed and MUST NOT attempt to send any subsequent Set Primary IP Address requests to the peer.
    fn on_kind_not_understood(&mut self, change: AddressChange) {
        let is_primary = |change| matches!(change, AddressChange::SetPrimary(_));
        match is_primary(change) {
            true => self.asconf.locals.no_set_primary = true,
            false => self.asconf.locals.no_add_or_delete = true,
        }
        let mut pointless = Vec::new();
        self.asconf.queue.retain(|waiting| match waiting.ask {
            Ask::Address(other) if is_primary(other) == is_primary(change) => {
                pointless.push(other);
                false
            }
            _ => true,
        });
        for other in pointless {
            self.report_refusal(other, AddressRefusal::NotUnderstood);
        }
    }

    pub(super) fn report_refusal(&mut self, change: AddressChange, reason: AddressRefusal) {
        tracing::debug!(?change, ?reason, "the peer refused");
        self.events
            .push_back(Event::AddressRefused { change, reason });
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# After the ASCONF-ACK of an IP address Add arrives, the endpoint MAY begin using the added IP address as a source address for any type of SCTP chunk.
    /// Paths from an address that the peer knows: one to its least used address.
    pub(super) fn open_paths_from(&mut self, now: Instant, local: SocketAddr) {
        let silent = |p: &&mut Path| p.candidate && p.tuple.local == local;
        if let Some(path) = self.paths.iter_mut().find(silent) {
            path.candidate = false;
            path.heartbeats.due = true;
            return;
        }
        let wanted = self.paths.iter().filter(|p| p.is_wanted());
        let in_use: Vec<FourTuple> = wanted.map(|p| p.tuple).collect();
        let tried = &self.asconf.tried;
        for pair in choose_pairs(&[local], &self.peer.addresses, &in_use, tried) {
            self.open_plain_path(now, pair);
        }
    }

    /// The addresses of this side that plain peers should know, and those that vanished.
    pub(in crate::assoc) fn tell_addresses(&mut self, now: Instant) {
        if !self.asks_by_address() {
            return;
        }
        let Some(here) = self.paths.best().and_then(|id| self.paths.get(id)) else {
            return;
        };
        let loopback = here.tuple.remote.ip().is_loopback();
        let fits = |a: &&SocketAddr| {
            let mut remotes = self.peer.addresses.iter();
            a.ip().is_loopback() == loopback && remotes.any(|r| r.is_ipv4() == a.is_ipv4())
        };
        let present: Vec<SocketAddr> = self.locals.iter().filter(fits).copied().collect();
        for local in &present {
            if !self.asconf.locals.knows(local.ip()) {
                let _ = self.add_address(now, *local);
            } else if !self.paths.iter().any(|p| p.tuple.local == *local) {
                self.open_paths_from(now, *local);
            }
        }
        let vanished = self.asconf.locals.known().iter().copied();
        let vanished: Vec<IpAddr> = vanished
            .filter(|ip| !self.locals.iter().any(|local| local.ip() == *ip))
            .collect();
        for ip in vanished {
            let _ = self.delete_address(now, SocketAddr::new(ip, 0));
        }
    }

    /// Requests to add what has vanished again, and to delete what is back, are pointless.
    pub(in crate::assoc) fn drop_outdated_requests(&mut self) {
        let locals = &self.locals;
        let present = |a: SocketAddr| locals.iter().any(|local| local.ip() == a.ip());
        self.asconf.queue.retain(|waiting| match waiting.ask {
            Ask::Address(AddressChange::Add(local)) => present(local),
            Ask::Address(AddressChange::Delete(local)) => !present(local),
            _ => true,
        });
    }
}

/// Whether packets with this address do not cross the Internet as they are.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // RFC 6598: shared between a provider's NAT and its customers.
            let shared = a == 100 && (64..128).contains(&b);
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for ip in [
            "10.1.2.3",
            "192.168.0.1",
            "100.64.0.1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["192.0.2.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }
}
