//! Looking at IPv6 packets. No NAT here translates them: they pass as they are.

use std::net::Ipv6Addr;

/// Bytes of the IPv6 header without extensions.
const HEADER: usize = 40;
const HOP_LIMIT: usize = 7;

/// Whether `packet` begins with an IPv6 header and may leave its link: what hosts send to find
/// neighbours and routers may not.
pub(crate) fn is_routable(packet: &[u8]) -> bool {
    let is_ipv6 = packet.len() >= HEADER && packet[0] >> 4 == 6;
    is_ipv6 && [8, 24].into_iter().all(|at| is_global(address(packet, at)))
}

fn address(packet: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&packet[at..at + 16]);
    Ipv6Addr::from(octets)
}

fn is_global(address: Ipv6Addr) -> bool {
    !address.is_unicast_link_local() && !address.is_multicast() && !address.is_unspecified()
}

/// Takes one hop off the hop limit; false if none is left.
pub(crate) fn take_hop(packet: &mut [u8]) -> bool {
    if packet[HOP_LIMIT] <= 1 {
        return false;
    }
    packet[HOP_LIMIT] -= 1;
    true
}

/// Marks "congestion experienced" if the packet is ECN-capable (RFC 3168 section 5).
pub(crate) fn mark_congestion(packet: &mut [u8]) {
    // The traffic class lies across the first two bytes; ECN is its lowest two bits.
    if matches!((packet[1] >> 4) & 3, 1 | 2) {
        packet[1] |= 3 << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(source: &str, destination: &str) -> [u8; 48] {
        let mut packet = [0; 48];
        packet[0] = 0x60;
        packet[HOP_LIMIT] = 2;
        for (at, text) in [(8, source), (24, destination)] {
            let address: Ipv6Addr = text.parse().unwrap();
            packet[at..at + 16].copy_from_slice(&address.octets());
        }
        packet
    }

    #[test]
    fn only_global_packets_leave_their_link() {
        assert!(is_routable(&packet("2001:db8::1", "2001:db8:1::2")));
        for (source, destination) in [
            ("fe80::1", "2001:db8::2"),
            ("2001:db8::1", "fe80::2"),
            ("2001:db8::1", "ff02::2"),
            ("::", "2001:db8::2"),
        ] {
            assert!(!is_routable(&packet(source, destination)), "{destination}");
        }
        let good = packet("2001:db8::1", "2001:db8:1::2");
        assert!(!is_routable(&good[..39]));
        assert!(!is_routable(&[]));
    }

    #[test]
    fn hops_are_counted_down_to_one() {
        let mut packet = packet("2001:db8::1", "2001:db8:1::2");
        assert!(take_hop(&mut packet));
        assert_eq!(packet[HOP_LIMIT], 1);
        assert!(!take_hop(&mut packet));
    }

    #[test]
    fn only_capable_packets_are_marked() {
        let mut packet = packet("2001:db8::1", "2001:db8:1::2");
        mark_congestion(&mut packet);
        assert_eq!(packet[1], 0);
        packet[1] = 0x2f;
        mark_congestion(&mut packet);
        assert_eq!(packet[1], 0x3f, "the flow label stays");
    }
}
