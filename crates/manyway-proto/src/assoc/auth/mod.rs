//! Authenticated chunks (RFC 4895).
//!
//! | file | what |
//! |---|---|
//! | `config` | what the application configures |
//! | `chunks` | sets of chunk types |
//! | `offer` | RANDOM, CHUNKS and HMAC-ALGO of one side |
//! | `keys` | endpoint pair shared keys and association shared keys |
//! | `input`, `output` | AUTH chunks in and out |
//! | `commands` | keys that change while the association lives |
//!
//! Which chunks have to be authenticated is the receiver's wish. If the peer wants it of nothing
//! but ASCONF and ASCONF-ACK, as all do by default, only packets with these carry an AUTH chunk;
//! else every packet does, as its first chunk.

use manyway_wire::{AUTH_HEADER_LEN, HmacId, KeyId};

mod chunks;
mod commands;
mod config;
mod input;
mod keys;
mod offer;
mod output;

use super::{Association, Extension};
use crate::event::Event;
use chunks::ChunkSet;
pub use config::{AuthConfig, AuthSecret};
pub(super) use input::Screened;
pub use keys::AuthKeyError;
use keys::KeyRing;
pub(crate) use offer::{AuthOffer, OfferReader};

/// What an association knows of AUTH.
#[derive(Debug)]
pub(crate) struct Auth {
    local: AuthOffer,
    /// Once both sides' offers are known, if the peer made one.
    peer: Option<AuthOffer>,
    keys: KeyRing,
    /// What this side does not take unauthenticated.
    expected: ChunkSet,
    /// What the peer does not take unauthenticated.
    required: ChunkSet,
    /// The hash function for what is sent.
    hmac: HmacId,
    /// The key that the peer used last.
    heard: KeyId,
}

impl Auth {
    pub(crate) fn new(config: &AuthConfig, local: AuthOffer) -> Self {
        let keys = KeyRing::new(config);
        Self {
            heard: keys.active(),
            local,
            peer: None,
            keys,
            expected: ChunkSet::default(),
            required: ChunkSet::default(),
            hmac: HmacId::SHA1,
        }
    }

    /// What this side says in INIT or INIT-ACK.
    pub(crate) fn local(&self) -> &AuthOffer {
        &self.local
    }

    /// The peer's INIT or INIT-ACK is known; it offers AUTH or not.
    pub(crate) fn negotiate(&mut self, config: &AuthConfig, peer: Option<&AuthOffer>) {
        self.keys.forget_shared();
        self.expected = match peer {
            Some(_) => self.local.chunks(),
            None => config.demanded(),
        };
        self.required = peer.map(AuthOffer::chunks).unwrap_or_default();
        self.hmac = peer.and_then(AuthOffer::favourite).unwrap_or(HmacId::SHA1);
        self.peer = peer.cloned();
    }

    fn tag<'a>(
        &mut self,
        key: KeyId,
        hmac: HmacId,
        data: impl Iterator<Item = &'a [u8]>,
    ) -> Option<keys::Tag> {
        let (local, peer) = (&self.local, self.peer.as_ref()?);
        let vectors = || [local.vector(), peer.vector()];
        self.keys.tag(key, hmac, vectors, data)
    }

    fn hmac_len(&self) -> usize {
        self.hmac.hmac_len().unwrap_or_default()
    }

    /// Bytes that AUTH takes of every packet.
    fn overhead(&self) -> usize {
        match self.required.is_more_than_asconf() {
            true => (AUTH_HEADER_LEN + self.hmac_len()).next_multiple_of(4),
            false => 0,
        }
    }
}

impl Association {
    pub(super) fn negotiate_auth(&mut self, peer: Option<&AuthOffer>) {
        let peer = peer.filter(|_| self.has(Extension::Auth));
        if let Some(auth) = &mut self.auth {
            auth.negotiate(&self.config.auth, peer);
        }
        if peer.is_none() && self.config.auth.is_asked_for() {
            self.events.push_back(Event::AuthNotSupported);
        }
    }

    /// Bytes that AUTH takes of every packet.
    pub(super) fn auth_overhead(&self) -> usize {
        self.auth.as_ref().map_or(0, |auth| auth.overhead())
    }
}
