//! The socket: options, binding, and the calls that a driver makes.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use quinn_udp::{UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::bind_error::BindError;
use super::icmp::{self, IcmpError, IcmpQueue};
use super::readiness::Readiness;
use super::recv::RecvBatch;
use super::send::{Datagrams, Sender};
use super::sockopt;

/// How to bind a [`UdpSocket`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpOptions {
    /// The address and port to bind; the address may be unspecified, the port 0.
    pub local: SocketAddr,
    /// The only interface to send to and receive from. Where the system forbids it, the socket is
    /// bound to `local` alone, and a warning says so.
    pub interface: Option<String>,
    /// Wanted size of the kernel's receive buffer in bytes; the system may grant less.
    pub receive_buffer: usize,
    /// Wanted size of the kernel's send buffer in bytes; the system may grant less.
    pub send_buffer: usize,
    /// Share the port with other sockets that do the same (`SO_REUSEPORT`).
    pub reuse_port: bool,
}

impl UdpOptions {
    /// Options for `local` with buffers of 2 MiB.
    pub fn new(local: SocketAddr) -> Self {
        Self {
            local,
            interface: None,
            receive_buffer: 2 << 20,
            send_buffer: 2 << 20,
            reuse_port: false,
        }
    }
}

/// A non-blocking UDP socket of one address family.
///
/// Packets are sent with "don't fragment" set, and the kernel's idea of the path MTU is ignored
/// (`IP_PMTUDISC_PROBE`): finding the MTU is the transport's work (RFC 8899).
///
/// The `poll_*` functions remember one task each: at most one task may receive, one may wait to
/// send, one may wait for errors. They may be different tasks.
#[derive(Debug)]
pub struct UdpSocket {
    readiness: Readiness,
    state: UdpSocketState,
    sender: Sender,
    icmp: Mutex<IcmpQueue>,
    local: SocketAddr,
    /// What is received begins with an IPv4 header, as on raw sockets.
    has_ipv4_header: bool,
}

impl UdpSocket {
    /// Binds a socket and registers it with the tokio runtime of the caller.
    ///
    /// # Errors
    /// See [`BindError`]; without a tokio runtime it is [`BindError::Io`].
    pub fn bind(options: &UdpOptions) -> Result<Self, BindError> {
        let io = |source| BindError::Io {
            address: options.local,
            source,
        };
        let socket = Socket::new(
            Domain::for_address(options.local),
            Type::DGRAM.nonblocking().cloexec(),
            Some(Protocol::UDP),
        )
        .map_err(io)?;
        if options.local.is_ipv6() {
            socket.set_only_v6(true).map_err(io)?;
        }
        if options.reuse_port {
            socket.set_reuse_port(true).map_err(io)?;
        }
        bind_to_interface(&socket, options)?;
        socket
            .bind(&SockAddr::from(options.local))
            .map_err(|error| BindError::from_bind(options.local, error))?;
        Self::over(socket, options, false).map_err(io)
    }

    /// Sets up and registers a socket that is bound already.
    pub(crate) fn over(
        socket: Socket,
        options: &UdpOptions,
        has_ipv4_header: bool,
    ) -> io::Result<Self> {
        size_buffers(&socket, options)?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        sockopt::disable_timestamps(&socket)?;
        sockopt::report_errors(&socket, options.local.is_ipv6())?;
        let bound = socket.local_addr()?.as_socket();
        let mut local = bound.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        // On raw sockets it is the protocol.
        if socket.r#type()? == Type::RAW {
            local.set_port(0);
        }
        let segments = match socket.r#type()? {
            Type::RAW => 1,
            _ => state.max_gso_segments(),
        };
        Ok(Self {
            sender: Sender::new(segments),
            readiness: Readiness::new(socket)?,
            state,
            icmp: Mutex::default(),
            local,
            has_ipv4_header,
        })
    }

    /// The bound address, with the port that the kernel chose if it was 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Divides what arrives at a port among the sockets that share it (see
    /// [`UdpOptions::reuse_port`]), by the SCTP verification tag: a datagram goes to the socket
    /// whose place in the order of binding is the tag modulo `sockets`, so that it reaches the
    /// same one wherever its sender has moved. INITs, whose tag is zero, go to any of them, and so
    /// do datagrams for a place that no socket has.
    ///
    /// Called once, on any socket of the group, after all are bound.
    ///
    /// # Errors
    /// What `setsockopt(2)` says for `SO_ATTACH_REUSEPORT_CBPF`.
    pub fn steer_by_tag(&self, sockets: NonZeroU16) -> io::Result<()> {
        sockopt::steer_by_tag(self.readiness.socket(), sockets)
    }

    /// Datagrams that one call of [`try_send`](Self::try_send) passes to the kernel at once; falls
    /// to 1 when a device turns out to be unable to segment.
    pub fn max_gso_segments(&self) -> usize {
        self.sender.max_gso_segments()
    }

    /// The most datagrams that one receive can bring.
    pub fn gro_segments(&self) -> usize {
        self.state.gro_segments()
    }

    /// Datagrams that a local queue dropped since the socket was made.
    pub fn send_drops(&self) -> u64 {
        self.sender.dropped()
    }

    /// ICMP errors that were forgotten because nobody took them in time.
    pub fn icmp_drops(&self) -> u64 {
        self.icmp().dropped()
    }

    /// Sends a batch without waiting. All of it is sent, or nothing when this fails; except that a
    /// batch which had to be divided (see [`max_gso_segments`](Self::max_gso_segments)) may have
    /// been sent in part when an error follows, and loses its rest when the buffer fills up.
    ///
    /// # Errors
    /// - `WouldBlock`: the send buffer is full; wait with [`writable`](Self::writable).
    /// - `EMSGSIZE`: larger than the interface's MTU. `ENETUNREACH`, `EHOSTUNREACH`, `EINVAL`: no
    ///   route, or not from this source address. Others as `sendmsg(2)` has them.
    ///
    /// ICMP errors about earlier packets are never returned here; see
    /// [`take_errors`](Self::take_errors).
    pub fn try_send(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        let socket = self.readiness.socket();
        self.sender
            .send(socket, datagrams, &|| self.icmp().fill(socket))
    }

    /// As [`try_send`](Self::try_send), but lets IP fragment what is larger than the path carries.
    /// Costs two more system calls; for packets that cannot be cut anew.
    ///
    /// # Errors
    /// As [`try_send`](Self::try_send).
    pub fn try_send_fragmented(&self, datagrams: &Datagrams<'_>) -> io::Result<()> {
        let socket = self.readiness.socket();
        let ipv6 = self.local.is_ipv6();
        sockopt::set_fragmentation(socket, ipv6, true)?;
        let sent = self.try_send(datagrams);
        sockopt::set_fragmentation(socket, ipv6, false)?;
        sent
    }

    /// Waits until the send buffer has room. Cancel safe.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub async fn writable(&self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_send_ready(cx)).await
    }

    /// Ready when the send buffer has room.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.readiness.poll_write(cx)
    }

    /// Receives as much as one system call brings into `batch`, and says how many receives that
    /// was; 0 when a flood of ICMP errors got in the way, which is no reason to stop. What the
    /// batch still held is lost: [drain](RecvBatch::drain) it first.
    ///
    /// # Errors
    /// As `recvmmsg(2)` has them; pending ICMP errors are never returned here.
    pub fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        batch: &mut RecvBatch,
    ) -> Poll<io::Result<usize>> {
        self.readiness
            .poll_read(cx, |socket| self.recv_now(socket, batch))
    }

    fn recv_now(&self, socket: &Socket, batch: &mut RecvBatch) -> io::Result<usize> {
        let mut attempts = 0;
        batch.has_ipv4_header = self.has_ipv4_header;
        loop {
            match batch.fill(&self.state, UdpSockRef::from(socket)) {
                Err(error)
                    if error.raw_os_error().is_some_and(icmp::may_be_pending) && attempts < 3 =>
                {
                    attempts += 1;
                    self.icmp().fill(socket);
                }
                // More errors arrive than can be cleared; what was received waits in the kernel.
                Err(error) if error.raw_os_error().is_some_and(icmp::may_be_pending) => {
                    return Ok(0);
                }
                result => return result,
            }
        }
    }

    /// Takes the ICMP errors that have arrived. At most 64 are kept.
    pub fn take_errors(&self) -> Vec<IcmpError> {
        let mut queue = self.icmp();
        queue.fill(self.readiness.socket());
        queue.take()
    }

    /// The next ICMP error, as it arrives. Costs no system call while there is none.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub fn poll_error(&self, cx: &mut Context<'_>) -> Poll<io::Result<IcmpError>> {
        let socket = self.readiness.socket();
        loop {
            if let Some(error) = self.icmp().pop(socket) {
                return Poll::Ready(Ok(error));
            }
            ready!(self.readiness.poll_error(cx))?;
            self.icmp().fill(socket);
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.readiness.socket()
    }

    fn icmp(&self) -> MutexGuard<'_, IcmpQueue> {
        self.icmp.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind_to_interface(socket: &Socket, options: &UdpOptions) -> Result<(), BindError> {
    let Some(interface) = &options.interface else {
        return Ok(());
    };
    let Err(error) = socket.bind_device(Some(interface.as_bytes())) else {
        return Ok(());
    };
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            tracing::warn!(
                %interface, local = %options.local,
                "no permission to tie a socket to an interface (CAP_NET_RAW); \
                 routing by source address has to keep it there"
            );
            Ok(())
        }
        Some(libc::ENODEV) => Err(BindError::NoInterface {
            interface: interface.clone(),
        }),
        _ => Err(BindError::Io {
            address: options.local,
            source: error,
        }),
    }
}

/// Sizes beyond the system's limit need a privilege; without it the limit has to do.
fn size_buffers(socket: &Socket, options: &UdpOptions) -> io::Result<()> {
    use rustix::net::sockopt;
    if sockopt::set_socket_recv_buffer_size_force(socket, options.receive_buffer).is_err() {
        socket.set_recv_buffer_size(options.receive_buffer)?;
    }
    if sockopt::set_socket_send_buffer_size_force(socket, options.send_buffer).is_err() {
        socket.set_send_buffer_size(options.send_buffer)?;
    }
    Ok(())
}
