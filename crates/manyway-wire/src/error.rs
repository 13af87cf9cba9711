//! Why bytes could not be decoded.

use crate::serial::Tsn;

/// Why a packet, chunk, parameter or error cause could not be decoded.
///
/// None of these says that the peer is hostile: a packet with a bad checksum is dropped, a
/// malformed chunk ends the processing of its packet, and what else follows is for the
/// association to decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the element does.
    #[error("{what} is truncated: it needs {need} bytes and {have} are left")]
    Truncated {
        /// The element that was being read.
        what: &'static str,
        /// Bytes the element needs.
        need: usize,
        /// Bytes that were left.
        have: usize,
    },
    /// A length field, or the length of a fixed-size element, is impossible.
    #[error("{what} has the impossible length {length}")]
    BadLength {
        /// The element whose length is wrong.
        what: &'static str,
        /// The length found, in bytes, as that element's own length field counts it.
        length: usize,
    },
    /// The packet's checksum does not match its bytes; the packet was damaged and is to be dropped.
    #[error("CRC32c is {found:#010x} but the packet's bytes give {expected:#010x}")]
    BadChecksum {
        /// What the bytes give.
        expected: u32,
        /// What the packet carries.
        found: u32,
    },
    /// A DATA or I-DATA chunk without user data; answered with an ABORT carrying the No User Data cause.
    #[error("the DATA chunk with TSN {tsn} has no user data")]
    EmptyData {
        /// The chunk's TSN, to be reported in the cause.
        tsn: Tsn,
    },
    /// An INIT chunk with the Initiate Tag 0; its packet is to be dropped silently.
    #[error("the INIT chunk has the Initiate Tag 0")]
    ZeroTag,
    /// A field holds a value without a meaning.
    #[error("{what} is not valid")]
    InvalidValue {
        /// The field.
        what: &'static str,
    },
}
