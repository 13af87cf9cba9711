use std::net::Ipv4Addr;

use manyway_sim::NatConfig;
use manyway_sim::nat::Protocol;

use super::*;
use crate::ipv4::tests::{is_sound, packet, ports};

const CLIENT: [u8; 4] = [10, 1, 0, 2];
const SERVER: [u8; 4] = [192, 0, 2, 2];
const PUBLIC: [u8; 4] = [192, 0, 2, 1];
const NOW: Instant = Instant::ZERO;

fn nat() -> Nat {
    Nat::new(NatConfig::symmetric(), PUBLIC.into(), 1)
}

fn udp(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    packet(
        17,
        from.0,
        to.0,
        &ports(from.1, to.1, &[0, 10, 0, 0, 4, 2]),
        6,
    )
}

/// "Port unreachable" from `from` to `to` about `about`, of which the first 28 bytes are quoted.
fn unreachable(from: [u8; 4], to: [u8; 4], about: &[u8]) -> Vec<u8> {
    packet(
        1,
        from,
        to,
        &[&[3, 3, 0, 0, 0, 0, 0, 0], &about[..28]].concat(),
        2,
    )
}

#[test]
fn a_datagram_goes_out_and_the_answer_comes_back() {
    let mut nat = nat();
    let mut out = udp((CLIENT, 9899), (SERVER, 53));
    assert!(outbound(&mut nat, NOW, &mut out));
    assert!(is_sound(&out));
    let public = ipv4::flow(&out).unwrap().source;
    assert_eq!(public.ip(), IpAddr::from(PUBLIC));
    assert_ne!(public.port(), 9899);

    let mut back = udp((SERVER, 53), (PUBLIC, public.port()));
    assert!(inbound(&mut nat, NOW, &mut back));
    assert!(is_sound(&back));
    assert_eq!(
        ipv4::flow(&back).unwrap().destination,
        SocketAddr::new(CLIENT.into(), 9899)
    );

    let mut stranger = udp((SERVER, 54), (PUBLIC, public.port()));
    assert!(!inbound(&mut nat, NOW, &mut stranger));
}

#[test]
fn errors_find_the_client_and_quote_its_own_packet() {
    let mut nat = nat();
    let original = udp((CLIENT, 9899), (SERVER, 53));
    let mut out = original.clone();
    assert!(outbound(&mut nat, NOW, &mut out));
    let mut error = unreachable(SERVER, PUBLIC, &out);
    assert!(inbound(&mut nat, NOW, &mut error));
    assert!(is_sound(&error));
    assert_eq!(
        ipv4::address(&error, End::Destination),
        Ipv4Addr::from(CLIENT)
    );
    assert_eq!(error[28..56], original[..28]);
}

#[test]
fn errors_of_the_client_reach_the_server_from_the_public_address() {
    let mut nat = nat();
    let mut out = udp((CLIENT, 9899), (SERVER, 53));
    assert!(outbound(&mut nat, NOW, &mut out));
    let public = ipv4::flow(&out).unwrap().source;
    let original = udp((SERVER, 53), (PUBLIC, public.port()));
    let mut back = original.clone();
    assert!(inbound(&mut nat, NOW, &mut back));
    let mut error = unreachable(CLIENT, SERVER, &back);
    assert!(outbound(&mut nat, NOW, &mut error));
    assert!(is_sound(&error));
    assert_eq!(ipv4::address(&error, End::Source), Ipv4Addr::from(PUBLIC));
    assert_eq!(error[28..56], original[..28]);
}

#[test]
fn errors_about_nothing_known_are_dropped() {
    let mut nat = nat();
    let unknown = udp((PUBLIC, 4000), (SERVER, 53));
    assert!(!inbound(
        &mut nat,
        NOW,
        &mut unreachable(SERVER, PUBLIC, &unknown)
    ));
    assert_eq!(nat.mappings(), 0);
    let inside = SocketAddr::new(CLIENT.into(), 1);
    let outside = SocketAddr::new(SERVER.into(), 2);
    assert_eq!(
        nat.lookup_outbound(NOW, Protocol::Udp, inside, outside),
        None
    );
}
