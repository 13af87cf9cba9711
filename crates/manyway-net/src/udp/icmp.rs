//! What ICMP said about destinations, read from the socket's error queue.
#![expect(
    unsafe_code,
    reason = "the control buffer that the kernel fills is handed over as bytes"
)]

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr};

use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, Socket};

/// Errors kept until someone takes them; more are counted and forgotten.
const MAX_QUEUED: usize = 64;
/// Entries read from the kernel per call, so that a flood cannot hold the caller.
const MAX_READ: usize = 64;

/// An ICMP error about a datagram that this socket sent.
///
/// ICMP is not authenticated: anyone who can guess the ports can forge one. Take it as a hint to
/// probe, never as proof that a path is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// The destination of the datagram in question.
    pub destination: SocketAddr,
    /// What was wrong.
    pub kind: IcmpErrorKind,
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
}

impl IcmpQueue {
    /// Moves what the kernel holds into this queue; also clears the socket's pending error.
    pub(super) fn fill(&mut self, socket: &Socket) {
        for _ in 0..MAX_READ {
            match read_one(socket) {
                Ok(Some(error)) if self.errors.len() < MAX_QUEUED => self.errors.push_back(error),
                Ok(Some(_)) => self.dropped += 1,
                Ok(None) => {}
                Err(_) => break,
            }
        }
        // An error that did not fit into the kernel's queue is pending without an entry.
        let _ = socket.take_error();
    }

    pub(super) fn pop(&mut self) -> Option<IcmpError> {
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
    let mut payload = [MaybeUninit::<u8>::uninit(); 1];
    let mut buffers = [MaybeUninitSlice::new(&mut payload)];
    let mut message = MsgHdrMut::new()
        .with_addr(&mut address)
        .with_buffers(&mut buffers)
        .with_control(&mut control.0);
    socket.recvmsg(&mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)?;
    let control_len = message.control_len().min(256);
    // SAFETY: every byte of the array was initialised when it was made, and the kernel only ever
    // replaces bytes by other bytes.
    let control = control.0.map(|byte| unsafe { byte.assume_init() });
    let Some(destination) = address.as_socket() else {
        return Ok(None);
    };
    Ok(extended_error(&control[..control_len])
        .and_then(|error| error.kind())
        .map(|kind| IcmpError { destination, kind }))
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

/// Finds the extended error among the control messages.
fn extended_error(mut control: &[u8]) -> Option<ExtendedError> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    const LEN: usize = size_of::<usize>();
    while control.len() >= HEADER {
        let len = usize::from_ne_bytes(control[..LEN].try_into().ok()?);
        let level = i32::from_ne_bytes(control[LEN..LEN + 4].try_into().ok()?);
        let kind = i32::from_ne_bytes(control[LEN + 4..LEN + 8].try_into().ok()?);
        let data = control.get(HEADER..len)?;
        let is_error = matches!(
            (level, kind),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        );
        if is_error && data.len() >= size_of::<libc::sock_extended_err>() {
            return Some(ExtendedError {
                origin: data[4],
                kind: data[5],
                code: data[6],
                info: u32::from_ne_bytes(data[8..12].try_into().ok()?),
            });
        }
        control = control.get(len.next_multiple_of(align_of::<libc::cmsghdr>())..)?;
    }
    None
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
    }
}
