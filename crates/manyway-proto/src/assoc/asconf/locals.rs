//! This side's addresses as the peer knows them.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::push_bounded;

/// What the peer knows of this side's addresses, and what it does not understand.
#[derive(Debug, Default)]
pub(in crate::assoc) struct Locals {
    /// Part of the association for the peer.
    known: Vec<IpAddr>,
    /// Those that the request under way deletes.
    deleting: Vec<IpAddr>,
    /// Deleted lately.
    deleted: VecDeque<IpAddr>,
    /// The peer does not understand ADD or DELETE.
    pub(super) no_add_or_delete: bool,
    /// The peer does not understand SET PRIMARY.
    pub(super) no_set_primary: bool,
    /// The peer does not understand ASCONF at all.
    pub(super) no_asconf: bool,
}

impl Locals {
    /// The peer learned an address, by the handshake or by ASCONF.
    pub(in crate::assoc) fn learn(&mut self, ip: IpAddr) {
        if !self.known.contains(&ip) {
            self.known.push(ip);
        }
        self.deleted.retain(|deleted| *deleted != ip);
    }

    pub(super) fn knows(&self, ip: IpAddr) -> bool {
        self.known.contains(&ip)
    }

    pub(super) fn known(&self) -> &[IpAddr] {
        &self.known
    }

    /// A request to delete these leaves now.
    pub(super) fn begin_deletion(&mut self, doomed: Vec<IpAddr>) {
        self.deleting = doomed;
    }

    /// The request to delete was answered: the addresses it was about.
    pub(super) fn end_deletion(&mut self, done: bool) -> Vec<IpAddr> {
        let doomed = std::mem::take(&mut self.deleting);
        if done {
            self.known.retain(|ip| !doomed.contains(ip));
            for ip in &doomed {
                push_bounded(&mut self.deleted, *ip);
            }
        }
        doomed
    }

    /// Whether the peer is being told that this address goes.
    pub(in crate::assoc) fn is_deleting(&self, ip: IpAddr) -> bool {
        self.deleting.contains(&ip)
    }

    pub(super) fn is_deleted(&self, ip: IpAddr) -> bool {
        self.deleted.contains(&ip)
    }

    /// Whether packets may leave from this address: it is the peer's to know and not on its way out.
    pub(in crate::assoc) fn may_send_from(&self, ip: IpAddr) -> bool {
        self.knows(ip) && !self.is_deleting(ip)
    }
}
