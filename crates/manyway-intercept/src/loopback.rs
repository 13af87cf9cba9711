//! The broker's loopback listeners, where programs' own sockets are re-aimed to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, SockRef, Socket, Type};

use crate::parked::FullListener;
use crate::sockets;

/// Pending connections per listener. Only one is ever of this process: the rest is room for
/// strangers, who are accepted and closed.
const BACKLOG: i32 = 1024;
/// How long one handshake over loopback may take; ordinarily it is microseconds.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(2);

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
    /// When the IPv4 listeners cannot be opened.
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
    door: Door,
    parking: FullListener,
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
            door: Door::bind(ip)?,
            parking: FullListener::bind(ip)?,
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
    fn bind(ip: IpAddr) -> io::Result<Self> {
        let socket = bound(ip)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let address = sockets::local_address(socket.as_fd())?;
        Ok(Self {
            listener: Mutex::new(socket.into()),
            address,
        })
    }

    /// Connects `socket` here and accepts it.
    fn meet(&self, socket: BorrowedFd<'_>) -> io::Result<TcpStream> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        connect_bounded(socket, self.address)?;
        let own = sockets::normalised(sockets::local_address(socket)?);
        let deadline = Instant::now() + HANDSHAKE;
        loop {
            match listener.accept() {
                Ok((stream, peer)) if peer == own => return Ok(stream),
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
fn connect_bounded(socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    // A deferred handshake (RFC 7413) would wait for the program's first write.
    let _ = sockets::set_int(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 0);
    let options = SockRef::from(&socket);
    let patience = options.write_timeout()?;
    options.set_write_timeout(Some(HANDSHAKE))?;
    let is = |result: &io::Result<()>, errno| {
        result
            .as_ref()
            .is_err_and(|error| error.raw_os_error() == Some(errno))
    };
    let mut result = sockets::connect(socket, address);
    if is(&result, libc::ECONNABORTED) {
        // An earlier attempt on this socket failed unseen; the kernel says so once.
        result = sockets::connect(socket, address);
    }
    options.set_write_timeout(patience)?;
    if is(&result, libc::EINPROGRESS) {
        Ok(())
    } else {
        result
    }
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
        let stream = self.family(socket, destination)?.door.meet(socket)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Where a socket on its way to `destination` can wait in its handshake.
    pub(crate) fn full_listener(
        &self,
        socket: BorrowedFd<'_>,
        destination: SocketAddr,
    ) -> io::Result<&FullListener> {
        Ok(&self.family(socket, destination)?.parking)
    }

    /// Connects a program's socket to a loopback address; `EINPROGRESS` is no error.
    pub(crate) fn connect(&self, socket: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
        connect_bounded(socket, address)
    }

    /// Turns the program's connection or attempt into one that the kernel itself has seen
    /// refused, with every sign a program may look at: readiness, pending error, next connect.
    pub(crate) fn refuse(&self, socket: BorrowedFd<'_>, destination: SocketAddr) -> io::Result<()> {
        let family = self.family(socket, destination)?;
        sockets::disconnect(socket)?;
        match connect_bounded(socket, family.refusing_address) {
            Err(error) if error.raw_os_error() == Some(libc::ECONNREFUSED) => Ok(()),
            other => other,
        }
    }
}
