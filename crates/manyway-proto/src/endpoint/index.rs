//! What finds an association: its tag, its peer, its deadline, its turn.

use std::net::SocketAddr;
use std::sync::Arc;

use manyway_wire::{Port, VerificationTag};
use rand::Rng;

use super::{EPHEMERAL_PORTS, Endpoint, PeerKey, ReflectedKey, Slot};
use crate::assoc::{AssocId, AssocState, Association, Identity, NewAssociation};

impl Endpoint {
    /// The association may have something to send or to tell.
    pub(super) fn touch(&mut self, id: AssocId) {
        if let Some(slot) = self.slots.get_mut(&id) {
            if !slot.ready {
                slot.ready = true;
                self.ready.push_back(id);
            }
            if !slot.noisy {
                slot.noisy = true;
                self.noisy.push_back(id);
            }
        }
    }

    /// Brings the timer index up to date for one association.
    pub(super) fn rearm(&mut self, id: AssocId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let wanted = slot.assoc.next_deadline();
        if wanted == slot.armed {
            return;
        }
        match wanted {
            Some(at) => self.timers.arm(self.now, slot.timer, id, at),
            None => self.timers.disarm(slot.timer),
        }
        slot.armed = wanted;
    }

    /// The first `requested` of the keys stay for the association's life, the others follow its
    /// paths.
    pub(super) fn insert(&mut self, assoc: Association, peer_keys: Vec<PeerKey>, requested: usize) {
        let (id, identity) = (assoc.id(), assoc.identity());
        self.by_tag.insert(identity.local_tag, id);
        self.ports.add(identity.local_port);
        for key in &peer_keys {
            self.by_peer.insert(*key, id);
        }
        let slot = Slot {
            assoc,
            ready: false,
            noisy: false,
            timer: self.timers.register(),
            armed: None,
            unlinked: false,
            peer_keys,
            requested,
            began: self.now,
            held: 0,
            reflected_key: None,
        };
        self.slots.insert(id, Box::new(slot));
        self.index_reflected(id);
        self.touch(id);
    }

    /// What the association may hold depends on what all hold.
    pub(super) fn grant_memory(&mut self, id: AssocId) {
        let grant = self
            .budget
            .grant(self.slots.len(), self.transport.receive_buffer);
        if let Some(slot) = self.slots.get_mut(&id) {
            slot.assoc.set_receive_grant(grant);
        }
    }

    pub(super) fn count_memory(&mut self, id: AssocId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut slot.held, slot.assoc.received_cost());
        let begins = self.budget.update(before, slot.held);
        self.stats.memory_shortages += u64::from(begins);
    }

    /// Brings all indices up to date after the association has had its turn.
    pub(super) fn reindex(&mut self, id: AssocId) {
        let Some(assoc) = self.slots.get(&id).map(|slot| &slot.assoc) else {
            return;
        };
        let closed = assoc.state() == AssocState::Closed;
        self.count_memory(id);
        self.rearm(id);
        self.index_peer(id);
        self.index_reflected(id);
        if closed {
            self.unlink(id);
        }
    }

    /// The peer is found by every address where it is known to receive.
    pub(super) fn index_peer(&mut self, id: AssocId) {
        let Some(slot) = self.slots.get_mut(&id).filter(|slot| !slot.unlinked) else {
            return;
        };
        let identity = slot.assoc.identity();
        let key = |remote| PeerKey {
            remote,
            local_port: identity.local_port,
            peer_port: identity.peer_port,
        };
        let (keys, by_peer) = (&mut slot.peer_keys, &mut self.by_peer);
        for remote in slot.assoc.confirmed_remotes() {
            if !keys.iter().any(|key| key.remote == remote) {
                keys.push(key(remote));
                by_peer.insert(key(remote), id);
            }
        }
        if keys.len() == slot.requested {
            return;
        }
        let mut at = slot.requested;
        while let Some(key) = keys.get(at).copied() {
            if slot.assoc.confirmed_remotes().any(|r| r == key.remote) {
                at += 1;
                continue;
            }
            keys.swap_remove(at);
            if by_peer.get(&key) == Some(&id) {
                by_peer.remove(&key);
            }
        }
    }

    /// The peer's tag may have become known, or have changed with a new attempt to set up.
    pub(super) fn index_reflected(&mut self, id: AssocId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        let key = ReflectedKey::of(slot.assoc.identity());
        if key == slot.reflected_key {
            return;
        }
        if let Some(old) = std::mem::replace(&mut slot.reflected_key, key) {
            self.by_reflected.remove(&old);
        }
        if let Some(new) = key {
            self.by_reflected.insert(new, id);
        }
    }

    /// A closed association is found no more, so that its tag and address may be used anew.
    pub(super) fn unlink(&mut self, id: AssocId) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut slot.unlinked, true) {
            return;
        }
        let tag = slot.assoc.identity().local_tag;
        if self.by_tag.get(&tag) == Some(&id) {
            self.by_tag.remove(&tag);
        }
        self.cookies.mark_used(self.now, tag, self.now - slot.began);
        for key in std::mem::take(&mut slot.peer_keys) {
            if self.by_peer.get(&key) == Some(&id) {
                self.by_peer.remove(&key);
            }
        }
        let mine = |key: &ReflectedKey| self.by_reflected.get(key) == Some(&id);
        if let Some(key) = slot.reflected_key.filter(mine) {
            self.by_reflected.remove(&key);
        }
    }

    pub(super) fn new_association(
        &mut self,
        identity: Identity,
        locals: Vec<SocketAddr>,
        local_initial_tsn: manyway_wire::Tsn,
        auth_random: [u8; 32],
    ) -> NewAssociation {
        let id = AssocId(self.next_id);
        self.next_id += 1;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let auth = self
            .transport
            .auth
            .offer(self.transport.extensions, auth_random);
        let config = Arc::clone(&self.transport);
        NewAssociation {
            id,
            config,
            identity,
            locals,
            local_initial_tsn,
            auth,
            seed,
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.3.1
    //# It is very important that the Initiate Tag value be randomized to help protect against off-path attacks
    pub(super) fn fresh_tag(&mut self) -> VerificationTag {
        loop {
            let tag = VerificationTag(self.rng.next_u32());
            if tag.0 != 0 && !self.by_tag.contains_key(&tag) {
                return tag;
            }
        }
    }

    /// The next SCTP port with which no association exists under any of the `keys` it would have:
    /// the peer would take a second one for a restart of the first.
    pub(super) fn ephemeral_port(&mut self, keys: impl Fn(Port) -> Vec<PeerKey>) -> Option<Port> {
        for _ in EPHEMERAL_PORTS..=u16::MAX {
            let port = Port(self.next_port);
            self.next_port = match self.next_port {
                u16::MAX => EPHEMERAL_PORTS,
                other => other + 1,
            };
            let taken = keys(port).iter().any(|key| self.by_peer.contains_key(key));
            if !taken && !self.listening.contains(&port) {
                return Some(port);
            }
        }
        None
    }
}
