//! News of addresses, links and routes, as they change.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::task::{Context, Poll, ready};

use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{AddressNews, is_up};
use crate::netlink::{BUFFER_SIZE, messages, receive};
use crate::registration::register;

/// The groups of `rtnetlink(7)` that are listened to.
const GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];
/// Room in the kernel for a burst of news, in bytes.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Something that changed.
///
/// An address event alone does not say that a path died or appeared: compare what
/// [`route::to`](super::route::to) answers before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// An address can be used from now on; also sent again when its lifetime is renewed.
    AddressAvailable {
        /// The interface's index.
        index: u32,
        /// The address.
        address: IpAddr,
    },
    /// An address should not be used for anything new (RFC 4862, section 5.5.4).
    AddressDeprecated {
        /// The interface's index.
        index: u32,
        /// The address.
        address: IpAddr,
    },
    /// An address was taken away.
    AddressGone {
        /// The interface's index.
        index: u32,
        /// The address.
        address: IpAddr,
    },
    /// An interface appeared, or its state changed.
    Link {
        /// The interface's index.
        index: u32,
        /// The interface's name.
        name: String,
        /// It is up and has a carrier.
        up: bool,
    },
    /// An interface was removed.
    LinkGone {
        /// The interface's index.
        index: u32,
    },
    /// A route or a rule was added, changed or removed.
    Routes,
    /// News were lost: read [`addresses`](super::addresses) and the routes again.
    Resync,
}

/// Listens to changes in the network namespace of the thread that made it.
#[derive(Debug)]
pub struct AddressWatcher {
    socket: AsyncFd<Socket>,
    buffer: Vec<u8>,
    pending: VecDeque<Change>,
}

impl AddressWatcher {
    /// Starts to listen; changes from now on are reported.
    ///
    /// # Errors
    /// Outside a tokio runtime, or when the system refuses.
    pub fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.set_rx_buf_sz(RECEIVE_BUFFER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self {
            socket: register(socket, Interest::READABLE)?,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            pending: VecDeque::new(),
        })
    }

    /// Waits for the next change. Cancel safe.
    ///
    /// # Errors
    /// When the runtime is shutting down, or the socket fails for good.
    pub async fn next(&mut self) -> io::Result<Change> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next change, when there is one.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Change>> {
        loop {
            if let Some(change) = self.pending.pop_front() {
                return Poll::Ready(Ok(change));
            }
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            let buffer = &mut self.buffer;
            match guard.try_io(|socket| receive(socket.get_ref(), buffer)) {
                Ok(Ok(true)) => self.pending.extend(changes(&self.buffer)),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    return Poll::Ready(Ok(Change::Resync));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// What a datagram of news says, repetitions left out.
fn changes(datagram: &[u8]) -> Vec<Change> {
    let mut changes: Vec<Change> = messages(datagram)
        .filter_map(|message| match message {
            Ok(message) => match message.payload {
                NetlinkPayload::InnerMessage(message) => change(&message),
                NetlinkPayload::Overrun(_) => Some(Change::Resync),
                _ => None,
            },
            Err(_) => Some(Change::Resync),
        })
        .collect();
    changes.dedup();
    changes
}

fn change(message: &RouteNetlinkMessage) -> Option<Change> {
    match message {
        RouteNetlinkMessage::NewAddress(message) => {
            let news = AddressNews::from_message(message)?;
            let AddressNews { index, address, .. } = news;
            if news.tentative {
                None
            } else if news.deprecated {
                Some(Change::AddressDeprecated { index, address })
            } else {
                Some(Change::AddressAvailable { index, address })
            }
        }
        RouteNetlinkMessage::DelAddress(message) => {
            let AddressNews { index, address, .. } = AddressNews::from_message(message)?;
            Some(Change::AddressGone { index, address })
        }
        RouteNetlinkMessage::NewLink(link) => Some(link_change(link)),
        RouteNetlinkMessage::DelLink(link) => Some(Change::LinkGone {
            index: link.header.index,
        }),
        RouteNetlinkMessage::NewRoute(_)
        | RouteNetlinkMessage::DelRoute(_)
        | RouteNetlinkMessage::NewRule(_)
        | RouteNetlinkMessage::DelRule(_) => Some(Change::Routes),
        _ => None,
    }
}

fn link_change(link: &LinkMessage) -> Change {
    let name = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
    Change::Link {
        index: link.header.index,
        name: name.unwrap_or_default(),
        up: is_up(link.header.flags),
    }
}
