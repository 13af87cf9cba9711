//! INIT and COOKIE-ECHO from a peer with which an association exists (RFC 9260, section 5.2):
//! both ends opened at once, a packet came twice, or the peer restarted.

use std::net::{IpAddr, SocketAddr};

use manyway_wire::{Cause, CommonHeader, Init, Parameter, ParameterList, Tsn};
use rand::Rng;

use super::cookie::{Cookie, TieTags};
use super::handshake::FirstWords;
use super::{Endpoint, PeerKey};
use crate::assoc::{AssocId, AssocState, Identity, PeerInit};
use crate::path::FourTuple;

/// An association, and the address that it shares with the peer at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) id: AssocId,
    address: SocketAddr,
}

/// What a COOKIE-ECHO does to an association that exists: the rows of RFC 9260's table in section
/// 5.2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A: the peer restarted.
    Restart,
    /// B: both ends opened at once; the peer has another tag than was thought.
    Collision,
    /// C, and all that is in no row: late, and of no use.
    Discard,
    /// D: the very association.
    Same,
}

impl Action {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
    //# Refer to Table 12 to determine the correct action to be taken
    /// `current` are the tags of the association, and `tie_tags` what an INIT-ACK would say of it.
    pub(super) fn of(cookie: &Cookie, current: Identity, tie_tags: TieTags) -> Self {
        let local_matches = cookie.local_tag == current.local_tag;
        let peer_matches = cookie.peer.tag == current.peer_tag;
        match (local_matches, peer_matches) {
            (true, true) => Self::Same,
            (true, false) => Self::Collision,
            (false, false) if cookie.tie_tags == tie_tags && tie_tags != TieTags::NONE => {
                Self::Restart
            }
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
            //# For any case not shown in Table 12, the cookie SHOULD be silently discarded
            (false, _) => Self::Discard,
        }
    }
}

impl Endpoint {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-1.3
    //# Two SCTP endpoints MUST NOT have more than one SCTP association between them at any given time
    /// The association with this peer, by the address that it wrote from or else by those it names.
    pub(super) fn known_peer(
        &self,
        remote: SocketAddr,
        header: CommonHeader,
        peer: &PeerInit,
    ) -> Option<Known> {
        let named = peer.addresses.iter();
        let named = named.map(|ip| SocketAddr::new(*ip, remote.port()));
        std::iter::once(remote)
            .chain(named)
            .find_map(|address| self.known_at(address, header))
    }

    pub(super) fn known_at(&self, address: SocketAddr, header: CommonHeader) -> Option<Known> {
        let key = PeerKey {
            remote: address,
            local_port: header.destination_port,
            peer_port: header.source_port,
        };
        let id = *self.by_peer.get(&key)?;
        let open = self.slots.get(&id)?.assoc.state() != AssocState::Closed;
        open.then_some(Known { id, address })
    }

    /// Answers an INIT from the peer of an association without changing the association.
    pub(super) fn answer_collision(
        &mut self,
        path: FourTuple,
        header: CommonHeader,
        init: &Init<'_>,
        peer: PeerInit,
        known: Known,
    ) {
        let Some(slot) = self.slots.get_mut(&known.id) else {
            return;
        };
        let assoc = &mut slot.assoc;
        let state = assoc.state();
        //= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
        //# If an endpoint is in the SHUTDOWN-ACK-SENT state and receives an INIT chunk (e.g., if the SHUTDOWN COMPLETE chunk was lost) with source and destination transport addresses (either in the IP addresses or in the INIT chunk) that belong to this association, it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk
        if state == AssocState::ShutdownAckSent {
            assoc.repeat_shutdown_ack();
            return self.touch(known.id);
        }
        if state != AssocState::CookieWait {
            let added = added_addresses(&peer, path, |ip| assoc.knows_host(ip));
            if !added.as_parameters().as_bytes().is_empty() {
                //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
                //# If new addresses are added to the association, the endpoint MUST respond with an ABORT chunk, copying the 'Initiate Tag' of the unexpected INIT chunk into the 'Verification Tag' of the outbound packet carrying the ABORT chunk
                //# The error SHOULD list the addresses that were added to the restarting association
                self.stats.restarts_refused += 1;
                let added = added.as_parameters();
                let cause = Cause::RestartWithNewAddresses(added.as_bytes());
                return self.refuse(path, header, init.initiate_tag, Some(&cause));
            }
        }
        let (identity, initial_tsn) = (assoc.identity(), assoc.initial_tsn());
        let same_random = assoc.auth_random();
        let tie_tags = self.tie_tags_of(state, identity);
        let first = if matches!(state, AssocState::CookieWait | AssocState::CookieEchoed) {
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
            //# Upon receipt of an INIT chunk in the COOKIE-WAIT state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged)
            FirstWords {
                local_tag: identity.local_tag,
                initial_tsn,
                auth_random: same_random.unwrap_or_default(),
                tie_tags,
            }
        } else {
            //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
            //# And the INIT ACK chunk MUST contain a new Initiate Tag (randomly generated; see Section 5.3.1)
            FirstWords {
                local_tag: self.fresh_tag(),
                initial_tsn: Tsn(self.rng.next_u32()),
                auth_random: self.fresh_auth_random(),
                tie_tags,
            }
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
        //# The packet containing the INIT ACK chunk MUST only be sent to an address passed by the upper layer in the request to initialize the association
        let back = FourTuple {
            remote: known.address,
            ..path
        };
        self.answer_init(back, header, init, peer, first);
    }

    fn tie_tags_of(&self, state: AssocState, identity: Identity) -> TieTags {
        match state {
            AssocState::CookieWait | AssocState::ShutdownAckSent | AssocState::Closed => {
                TieTags::NONE
            }
            _ => self.cookies.tie_tags(identity),
        }
    }

    /// The association that a COOKIE-ECHO concerns, and what becomes of it.
    pub(super) fn judge_cookie(
        &self,
        path: FourTuple,
        header: CommonHeader,
        cookie: &Cookie,
    ) -> Option<(AssocId, Action)> {
        let by_tag = self.by_tag.get(&cookie.local_tag).copied();
        let known = || {
            let at = self.known_at(cookie.remote, header);
            at.or_else(|| self.known_peer(path.remote, header, &cookie.peer))
        };
        let id = by_tag.or_else(|| Some(known()?.id))?;
        let assoc = &self.slots.get(&id)?.assoc;
        let identity = assoc.identity();
        let ports = (identity.local_port, identity.peer_port);
        if ports != (cookie.local_port, cookie.peer_port) || assoc.state() == AssocState::Closed {
            return Some((id, Action::Discard));
        }
        // An association that is to be shut down keeps its name until the peer knows.
        let tie_tags = self.cookies.tie_tags(identity);
        let action = Action::of(cookie, identity, tie_tags);
        //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
        //# it MUST update its peer's Verification Tag from the State Cookie
        //
        // Where data went to and fro under the old tag the peer's new beginning is a restart.
        let grown = action == Action::Collision && assoc.has_exchanged_data();
        Some((id, if grown { Action::Restart } else { action }))
    }
}

/// The addresses of an INIT that are not the association's, as parameters.
fn added_addresses(
    peer: &PeerInit,
    path: FourTuple,
    is_known: impl Fn(IpAddr) -> bool,
) -> ParameterList {
    let mut list = ParameterList::new();
    let named = peer.addresses.iter().copied();
    for ip in std::iter::once(path.remote.ip()).chain(named) {
        if !is_known(ip) {
            list.push(&match ip {
                IpAddr::V4(ip) => Parameter::Ipv4(ip),
                IpAddr::V6(ip) => Parameter::Ipv6(ip),
            });
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use manyway_wire::{Port, VerificationTag};

    use super::super::cookie::tests::cookie;
    use super::*;

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
    //= type=test
    //# For any case not shown in Table 12, the cookie SHOULD be silently discarded
    #[test]
    fn the_table_of_actions_is_the_rfcs() {
        const TIE: TieTags = TieTags { local: 3, peer: 4 };
        const OTHER: TieTags = TieTags { local: 5, peer: 4 };
        let base = cookie();
        let (local, peer) = (base.local_tag.0, base.peer.tag.0);
        let unknown = 0;
        use Action::{Collision, Discard, Restart, Same};
        let rows = [
            (local + 1, peer + 1, TIE, Restart),
            (local + 1, peer + 1, OTHER, Discard),
            (local + 1, peer + 1, TieTags::NONE, Discard),
            (local, peer + 1, TIE, Collision),
            (local, peer + 1, OTHER, Collision),
            (local, peer + 1, TieTags::NONE, Collision),
            (local, unknown, TieTags::NONE, Collision),
            (local + 1, peer, TieTags::NONE, Discard),
            (local + 1, peer, TIE, Discard),
            (local + 1, unknown, TieTags::NONE, Discard),
            (local, peer, TIE, Same),
            (local, peer, OTHER, Same),
            (local, peer, TieTags::NONE, Same),
        ];
        for (local_tag, peer_tag, tie_tags, expected) in rows {
            let current = Identity {
                local_port: Port(80),
                peer_port: Port(5000),
                local_tag: VerificationTag(local_tag),
                peer_tag: VerificationTag(peer_tag),
            };
            let presented = Cookie {
                tie_tags,
                ..cookie()
            };
            assert_eq!(
                Action::of(&presented, current, TIE),
                expected,
                "{current:?} {tie_tags:?}"
            );
        }
    }
}
