//! IP and UDP headers, and the Internet checksum.

use std::net::{IpAddr, SocketAddr};

/// The IP protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// Bytes of IP and UDP header in front of a datagram from or to this address.
pub fn udp_overhead(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => 20 + 8,
        IpAddr::V6(_) => 40 + 8,
    }
}

/// The Internet checksum, complemented, of the concatenation of `parts` (RFC 1071).
///
/// Each part but the last must have an even length, as headers have.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        let (pairs, rest) = part.as_chunks::<2>();
        sum += pairs
            .iter()
            .map(|&pair| u64::from(u16::from_be_bytes(pair)))
            .sum::<u64>();
        if let [last] = rest {
            sum += u64::from(*last) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IP packet with a UDP datagram in it, checksums included, as a raw capture or a TUN device
/// wants it.
///
/// `None` when the addresses are not of one family or the payload does not fit an IP packet.
pub fn udp_packet(
    source: SocketAddr,
    destination: SocketAddr,
    ecn: u8,
    payload: &[u8],
) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(payload.len() + 8).ok()?;
    let mut udp = [0; 8];
    udp[0..2].copy_from_slice(&source.port().to_be_bytes());
    udp[2..4].copy_from_slice(&destination.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    let mut packet = Vec::with_capacity(udp_overhead(source.ip()) + payload.len());
    let (addresses, tail) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = u16::try_from(payload.len() + 28).ok()?;
            packet.extend_from_slice(&[0x45, ecn & 3]);
            packet.extend_from_slice(&total.to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0x40, 0, 64, PROTOCOL_UDP, 0, 0]); // don't fragment
            packet.extend_from_slice(&from.octets());
            packet.extend_from_slice(&to.octets());
            let header = checksum(&[&packet]);
            packet[10..12].copy_from_slice(&header.to_be_bytes());
            (12..20, [0, PROTOCOL_UDP])
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend_from_slice(&[0x60, (ecn & 3) << 4, 0, 0]);
            packet.extend_from_slice(&udp_length.to_be_bytes());
            packet.extend_from_slice(&[PROTOCOL_UDP, 64]);
            packet.extend_from_slice(&from.octets());
            packet.extend_from_slice(&to.octets());
            (8..40, [0, PROTOCOL_UDP])
        }
        _ => return None,
    };
    let pseudo = &packet[addresses];
    let sum = match checksum(&[pseudo, &tail, &udp_length.to_be_bytes(), &udp, payload]) {
        0 => 0xffff, // zero would mean "no checksum" (RFC 768)
        sum => sum,
    };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(&udp);
    packet.extend_from_slice(payload);
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_rfc_1071_example() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&[&data]), !0xddf2);
        assert_eq!(checksum(&[&data[..4], &data[4..]]), !0xddf2);
    }

    #[test]
    fn headers_of_both_families_sum_up_to_zero() {
        let four = udp_packet(
            "192.0.2.1:9899".parse().unwrap(),
            "198.51.100.2:443".parse().unwrap(),
            2,
            b"odd",
        )
        .unwrap();
        assert_eq!(checksum(&[&four[..20]]), 0);
        assert_eq!(checksum(&[&four[12..20], &[0, 17, 0, 11], &four[20..]]), 0);
        let six = udp_packet(
            "[2001:db8::1]:9899".parse().unwrap(),
            "[2001:db8::2]:443".parse().unwrap(),
            1,
            b"even",
        )
        .unwrap();
        assert_eq!(six.len(), 40 + 8 + 4);
        assert_eq!(checksum(&[&six[8..40], &[0, 17, 0, 12], &six[40..]]), 0);
    }

    #[test]
    fn mixed_families_and_giants_are_refused() {
        let four = "192.0.2.1:1".parse().unwrap();
        assert_eq!(udp_packet(four, "[::1]:1".parse().unwrap(), 0, b""), None);
        assert_eq!(udp_packet(four, four, 0, &[0; 65_508]), None);
        assert!(udp_packet(four, four, 0, &[0; 65_507]).is_some());
    }
}
