//! What is asked of the association.

use std::net::SocketAddr;

use manyway_proto::{
    AddressError, AuthKeyError, AuthSecret, ControllerKind, KeyId, PathError, PathId,
    PathThresholds, RetransmissionPolicy, Scheduler, Wish,
};

use super::Association;

impl Association {
    /// Asks the engine's association, or says `gone` if there is none any more.
    pub(super) fn command<T, E>(
        &self,
        gone: E,
        f: impl FnOnce(&mut manyway_proto::Association, manyway_proto::Instant) -> Result<T, E>,
    ) -> Result<T, E> {
        let now = self.0.shared.now();
        self.with(|state| {
            let assoc = state.proto.association_mut(now, self.0.id);
            let result = assoc.map_or(Err(gone), |assoc| f(assoc, now));
            state.wake_driver();
            result
        })
    }

    /// Makes a path the one that is used first, in both directions.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_primary(&self, path: PathId) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.set_primary(now, path)
        })
    }

    /// States how a path shall be used, to this side and to the peer.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_wish(&self, path: PathId, wish: Wish) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.set_wish(now, path, wish)
        })
    }

    /// Makes a local address part of the association: the peer is told, and paths from there
    /// follow. [`Event::AddressChanged`](crate::Event::AddressChanged) or
    /// [`Event::AddressRefused`](crate::Event::AddressRefused) says what came of it, unless the
    /// peer is a Manyway endpoint, with which paths come up or do not.
    ///
    /// # Errors
    ///
    /// See [`AddressError`].
    pub fn add_address(&self, local: SocketAddr) -> Result<(), AddressError> {
        self.command(AddressError::NotEstablished, |assoc, now| {
            assoc.add_address(now, local)
        })
    }

    /// Takes a local address out of the association, once another one works.
    ///
    /// # Errors
    ///
    /// See [`AddressError`].
    pub fn delete_address(&self, local: SocketAddr) -> Result<(), AddressError> {
        self.command(AddressError::NotEstablished, |assoc, now| {
            assoc.delete_address(now, local)
        })
    }

    /// Asks the peer to send to this local address first.
    ///
    /// # Errors
    ///
    /// See [`AddressError`].
    pub fn set_peer_primary(&self, local: SocketAddr) -> Result<(), AddressError> {
        self.command(AddressError::NotEstablished, |assoc, now| {
            assoc.set_peer_primary(now, local)
        })
    }

    /// Takes all local addresses but `keep` out of the association, by one request: what a host
    /// that moved does with its old networks.
    ///
    /// # Errors
    ///
    /// See [`AddressError`]; [`AddressError::Unknown`] if `keep` is not part of the association.
    pub fn delete_other_addresses(&self, keep: SocketAddr) -> Result<(), AddressError> {
        self.command(AddressError::NotEstablished, |assoc, now| {
            assoc.delete_other_addresses(now, keep)
        })
    }

    /// Sets or replaces the endpoint pair shared key under an identifier (RFC 4895): it is accepted
    /// from the peer from now on, and used for sending once it is activated.
    ///
    /// # Errors
    ///
    /// [`AuthKeyError::NotSupported`] if this side does not offer AUTH or the association is gone.
    pub fn set_auth_key(&self, id: KeyId, secret: AuthSecret) -> Result<(), AuthKeyError> {
        self.command(AuthKeyError::NotSupported, |assoc, _| {
            assoc.set_auth_key(id, secret)
        })
    }

    /// Authenticates with this key from the next packet on.
    ///
    /// # Errors
    ///
    /// See [`AuthKeyError`].
    pub fn activate_auth_key(&self, id: KeyId) -> Result<(), AuthKeyError> {
        self.command(AuthKeyError::NotSupported, |assoc, _| {
            assoc.activate_auth_key(id)
        })
    }

    /// States that the key will not be used for sending any more; it is still accepted.
    ///
    /// # Errors
    ///
    /// See [`AuthKeyError`].
    pub fn deactivate_auth_key(&self, id: KeyId) -> Result<(), AuthKeyError> {
        self.command(AuthKeyError::NotSupported, |assoc, _| {
            assoc.deactivate_auth_key(id)
        })
    }

    /// Forgets the key: what the peer authenticates with it is dropped from now on.
    ///
    /// # Errors
    ///
    /// See [`AuthKeyError`].
    pub fn delete_auth_key(&self, id: KeyId) -> Result<(), AuthKeyError> {
        self.command(AuthKeyError::NotSupported, |assoc, _| {
            assoc.delete_auth_key(id)
        })
    }

    /// Takes a path out of use; [`Event::PathRemoved`](crate::Event::PathRemoved) follows when the
    /// peer has agreed or does not answer. The last path stays.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn remove_path(&self, path: PathId) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.remove_path(now, path)
        })
    }

    /// Opens a path from `local` to `remote`, or to the peer's least used address. It carries data
    /// when [`Event::PathUp`](crate::Event::PathUp) has come. If there is such a path already, it
    /// is that one.
    ///
    /// # Errors
    ///
    /// [`PathError::NoRemote`] if the peer has no address of that family, [`PathError::TooMany`]
    /// beyond [`TransportConfig::max_paths`](crate::TransportConfig::max_paths),
    /// [`PathError::NotSupported`] if the peer is no Manyway endpoint and does not know `local`;
    /// otherwise see [`PathError`].
    pub fn add_path(
        &self,
        local: SocketAddr,
        remote: Option<SocketAddr>,
    ) -> Result<PathId, PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.add_path(now, local, remote)
        })
    }

    /// Sets when timeouts in a row change what a path is used for (RFC 7829). New paths get what
    /// [`TransportConfig`](crate::TransportConfig) says.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`] if there is no such path, [`PathError::InvalidThresholds`] if the
    /// primary would be switched before the path is suspected, [`PathError::NotEstablished`] if the
    /// association is gone.
    pub fn set_path_thresholds(
        &self,
        path: PathId,
        thresholds: PathThresholds,
    ) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, _| {
            assoc.set_path_thresholds(path, thresholds)
        })
    }

    /// Changes the scheduler, which says on which path the next packet leaves.
    pub fn set_scheduler(&self, scheduler: Box<dyn Scheduler>) {
        // An association that is gone schedules nothing.
        let _ = self.command((), |assoc, _| {
            assoc.set_scheduler(scheduler);
            Ok(())
        });
    }

    /// Changes on which path lost data are sent again, while data flow.
    pub fn set_retransmission_policy(&self, policy: RetransmissionPolicy) {
        // An association that is gone sends nothing.
        let _ = self.command((), |assoc, _| {
            assoc.set_retransmission_policy(policy);
            Ok(())
        });
    }

    /// Changes the congestion control of all paths, and of those to come, while data flow. Nothing
    /// is lost, and the new controllers begin with what is known of their paths.
    pub fn set_congestion_control(&self, kind: ControllerKind) {
        // An association that is gone sends nothing.
        let _ = self.command((), |assoc, now| {
            assoc.set_congestion_control(now, kind);
            Ok(())
        });
    }
}
