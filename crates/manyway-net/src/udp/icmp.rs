//! What ICMP said about destinations, read from the socket's error queue.
#![expect(
    unsafe_code,
    reason = "the control buffer that the kernel fills is handed over as bytes"
)]

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, Socket};

/// Errors kept until someone takes them; more are counted and forgotten.
const MAX_QUEUED: usize = 64;
/// Entries read from the kernel per call, so that a flood cannot hold the caller.
const MAX_READ: usize = 64;

/// An ICMP error about a datagram that this socket sent.
///
/// ICMP is not authenticated: anyone who can guess the ports can forge one. Believe it only if it
/// quotes what nobody else can know, and then as a hint to probe, never as proof that a path is
/// dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// The destination of the datagram in question.
    pub destination: SocketAddr,
    /// The local address that it was sent from, where the kernel says it.
    pub source_ip: Option<IpAddr>,
    /// What was wrong.
    pub kind: IcmpErrorKind,
    /// How the datagram began.
    pub quote: Quote,
}

/// The first bytes that an ICMP error quotes of a datagram's payload, at most
/// [`Quote::MAX_LEN`]. Routers need not quote any (RFC 792 wants 8 bytes behind the IP header,
/// which are UDP's; RFC 1812, section 4.3.2.3, and RFC 4443, section 2.4, want more).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quote {
    len: usize,
    bytes: [u8; Self::MAX_LEN],
}

impl Quote {
    /// The most that is kept, in bytes: enough for SCTP's common header and the initiate tag of an
    /// INIT.
    pub const MAX_LEN: usize = 20;

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The kinds of [`IcmpError`] that mean something to a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpErrorKind {
    /// Nobody listens on the destination port.
    PortUnreachable,
    /// The host does not speak the protocol, here SCTP over IP itself.
    ProtocolUnreachable,
    /// The host cannot be reached, or a filter forbids it.
    HostUnreachable,
    /// There is no route to the network.
    NetUnreachable,
    /// The packet is larger than a link on the way can carry.
    MessageTooLong {
        /// The link's MTU in bytes, IP header included; 0 when the router did not say.
        mtu: u32,
    },
}

/// Whether `errno` can be an earlier packet's ICMP error rather than the call's own.
pub(super) fn may_be_pending(errno: i32) -> bool {
    matches!(
        errno,
        libc::ECONNREFUSED
            | libc::EHOSTUNREACH
            | libc::ENETUNREACH
            | libc::EMSGSIZE
            | libc::ENOPROTOOPT
            | libc::EHOSTDOWN
            | libc::ENONET
            | libc::EOPNOTSUPP
            | libc::EACCES
            | libc::EPROTO
    )
}

/// The errors that wait to be taken.
#[derive(Debug, Default)]
pub(super) struct IcmpQueue {
    errors: VecDeque<IcmpError>,
    dropped: u64,
    /// The kernel may hold more than was read.
    more: bool,
}

impl IcmpQueue {
    /// Moves what the kernel holds into this queue; also clears the socket's pending error.
    pub(super) fn fill(&mut self, socket: &Socket) {
        self.more = true;
        for _ in 0..MAX_READ {
            match read_one(socket) {
                Ok(Some(error)) if self.errors.len() < MAX_QUEUED => self.errors.push_back(error),
                Ok(Some(_)) => self.dropped += 1,
                Ok(None) => {}
                Err(_) => {
                    self.more = false;
                    break;
                }
            }
        }
        // An error that did not fit into the kernel's queue is pending without an entry.
        let _ = socket.take_error();
    }

    /// The next one. Asks the kernel only if the last reading left something there.
    pub(super) fn pop(&mut self, socket: &Socket) -> Option<IcmpError> {
        if self.errors.is_empty() && self.more {
            self.fill(socket);
        }
        self.errors.pop_front()
    }

    pub(super) fn take(&mut self) -> Vec<IcmpError> {
        self.errors.drain(..).collect()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// One entry of the error queue: `None` when it is nothing that ICMP reported.
fn read_one(socket: &Socket) -> io::Result<Option<IcmpError>> {
    // The kernel fills in either family, and the IPv6 address is the longer one.
    let mut address = SockAddr::from(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let mut control = Aligned([MaybeUninit::new(0_u8); 256]);
    let mut payload = [MaybeUninit::new(0_u8); Quote::MAX_LEN];
    let mut buffers = [MaybeUninitSlice::new(&mut payload)];
    let mut message = MsgHdrMut::new()
        .with_addr(&mut address)
        .with_buffers(&mut buffers)
        .with_control(&mut control.0);
    let len = socket.recvmsg(&mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)?;
    let control_len = message.control_len().min(256);
    // SAFETY: every byte of both arrays was initialised when it was made, and the kernel only ever
    // replaces bytes by other bytes.
    let (control, bytes) = unsafe {
        (
            control.0.map(|byte| byte.assume_init()),
            payload.map(|byte| byte.assume_init()),
        )
    };
    let Some(destination) = address.as_socket() else {
        return Ok(None);
    };
    let control = &control[..control_len];
    let quote = Quote {
        len: len.min(Quote::MAX_LEN),
        bytes,
    };
    Ok(extended_error(control)
        .and_then(|error| error.kind())
        .map(|kind| IcmpError {
            destination,
            source_ip: source_ip(control),
            kind,
            quote,
        }))
}

#[repr(align(8))]
struct Aligned([MaybeUninit<u8>; 256]);

/// The fields of `struct sock_extended_err` that are used.
struct ExtendedError {
    origin: u8,
    kind: u8,
    code: u8,
    info: u32,
}

/// The control messages: level, type and data of each. Ends before one that is cut.
fn control_messages(mut control: &[u8]) -> impl Iterator<Item = (i32, i32, &[u8])> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    const LEN: usize = size_of::<usize>();
    std::iter::from_fn(move || {
        let len = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control.get(LEN..)?.first_chunk()?);
        let kind = i32::from_ne_bytes(*control.get(LEN + 4..)?.first_chunk()?);
        let data = control.get(HEADER..len)?;
        let next = len.next_multiple_of(align_of::<libc::cmsghdr>());
        control = control.get(next..).unwrap_or_default();
        Some((level, kind, data))
    })
}

/// Finds the extended error among the control messages.
fn extended_error(control: &[u8]) -> Option<ExtendedError> {
    let is_error = |(level, kind, _): &(i32, i32, _)| {
        matches!(
            (*level, *kind),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        )
    };
    let (_, _, data) = control_messages(control).find(is_error)?;
    (data.len() >= size_of::<libc::sock_extended_err>()).then_some(ExtendedError {
        origin: data[4],
        kind: data[5],
        code: data[6],
        info: u32::from_ne_bytes(*data[8..].first_chunk()?),
    })
}

/// Where the ICMP message was sent to: the source of the datagram that it is about.
fn source_ip(control: &[u8]) -> Option<IpAddr> {
    control_messages(control).find_map(|message| match message {
        // `struct in_pktinfo`: interface, preferred source, destination.
        (libc::IPPROTO_IP, libc::IP_PKTINFO, data) => {
            Some(IpAddr::V4(Ipv4Addr::from(*data.get(8..)?.first_chunk()?)))
        }
        // `struct in6_pktinfo` begins with the destination.
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data) => {
            Some(IpAddr::V6(Ipv6Addr::from(*data.first_chunk()?)))
        }
        _ => None,
    })
}

impl ExtendedError {
    /// The meaning by RFC 792 ("Destination Unreachable") and RFC 4443, sections 3.1, 3.2 and 3.4.
    fn kind(&self) -> Option<IcmpErrorKind> {
        match (self.origin, self.kind, self.code) {
            (libc::SO_EE_ORIGIN_ICMP, 3, 3) | (libc::SO_EE_ORIGIN_ICMP6, 1, 4) => {
                Some(IcmpErrorKind::PortUnreachable)
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 2) | (libc::SO_EE_ORIGIN_ICMP6, 4, 1) => {
                Some(IcmpErrorKind::ProtocolUnreachable)
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 4) | (libc::SO_EE_ORIGIN_ICMP6, 2, 0) => {
                Some(IcmpErrorKind::MessageTooLong { mtu: self.info })
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, 0 | 6 | 9 | 11) | (libc::SO_EE_ORIGIN_ICMP6, 1, 0) => {
                Some(IcmpErrorKind::NetUnreachable)
            }
            (libc::SO_EE_ORIGIN_ICMP, 3, _) | (libc::SO_EE_ORIGIN_ICMP6, 1, _) => {
                Some(IcmpErrorKind::HostUnreachable)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_or_cut_control_messages_are_ignored() {
        assert!(extended_error(&[]).is_none());
        assert!(extended_error(&[0xff; 40]).is_none());
        assert!(extended_error(&[0; 40]).is_none());
        let mut huge = [0_u8; 32];
        huge[..8].copy_from_slice(&usize::MAX.to_ne_bytes());
        assert!(extended_error(&huge).is_none());
        assert_eq!(source_ip(&huge), None);
    }
}
