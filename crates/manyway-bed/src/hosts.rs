//! The interfaces, addresses and routes of a bed's two hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use manyway_net::link::{self, LinkError, Network, Route, Rule};
use manyway_net::tun::{Tun, TunOptions};

use crate::BedError;

/// The client's IPv6 address on a path.
pub(crate) fn client_ipv6(index: usize) -> Ipv6Addr {
    ipv6(0, index)
}

/// The server's IPv6 address on a path.
pub(crate) fn server_ipv6(index: usize) -> Ipv6Addr {
    ipv6(1, index)
}

/// An address of the documentation prefix (RFC 3849).
fn ipv6(host: u16, index: usize) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, host, index as u16 + 1, 0, 0, 0, 2)
}

fn add_interface(name: &str, address: Ipv4Addr) -> Result<Tun, BedError> {
    let tun = Tun::open(
        name,
        &TunOptions {
            mtu: Some(1500),
            up: true,
        },
    )?;
    link::add_address(name, Network::new(IpAddr::V4(address), 24))?;
    Ok(tun)
}

/// The client's end: what is sent from its addresses leaves by it, whatever other paths there are.
pub(crate) fn add_client_side(
    name: &str,
    address: Ipv4Addr,
    index: usize,
    ipv6: bool,
) -> Result<Tun, BedError> {
    let tun = add_interface(name, address)?;
    add_client_rule(address.into(), index)?;
    if ipv6 {
        add_client_rule(client_ipv6(index).into(), index)?;
    }
    add_client_routes(name, index, ipv6)?;
    Ok(tun)
}

/// What an interface that was down needs to work again.
pub(crate) fn plug_client_side(name: &str, index: usize, ipv6: bool) -> Result<(), LinkError> {
    link::set_up(name)?;
    add_client_routes(name, index, ipv6)
}

fn add_client_rule(address: IpAddr, index: usize) -> Result<(), LinkError> {
    link::add_rule(&Rule {
        from: Network::from(address),
        table: client_table(index),
        priority: None,
    })
}

/// The routing table of what is sent from the client's addresses on a path.
fn client_table(index: usize) -> u32 {
    101 + index as u32
}

/// What vanishes when the interface goes down: the client's routes over it, and its IPv6 address.
fn add_client_routes(name: &str, index: usize, ipv6: bool) -> Result<(), LinkError> {
    add_default_routes(name, index, Ipv4Addr::UNSPECIFIED.into())?;
    if ipv6 {
        link::add_address(name, Network::new(client_ipv6(index).into(), 64))?;
        add_default_routes(name, index, Ipv6Addr::UNSPECIFIED.into())?;
    }
    Ok(())
}

fn add_default_routes(name: &str, index: usize, anywhere: IpAddr) -> Result<(), LinkError> {
    let default = Route {
        interface: Some(name.to_owned()),
        ..Route::new(Network::new(anywhere, 0))
    };
    link::add_route(&Route {
        table: Some(client_table(index)),
        ..default.clone()
    })?;
    // Those who do not choose an address get the first path.
    link::add_route(&Route {
        metric: Some(10 * (index as u32 + 1)),
        ..default
    })
}

/// The server's end: the NAT's addresses are in its network; without a NAT, and in IPv6, the
/// client's address needs a route.
pub(crate) fn add_server_side(
    name: &str,
    address: Ipv4Addr,
    private: Option<Ipv4Addr>,
    ipv6: Option<usize>,
) -> Result<Tun, BedError> {
    let tun = add_interface(name, address)?;
    if let Some(index) = ipv6 {
        let network = Network::new(server_ipv6(index).into(), 64);
        link::add_address(name, network)?;
    }
    let clients = [
        private.map(IpAddr::V4),
        ipv6.map(|index| IpAddr::V6(client_ipv6(index))),
    ];
    for client in clients.into_iter().flatten() {
        let interface = Some(name.to_owned());
        link::add_route(&Route {
            interface,
            ..Route::new(Network::from(client))
        })?;
    }
    Ok(tun)
}
