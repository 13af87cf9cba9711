//! Endpoint pair shared keys, and the association shared keys that follow from them.

use hmac::{Hmac, KeyInit, Mac};
use manyway_wire::{HmacId, KeyId};
use sha1::Sha1;
use sha2::Sha256;

use super::config::{AuthConfig, AuthSecret};

/// Longest HMAC that this engine computes.
const MAX_HMAC_LEN: usize = 32;

/// A computed HMAC.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    bytes: [u8; MAX_HMAC_LEN],
    len: usize,
}

impl Tag {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// An association shared key, ready for both hash functions.
#[derive(Clone)]
struct SharedKey {
    sha1: Hmac<Sha1>,
    sha256: Hmac<Sha256>,
}

impl SharedKey {
    fn new(key: &[u8]) -> Self {
        const ANY: &str = "HMAC takes keys of any length";
        Self {
            sha1: Hmac::new_from_slice(key).expect(ANY),
            sha256: Hmac::new_from_slice(key).expect(ANY),
        }
    }

    fn tag<'a>(&self, id: HmacId, data: impl Iterator<Item = &'a [u8]>) -> Option<Tag> {
        fn run<'a, M: Mac + Clone>(mac: &M, data: impl Iterator<Item = &'a [u8]>) -> Tag {
            let mut mac = mac.clone();
            data.for_each(|piece| mac.update(piece));
            let full = mac.finalize().into_bytes();
            let (mut bytes, len) = ([0; MAX_HMAC_LEN], full.len());
            bytes[..len].copy_from_slice(&full);
            Tag { bytes, len }
        }
        match id {
            HmacId::SHA1 => Some(run(&self.sha1, data)),
            HmacId::SHA256 => Some(run(&self.sha256, data)),
            _ => None,
        }
    }
}

struct Key {
    id: KeyId,
    secret: AuthSecret,
    /// No longer to be activated, but still accepted from the peer.
    deactivated: bool,
    /// Computed when it is first used.
    shared: Option<Box<SharedKey>>,
}

/// Why a key cannot be changed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthKeyError {
    /// No key has that identifier.
    #[error("no key has that identifier; set it first")]
    Unknown,
    /// The key is the active one.
    #[error("the key is the active one; activate another one first")]
    Active,
    /// The key was deactivated.
    #[error("the key was deactivated; set it anew to use it again")]
    Deactivated,
    /// AUTH is not among the extensions of the association.
    #[error("chunks are not authenticated on this association")]
    NotSupported,
}

/// The keys of an association.
pub(super) struct KeyRing {
    keys: Vec<Key>,
    active: KeyId,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.keys.iter().map(|key| key.id);
        f.debug_list().entries(ids).finish()
    }
}

impl KeyRing {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.2
    //# If the endpoint has no endpoint pair shared key for the peer, it MUST use Shared Key Identifier zero with an empty endpoint pair shared key.
    pub(super) fn new(config: &AuthConfig) -> Self {
        let mut ring = Self {
            keys: Vec::new(),
            active: config.active_key,
        };
        if config.keys.is_empty() {
            ring.set(KeyId(0), AuthSecret::new([]));
        }
        for (id, secret) in &config.keys {
            ring.set(*id, secret.clone());
        }
        if ring.position(ring.active).is_err() {
            ring.active = ring.keys[0].id;
        }
        ring
    }

    fn position(&self, id: KeyId) -> Result<usize, AuthKeyError> {
        let found = self.keys.iter().position(|key| key.id == id);
        found.ok_or(AuthKeyError::Unknown)
    }

    pub(super) fn active(&self) -> KeyId {
        self.active
    }

    pub(super) fn set(&mut self, id: KeyId, secret: AuthSecret) {
        self.keys.retain(|key| key.id != id);
        self.keys.push(Key {
            id,
            secret,
            deactivated: false,
            shared: None,
        });
    }

    pub(super) fn activate(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        if self.keys[self.position(id)?].deactivated {
            return Err(AuthKeyError::Deactivated);
        }
        self.active = id;
        Ok(())
    }

    pub(super) fn deactivate(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        let at = self.position(id)?;
        if id == self.active {
            return Err(AuthKeyError::Active);
        }
        self.keys[at].deactivated = true;
        Ok(())
    }

    pub(super) fn delete(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        let at = self.position(id)?;
        if id == self.active {
            return Err(AuthKeyError::Active);
        }
        self.keys.remove(at);
        Ok(())
    }

    /// The key vectors are others: what was computed of them is void.
    pub(super) fn forget_shared(&mut self) {
        self.keys.iter_mut().for_each(|key| key.shared = None);
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //# If no endpoint pair shared key has been configured for that Shared Key Identifier, all authenticated chunks MUST be silently discarded.
    /// The HMAC under a key; `None` without the key or the hash function.
    pub(super) fn tag<'a>(
        &mut self,
        id: KeyId,
        hmac: HmacId,
        vectors: impl FnOnce() -> [Vec<u8>; 2],
        data: impl Iterator<Item = &'a [u8]>,
    ) -> Option<Tag> {
        let key = self.keys.iter_mut().find(|key| key.id == id)?;
        let secret = &key.secret;
        let shared = key.shared.get_or_insert_with(|| {
            let bytes = association_key(secret.bytes(), vectors());
            Box::new(SharedKey::new(&bytes))
        });
        shared.tag(hmac, data)
    }
}

//= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
//# This is performed by selecting the numerically smaller key vector and concatenating it to the endpoint pair shared key, and then concatenating the numerically larger key vector to that.
//# If the key vectors are equal as numbers but differ in length, then the concatenation order is the endpoint shared key, followed by the shorter key vector, followed by the longer key vector.
fn association_key(secret: &[u8], mut vectors: [Vec<u8>; 2]) -> Vec<u8> {
    vectors.sort_by(|a, b| {
        let (x, y) = (significant(a), significant(b));
        let by_number = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
        by_number.then(a.len().cmp(&b.len()))
    });
    [secret, &vectors[0], &vectors[1]].concat()
}

/// A number in network byte order without its leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(a: &[u8], b: &[u8]) -> Vec<u8> {
        association_key(b"s", [a.to_vec(), b.to_vec()])
    }

    #[test]
    fn the_smaller_number_comes_first() {
        for (small, large) in [
            (&[1, 2][..], &[1, 3][..]),
            (&[9], &[1, 0]),
            (&[0, 0, 9], &[1, 0]),
            (&[7], &[0, 7]),
            (&[], &[0]),
            (&[5], &[5]),
        ] {
            let expected = [b"s", small, large].concat();
            assert_eq!(key(small, large), expected, "{small:?} {large:?}");
            assert_eq!(key(large, small), expected, "{large:?} {small:?}");
        }
    }

    fn ring() -> KeyRing {
        KeyRing::new(&AuthConfig::default())
    }

    #[test]
    fn the_null_key_is_there_from_the_start_unless_keys_are_configured() {
        assert_eq!(ring().position(KeyId(0)), Ok(0));
        let keys = vec![(KeyId(5), AuthSecret::new(*b"k"))];
        let config = AuthConfig {
            keys,
            active_key: KeyId(9),
            ..AuthConfig::default()
        };
        let ring = KeyRing::new(&config);
        assert_eq!(ring.position(KeyId(0)), Err(AuthKeyError::Unknown));
        assert_eq!(
            ring.active(),
            KeyId(5),
            "an active key that is none is replaced"
        );
    }

    #[test]
    fn the_active_key_stays_and_a_deactivated_one_is_not_activated() {
        let mut ring = ring();
        assert_eq!(ring.delete(KeyId(0)), Err(AuthKeyError::Active));
        assert_eq!(ring.deactivate(KeyId(0)), Err(AuthKeyError::Active));
        assert_eq!(ring.activate(KeyId(1)), Err(AuthKeyError::Unknown));
        ring.set(KeyId(1), AuthSecret::new(*b"k"));
        assert_eq!(ring.deactivate(KeyId(1)), Ok(()));
        assert_eq!(ring.activate(KeyId(1)), Err(AuthKeyError::Deactivated));
        ring.set(KeyId(1), AuthSecret::new(*b"k"));
        assert_eq!(ring.activate(KeyId(1)), Ok(()));
        assert_eq!(ring.delete(KeyId(0)), Ok(()));
        assert_eq!(ring.delete(KeyId(0)), Err(AuthKeyError::Unknown));
    }

    #[test]
    fn hmacs_are_those_of_the_standard() {
        // RFC 2202 and RFC 4231, test case 2.
        let shared = SharedKey::new(b"Jefe");
        let data = || [&b"what do ya want "[..], b"for nothing?"].into_iter();
        let hex = |tag: Tag| {
            let digits = tag.bytes().iter().map(|b| format!("{b:02x}"));
            digits.collect::<String>()
        };
        let sha1 = shared.tag(HmacId::SHA1, data()).map(hex);
        assert_eq!(
            sha1.as_deref(),
            Some("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79")
        );
        let sha256 = shared.tag(HmacId::SHA256, data()).map(hex);
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(sha256.as_deref(), Some(expected));
        assert!(shared.tag(HmacId(2), data()).is_none());
    }
}
