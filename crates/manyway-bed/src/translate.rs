//! A NAT's decisions, carried out on packets.

use std::net::{IpAddr, SocketAddr};

use manyway_sim::Instant;
use manyway_sim::nat::Nat;

use crate::ipv4::{self, End};

/// Translates a packet on its way out; false if it has to be dropped.
pub(crate) fn outbound(nat: &mut Nat, now: Instant, packet: &mut [u8]) -> bool {
    if let Some(at) = ipv4::quoted(packet) {
        // The client complains about a packet that was translated on its way in.
        return translate_quote(packet, at, End::Destination, |flow| {
            nat.lookup_outbound(now, flow.protocol, flow.destination, flow.source)
        });
    }
    let Some(flow) = ipv4::flow(packet) else {
        return false;
    };
    match nat.outbound(now, flow.protocol, flow.source, flow.destination) {
        Ok(public) => ipv4::rewrite(packet, &flow, End::Source, public),
        Err(_) => return false, // counted by the NAT
    }
    true
}

/// Translates a packet on its way in; false if it has to be dropped.
pub(crate) fn inbound(nat: &mut Nat, now: Instant, packet: &mut [u8]) -> bool {
    if let Some(at) = ipv4::quoted(packet) {
        // The server complains about a packet that was translated on its way out.
        return translate_quote(packet, at, End::Source, |flow| {
            nat.lookup_inbound(now, flow.protocol, flow.destination, flow.source)
                .ok()
        });
    }
    let Some(flow) = ipv4::flow(packet) else {
        return false;
    };
    match nat.inbound(now, flow.protocol, flow.source, flow.destination) {
        Ok(inside) => ipv4::rewrite(packet, &flow, End::Destination, inside),
        Err(_) => return false, // counted by the NAT
    }
    true
}

/// Translates an ICMP error and, at `end`, the packet it quotes from offset `at` on.
fn translate_quote(
    packet: &mut [u8],
    at: usize,
    end: End,
    lookup: impl FnOnce(&ipv4::Flow) -> Option<SocketAddr>,
) -> bool {
    let Some(flow) = ipv4::flow(&packet[at..]) else {
        return false;
    };
    let Some(translated) = lookup(&flow) else {
        return false;
    };
    let IpAddr::V4(address) = translated.ip() else {
        return false;
    };
    ipv4::rewrite(&mut packet[at..], &flow, end, translated);
    // The error travels against the packet it quotes.
    let outer = match end {
        End::Source => End::Destination,
        End::Destination => End::Source,
    };
    ipv4::rewrite_header(packet, outer, address);
    ipv4::seal_icmp(packet);
    true
}

#[cfg(test)]
mod tests;
