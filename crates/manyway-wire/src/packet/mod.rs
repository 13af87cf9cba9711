//! Packets: the common header, the walk over the chunks, and the writer (RFC 9260 section 3).

mod auth;
mod chunks;
mod kind;
mod writer;

pub use auth::Authentication;
pub use chunks::{ChunkIter, RawChunk};
pub use kind::{ChunkType, UnrecognizedAction};
pub use writer::PacketWriter;

use crate::bytes::take;
use crate::crc32c::packet_crc32c;
use crate::error::DecodeError;
use crate::serial::{Port, VerificationTag};

/// Bytes of the common header (RFC 9260 section 3.1).
pub const COMMON_HEADER_LEN: usize = 12;

/// Bytes of a chunk's type, flags and length (RFC 9260 section 3.2).
pub const CHUNK_HEADER_LEN: usize = 4;

/// The UDP port registered for SCTP in UDP; a default to send to, never an assumption about
/// where a peer sends from (RFC 6951 section 5.1).
pub const UDP_ENCAPSULATION_PORT: u16 = 9899;

/// The common header without its checksum (RFC 9260 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CommonHeader {
    /// The sender's SCTP port.
    pub source_port: Port,
    /// The receiver's SCTP port.
    pub destination_port: Port,
    /// The tag the receiver announced, or 0 in a packet with an INIT chunk.
    pub verification_tag: VerificationTag,
}

/// What to do with the checksum of a received packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChecksumPolicy {
    /// Accept only a correct CRC32c.
    Verify,
    /// Accept a correct CRC32c and also zero, for peers that were told that zero is acceptable
    /// (RFC 9653 section 5.3).
    VerifyUnlessZero,
    /// Look at no checksum: something stronger already protects the bytes, or they come from a
    /// fuzzer.
    Ignore,
}

/// A received packet whose common header is well formed. Its chunks are checked as they are
/// walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    header: CommonHeader,
    chunks: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the common header and judges the checksum by `policy`.
    ///
    /// `bytes` is the whole packet: the payload of one UDP datagram or of one IP packet.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when there is no whole common header,
    /// [`DecodeError::BadChecksum`] when the checksum is wrong, and
    /// [`DecodeError::InvalidValue`] when a port is 0. The packet is to be dropped in each case.
    pub fn decode(bytes: &'a [u8], policy: ChecksumPolicy) -> Result<Self, DecodeError> {
        let (fields, chunks) = take::<COMMON_HEADER_LEN>(bytes, "common header")?;
        let &[s0, s1, d0, d1, t0, t1, t2, t3, checksum @ ..] = fields;
        verify(bytes, u32::from_le_bytes(checksum), policy)?;
        let header = CommonHeader {
            source_port: Port(u16::from_be_bytes([s0, s1])),
            destination_port: Port(u16::from_be_bytes([d0, d1])),
            verification_tag: VerificationTag(u32::from_be_bytes([t0, t1, t2, t3])),
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.1
        //# The Source Port Number 0 MUST NOT be used.
        if header.source_port == Port(0) {
            return Err(DecodeError::InvalidValue {
                what: "source port 0",
            });
        }
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.1
        //# The Destination Port Number 0 MUST NOT be used.
        if header.destination_port == Port(0) {
            return Err(DecodeError::InvalidValue {
                what: "destination port 0",
            });
        }
        Ok(Self { header, chunks })
    }

    /// The common header.
    #[must_use]
    pub const fn header(&self) -> CommonHeader {
        self.header
    }

    /// The chunks in wire order; a malformed one is the last item.
    #[must_use]
    pub const fn chunks(&self) -> ChunkIter<'a> {
        ChunkIter::new(self.chunks)
    }
}

fn verify(bytes: &[u8], found: u32, policy: ChecksumPolicy) -> Result<(), DecodeError> {
    let skip = match policy {
        ChecksumPolicy::Verify => false,
        ChecksumPolicy::VerifyUnlessZero => found == 0,
        ChecksumPolicy::Ignore => true,
    };
    if skip {
        return Ok(());
    }
    let expected = packet_crc32c(bytes);
    if expected == found {
        Ok(())
    } else {
        Err(DecodeError::BadChecksum { expected, found })
    }
}

#[cfg(test)]
pub(crate) mod tests;
