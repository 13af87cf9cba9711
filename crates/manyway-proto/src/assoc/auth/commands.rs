//! Keys that change while the association lives (RFC 6458, sections 8.1.17 and 8.3).

use manyway_wire::KeyId;

use super::{Auth, AuthKeyError, AuthSecret};
use crate::assoc::{Association, Extension};
use crate::event::Event;

impl Association {
    fn auth_mut(&mut self) -> Result<&mut Auth, AuthKeyError> {
        self.auth.as_deref_mut().ok_or(AuthKeyError::NotSupported)
    }

    /// Sets or replaces the endpoint pair shared key under an identifier. What the peer
    /// authenticates with it is accepted from now on; it is used for sending only once it is
    /// [activated](Self::activate_auth_key).
    ///
    /// # Errors
    ///
    /// [`AuthKeyError::NotSupported`] if this side does not offer AUTH.
    pub fn set_auth_key(&mut self, id: KeyId, secret: AuthSecret) -> Result<(), AuthKeyError> {
        self.auth_mut()?.keys.set(id, secret);
        Ok(())
    }

    /// Authenticates with this key from the next packet on.
    ///
    /// # Errors
    ///
    /// [`AuthKeyError::Unknown`] if it was not set, [`AuthKeyError::Deactivated`] if it was
    /// deactivated since.
    pub fn activate_auth_key(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        self.auth_mut()?.keys.activate(id)
    }

    /// States that the key will not be used for sending any more; it is still accepted from the
    /// peer. Packets take the active key when they leave, so that nothing waits for the old one:
    /// [`Event::AuthKeyFree`] follows at once.
    ///
    /// # Errors
    ///
    /// [`AuthKeyError::Active`] for the active key, [`AuthKeyError::Unknown`] if there is none.
    pub fn deactivate_auth_key(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        self.auth_mut()?.keys.deactivate(id)?;
        // After the end there is no news any more.
        if !self.is_closed() {
            self.events.push_back(Event::AuthKeyFree { key: id });
        }
        Ok(())
    }

    /// Forgets the key: what the peer authenticates with it is dropped from now on.
    ///
    /// # Errors
    ///
    /// As [`Association::deactivate_auth_key`].
    pub fn delete_auth_key(&mut self, id: KeyId) -> Result<(), AuthKeyError> {
        self.auth_mut()?.keys.delete(id)
    }

    /// The key that authenticates what is sent; `None` unless both ends offered AUTH.
    pub fn active_auth_key(&self) -> Option<KeyId> {
        let auth = self.auth.as_ref().filter(|_| self.has(Extension::Auth));
        auth.map(|auth| auth.keys.active())
    }
}
