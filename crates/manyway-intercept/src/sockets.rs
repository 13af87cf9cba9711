//! Duplicates of a program's own sockets, and the socket options without a safe wrapper.
#![expect(unsafe_code, reason = "setsockopt of options that no crate wraps")]

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use socket2::{Domain, Protocol, SockAddr, SockRef};

/// `PIDFD_THREAD` (kernel 6.9): the descriptor names a thread, which may not be the leader.
const PIDFD_THREAD: u32 = libc::O_EXCL as u32;

/// Opens a descriptor for the task `tid`, or for its process on kernels before 6.9.
pub(crate) fn open_task(tid: u32) -> io::Result<OwnedFd> {
    let missing = || io::Error::from_raw_os_error(libc::ESRCH);
    let pid = Pid::from_raw(tid as i32).ok_or_else(missing)?;
    match rustix::process::pidfd_open(pid, PidfdFlags::from_bits_retain(PIDFD_THREAD)) {
        Ok(fd) => Ok(fd),
        Err(rustix::io::Errno::INVAL) => {
            let leader = status_field(tid, "Tgid:").ok_or_else(missing)?;
            let leader = leader
                .parse()
                .ok()
                .and_then(Pid::from_raw)
                .ok_or_else(missing)?;
            Ok(rustix::process::pidfd_open(leader, PidfdFlags::empty())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// The value of one line of `/proc/<tid>/status`.
pub(crate) fn status_field(tid: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().to_owned())
}

/// Takes a duplicate of descriptor `number` of the task.
pub(crate) fn take(task: BorrowedFd<'_>, number: i32) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_getfd(
        task,
        number,
        PidfdGetfdFlags::empty(),
    )?)
}

/// The socket's cookie: unique, and never used again, in the life of a network namespace.
pub(crate) fn cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(rustix::net::sockopt::socket_cookie(socket)?)
}

/// The inode by which `/proc` names the socket.
pub(crate) fn inode(socket: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(rustix::fs::fstat(socket)?.st_ino)
}

pub(crate) fn is_nonblocking(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(rustix::fs::fcntl_getfl(socket)?.contains(rustix::fs::OFlags::NONBLOCK))
}

/// What kind of stream socket a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Mptcp,
    Other,
}

/// Tells IPv4 and IPv6 stream sockets from everything else.
pub(crate) fn kind(socket: BorrowedFd<'_>) -> io::Result<Kind> {
    let socket = SockRef::from(&socket);
    let domain = socket.domain()?;
    if domain != Domain::IPV4 && domain != Domain::IPV6 {
        return Ok(Kind::Other);
    }
    Ok(match socket.protocol()? {
        Some(Protocol::TCP) => Kind::Tcp,
        Some(Protocol::MPTCP) => Kind::Mptcp,
        _ => Kind::Other,
    })
}

pub(crate) fn is_ipv6(socket: BorrowedFd<'_>) -> bool {
    SockRef::from(&socket)
        .domain()
        .is_ok_and(|domain| domain == Domain::IPV6)
}

/// Whether it is an IPv6 socket that refuses IPv4-mapped addresses.
pub(crate) fn is_ipv6_only(socket: BorrowedFd<'_>) -> bool {
    is_ipv6(socket) && SockRef::from(&socket).only_v6().unwrap_or(false)
}

/// IPv4-mapped IPv6 addresses as the IPv4 addresses they are.
pub(crate) fn normalised(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port()).with_scope_of(address)
}

/// The address in the family of `socket`, IPv4-mapped if need be; `None` when it cannot be said.
pub(crate) fn in_family(address: SocketAddr, ipv6: bool) -> Option<SocketAddr> {
    match (address, ipv6) {
        (SocketAddr::V4(v4), true) => Some(mapped(v4.ip().to_ipv6_mapped(), v4.port())),
        (SocketAddr::V6(_), false) => None,
        _ => Some(address),
    }
}

fn mapped(ip: Ipv6Addr, port: u16) -> SocketAddr {
    SocketAddr::V6(SocketAddrV6::new(ip, port, 0, 0))
}

trait ScopeOf {
    fn with_scope_of(self, other: Self) -> Self;
}

impl ScopeOf for SocketAddr {
    /// Keeps the scope of a link-local address, without which it names nothing.
    fn with_scope_of(self, other: Self) -> Self {
        match (self, other) {
            (Self::V6(mut address), Self::V6(other)) => {
                address.set_scope_id(other.scope_id());
                address.set_flowinfo(other.flowinfo());
                Self::V6(address)
            }
            (address, _) => address,
        }
    }
}

/// The bytes of a `sockaddr`.
pub(crate) fn encode(address: SocketAddr) -> Vec<u8> {
    let address = SockAddr::from(address);
    let length = address.len() as usize;
    // SAFETY: a `SockAddr` made from a `SocketAddr` has its first `len` bytes initialised.
    unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), length) }.to_vec()
}

/// A `sockaddr_in` or `sockaddr_in6` from a program's memory; `None` for any other or a short one.
pub(crate) fn decode(bytes: &[u8]) -> Option<SocketAddr> {
    let family = i32::from(u16::from_ne_bytes(*bytes.first_chunk()?));
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    if family == libc::AF_INET && bytes.len() >= 16 {
        let ip: [u8; 4] = *bytes[4..].first_chunk()?;
        return Some(SocketAddr::new(IpAddr::from(ip), port));
    }
    if family == libc::AF_INET6 && bytes.len() >= 24 {
        let flow = u32::from_ne_bytes(*bytes[4..].first_chunk()?);
        let ip: [u8; 16] = *bytes[8..].first_chunk()?;
        let scope = bytes
            .get(24..28)
            .map_or([0; 4], |s| [s[0], s[1], s[2], s[3]]);
        let scope = u32::from_ne_bytes(scope);
        return Some(SocketAddr::V6(SocketAddrV6::new(
            Ipv6Addr::from(ip),
            port,
            flow,
            scope,
        )));
    }
    None
}

/// The number of descriptors the task may have.
pub(crate) fn descriptor_limit(tid: u32) -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: nothing is set, and the old limit is written to `limit`, which outlives the call.
    let result = unsafe {
        libc::prlimit(
            tid as i32,
            libc::RLIMIT_NOFILE,
            std::ptr::null(),
            &raw mut limit,
        )
    };
    (result == 0).then_some(limit.rlim_cur)
}

/// Connects in the socket's own mode: a non-blocking socket reports `EINPROGRESS`.
pub(crate) fn connect(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let address = in_family(address, is_ipv6(socket))
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
    Ok(rustix::net::connect(socket, &address)?)
}

/// Dissolves a connection or an attempt, leaving the socket as it was before `connect`.
pub(crate) fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::connect_unspec(socket)?)
}

pub(crate) fn local_address(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    as_inet(&SockRef::from(&socket).local_addr()?)
}

pub(crate) fn peer_address(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    as_inet(&SockRef::from(&socket).peer_addr()?)
}

fn as_inet(address: &SockAddr) -> io::Result<SocketAddr> {
    address
        .as_socket()
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Where a TCP socket is in its life, as far as `connect` cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection and no attempt.
    Closed,
    /// The handshake is under way.
    Connecting,
    /// Connected, closing, or listening.
    Open,
}

pub(crate) fn phase(socket: BorrowedFd<'_>) -> io::Result<Phase> {
    const SYN_SENT: u8 = 2;
    const CLOSE: u8 = 7;
    // The state is the first byte of `struct tcp_info`, of which a prefix may be asked for.
    let [state, ..] = int(socket, libc::IPPROTO_TCP, libc::TCP_INFO)?.to_ne_bytes();
    Ok(match state {
        CLOSE => Phase::Closed,
        SYN_SENT => Phase::Connecting,
        _ => Phase::Open,
    })
}

/// Whether an error waits to be read, without reading it.
pub(crate) fn has_error(socket: BorrowedFd<'_>) -> bool {
    let mut waiting = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut waiting, Some(&now)).is_ok()
        && waiting[0].revents().contains(PollFlags::ERR)
}

/// Sets an option whose value is a C `int`.
pub(crate) fn set_int(socket: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value and its length describe one `i32`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads an option whose value is a C `int`.
pub(crate) fn int(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let (mut value, mut length) = (0_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the value and its length describe one `i32`; both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_their_way_through_a_programs_memory() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:443", "[fe80::1%7]:22"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(&encode(address)), Some(address));
        }
    }

    #[test]
    fn short_and_foreign_addresses_are_not_decoded() {
        let bytes = encode("192.0.2.1:80".parse().unwrap());
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
        let unix = (libc::AF_UNIX as u16).to_ne_bytes();
        assert_eq!(decode(&[&unix[..], &[0; 108]].concat()), None);
    }

    #[test]
    fn mapped_addresses_are_ipv4_and_back() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
        let plain: SocketAddr = "192.0.2.1:80".parse().unwrap();
        assert_eq!(normalised(mapped), plain);
        assert_eq!(in_family(plain, true), Some(mapped));
        assert_eq!(in_family(plain, false), Some(plain));
        assert_eq!(in_family("[2001:db8::1]:1".parse().unwrap(), false), None);
    }
}
