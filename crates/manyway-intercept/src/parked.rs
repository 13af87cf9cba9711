//! Keeping a non-blocking socket in its handshake until the remote side is there.
//!
//! A program that got `EINPROGRESS` waits for writability, so its socket must go on connecting.
//! It is connected to a listener whose queue is full: the kernel drops its SYN, as it would be
//! lost on the way to a slow host. When the remote side is there, the broker connects *to the
//! program's socket* from the listener's port. Their SYNs cross, which RFC 9293 section 3.5 calls
//! a simultaneous open, and the socket becomes writable exactly once.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Socket, Type};

use crate::loopback::{HANDSHAKE, Loopback};
use crate::sockets;

/// A listener that answers nobody.
#[derive(Debug)]
pub(crate) struct FullListener {
    #[expect(
        dead_code,
        reason = "held open so that SYNs to it are dropped, not refused"
    )]
    listener: Socket,
    /// The one connection that fills the queue.
    #[expect(dead_code, reason = "held open so that the queue stays full")]
    plug: TcpStream,
    address: SocketAddr,
}

impl FullListener {
    pub(crate) fn bind(ip: std::net::IpAddr) -> io::Result<Self> {
        let listener = shared_port(SocketAddr::new(ip, 0))?;
        listener.listen(0)?;
        let address = sockets::local_address(listener.as_fd())?;
        let plug = TcpStream::connect(address)?;
        Ok(Self {
            listener,
            plug,
            address,
        })
    }
}

/// A socket whose port further sockets of this user may share.
fn shared_port(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A program's socket in an endless handshake with the broker.
#[derive(Debug)]
pub(crate) struct Parked {
    program: SocketAddr,
    broker: SocketAddr,
}

impl Parked {
    /// Starts the handshake.
    pub(crate) fn new(
        socket: BorrowedFd<'_>,
        loopback: &Loopback,
        destination: SocketAddr,
    ) -> io::Result<Self> {
        let broker = loopback.full_listener(socket, destination)?.address;
        loopback.connect(socket, broker)?;
        let program = sockets::normalised(sockets::local_address(socket)?);
        Ok(Self { program, broker })
    }

    /// The program's own address in this handshake.
    pub(crate) fn program(&self) -> SocketAddr {
        self.program
    }

    /// Completes the handshake and returns the broker's end, non-blocking.
    ///
    /// # Errors
    /// `ECONNREFUSED` when the program closed the socket or its own handshake timed out.
    pub(crate) fn open(self) -> io::Result<TcpStream> {
        let socket = shared_port(self.broker)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&self.program.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            other => other?,
        }
        let deadline = Instant::now() + HANDSHAKE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = left.try_into().map_err(|_| io::ErrorKind::TimedOut)?;
            let mut waiting = [PollFd::new(&socket, PollFlags::OUT)];
            match rustix::event::poll(&mut waiting, Some(&timeout)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        socket.take_error()?.map_or(Ok(()), Err)?;
        Ok(socket.into())
    }
}
