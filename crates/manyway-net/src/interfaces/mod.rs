//! The machine's addresses and routes, and news of their changes.

pub mod route;
pub mod watch;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope as NetlinkScope,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};

use crate::netlink::Netlink;

/// How far an address reaches (`rtnetlink(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressScope {
    /// Valid everywhere.
    Global,
    /// Valid inside this site.
    Site,
    /// Valid on this link.
    Link,
    /// Valid inside this host.
    Host,
    /// Anything else, by its number.
    Other(u8),
}

impl From<NetlinkScope> for AddressScope {
    fn from(scope: NetlinkScope) -> Self {
        match scope {
            NetlinkScope::Universe => Self::Global,
            NetlinkScope::Site => Self::Site,
            NetlinkScope::Link => Self::Link,
            NetlinkScope::Host => Self::Host,
            other => Self::Other(other.into()),
        }
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The interface's name.
    pub interface: String,
    /// The interface's index.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix_len: u8,
    /// How far the address reaches.
    pub scope: AddressScope,
    /// The interface is up and has a carrier.
    pub up: bool,
    /// The interface is a loopback interface.
    pub loopback: bool,
    /// Duplicate address detection has not ended well, or not yet (RFC 4862, section 5.4).
    pub tentative: bool,
    /// New communication should use another address (RFC 4862, section 5.5.4).
    pub deprecated: bool,
}

impl InterfaceAddress {
    /// Whether a new path may start here: an address of global scope, on an interface that is up
    /// and no loopback, neither tentative nor deprecated.
    pub fn is_usable(&self) -> bool {
        self.scope == AddressScope::Global
            && self.up
            && !self.loopback
            && !self.tentative
            && !self.deprecated
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// It is up and has a carrier.
    pub up: bool,
    /// It is a loopback interface.
    pub loopback: bool,
}

/// All interfaces.
///
/// # Errors
/// What the system says when it does not answer.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    interfaces_with(&mut Netlink::open()?)
}

/// The MTU of an interface, in bytes.
///
/// # Errors
/// `NotFound` when no interface has this index; else what the system says.
pub fn mtu(index: u32) -> io::Result<u32> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let answers = Netlink::open()?
        .request(RouteNetlinkMessage::GetLink(message), 0)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENODEV) => io::Error::new(io::ErrorKind::NotFound, error),
            _ => error,
        })?;
    answers
        .into_iter()
        .find_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => interface_from(&link),
            _ => None,
        })
        .map(|interface| interface.mtu)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// All addresses of all interfaces.
///
/// # Errors
/// What the system says when it does not answer.
pub fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut netlink = Netlink::open()?;
    let interfaces: HashMap<u32, Interface> = interfaces_with(&mut netlink)?
        .into_iter()
        .map(|interface| (interface.index, interface))
        .collect();
    let messages = netlink.dump(&RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    let addresses = messages.into_iter().filter_map(|message| {
        let RouteNetlinkMessage::NewAddress(message) = message else {
            return None;
        };
        let address = AddressNews::from_message(&message)?;
        let interface = interfaces.get(&address.index)?;
        Some(InterfaceAddress {
            interface: interface.name.clone(),
            index: address.index,
            address: address.address,
            prefix_len: message.header.prefix_len,
            scope: message.header.scope.into(),
            up: interface.up,
            loopback: interface.loopback,
            tentative: address.tentative,
            deprecated: address.deprecated,
        })
    });
    Ok(addresses.collect())
}

/// The addresses a new path may start from; see [`InterfaceAddress::is_usable`].
///
/// # Errors
/// What the system says when it does not answer.
pub fn usable_addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut addresses = addresses()?;
    addresses.retain(InterfaceAddress::is_usable);
    Ok(addresses)
}

fn interfaces_with(netlink: &mut Netlink) -> io::Result<Vec<Interface>> {
    let messages = netlink.dump(&RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    let interfaces = messages.into_iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => interface_from(&link),
        _ => None,
    });
    Ok(interfaces.collect())
}

fn interface_from(link: &LinkMessage) -> Option<Interface> {
    let mut name = None;
    let mut mtu = 0;
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(value) => name = Some(value.clone()),
            LinkAttribute::Mtu(value) => mtu = *value,
            _ => {}
        }
    }
    let flags = link.header.flags;
    Some(Interface {
        name: name?,
        index: link.header.index,
        mtu,
        up: is_up(flags),
        loopback: flags.contains(LinkFlags::Loopback),
    })
}

/// Whether packets can pass. `LowerUp` follows the carrier at once, `Running` also knows about
/// authentication (802.1X) and follows later.
fn is_up(flags: LinkFlags) -> bool {
    flags.contains(LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp)
}

/// What a message about an address says.
struct AddressNews {
    index: u32,
    address: IpAddr,
    tentative: bool,
    deprecated: bool,
}

impl AddressNews {
    fn from_message(message: &AddressMessage) -> Option<Self> {
        let mut local = None;
        let mut address = None;
        let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
        for attribute in &message.attributes {
            match attribute {
                // On point-to-point links `Address` is the other end.
                AddressAttribute::Local(value) => local = Some(*value),
                AddressAttribute::Address(value) => address = Some(*value),
                AddressAttribute::Flags(value) => flags |= *value,
                _ => {}
            }
        }
        let unproven =
            flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic);
        Some(Self {
            index: message.header.index,
            address: local.or(address)?,
            tentative: unproven || flags.contains(AddressFlags::Dadfailed),
            deprecated: flags.contains(AddressFlags::Deprecated),
        })
    }
}
