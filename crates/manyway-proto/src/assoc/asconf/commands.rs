//! What the application may ask for of this side's addresses.

use std::net::SocketAddr;

use super::{Ask, Request};
use crate::assoc::Association;
use crate::error::PathError;
use crate::path::PathId;
use crate::time::Instant;

/// A change of this side's addresses that the peer is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressChange {
    /// The address belongs to the association now (RFC 5061, section 4.2.1).
    Add(SocketAddr),
    /// The address does not belong to it any more (section 4.2.2).
    Delete(SocketAddr),
    /// Only this address belongs to it any more.
    DeleteOthers(SocketAddr),
    /// This address is the one to send to first (section 4.2.4).
    SetPrimary(SocketAddr),
}

impl AddressChange {
    /// The address it is about.
    pub const fn address(self) -> SocketAddr {
        match self {
            Self::Add(local)
            | Self::Delete(local)
            | Self::DeleteOthers(local)
            | Self::SetPrimary(local) => local,
        }
    }
}

/// How requests name this side's addresses to plain SCTP peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressForm {
    /// By the wildcard from a private address to a public one, since there is a NAT between them;
    /// explicitly else.
    #[default]
    Auto,
    /// As they are.
    Explicit,
    /// By the wildcard, 0.0.0.0 or ::, in a packet that comes from the address.
    Wildcard,
}

/// Why a change of this side's addresses was not asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The association is not established.
    #[error("addresses can be changed only while the association is established")]
    NotEstablished,
    /// The peer has neither Manyway's form of ASCONF nor AUTH and ASCONF.
    #[error("the peer cannot learn of changed addresses")]
    NotSupported,
    /// The peer answered an earlier request of this kind that it does not understand it.
    #[error("the peer does not understand this kind of request")]
    NotUnderstood,
    /// [`crate::TransportConfig::max_queued_asconfs`] wait already.
    #[error("as many requests as may wait do so already; try again when one is answered")]
    QueueFull,
    /// The address is not part of the association.
    #[error("the address is not part of the association; add it first")]
    Unknown,
    /// The only address of the association that will be left.
    #[error("the last address cannot be deleted; add another one first")]
    LastAddress,
    /// The path that a Manyway peer would be told of cannot be changed.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// Why the peer did not change what it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressRefusal {
    /// It would have been the last address (RFC 5061, section 4.3.1).
    LastAddress,
    /// It was the source address of the request (section 4.3.3).
    SourceAddress,
    /// The peer has no resources for it (section 4.3.2).
    Resources,
    /// The peer does not allow it (section 4.3.5).
    NotAuthorized,
    /// The peer cannot use such an address.
    Unresolvable,
    /// The peer does not understand the request.
    NotUnderstood,
    /// The peer's answer says something else; the code of its error cause, or 0.
    Other(u16),
}

impl AddressRefusal {
    pub(super) const fn from_code(code: u16) -> Self {
        match code {
            0xa0 => Self::LastAddress,
            0xa1 => Self::Resources,
            0xa2 => Self::SourceAddress,
            0xa4 => Self::NotAuthorized,
            5 => Self::Unresolvable,
            8 => Self::NotUnderstood,
            other => Self::Other(other),
        }
    }
}

impl Association {
    /// Makes `local` an address of this association: the peer is told, and paths from there follow.
    /// With a Manyway peer this is [`Association::add_path`]; with others
    /// [`Event::AddressChanged`](crate::Event::AddressChanged) or
    /// [`Event::AddressRefused`](crate::Event::AddressRefused) says what came of it.
    ///
    /// # Errors
    ///
    /// See [`AddressError`].
    pub fn add_address(&mut self, now: Instant, local: SocketAddr) -> Result<(), AddressError> {
        self.require_asconf()?;
        if self.asks_by_path() {
            self.add_path(now, local, None)?;
            return Ok(());
        }
        self.change_address(now, AddressChange::Add(local))
    }

    /// Takes `local` out of this association: nothing is sent from there any more, and the peer is
    /// told. Waits until a path from another address works.
    ///
    /// # Errors
    ///
    /// See [`AddressError`]; [`AddressError::LastAddress`] if the peer knows no other one and is
    /// not about to be told of one.
    pub fn delete_address(&mut self, now: Instant, local: SocketAddr) -> Result<(), AddressError> {
        self.require_asconf()?;
        if self.asks_by_path() {
            let doomed = self.paths_from(local);
            let known = !doomed.is_empty();
            if self.paths.len() == doomed.len() {
                return Err(AddressError::LastAddress);
            }
            doomed.into_iter().for_each(|id| self.leave_path(now, id));
            return if known {
                Ok(())
            } else {
                Err(AddressError::Unknown)
            };
        }
        self.change_address(now, AddressChange::Delete(local))
    }

    /// Takes all addresses but `keep` out of this association, by one request.
    ///
    /// # Errors
    ///
    /// See [`AddressError`]; [`AddressError::Unknown`] if `keep` is not part of the association.
    pub fn delete_other_addresses(
        &mut self,
        now: Instant,
        keep: SocketAddr,
    ) -> Result<(), AddressError> {
        self.require_asconf()?;
        if self.asks_by_path() {
            if self.paths_from(keep).is_empty() {
                return Err(AddressError::Unknown);
            }
            let others = self.paths.iter().filter(|p| p.tuple.local != keep);
            let doomed: Vec<PathId> = others.map(|p| p.id).collect();
            doomed.into_iter().for_each(|id| self.leave_path(now, id));
            return Ok(());
        }
        self.change_address(now, AddressChange::DeleteOthers(keep))
    }

    /// Asks the peer to send to `local` first; this side's own sending does not change (see
    /// [`Association::set_primary`] for that).
    ///
    /// # Errors
    ///
    /// See [`AddressError`]; [`AddressError::Unknown`] if it is not part of the association.
    pub fn set_peer_primary(
        &mut self,
        now: Instant,
        local: SocketAddr,
    ) -> Result<(), AddressError> {
        self.require_asconf()?;
        if self.asks_by_path() {
            let path = self.paths_from(local).first().copied();
            let path = path.ok_or(AddressError::Unknown)?;
            self.request(now, Request::SetPrimary, path)?;
            return Ok(());
        }
        self.change_address(now, AddressChange::SetPrimary(local))
    }

    fn require_asconf(&self) -> Result<(), AddressError> {
        if !self.is_established() {
            Err(AddressError::NotEstablished)
        } else if !self.asks_by_path() && !self.asks_by_address() {
            Err(AddressError::NotSupported)
        } else {
            Ok(())
        }
    }

    fn paths_from(&self, local: SocketAddr) -> Vec<PathId> {
        let from = self.paths.iter().filter(|p| p.tuple.local == local);
        from.map(|p| p.id).collect()
    }

    fn change_address(&mut self, now: Instant, change: AddressChange) -> Result<(), AddressError> {
        self.check_change(change)?;
        let ip = change.address().ip();
        let known = self.asconf.locals.knows(ip);
        // What was asked for and has not left yet can simply be taken back.
        let is_opposite = |ask: Ask| match (change, ask) {
            (AddressChange::Add(_), Ask::Address(AddressChange::Delete(other))) => other.ip() == ip,
            (AddressChange::Delete(_), Ask::Address(AddressChange::Add(other))) => {
                other.ip() == ip && !known
            }
            _ => false,
        };
        let mut queue = self.asconf.queue.iter();
        if let Some(at) = queue.position(|w| is_opposite(w.ask)) {
            self.asconf.queue.remove(at);
            return Ok(());
        }
        self.ask(now, Ask::Address(change))?;
        if let AddressChange::Add(local) = change
            && !self.locals.contains(&local)
        {
            self.locals.push(local);
        }
        Ok(())
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# An endpoint MUST NOT delete its last remaining IP address from an association.
    fn check_change(&self, change: AddressChange) -> Result<(), AddressError> {
        let locals = &self.asconf.locals;
        let is_primary = matches!(change, AddressChange::SetPrimary(_));
        let unknown_kind = match is_primary {
            true => locals.no_set_primary,
            false => locals.no_add_or_delete,
        };
        if locals.no_asconf || unknown_kind {
            return Err(AddressError::NotUnderstood);
        }
        let ip = change.address().ip();
        let (mut stays, mut expected) = (locals.known().to_vec(), locals.knows(ip));
        for ask in self.asconf.asked() {
            match ask {
                Ask::Address(AddressChange::Add(other)) => {
                    stays.push(other.ip());
                    expected |= other.ip() == ip;
                }
                Ask::Address(AddressChange::Delete(other)) => stays.retain(|s| *s != other.ip()),
                Ask::Address(AddressChange::DeleteOthers(keep)) => {
                    stays.retain(|s| *s == keep.ip());
                }
                _ => {}
            }
        }
        match change {
            AddressChange::Add(_) => Ok(()),
            AddressChange::Delete(_) if expected && stays.iter().all(|s| *s == ip) => {
                Err(AddressError::LastAddress)
            }
            _ if expected => Ok(()),
            _ => Err(AddressError::Unknown),
        }
    }
}
