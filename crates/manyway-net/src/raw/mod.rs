//! Raw IP sockets for SCTP as RFC 9260 has it: protocol 132, without UDP.
//!
//! A [`RawSocket`] sends and receives as a [`UdpSocket`] does, but what it calls a datagram is an
//! SCTP packet, and all port numbers are 0. It needs `CAP_NET_RAW`. As long as one is open for an
//! address, the kernel answers nothing on its own to SCTP packets for that address.

mod filter;

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::udp::{UdpOptions, UdpSocket};

/// Ports that a filter can tell apart; with more, packets for any port are received.
pub const MAX_PORTS: usize = filter::MAX_PORTS;

/// Why [`RawSocket::bind`] failed.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// The system forbids it.
    #[error(
        "no permission for SCTP over IP itself: it needs CAP_NET_RAW, as root has it; or use UDP"
    )]
    Permission,
    /// No interface has the address, or it is still being checked for duplicates.
    #[error("{address} is not an address of this machine, or not yet usable")]
    AddressNotAvailable {
        /// The address that was wanted.
        address: IpAddr,
    },
    /// Anything else.
    #[error("cannot open a raw socket on {address}: {source}")]
    Io {
        /// The address that was wanted.
        address: IpAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl RawError {
    fn new(address: IpAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission,
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { address },
            _ => Self::Io { address, source },
        }
    }
}

/// A non-blocking raw socket for SCTP over one local address.
#[derive(Debug)]
pub struct RawSocket {
    packets: UdpSocket,
    ipv6: bool,
}

impl RawSocket {
    /// Binds a socket and registers it with the tokio runtime of the caller. It receives nothing
    /// before [`set_ports`](Self::set_ports).
    ///
    /// # Errors
    /// See [`RawError`]; without a tokio runtime it is [`RawError::Io`].
    pub fn bind(local: IpAddr, interface: Option<&str>) -> Result<Self, RawError> {
        let io = |source| RawError::new(local, source);
        let address = SocketAddr::new(local, 0);
        let protocol = Protocol::from(libc::IPPROTO_SCTP);
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(protocol)).map_err(io)?;
        // Nothing slips in before the ports are known.
        filter::attach(&socket, &[], local.is_ipv6()).map_err(io)?;
        if let Some(interface) = interface {
            socket.bind_device(Some(interface.as_bytes())).map_err(io)?;
        }
        socket.bind(&SockAddr::from(address)).map_err(io)?;
        let options = UdpOptions::new(address);
        Ok(Self {
            packets: UdpSocket::over(socket, &options, local.is_ipv4()).map_err(io)?,
            ipv6: local.is_ipv6(),
        })
    }

    /// Receives packets for these SCTP ports only, and for all ports if there are more than
    /// [`MAX_PORTS`].
    ///
    /// # Errors
    /// What `setsockopt(2)` says for `SO_ATTACH_FILTER`.
    pub fn set_ports(&self, ports: &[u16]) -> io::Result<()> {
        filter::attach(self.packets.socket(), ports, self.ipv6)
    }

    /// What sends and receives. Sources and destinations have port 0, and the protocol's checksum
    /// is the sender's affair.
    pub fn packets(&self) -> &UdpSocket {
        &self.packets
    }
}
