//! Which way the kernel would send.

use std::io;
use std::net::IpAddr;

use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink::Netlink;

/// The kernel's answer about a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The source address that packets carry.
    pub source: IpAddr,
    /// The name of the interface that they leave by.
    pub interface: String,
    /// The index of that interface.
    pub index: u32,
    /// The next hop; `None` when the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The route's MTU in bytes, or else the interface's.
    pub mtu: u32,
}

/// The route to `destination`, for packets whose source is `from` if one is given. Rules that
/// look at the source address are obeyed.
///
/// # Errors
/// `NetworkUnreachable` or `HostUnreachable` without a route, `EINVAL` when `from` is not an
/// address of this machine, else what the system says.
pub fn to(destination: IpAddr, from: Option<IpAddr>) -> io::Result<RouteInfo> {
    lookup(destination, from, None)
}

/// The route to `destination` for a socket that is tied to the interface with this index.
///
/// # Errors
/// As [`to`].
pub fn through(destination: IpAddr, from: Option<IpAddr>, interface: u32) -> io::Result<RouteInfo> {
    lookup(destination, from, Some(interface))
}

fn lookup(
    destination: IpAddr,
    from: Option<IpAddr>,
    interface: Option<u32>,
) -> io::Result<RouteInfo> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(destination);
    message.header.destination_prefix_length = host_prefix(destination);
    message
        .attributes
        .push(RouteAttribute::Destination(destination.into()));
    if let Some(from) = from {
        message.header.source_prefix_length = host_prefix(from);
        message.attributes.push(RouteAttribute::Source(from.into()));
    }
    if let Some(interface) = interface {
        message.attributes.push(RouteAttribute::Oif(interface));
    }
    let answers = Netlink::open()?.request(RouteNetlinkMessage::GetRoute(message), 0)?;
    let route = answers.into_iter().find_map(|answer| match answer {
        RouteNetlinkMessage::NewRoute(route) => Some(route),
        _ => None,
    });
    let unreachable = || io::Error::from(io::ErrorKind::NetworkUnreachable);
    let route = route.ok_or_else(unreachable)?;
    if !matches!(route.header.kind, RouteType::Unicast | RouteType::Local) {
        return Err(unreachable());
    }
    resolve(&route, from)?.ok_or_else(unreachable)
}

/// Completes the kernel's answer: it omits a source that was asked for, and default MTUs.
fn resolve(route: &RouteMessage, from: Option<IpAddr>) -> io::Result<Option<RouteInfo>> {
    let mut preferred = None;
    let mut gateway = None;
    let mut output = None;
    let mut route_mtu = None;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::PrefSource(address) => preferred = ip(address),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => gateway = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some((*address).into()),
            RouteAttribute::Oif(index) => output = Some(*index),
            RouteAttribute::Metrics(metrics) => {
                route_mtu = metrics.iter().find_map(|metric| match metric {
                    RouteMetric::Mtu(mtu) => Some(*mtu),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    let (Some(source), Some(index)) = (from.or(preferred), output) else {
        return Ok(None);
    };
    let Some(interface) = super::interfaces()?
        .into_iter()
        .find(|one| one.index == index)
    else {
        return Ok(None);
    };
    Ok(Some(RouteInfo {
        source,
        interface: interface.name,
        index,
        gateway,
        mtu: route_mtu.filter(|mtu| *mtu != 0).unwrap_or(interface.mtu),
    }))
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// Netlink's name for the address's family.
pub(crate) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The prefix length that means exactly this address.
pub(crate) fn host_prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}
