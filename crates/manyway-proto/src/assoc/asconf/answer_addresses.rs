//! What a plain SCTP peer's requests do: they are about its addresses.

use std::net::{IpAddr, SocketAddr};

use manyway_wire::{AsconfAction, Cause, ParameterType, UnrecognizedAction};

use super::answer::Verdict;
use crate::assoc::Association;
use crate::assoc::input::PacketContext;
use crate::assoc::setup::MAX_PEER_ADDRESSES;
use crate::event::Event;
use crate::path::{FourTuple, Path, PathId, Wish};
use crate::time::Instant;

/// The requests of one chunk.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// An address was not added or not deleted: nothing more is.
    failing: bool,
}

impl Association {
    pub(super) fn do_address_request<'a>(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        action: AsconfAction,
        copy: &'a [u8],
        batch: &mut Batch,
    ) -> Verdict<'a> {
        let AsconfAction::Unknown { kind } = action else {
            if !self.config.peer_may_change_addresses {
                return Verdict::Refused(Cause::RequestRefused(copy));
            }
            return self.do_known_request(now, ctx, action, copy, batch);
        };
        match ParameterType(kind) {
            // With an address of a type that nobody knows, such as a host name.
            ParameterType::ADD_IP_ADDRESS
            | ParameterType::DELETE_IP_ADDRESS
            | ParameterType::SET_PRIMARY_ADDRESS => {
                batch.failing |= ParameterType(kind) != ParameterType::SET_PRIMARY_ADDRESS;
                Verdict::Refused(Cause::UnresolvableAddress(copy))
            }
            //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.6
            //# This parameter MUST NOT be sent in any other chunks, and if it is received in another chunk, it MUST be ignored.
            //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2
            //# A robust implementation SHOULD ignore the parameter and leave the association intact.
            ParameterType::ADAPTATION_INDICATION
            | ParameterType::SUPPORTED_EXTENSIONS
            | ParameterType::ERROR_CAUSE_INDICATION
            | ParameterType::SUCCESS_INDICATION => Verdict::Ignored,
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
            //# To indicate an unrecognized parameter, Cause Type 8 should be used as defined in the ERROR in Section 3.3.10.8, [RFC4960].
            kind => match kind.unrecognized_action() {
                UnrecognizedAction::Skip => Verdict::Ignored,
                UnrecognizedAction::SkipAndReport => {
                    Verdict::Refused(Cause::UnrecognizedParameters(copy))
                }
                UnrecognizedAction::Stop => Verdict::Stop(None),
                UnrecognizedAction::StopAndReport => {
                    Verdict::Stop(Some(Cause::UnrecognizedParameters(copy)))
                }
            },
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# The receiver MUST NOT reject an ADD and then accept a subsequent DELETE of an IP address in the same ASCONF Chunk. In other words, once a receiver begins failing any ADD or DELETE request, it must fail all subsequent ADD or DELETE requests contained in that single ASCONF.
    fn do_known_request<'a>(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        action: AsconfAction,
        copy: &'a [u8],
        batch: &mut Batch,
    ) -> Verdict<'a> {
        let verdict = match action {
            AsconfAction::SetPrimary(ip) => return self.set_primary_address(now, ctx, ip, copy),
            _ if batch.failing => Verdict::Refused(Cause::ResourceShortage(copy)),
            AsconfAction::Add(ip) => self.add_peer_address(now, ctx, ip, copy),
            AsconfAction::Delete(ip) => self.delete_peer_address(now, ctx, ip, copy),
            AsconfAction::Unknown { .. } => Verdict::Ignored,
        };
        batch.failing |= matches!(verdict, Verdict::Refused(_));
        verdict
    }

    /// An address of the peer with its UDP port; the wildcard is where the packet came from.
    fn meant(&self, ctx: &PacketContext<'_>, ip: IpAddr) -> SocketAddr {
        let source = ctx.tuple.remote;
        if ip.is_unspecified() || ip == source.ip() {
            return source;
        }
        let mut known = self.peer.addresses.iter();
        let known = known.find(|a| a.ip() == ip).copied();
        known.unwrap_or_else(|| SocketAddr::new(ip, source.port()))
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.1
    //# If the address 0.0.0.0 or ::0 is provided, the source address of the packet MUST be added.
    fn add_peer_address<'a>(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        ip: IpAddr,
        copy: &'a [u8],
    ) -> Verdict<'a> {
        let remote = self.meant(ctx, ip);
        let Some(local) = self.local_for(remote, ctx.tuple.local) else {
            return Verdict::Refused(Cause::UnresolvableAddress(copy));
        };
        //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.1
        //# This parameter MUST NOT contain a broadcast or multicast address.
        if !is_host(remote.ip(), ctx.tuple.remote.ip()) {
            return Verdict::Refused(Cause::UnresolvableAddress(copy));
        }
        let known = self.peer.addresses.iter().any(|a| a.ip() == remote.ip());
        if !known && self.peer.addresses.len() >= MAX_PEER_ADDRESSES {
            //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
            //# If an endpoint receives an ADD IP Address request and does not have the local resources to add this new address to the association, it MUST return an Error Cause TLV set to the new error code 'Operation Refused Due to Resource Shortage'.
            return Verdict::Refused(Cause::ResourceShortage(copy));
        }
        self.peer.addresses.retain(|a| a.ip() != remote.ip());
        self.peer.addresses.push(remote);
        self.asconf
            .deleted_by_peer
            .retain(|gone| *gone != remote.ip());
        let from_there = |p: &&mut Path| p.tuple.remote == remote;
        if let Some(path) = self.paths.iter_mut().find(from_there) {
            path.heartbeats.due |= std::mem::take(&mut path.candidate);
            return Verdict::Done;
        }
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //# All addresses added by the reception of an ASCONF Chunk MUST be put into the UNCONFIRMED state and MUST have path verification performed on them before the address can be used as described in [RFC4960], Section 5.4.
        let pair = FourTuple { local, remote };
        match self.open_path_to(now, pair) {
            Some(_) => Verdict::Done,
            None => {
                self.peer.addresses.pop();
                Verdict::Refused(Cause::ResourceShortage(copy))
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.2
    //# If the address 0.0.0.0 or ::0 is provided, all addresses of the peer except the source address of the packet MUST be deleted.
    fn delete_peer_address<'a>(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        ip: IpAddr,
        copy: &'a [u8],
    ) -> Verdict<'a> {
        let source = ctx.tuple.remote.ip();
        let doomed = |a: &IpAddr| match ip.is_unspecified() {
            true => *a != source,
            false => *a == ip,
        };
        let all: Vec<IpAddr> = self.peer.addresses.iter().map(SocketAddr::ip).collect();
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //# The requested delete MUST NOT be performed or acted upon, other than to send the ASCONF-ACK.
        if all.iter().all(doomed) {
            return Verdict::Refused(Cause::DeleteLastAddress(copy));
        }
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //# If a request is received to delete an IP address that is also the source address of the IP packet that contained the ASCONF chunk, the receiver MUST reject this request.
        if ip == source {
            return Verdict::Refused(Cause::DeleteSource(copy));
        }
        let gone: Vec<IpAddr> = all.into_iter().filter(doomed).collect();
        self.forget_peer_addresses(now, ctx, &gone);
        Verdict::Done
    }

    fn forget_peer_addresses(&mut self, now: Instant, ctx: &PacketContext<'_>, gone: &[IpAddr]) {
        self.peer.addresses.retain(|a| !gone.contains(&a.ip()));
        // Its requests come from an address of the association, whether it is named or not.
        if let Some(path) = self.paths.get_mut(ctx.path)
            && path.candidate
        {
            path.candidate = false;
            path.heartbeats.due = true;
        }
        let stays = |p: &Path| !gone.contains(&p.tuple.remote.ip());
        if !self.paths.iter().any(stays) {
            self.open_paths_to_peer(now);
        }
        let there = self.paths.iter().filter(|p| !stays(p));
        let doomed: Vec<PathId> = there.map(|p| p.id).collect();
        for id in doomed {
            self.remove_path_now(id);
        }
        for ip in gone {
            self.asconf.on_deleted_by_peer(*ip);
        }
        // A path that was only for failure may be the one that is left.
        if !self.paths.iter().any(Path::is_wanted)
            && let Some(best) = self.paths.best()
            && let Some(path) = self.paths.get_mut(best)
        {
            path.wish = Wish::Active;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.4
    //# If a request arrives that asks the receiver to set an address as primary that does not exist, the receiver SHOULD NOT honor the request, leaving its existing primary address unchanged.
    fn set_primary_address<'a>(
        &mut self,
        now: Instant,
        ctx: &PacketContext<'_>,
        ip: IpAddr,
        copy: &'a [u8],
    ) -> Verdict<'a> {
        let remote = self.meant(ctx, ip).ip();
        match self.prefer_peer_address(now, remote) {
            true => Verdict::Done,
            false => Verdict::Refused(Cause::UnresolvableAddress(copy)),
        }
    }

    /// Sends to an address of the peer first; false if it has no such address.
    pub(in crate::assoc) fn prefer_peer_address(&mut self, now: Instant, remote: IpAddr) -> bool {
        let there = self.paths.iter().filter(|p| p.tuple.remote.ip() == remote);
        let path = there.min_by_key(|p| (p.candidate, p.state != crate::path::PathState::Active));
        let known = self.peer.addresses.iter().any(|a| a.ip() == remote);
        let Some(path) = path.map(|p| p.id).filter(|_| known) else {
            return false;
        };
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.4
        //# The request to set an address as the primary path is an option the receiver SHOULD perform.
        self.paths.choose_primary(now, path);
        if let Some(path) = self.paths.get_mut(path) {
            path.wish = Wish::Active;
        }
        self.events.push_back(Event::PrimaryChanged { path });
        true
    }
}

/// Whether an address can be that of a host to which packets may be sent. Only who speaks from
/// this very host may name its loopback.
fn is_host(ip: IpAddr, source: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let loopback = ip.is_loopback() && !source.is_loopback();
    !ip.is_unspecified() && !ip.is_multicast() && !broadcast && !loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_are_added() {
        let host = |ip: &str, source: &str| is_host(ip.parse().unwrap(), source.parse().unwrap());
        assert!(host("192.0.2.1", "192.0.2.2"));
        assert!(host("127.0.0.2", "127.0.0.1"));
        for ip in [
            "224.0.0.1",
            "255.255.255.255",
            "0.0.0.0",
            "127.0.0.1",
            "::",
            "ff02::1",
            "::1",
        ] {
            assert!(!host(ip, "192.0.2.2"), "{ip}");
        }
    }
}
