//! The one step through which every packet of a path passes on its way out and in.
//!
//! Nothing else in the engine may look at the bytes of a packet before [`Protection::unprotect`]
//! or change them after [`Protection::protect`].

use manyway_wire::{ChecksumPolicy, DecodeError, Packet, PacketWriter};

/// How the packets of a path are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protection {
    /// CRC32c alone, as with every RFC 9260 stack.
    #[default]
    Checksum,
}

impl Protection {
    /// Completes a packet; returns its length.
    pub(crate) fn protect(self, packet: PacketWriter<'_>) -> usize {
        match self {
            Self::Checksum => packet.finish(true),
        }
    }

    /// Checks a packet and opens it.
    pub(crate) fn unprotect(self, datagram: &[u8]) -> Result<Packet<'_>, DecodeError> {
        match self {
            Self::Checksum => Packet::decode(datagram, ChecksumPolicy::Verify),
        }
    }
}
