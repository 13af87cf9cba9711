//! The broker's loopback listeners, where programs' own sockets are re-aimed to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, SockRef, Socket, Type};

use crate::sockets;

/// Pending connections per listener. Only one is ever of this process: the rest is room for
/// strangers, who are accepted and closed.
const BACKLOG: i32 = 1024;
/// How long one handshake over loopback may take; ordinarily it is microseconds.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How wide the receive window starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// As the kernel tunes it.
    Full,
    /// As narrow as possible, so that a few kilobytes fill the sender.
    Narrow,
}

/// Listeners on the IPv4 and the IPv6 loopback address to which [`PendingConnect::hold`] aims
/// the sockets of programs. Cheap to clone; one serves any number of flows.
///
/// [`PendingConnect::hold`]: crate::PendingConnect::hold
#[derive(Debug, Clone)]
pub struct LoopbackListener(pub(crate) Arc<Loopback>);

impl LoopbackListener {
    /// Opens the listeners on ports of the kernel's choice. A host without IPv6 gets IPv4 only.
    ///
    /// # Errors
    /// When the IPv4 listeners cannot be opened, or the kernel is older than 5.15.
    pub fn bind() -> io::Result<Self> {
        let v4 = Family::bind(Ipv4Addr::LOCALHOST.into())?;
        let v6 = Family::bind(Ipv6Addr::LOCALHOST.into()).ok();
        Ok(Self(Arc::new(Loopback { v4, v6 })))
    }
}

#[derive(Debug)]
pub(crate) struct Loopback {
    v4: Family,
    v6: Option<Family>,
}

#[derive(Debug)]
struct Family {
    full: Door,
    narrow: Door,
    /// Bound but never listening: the kernel refuses every connection to it.
    #[expect(dead_code, reason = "held open so that no one else gets its port")]
    refusing: Socket,
    refusing_address: SocketAddr,
}

/// A listener, locked from the connect to the accept of one socket.
#[derive(Debug)]
struct Door {
    listener: Mutex<TcpListener>,
    address: SocketAddr,
}

impl Family {
    fn bind(ip: IpAddr) -> io::Result<Self> {
        let refusing = bound(ip)?;
        let refusing_address = sockets::local_address(refusing.as_fd())?;
        Ok(Self {
            full: Door::bind(ip, Window::Full)?,
            narrow: Door::bind(ip, Window::Narrow)?,
            refusing,
            refusing_address,
        })
    }
}

fn bound(ip: IpAddr) -> io::Result<Socket> {
    let address = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

impl Door {
    fn bind(ip: IpAddr, window: Window) -> io::Result<Self> {
        let socket = bound(ip)?;
        if window == Window::Narrow {
            // The smallest buffer gives a narrow first window; the lock is taken off again because
            // a locked listener also fixes the window scale at 0 for good.
            sockets::set_int(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
            sockets::set_buffer_locks(socket.as_fd(), 0)?;
        }
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let address = sockets::local_address(socket.as_fd())?;
        Ok(Self {
            listener: Mutex::new(socket.into()),
            address,
        })
    }

    /// Connects `socket` here, with `filler` in its send buffer from the start, and accepts it.
    /// Returns how much of the filler went in.
    fn meet(&self, socket: BorrowedFd<'_>, filler: &[u8]) -> io::Result<(TcpStream, usize)> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = connect_bounded(socket, self.address, filler)?;
        let own = sockets::normalised(sockets::local_address(socket)?);
        let deadline = Instant::now() + HANDSHAKE;
        loop {
            match listener.accept() {
                Ok((stream, peer)) if peer == own => return Ok((stream, filled)),
                Ok((stranger, peer)) => {
                    tracing::debug!(%peer, "a stranger connected to the broker's listener");
                    drop(stranger);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_readable(listener.as_fd(), deadline)?;
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for input until `deadline`.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = left.try_into().map_err(|_| io::ErrorKind::TimedOut)?;
    let mut waiting = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match rustix::event::poll(&mut waiting, Some(&timeout)) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Connects to a loopback address without ever blocking for long: strangers may have filled the
/// backlog, and a blocking socket's mode cannot be changed because the program shares it.
fn connect_bounded(
    socket: BorrowedFd<'_>,
    address: SocketAddr,
    filler: &[u8],
) -> io::Result<usize> {
    // A deferred handshake (RFC 7413) would wait for the program's first write.
    let _ = sockets::set_int(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0);
    let options = SockRef::from(&socket);
    let patience = options.write_timeout()?;
    options.set_write_timeout(Some(HANDSHAKE))?;
    let is = |result: &io::Result<usize>, errno| {
        result
            .as_ref()
            .is_err_and(|error| error.raw_os_error() == Some(errno))
    };
    let mut result = connect_with(socket, address, filler);
    if is(&result, libc::ECONNABORTED) {
        // An earlier attempt on this socket failed unseen; the kernel says so once.
        result = connect_with(socket, address, filler);
    }
    options.set_write_timeout(patience)?;
    if is(&result, libc::EINPROGRESS) {
        Ok(0)
    } else {
        result
    }
}

/// Connects with data already queued, by TCP Fast Open without a cookie (RFC 7413): a socket
/// that is filled only after the handshake shows itself writable for a moment, which a thread
/// that watches it sees. The listener ignores the data in the SYN, so that it is sent again.
fn connect_with(socket: BorrowedFd<'_>, address: SocketAddr, filler: &[u8]) -> io::Result<usize> {
    if !filler.is_empty() {
        set_needs_no_cookie(socket, true);
        let result = sockets::send_first(socket, address, filler);
        // Fast Open may be off (`net.ipv4.tcp_fastopen`).
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            other => return other,
        }
    }
    sockets::connect(socket, address).map(|()| 0)
}

/// Changes only sockets that are not connected; failing to changes nothing that matters.
fn set_needs_no_cookie(socket: BorrowedFd<'_>, on: bool) {
    let option = libc::TCP_FASTOPEN_NO_COOKIE;
    let _ = sockets::set_int(socket, libc::IPPROTO_TCP, option, i32::from(on));
}

impl Loopback {
    /// The family in which `socket` can reach loopback on its way to `destination`.
    fn family(&self, socket: BorrowedFd<'_>, destination: SocketAddr) -> io::Result<&Family> {
        match (&self.v6, destination) {
            (Some(v6), SocketAddr::V6(_)) => Ok(v6),
            _ if destination.is_ipv4() || !SockRef::from(&socket).only_v6()? => Ok(&self.v4),
            _ => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }

    /// Connects the program's socket to the broker and returns the broker's end, non-blocking.
    pub(crate) fn meet(
        &self,
        socket: BorrowedFd<'_>,
        destination: SocketAddr,
    ) -> io::Result<TcpStream> {
        let (stream, _) = self.family(socket, destination)?.full.meet(socket, &[])?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// As [`meet`](Self::meet), through a narrow window and with `filler` in the program's send
    /// buffer before it can show itself writable. Returns how much of it went in, which is
    /// nothing where the kernel does not allow that.
    pub(crate) fn meet_filled(
        &self,
        socket: BorrowedFd<'_>,
        destination: SocketAddr,
        filler: &[u8],
    ) -> io::Result<(TcpStream, usize)> {
        let (stream, filled) = self
            .family(socket, destination)?
            .narrow
            .meet(socket, filler)?;
        stream.set_nonblocking(true)?;
        Ok((stream, filled))
    }

    /// Turns the program's connection or attempt into one that the kernel itself has seen
    /// refused, with every sign a program may look at: readiness, pending error, next connect.
    pub(crate) fn refuse(&self, socket: BorrowedFd<'_>, destination: SocketAddr) -> io::Result<()> {
        let family = self.family(socket, destination)?;
        sockets::disconnect(socket)?;
        set_needs_no_cookie(socket, false);
        match connect_bounded(socket, family.refusing_address, &[]) {
            Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => Ok(()),
            other => other.map(drop),
        }
    }
}
