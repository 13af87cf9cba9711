use super::*;

/// A packet with correct checksums, carrying `transport` whose checksum is at `checksum`.
pub(crate) fn packet(
    protocol: u8,
    from: [u8; 4],
    to: [u8; 4],
    transport: &[u8],
    checksum: usize,
) -> Vec<u8> {
    let total = u16::try_from(20 + transport.len()).unwrap().to_be_bytes();
    let mut packet = vec![
        0x45, 0, total[0], total[1], 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0,
    ];
    packet.extend_from_slice(&from);
    packet.extend_from_slice(&to);
    let header = inet::checksum(&[&packet]);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    packet.extend_from_slice(transport);
    packet[20 + checksum..22 + checksum].fill(0);
    let sum = transport_sum(&packet);
    packet[20 + checksum..22 + checksum].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Zero if the transport's checksum is right.
pub(crate) fn transport_sum(packet: &[u8]) -> u16 {
    let transport = &packet[20..];
    let length = u16::try_from(transport.len()).unwrap().to_be_bytes();
    match packet[9] {
        ICMP => inet::checksum(&[transport]),
        protocol => inet::checksum(&[&packet[12..20], &[0, protocol], &length, transport]),
    }
}

pub(crate) fn is_sound(packet: &[u8]) -> bool {
    inet::checksum(&[&packet[..20]]) == 0 && transport_sum(packet) == 0
}

pub(crate) fn ports(from: u16, to: u16, rest: &[u8]) -> Vec<u8> {
    [&from.to_be_bytes()[..], &to.to_be_bytes(), rest].concat()
}

fn tcp() -> Vec<u8> {
    packet(
        TCP,
        [10, 1, 0, 2],
        [192, 0, 2, 2],
        &ports(40_000, 80, &[7; 29]),
        16,
    )
}

fn udp() -> Vec<u8> {
    packet(
        UDP,
        [10, 1, 0, 2],
        [192, 0, 2, 2],
        &ports(9899, 53, &[0, 13, 0, 0, 1, 2, 3, 4, 5]),
        6,
    )
}

fn echo(kind: u8) -> Vec<u8> {
    packet(
        ICMP,
        [10, 1, 0, 2],
        [192, 0, 2, 2],
        &[kind, 0, 0, 0, 0x12, 0x34, 0, 1, 9, 9],
        2,
    )
}

fn rewritten(packet: &[u8], end: End, to: &str) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let flow = flow(&packet).unwrap();
    rewrite(&mut packet, &flow, end, to.parse().unwrap());
    packet
}

#[test]
fn tcp_udp_and_echo_keep_right_checksums_through_a_rewrite_of_either_end() {
    for packet in [tcp(), udp(), echo(8), echo(0)] {
        assert!(is_sound(&packet));
        for end in [End::Source, End::Destination] {
            let new = rewritten(&packet, end, "203.0.113.77:61234");
            assert!(is_sound(&new), "{end:?} {new:?}");
            assert_eq!(address(&new, end), Ipv4Addr::new(203, 0, 113, 77));
        }
    }
    let there = flow(&rewritten(&udp(), End::Source, "203.0.113.77:61234")).unwrap();
    assert_eq!(there.source, "203.0.113.77:61234".parse().unwrap());
    let back = flow(&rewritten(&tcp(), End::Destination, "203.0.113.77:61234")).unwrap();
    assert_eq!(back.destination, "203.0.113.77:61234".parse().unwrap());
}

#[test]
fn the_identifier_of_an_echo_is_the_port_of_who_asks() {
    let request = flow(&rewritten(&echo(8), End::Source, "192.0.2.1:777")).unwrap();
    assert_eq!(
        (request.source.port(), request.destination.port()),
        (777, 0)
    );
    let reply = flow(&rewritten(&echo(0), End::Destination, "10.1.0.2:778")).unwrap();
    assert_eq!((reply.source.port(), reply.destination.port()), (0, 778));
}

#[test]
fn damage_stays_recognizable() {
    let mut damaged = tcp();
    *damaged.last_mut().unwrap() ^= 0x40;
    assert_ne!(
        transport_sum(&rewritten(&damaged, End::Source, "192.0.2.1:5")),
        0
    );
}

#[test]
fn udp_without_a_checksum_stays_without_and_never_gets_a_zero_by_chance() {
    let mut none = udp();
    none[26..28].fill(0);
    assert_eq!(rewritten(&none, End::Source, "192.0.2.1:5")[26..28], [0, 0]);
    for port in 0..=u16::MAX {
        let to = SocketAddr::new([192, 0, 2, 1].into(), port);
        let mut packet = udp();
        let flow = flow(&packet).unwrap();
        rewrite(&mut packet, &flow, End::Source, to);
        assert_ne!(packet[26..28], [0, 0], "{port}");
    }
}

#[test]
fn hops_and_marks_keep_the_header_sound() {
    let mut packet = udp();
    mark_congestion(&mut packet);
    assert_eq!(packet[1], 0); // not ECN-capable
    packet[1] = 2;
    packet[10..12].fill(0);
    let sum = inet::checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    mark_congestion(&mut packet);
    assert_eq!(packet[1], 3);
    let hops = std::iter::from_fn(|| take_hop(&mut packet).then_some(())).count();
    assert_eq!((hops, packet[8]), (63, 1));
    assert!(is_sound(&packet));
}

#[test]
fn no_truncation_of_any_packet_panics() {
    let error = packet(
        ICMP,
        [1, 1, 1, 1],
        [2, 2, 2, 2],
        &[&[3, 3, 0, 0, 0, 0, 0, 0], &udp()[..]].concat(),
        2,
    );
    for whole in [tcp(), udp(), echo(8), error] {
        for len in 0..whole.len() {
            let mut cut = whole[..len].to_vec();
            if header_len(&cut).is_none() {
                continue;
            }
            take_hop(&mut cut);
            is_foreign(&cut);
            seal_icmp(&mut cut);
            if let Some(flow) = flow(&cut) {
                rewrite(&mut cut, &flow, End::Source, "192.0.2.1:5".parse().unwrap());
            }
            if let Some(at) = quoted(&cut) {
                flow(&cut[at..]);
            }
        }
    }
}

#[test]
fn fragments_and_other_protocols_have_no_flow() {
    let mut fragment = udp();
    fragment[7] = 1;
    assert_eq!(flow(&fragment), None);
    assert!(is_foreign(&fragment));
    let mut sctp = udp();
    sctp[9] = 132;
    assert!(is_foreign(&sctp));
    assert_eq!(flow(&[0x60; 40]), None);
}
