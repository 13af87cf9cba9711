//! Routers whose links carry less than the hosts', and what they report (RFC 8899, section 4.6).

use std::net::{IpAddr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use manyway::{Association, Carrier, Endpoint, UDP_PORT};
use manyway_net::link::{self, Network, Route};
use manyway_net::namespace::Namespace;
use socket2::{Domain, Protocol, Socket, Type};

use crate::world::{ONE, between, config, exchange, is_root, until};

/// The addresses of client, first router (twice), second router (twice) and server.
const V4: [&str; 6] = [
    "10.1.0.2",
    "10.1.0.1",
    "10.9.0.1",
    "10.9.0.2",
    "192.0.2.1",
    "192.0.2.2",
];
const V6: [&str; 6] = [
    "2001:db8:1::2",
    "2001:db8:1::1",
    "2001:db8:9::1",
    "2001:db8:9::2",
    "2001:db8:2::1",
    "2001:db8:2::2",
];

/// Two hosts with two routers between them, all of them Linux.
struct Chain {
    client: Namespace,
    routers: [Namespace; 2],
    server: Namespace,
}

impl Chain {
    fn build() -> Self {
        let new = || Namespace::new().unwrap();
        let chain = Self {
            client: new(),
            routers: [new(), new()],
            server: new(),
        };
        let [first, second] = &chain.routers;
        let links = [
            (&chain.client, first, ["out", "near"], 0),
            (first, second, ["far", "near"], 2),
            (second, &chain.server, ["far", "out"], 4),
        ];
        for (left, right, [name, peer], at) in links {
            let create = || link::create_veth(name, peer, Some(std::os::fd::AsFd::as_fd(right)));
            left.enter(create).unwrap().unwrap();
            for (host, name, at) in [(left, name, at), (right, peer, at + 1)] {
                let set_up = || {
                    link::set_up(name)?;
                    link::add_address(name, Network::new(ip(V4[at]), 24))?;
                    link::add_address(name, Network::new(ip(V6[at]), 64))
                };
                host.enter(set_up).unwrap().unwrap();
            }
        }
        for (host, gateway) in [
            (&chain.client, 1),
            (first, 3),
            (second, 2),
            (&chain.server, 4),
        ] {
            host.enter(|| add_default_routes(gateway)).unwrap();
        }
        for router in &chain.routers {
            let forward = || {
                std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
                std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
            };
            router.enter(forward).unwrap();
        }
        chain
    }

    /// Changes what the link between the routers carries.
    fn narrow(&self, mtu: u32) {
        for (router, name) in self.routers.iter().zip(["far", "near"]) {
            let set = || link::set_mtu(name, mtu);
            router.enter(set).unwrap().unwrap();
        }
    }

    fn run(
        &self,
        addresses: [&str; 6],
        carrier: Carrier,
        test: impl AsyncFnOnce(&Endpoint, &Association) + Send,
    ) {
        let configs = [addresses[0], addresses[5]].map(|own| {
            let mut config = config(&[own], carrier);
            // Long enough that no timer finds out first.
            config.transport.rto_min = Duration::from_secs(10);
            config
        });
        between([&self.client, &self.server], configs, test);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn add_default_routes(gateway: usize) {
    for addresses in [V4, V6] {
        let gateway = ip(addresses[gateway]);
        let anywhere: IpAddr = match gateway {
            IpAddr::V4(_) => ip("0.0.0.0"),
            IpAddr::V6(_) => ip("::"),
        };
        link::add_route(&Route {
            gateway: Some(gateway),
            ..Route::new(Network::new(anywhere, 0))
        })
        .unwrap();
    }
}

fn mtu_of(peer: &Association) -> usize {
    peer.paths()[0].mtu
}

/// Packets become as small as a router wants them, without any timer's help.
fn a_smaller_link_is_learned_from_its_router(addresses: [&str; 6], carrier: Carrier) {
    if !is_root() {
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let chain = Chain::build();
    let (udp, ipv6) = (carrier == Carrier::Udp, ip(addresses[0]).is_ipv6());
    let headers = if ipv6 { 40 } else { 20 } + if udp { 8 } else { 0 };
    chain.run(addresses, carrier, async |_, peer| {
        until("large packets", || mtu_of(peer) > 1_400).await;
        exchange(peer, 12).await;
        chain.narrow(1_300);
        exchange(peer, 12).await;
        until("packets of the new size", || {
            mtu_of(peer) == (1_300 - headers) & !3
        })
        .await;
        exchange(peer, 12).await;
        assert_eq!(peer.stats().timeouts, 0);
    });
}

#[test]
fn a_smaller_link_is_learned_from_its_router_over_ipv4() {
    a_smaller_link_is_learned_from_its_router(V4, Carrier::Udp);
}

#[test]
fn a_smaller_link_is_learned_from_its_router_over_ipv6() {
    a_smaller_link_is_learned_from_its_router(V6, Carrier::Udp);
}

#[test]
fn a_smaller_link_is_learned_from_its_router_without_udp() {
    a_smaller_link_is_learned_from_its_router(V4, Carrier::Raw);
    a_smaller_link_is_learned_from_its_router(V6, Carrier::Raw);
}

/// "Fragmentation needed" about a packet of the client to the server, from the right ports but
/// with a verification tag that is not theirs.
fn forged_too_big(mtu: u16) -> Vec<u8> {
    let mut message = vec![3, 4, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend([0x45, 0, 5, 220, 0, 0, 0x40, 0, 60, 17, 0, 0]);
    for address in [V4[0], V4[5]] {
        let IpAddr::V4(address) = ip(address) else {
            unreachable!("these are IPv4 addresses");
        };
        message.extend(address.octets());
    }
    let port = UDP_PORT.to_be_bytes();
    message.extend([port, port, 1_480_u16.to_be_bytes(), [0, 0]].concat());
    message.extend([0x80, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0]);
    let sum = message
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
    let sum: u32 = sum.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
//= type=test
//# A PTB message that does not complete the validation MUST NOT be further utilized by the DPLPMTUD method
#[test]
fn a_forged_report_is_counted_and_changes_nothing() {
    if !is_root() {
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let chain = Chain::build();
    chain.run(V4, Carrier::Udp, async |endpoint, peer| {
        until("large packets", || mtu_of(peer) > 1_400).await;
        let before = mtu_of(peer);
        let forge = || {
            let icmp = Some(Protocol::ICMPV4);
            let socket = Socket::new(Domain::IPV4, Type::RAW, icmp).unwrap();
            let client = SocketAddr::new(ip(V4[0]), 0);
            socket
                .send_to(&forged_too_big(1_280), &client.into())
                .unwrap();
        };
        chain.routers[0].enter(forge).unwrap();
        until("the report is seen", || {
            endpoint.stats().ignored_too_big == 1
        })
        .await;
        exchange(peer, 12).await;
        assert_eq!(mtu_of(peer), before);
    });
}
