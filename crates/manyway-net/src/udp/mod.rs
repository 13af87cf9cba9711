//! Asynchronous UDP sockets for a transport driver.
//!
//! One [`UdpSocket`] serves one address family and one local address (or the wildcard). It sends
//! batches with generic segmentation offload, receives them with generic receive offload, pins the
//! source address of what it sends, and reports what ICMP said about a destination.

mod bind_error;
mod icmp;
mod readiness;
mod recv;
mod send;
mod socket;
mod sockopt;

pub use bind_error::BindError;
pub use icmp::{IcmpError, IcmpErrorKind, Quote};
pub use recv::{Drain, Received, RecvBatch, Segments};
pub use send::Datagrams;
pub use socket::{UdpOptions, UdpSocket};

/// The explicit congestion notification field of an IP header, when it says something
/// (RFC 3168, section 5); `Not-ECT` is `None` of an `Option<Ecn>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// ECN-capable transport, code point `10`.
    Ect0,
    /// ECN-capable transport, code point `01`.
    Ect1,
    /// Congestion experienced, code point `11`.
    Ce,
}

impl Ecn {
    /// The two bits in the traffic class.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

impl From<quinn_udp::EcnCodepoint> for Ecn {
    fn from(codepoint: quinn_udp::EcnCodepoint) -> Self {
        match codepoint {
            quinn_udp::EcnCodepoint::Ect0 => Self::Ect0,
            quinn_udp::EcnCodepoint::Ect1 => Self::Ect1,
            quinn_udp::EcnCodepoint::Ce => Self::Ce,
        }
    }
}
