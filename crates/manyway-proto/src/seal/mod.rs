//! The one step through which every packet of a path passes on its way out and in.
//!
//! Nothing else in the engine may look at the bytes of a packet before [`Protection::unprotect`]
//! or change them after [`Protection::protect`].

use manyway_wire::{ChecksumPolicy, ChunkType, DecodeError, Packet, PacketWriter};

use crate::assoc::Extension;
use crate::config::TransportConfig;

/// What detects damaged packets (RFC 9653, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorDetection {
    /// SCTP's own checksum, CRC32c.
    #[default]
    Checksum,
    /// Whoever carries the packets: SCTP over DTLS (RFC 8261), where the datagrams given to
    /// [`crate::Endpoint::handle_datagram`] have been opened by DTLS. Never to be said where that
    /// is not so.
    Dtls,
}

/// How the packets of a path are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// CRC32c alone, as with every RFC 9260 stack.
    Checksum,
    /// What carries the packets detects errors better; the checksum may be zero.
    LowerLayer,
}

/// Chunks whose packets always have a correct checksum: their receiver may not have found the
/// association yet that would tell it what it has agreed to.
const ALWAYS_CHECKED: &[ChunkType] = &[ChunkType::INIT, ChunkType::COOKIE_ECHO, ChunkType::ASCONF];

impl Protection {
    /// Of paths with these options.
    pub(crate) fn of(config: &TransportConfig) -> Self {
        match config.offer().contains(Extension::ZeroChecksum) {
            true => Self::LowerLayer,
            false => Self::Checksum,
        }
    }

    /// Completes a packet; returns its length. `zero_accepted`: the peer said so.
    pub(crate) fn protect(self, packet: PacketWriter<'_>, zero_accepted: bool) -> usize {
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
        //# If an endpoint has not received an INIT or INIT ACK chunk containing a Zero Checksum Acceptable Chunk Parameter indicating an alternate error detection method it supports from its peer during the association setup, it MUST use a correct CRC32c checksum.
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
        //# When an endpoint sends a packet containing a COOKIE ECHO chunk, it MUST include a correct CRC32c checksum in the packet containing the COOKIE ECHO chunk.
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
        //# When an endpoint supports the dynamic address reconfiguration specified in [RFC5061] and sends a packet containing an ASCONF chunk, it MUST include a correct CRC32c checksum in the packet containing the ASCONF chunk.
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
        //# If none of the above restrictions apply, an endpoint SHOULD use zero as the checksum when sending an SCTP packet.
        let zero =
            self == Self::LowerLayer && zero_accepted && !packet.contains_any(ALWAYS_CHECKED);
        packet.finish(!zero)
    }

    /// Checks a packet and opens it.
    pub(crate) fn unprotect(self, datagram: &[u8]) -> Result<Packet<'_>, DecodeError> {
        //= https://www.rfc-editor.org/rfc/rfc9653#section-5.3
        //# If an endpoint has sent the Zero Checksum Acceptable Chunk Parameter indicating the support of an alternate error detection method in an INIT or INIT ACK chunk, in addition to SCTP packets containing the correct CRC32c checksum value it MUST accept SCTP packets that have an incorrect checksum value of zero and that fulfill the requirements of the announced alternate error detection method used for this association. Otherwise, the endpoint MUST drop all SCTP packets with an incorrect CRC32c checksum.
        Packet::decode(
            datagram,
            match self {
                Self::Checksum => ChecksumPolicy::Verify,
                Self::LowerLayer => ChecksumPolicy::VerifyUnlessZero,
            },
        )
    }
}
