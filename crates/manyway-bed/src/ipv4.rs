//! Looking at IPv4 packets and rewriting their addresses in place.
//!
//! Checksums are updated, not computed anew (RFC 1624), so that a packet damaged before it came
//! here stays recognizably damaged.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use manyway_sim::inet;
use manyway_sim::nat::Protocol;

pub(crate) const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// The range of the source address in the IPv4 header; the destination follows.
const SOURCE: usize = 12;
const DESTINATION: usize = 16;
const HEADER_CHECKSUM: usize = 10;

/// What a NAT needs to know of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    kind: Kind,
    /// Where the transport's header begins.
    transport: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Udp,
    EchoRequest,
    EchoReply,
}

/// Which end of a packet is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Source,
    Destination,
}

/// The length of the IPv4 header, if `packet` begins with a sound one.
pub(crate) fn header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let len = usize::from(first & 0x0f) * 4;
    (first >> 4 == 4 && len >= 20 && packet.len() >= len).then_some(len)
}

pub(crate) fn protocol(packet: &[u8]) -> u8 {
    packet[9]
}

pub(crate) fn address(packet: &[u8], end: End) -> Ipv4Addr {
    let at = offset(end);
    Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3])
}

fn offset(end: End) -> usize {
    match end {
        End::Source => SOURCE,
        End::Destination => DESTINATION,
    }
}

/// The flow of a packet; `None` for what no NAT here translates: other protocols, fragments other
/// than the first, truncated headers.
pub(crate) fn flow(packet: &[u8]) -> Option<Flow> {
    let transport = header_len(packet)?;
    let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff;
    if fragment != 0 {
        return None;
    }
    let header = packet.get(transport..transport + 8)?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (kind, protocol, from, to) = match (packet[9], header[0]) {
        (TCP, _) => (Kind::Tcp, Protocol::Tcp, word(0), word(2)),
        (UDP, _) => (Kind::Udp, Protocol::Udp, word(0), word(2)),
        // The identifier is the port of the side that asks.
        (ICMP, 8) => (Kind::EchoRequest, Protocol::IcmpEcho, word(4), 0),
        (ICMP, 0) => (Kind::EchoReply, Protocol::IcmpEcho, 0, word(4)),
        _ => return None,
    };
    let socket = |end, port| SocketAddr::new(IpAddr::V4(address(packet, end)), port);
    Some(Flow {
        protocol,
        source: socket(End::Source, from),
        destination: socket(End::Destination, to),
        kind,
        transport,
    })
}

/// Gives one end of `packet`, whose flow is `flow`, another address and port.
pub(crate) fn rewrite(packet: &mut [u8], flow: &Flow, end: End, to: SocketAddr) {
    let IpAddr::V4(address) = to.ip() else { return };
    let transport = flow.transport;
    let (checksum, port, pseudo_header) = match (flow.kind, end) {
        (Kind::Tcp, End::Source) => (transport + 16, Some(transport), true),
        (Kind::Tcp, End::Destination) => (transport + 16, Some(transport + 2), true),
        (Kind::Udp, End::Source) => (transport + 6, Some(transport), true),
        (Kind::Udp, End::Destination) => (transport + 6, Some(transport + 2), true),
        (Kind::EchoRequest, End::Source) | (Kind::EchoReply, End::Destination) => {
            (transport + 2, Some(transport + 4), false)
        }
        (Kind::EchoRequest | Kind::EchoReply, _) => (transport + 2, None, false),
    };
    // An error message quotes as little as 8 bytes of transport header, without TCP's checksum.
    let checksum = Some(checksum).filter(|at| at + 2 <= packet.len());
    // UDP without a checksum stays without.
    let none = flow.kind == Kind::Udp && checksum.is_some_and(|at| packet[at..at + 2] == [0, 0]);
    let checksum = checksum.filter(|_| !none);
    let at = offset(end);
    for (i, pair) in address.octets().as_chunks::<2>().0.iter().enumerate() {
        let also = checksum.filter(|_| pseudo_header);
        replace(packet, at + 2 * i, *pair, [Some(HEADER_CHECKSUM), also]);
    }
    if let Some(at) = port {
        replace(packet, at, to.port().to_be_bytes(), [checksum, None]);
    }
    if let (Kind::Udp, Some(at)) = (flow.kind, checksum)
        && packet[at..at + 2] == [0, 0]
    {
        packet[at..at + 2].copy_from_slice(&[0xff, 0xff]); // RFC 768: zero means "none"
    }
}

/// Gives one end of the IPv4 header another address, without touching what it carries.
pub(crate) fn rewrite_header(packet: &mut [u8], end: End, to: Ipv4Addr) {
    for (i, pair) in to.octets().as_chunks::<2>().0.iter().enumerate() {
        replace(
            packet,
            offset(end) + 2 * i,
            *pair,
            [Some(HEADER_CHECKSUM), None],
        );
    }
}

/// Takes one hop off the time to live; false if none is left.
pub(crate) fn take_hop(packet: &mut [u8]) -> bool {
    if packet[8] <= 1 {
        return false;
    }
    let word = [packet[8] - 1, packet[9]];
    replace(packet, 8, word, [Some(HEADER_CHECKSUM), None]);
    true
}

/// Marks "congestion experienced" if the packet is ECN-capable (RFC 3168 section 5).
pub(crate) fn mark_congestion(packet: &mut [u8]) {
    if matches!(packet[1] & 3, 1 | 2) {
        let word = [packet[0], packet[1] | 3];
        replace(packet, 0, word, [Some(HEADER_CHECKSUM), None]);
    }
}

/// The packet quoted by an ICMP error message (destination unreachable, source quench, time
/// exceeded, parameter problem), as an offset.
pub(crate) fn quoted(packet: &[u8]) -> Option<usize> {
    let icmp = header_len(packet)?;
    let kind = *packet.get(icmp)?;
    let is_error = protocol(packet) == ICMP && matches!(kind, 3 | 4 | 11 | 12);
    (is_error && packet.len() > icmp + 8).then_some(icmp + 8)
}

/// Whether no NAT here translates such a packet, whatever its mappings.
pub(crate) fn is_foreign(packet: &[u8]) -> bool {
    flow(packet).is_none() && quoted(packet).is_none()
}

/// Computes the checksum of an ICMP message anew.
pub(crate) fn seal_icmp(packet: &mut [u8]) {
    let Some(at) = header_len(packet).filter(|at| packet.len() >= at + 4) else {
        return;
    };
    packet[at + 2..at + 4].fill(0);
    let sum = inet::checksum(&[&packet[at..]]);
    packet[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
}

/// Replaces the 16-bit word at `at` and updates the checksums that cover it (RFC 1624, eqn. 3).
fn replace(packet: &mut [u8], at: usize, new: [u8; 2], checksums: [Option<usize>; 2]) {
    let old = u16::from_be_bytes([packet[at], packet[at + 1]]);
    packet[at..at + 2].copy_from_slice(&new);
    for sum_at in checksums.into_iter().flatten() {
        let sum = u16::from_be_bytes([packet[sum_at], packet[sum_at + 1]]);
        let wide = u32::from(!sum) + u32::from(!old) + u32::from(u16::from_be_bytes(new));
        let folded = (wide & 0xffff) + (wide >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        let sum = !(folded as u16);
        packet[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
pub(crate) mod tests;
