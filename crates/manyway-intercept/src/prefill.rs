//! Keeping a connected non-blocking socket unwritable until the remote side is there.
//!
//! A program that got `EINPROGRESS` waits for writability. Its socket is already connected to the
//! broker, so its send buffer is shrunk and filled with bytes that the broker throws away when the
//! remote side is there: the drain is what makes the socket writable, exactly once.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::net::SendFlags;

use crate::loopback::{Loopback, wait_readable};
use crate::sockets;

/// One write of filler. The smallest send buffer takes one of these.
const FILLER: [u8; 4096] = [0; 4096];
/// No kernel's smallest send buffer takes more; a socket that does is not filling up.
const FILLER_LIMIT: usize = 1 << 20;
/// How long the filler may take over loopback; ordinarily it is microseconds.
const DRAIN: Duration = Duration::from_secs(2);
/// The window the broker's end may offer; the kernel bounds it by `net.ipv4.tcp_rmem`.
const FULL_WINDOW: i32 = 4 << 20;
const LOCK_SEND: i32 = 1;

/// Options of the program's socket to be put back.
#[derive(Debug, Clone, Copy)]
struct Saved {
    /// As `getsockopt` reports it, which is twice what `setsockopt` takes.
    send_buffer: i32,
    locks: i32,
    /// Milliseconds; would otherwise break the connection while the window is closed.
    user_timeout: i32,
}

impl Saved {
    fn take(socket: BorrowedFd<'_>) -> io::Result<Self> {
        let saved = Self {
            send_buffer: sockets::int(socket, libc::SOL_SOCKET, libc::SO_SNDBUF)?,
            locks: sockets::buffer_locks(socket)?,
            user_timeout: sockets::int(socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT)?,
        };
        sockets::set_int(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, 1)?;
        if saved.user_timeout != 0 {
            sockets::set_int(socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 0)?;
        }
        Ok(saved)
    }

    fn put_back(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        // An unlocked buffer is tuned by the kernel, which expands it on the first acknowledgement;
        // one generous size spares the first round trips.
        let locked = self.locks & LOCK_SEND != 0;
        let size = if locked {
            self.send_buffer / 2
        } else {
            FULL_WINDOW
        };
        sockets::set_int(socket, libc::SOL_SOCKET, libc::SO_SNDBUF, size)?;
        sockets::set_buffer_locks(socket, self.locks)?;
        if self.user_timeout != 0 {
            let value = self.user_timeout;
            sockets::set_int(socket, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, value)?;
        }
        Ok(())
    }
}

/// A program's socket connected to the broker and kept unwritable.
#[derive(Debug)]
pub(crate) struct Prefilled {
    /// The broker's end.
    stream: TcpStream,
    filler: usize,
    saved: Saved,
}

impl Prefilled {
    /// Connects and fills. On error the socket is as it was before, or unusable to the program
    /// anyway.
    pub(crate) fn new(
        socket: BorrowedFd<'_>,
        loopback: &Loopback,
        destination: SocketAddr,
    ) -> io::Result<Self> {
        let saved = Saved::take(socket)?;
        let met = loopback.meet_filled(socket, destination, &FILLER);
        let filled = met.and_then(|(stream, filled)| {
            // Locked small again: an accepted socket does not keep the listener's size once the
            // kernel may tune it, and an early acknowledgement would let the program write.
            sockets::set_int(stream.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
            let filler = fill(socket, filled)?;
            Ok(Self {
                stream,
                filler,
                saved,
            })
        });
        if filled.is_err() {
            let _ = sockets::disconnect(socket);
            let _ = saved.put_back(socket);
        }
        filled
    }

    /// Drains the filler, which makes the program's socket writable, and opens the buffers of
    /// both ends. Without `socket` (the program moved it out of reach) its end stays small.
    pub(crate) fn open(mut self, socket: Option<BorrowedFd<'_>>) -> io::Result<TcpStream> {
        self.drain()?;
        if let Some(socket) = socket {
            self.saved.put_back(socket)?;
        }
        let end = self.stream.as_fd();
        sockets::set_int(end, libc::SOL_SOCKET, libc::SO_RCVBUF, FULL_WINDOW)?;
        sockets::set_buffer_locks(end, 0)?;
        sockets::set_int(end, libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP, FULL_WINDOW)?;
        Ok(self.stream)
    }

    /// Puts the options of a socket back that will be made to fail.
    pub(crate) fn release(self, socket: BorrowedFd<'_>) -> io::Result<()> {
        self.saved.put_back(socket)
    }

    fn drain(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN;
        let mut buffer = FILLER;
        while self.filler > 0 {
            let room = self.filler.min(buffer.len());
            match self.stream.read(&mut buffer[..room]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.filler -= read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_readable(self.stream.as_fd(), deadline)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn fill(socket: BorrowedFd<'_>, mut filled: usize) -> io::Result<usize> {
    let deadline = Instant::now() + DRAIN;
    while filled < FILLER_LIMIT && Instant::now() < deadline {
        match rustix::net::send(socket, &FILLER, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => filled += sent,
            Err(rustix::io::Errno::AGAIN) if filled > 0 => return Ok(filled),
            // The handshake's last segment is still on its way to this end.
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("the send buffer does not fill up"))
}
