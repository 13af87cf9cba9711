//! SCTP over IP itself, on the loopback interface of a namespace and through the kernel's ICMP.
#![allow(
    dead_code,
    reason = "not every test file uses everything that they share"
)]

mod common;

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use manyway_net::link::{self, Network};
use manyway_net::raw::{MAX_PORTS, RawSocket};
use manyway_net::udp::{Datagrams, Ecn, IcmpErrorKind, Quote, RecvBatch};

use common::{PATIENCE, in_namespace, is_root};

const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// An address where nobody speaks SCTP.
const NOBODY_IPV6: Network =
    Network::new(IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9)), 128);

/// What is enough of an SCTP packet for a filter.
fn packet(port: u16, len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|at| at as u8).collect();
    packet[2..4].copy_from_slice(&port.to_be_bytes());
    packet
}

fn send(socket: &RawSocket, to: IpAddr, contents: &[u8]) {
    let datagrams = Datagrams {
        destination: SocketAddr::new(to, 0),
        source: None,
        ecn: Some(Ecn::Ect0),
        segment_size: None,
        contents,
    };
    socket
        .packets()
        .try_send(&datagrams)
        .expect("the packet can be sent");
}

async fn recv(socket: &RawSocket, count: usize) -> Vec<(SocketAddr, Option<Ecn>, Bytes)> {
    let mut batch = RecvBatch::default();
    let mut all = Vec::new();
    while all.len() < count {
        poll_fn(|cx| socket.packets().poll_recv(cx, &mut batch))
            .await
            .expect("receiving works");
        for received in batch.drain() {
            let (from, ecn) = (received.source, received.ecn);
            all.extend(received.segments.map(|bytes| (from, ecn, bytes)));
        }
    }
    all
}

#[test]
fn packets_for_the_socket_s_ports_arrive_without_ip_header_and_others_do_not() {
    if !is_root() {
        return;
    }
    in_namespace(|| async {
        link::set_up("lo").expect("the loopback interface can be brought up");
        for address in LOOPBACKS {
            let sender = RawSocket::bind(address, None).expect("root may");
            let receiver = RawSocket::bind(address, Some("lo")).expect("root may");
            assert_eq!(receiver.packets().local_addr(), SocketAddr::new(address, 0));
            send(&sender, address, &packet(7, 20)); // nobody listens yet
            receiver.set_ports(&[7, 9]).expect("a filter can be set");
            for (port, len) in [(7, 12), (8, 13), (9, 1400), (7, 40_000)] {
                send(&sender, address, &packet(port, len));
            }
            let got = recv(&receiver, 3).await;
            for ((from, ecn, bytes), (port, len)) in
                got.into_iter().zip([(7, 12), (9, 1400), (7, 40_000)])
            {
                assert_eq!(from, SocketAddr::new(address, 0));
                assert_eq!(ecn, Some(Ecn::Ect0));
                assert_eq!(&bytes[..], &packet(port, len)[..]);
            }
        }
    });
}

#[test]
fn more_ports_than_a_filter_can_name_let_everything_pass() {
    if !is_root() {
        return;
    }
    in_namespace(|| async {
        link::set_up("lo").expect("the loopback interface can be brought up");
        let socket = RawSocket::bind(LOOPBACKS[0], None).expect("root may");
        let ports: Vec<u16> = (0..=MAX_PORTS as u16).collect();
        for (ports, passes) in [(&ports[1..], 5), (&ports[..], 60_000)] {
            socket.set_ports(ports).expect("a filter can be set");
            send(&socket, LOOPBACKS[0], &packet(passes, 20));
            assert_eq!(recv(&socket, 1).await[0].2, packet(passes, 20));
        }
    });
}

/// The kernel of a host without SCTP says so.
#[test]
fn a_host_without_sctp_is_reported() {
    if !is_root() {
        return;
    }
    in_namespace(|| async {
        link::set_up("lo").expect("the loopback interface can be brought up");
        link::add_address("lo", NOBODY_IPV6).expect("another address can be had");
        let nobody = [Ipv4Addr::new(127, 0, 0, 9).into(), NOBODY_IPV6.address];
        for (local, nobody) in LOOPBACKS.into_iter().zip(nobody) {
            let socket = RawSocket::bind(local, None).expect("root may");
            let sent = packet(7, 20);
            let answer = async {
                loop {
                    send(&socket, nobody, &sent);
                    let error = poll_fn(|cx| socket.packets().poll_error(cx)).await;
                    match error.expect("the error queue can be read") {
                        // The kernel still makes the address one of its own.
                        error if error.kind == IcmpErrorKind::NetUnreachable => {}
                        error => break error,
                    }
                }
            };
            let error = tokio::time::timeout(PATIENCE, answer)
                .await
                .expect("ICMP comes at once");
            assert_eq!(error.kind, IcmpErrorKind::ProtocolUnreachable);
            assert_eq!(error.destination.ip(), nobody);
            assert_eq!(error.source_ip, Some(local));
            assert_eq!(error.quote.as_bytes(), &sent[..Quote::MAX_LEN]);
        }
    });
}

/// As long as a raw socket has the address, the kernel tells nobody that SCTP is unknown.
#[test]
fn the_kernel_keeps_silent_about_ports_that_nobody_has() {
    if !is_root() {
        return;
    }
    in_namespace(|| async {
        link::set_up("lo").expect("the loopback interface can be brought up");
        let here = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
        let there = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        let _open = RawSocket::bind(there, None).expect("root may");
        let socket = RawSocket::bind(here, None).expect("root may");
        send(&socket, there, &packet(7, 20));
        let wait = Duration::from_millis(200);
        let error = tokio::time::timeout(wait, poll_fn(|cx| socket.packets().poll_error(cx)));
        assert!(error.await.is_err());
    });
}
