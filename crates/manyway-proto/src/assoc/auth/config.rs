//! What an application configures of AUTH.

use std::fmt;
use std::sync::Arc;

use manyway_wire::{ChunkType, HmacId, KeyId};

use super::chunks::ChunkSet;
use super::offer::{AuthOffer, MAX_HMAC_IDS};
use crate::assoc::{Extension, Extensions};

/// An endpoint pair shared key (RFC 4895, section 6.1): bytes that both ends know by other means.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthSecret(Arc<[u8]>);

impl AuthSecret {
    /// The key with these bytes; none at all make the null key.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AuthSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthSecret({} bytes)", self.0.len())
    }
}

/// Options of chunk authentication (RFC 4895).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AuthConfig {
    /// Chunk types that are accepted only if they come authenticated, from every peer: one that
    /// cannot authenticate them is not heard. ASCONF and ASCONF-ACK are always listed besides, for
    /// peers that have AUTH; INIT, INIT-ACK, SHUTDOWN-COMPLETE and AUTH never. Default none, so
    /// that packets of data cost no hash.
    pub chunks: Vec<ChunkType>,
    /// Hash functions that are accepted, the favourite first. SHA-1, which RFC 4895 demands, is
    /// added if it is missing; what this engine does not know, is left out. Default SHA-256.
    pub hmacs: Vec<HmacId>,
    /// Endpoint pair shared keys with their identifiers. If there are none, as is the default,
    /// both ends use the null key under identifier 0: it guards against those who did not see the
    /// handshake.
    pub keys: Vec<(KeyId, AuthSecret)>,
    /// The key that authenticates what is sent, one of `keys`. Default 0.
    pub active_key: KeyId,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            hmacs: vec![HmacId::SHA256],
            keys: Vec::new(),
            active_key: KeyId(0),
        }
    }
}

impl AuthConfig {
    /// What the application demands of every peer.
    pub(super) fn demanded(&self) -> ChunkSet {
        ChunkSet::of(self.chunks.iter().copied())
    }

    /// Whether the application asked for more than the default.
    pub(super) fn is_asked_for(&self) -> bool {
        !self.chunks.is_empty() || !self.keys.is_empty()
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //# The HMAC algorithm based on SHA-1 MUST be supported and included in the HMAC-ALGO parameter.
    /// What INIT or INIT-ACK says with this random number; `None` without the extension.
    pub(crate) fn offer(&self, extensions: Extensions, random: [u8; 32]) -> Option<AuthOffer> {
        if !extensions.contains(Extension::Auth) {
            return None;
        }
        let dynamic = [Extension::Asconf, Extension::DynamicPaths];
        let asconf = match dynamic.iter().any(|e| extensions.contains(*e)) {
            true => &[ChunkType::ASCONF, ChunkType::ASCONF_ACK][..],
            false => &[],
        };
        let chunks = ChunkSet::of(self.chunks.iter().chain(asconf).copied());
        let mut hmacs: Vec<HmacId> = Vec::new();
        for id in self.hmacs.iter().copied().chain([HmacId::SHA1]) {
            if id.hmac_len().is_some() && !hmacs.contains(&id) && hmacs.len() < MAX_HMAC_IDS {
                hmacs.push(id);
            }
        }
        Some(AuthOffer::new(random, chunks, &hmacs))
    }
}
