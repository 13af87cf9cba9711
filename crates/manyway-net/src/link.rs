//! Setting up links, addresses, routes and rules, without any external command.
//!
//! Each function makes one request to the kernel, in the network namespace of the calling thread,
//! and waits for its acknowledgement. All need `CAP_NET_ADMIN` there.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use crate::interfaces::route::{family, host_prefix};
use crate::netlink::Netlink;

/// `RT_TABLE_MAIN`.
const MAIN_TABLE: u32 = RouteHeader::RT_TABLE_MAIN as u32;

/// A change to the network that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}: {source}{}", hint(source))]
pub struct LinkError {
    operation: String,
    source: io::Error,
}

impl LinkError {
    fn new(operation: impl Display, source: io::Error) -> Self {
        Self {
            operation: operation.to_string(),
            source,
        }
    }

    /// What the kernel said.
    pub fn io(&self) -> &io::Error {
        &self.source
    }

    /// What was refused, in words.
    pub fn operation(&self) -> &str {
        &self.operation
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "; it needs CAP_NET_ADMIN in this network namespace",
        _ => "",
    }
}

/// A network: an address and the length of its prefix in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// An address of the network.
    pub address: IpAddr,
    /// Length of the prefix in bits.
    pub prefix_len: u8,
}

impl Network {
    /// `address/prefix_len`.
    pub const fn new(address: IpAddr, prefix_len: u8) -> Self {
        Self {
            address,
            prefix_len,
        }
    }
}

impl Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// A route. At least one of `gateway` and `interface` has to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads; a prefix length of 0 makes it the default route.
    pub destination: Network,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The name of the interface.
    pub interface: Option<String>,
    /// The source address that packets get when they have none.
    pub source: Option<IpAddr>,
    /// The table; `None` is the main table.
    pub table: Option<u32>,
    /// The lower the better.
    pub metric: Option<u32>,
}

impl Route {
    /// A route to `destination` in the main table, with nothing else set yet.
    pub const fn new(destination: Network) -> Self {
        Self {
            destination,
            gateway: None,
            interface: None,
            source: None,
            table: None,
            metric: None,
        }
    }
}

/// A rule that sends packets with a source address to a routing table of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The source addresses that it is about.
    pub from: Network,
    /// The table to look in.
    pub table: u32,
    /// Its place among the rules; `None` lets the kernel choose.
    pub priority: Option<u32>,
}

/// The index of the interface with this name.
///
/// # Errors
/// `ENODEV` when there is none.
pub fn index_of(name: &str) -> Result<u32, LinkError> {
    find(name).map_err(|source| LinkError::new(format_args!("find interface {name}"), source))
}

/// Brings a link up.
///
/// # Errors
/// What the kernel says.
pub fn set_up(name: &str) -> Result<(), LinkError> {
    set_flags(name, LinkFlags::Up)
        .map_err(|source| LinkError::new(format_args!("bring {name} up"), source))
}

/// Takes a link down.
///
/// # Errors
/// What the kernel says.
pub fn set_down(name: &str) -> Result<(), LinkError> {
    set_flags(name, LinkFlags::empty())
        .map_err(|source| LinkError::new(format_args!("take {name} down"), source))
}

/// Sets a link's MTU, in bytes.
///
/// # Errors
/// What the kernel says.
pub fn set_mtu(name: &str, mtu: u32) -> Result<(), LinkError> {
    let set = || {
        let mut message = LinkMessage::default();
        message.header.index = find(name)?;
        message.attributes.push(LinkAttribute::Mtu(mtu));
        request(RouteNetlinkMessage::SetLink(message), 0)
    };
    set().map_err(|source| LinkError::new(format_args!("set the MTU of {name} to {mtu}"), source))
}

/// Deletes a link; of a veth pair, both ends.
///
/// # Errors
/// What the kernel says.
pub fn delete(name: &str) -> Result<(), LinkError> {
    let delete = || {
        let mut message = LinkMessage::default();
        message.header.index = find(name)?;
        request(RouteNetlinkMessage::DelLink(message), 0)
    };
    delete().map_err(|source| LinkError::new(format_args!("delete {name}"), source))
}

/// Creates a pair of virtual Ethernet links: `name` here, `peer` in the network namespace that
/// `peer_namespace` refers to, or here as well. Both are down.
///
/// # Errors
/// What the kernel says.
pub fn create_veth(
    name: &str,
    peer: &str,
    peer_namespace: Option<BorrowedFd<'_>>,
) -> Result<(), LinkError> {
    let mut other = LinkMessage::default();
    other
        .attributes
        .push(LinkAttribute::IfName(peer.to_owned()));
    if let Some(namespace) = peer_namespace {
        other
            .attributes
            .push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
    }
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::IfName(name.to_owned()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
    ]));
    request(
        RouteNetlinkMessage::NewLink(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
    .map_err(|source| {
        LinkError::new(
            format_args!("create the veth pair {name} and {peer}"),
            source,
        )
    })
}

/// Gives a link an address. It is usable at once: IPv6 duplicate detection is left out, because
/// this is for networks that nobody else configures.
///
/// # Errors
/// What the kernel says.
pub fn add_address(name: &str, address: Network) -> Result<(), LinkError> {
    let add = || {
        let mut message = address_message(name, address)?;
        if address.address.is_ipv6() {
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        request(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    };
    add().map_err(|source| LinkError::new(format_args!("add {address} to {name}"), source))
}

/// Takes an address from a link.
///
/// # Errors
/// What the kernel says.
pub fn remove_address(name: &str, address: Network) -> Result<(), LinkError> {
    let remove = || {
        let message = address_message(name, address)?;
        request(RouteNetlinkMessage::DelAddress(message), 0)
    };
    remove().map_err(|source| LinkError::new(format_args!("remove {address} from {name}"), source))
}

/// Adds a route.
///
/// # Errors
/// What the kernel says.
pub fn add_route(route: &Route) -> Result<(), LinkError> {
    route_message(route)
        .and_then(|message| {
            request(
                RouteNetlinkMessage::NewRoute(message),
                NLM_F_CREATE | NLM_F_EXCL,
            )
        })
        .map_err(|source| {
            LinkError::new(
                format_args!("add the route to {}", route.destination),
                source,
            )
        })
}

/// Removes a route.
///
/// # Errors
/// What the kernel says.
pub fn remove_route(route: &Route) -> Result<(), LinkError> {
    route_message(route)
        .and_then(|message| request(RouteNetlinkMessage::DelRoute(message), 0))
        .map_err(|source| {
            LinkError::new(
                format_args!("remove the route to {}", route.destination),
                source,
            )
        })
}

/// Adds a rule.
///
/// # Errors
/// What the kernel says.
pub fn add_rule(rule: &Rule) -> Result<(), LinkError> {
    let mut message = RuleMessage::default();
    message.header.family = family(rule.from.address);
    message.header.src_len = rule.from.prefix_len;
    message.header.action = RuleAction::ToTable;
    message.header.table = short_table(rule.table);
    message
        .attributes
        .push(RuleAttribute::Source(rule.from.address));
    message.attributes.push(RuleAttribute::Table(rule.table));
    if let Some(priority) = rule.priority {
        message.attributes.push(RuleAttribute::Priority(priority));
    }
    request(
        RouteNetlinkMessage::NewRule(message),
        NLM_F_CREATE | NLM_F_EXCL,
    )
    .map_err(|source| {
        let Rule { from, table, .. } = rule;
        LinkError::new(
            format_args!("add the rule from {from} to table {table}"),
            source,
        )
    })
}

fn request(message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
    Netlink::open()?.request(message, flags).map(drop)
}

fn find(name: &str) -> io::Result<u32> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice, socket_with};
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(netdevice::name_to_index(&socket, name)?)
}

fn set_flags(name: &str, flags: LinkFlags) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = find(name)?;
    message.header.flags = flags;
    message.header.change_mask = LinkFlags::Up;
    request(RouteNetlinkMessage::SetLink(message), 0)
}

fn address_message(name: &str, address: Network) -> io::Result<AddressMessage> {
    let mut message = AddressMessage::default();
    message.header.family = family(address.address);
    message.header.prefix_len = address.prefix_len;
    message.header.index = find(name)?;
    message
        .attributes
        .push(AddressAttribute::Local(address.address));
    message
        .attributes
        .push(AddressAttribute::Address(address.address));
    Ok(message)
}

fn route_message(route: &Route) -> io::Result<RouteMessage> {
    let mut message = RouteMessage::default();
    let table = route.table.unwrap_or(MAIN_TABLE);
    message.header.address_family = family(route.destination.address);
    message.header.destination_prefix_length = route.destination.prefix_len;
    message.header.table = short_table(table);
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    if route.gateway.is_none() {
        message.header.scope = RouteScope::Link;
    }
    if route.destination.prefix_len > 0 {
        message.attributes.push(RouteAttribute::Destination(
            route.destination.address.into(),
        ));
    }
    if let Some(gateway) = route.gateway {
        message
            .attributes
            .push(RouteAttribute::Gateway(gateway.into()));
    }
    if let Some(interface) = &route.interface {
        message
            .attributes
            .push(RouteAttribute::Oif(find(interface)?));
    }
    if let Some(source) = route.source {
        message
            .attributes
            .push(RouteAttribute::PrefSource(source.into()));
    }
    if let Some(metric) = route.metric {
        message.attributes.push(RouteAttribute::Priority(metric));
    }
    message.attributes.push(RouteAttribute::Table(table));
    Ok(message)
}

/// The header has room for small table numbers only; the attribute has the real one.
fn short_table(table: u32) -> u8 {
    u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC)
}

impl From<IpAddr> for Network {
    /// Exactly this address.
    fn from(address: IpAddr) -> Self {
        Self::new(address, host_prefix(address))
    }
}
