//! The walk over a packet's chunks.

use crate::bytes::{padded, take};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType};

/// A chunk whose length is known to be sound; its value is still to be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawChunk<'a> {
    /// The chunk type.
    pub kind: ChunkType,
    /// The eight flag bits.
    pub flags: u8,
    /// What follows the header, without padding.
    pub value: &'a [u8],
    wire: &'a [u8],
}

impl<'a> RawChunk<'a> {
    /// Reads the one chunk that fills `bytes`; up to three bytes of padding may follow it.
    ///
    /// # Errors
    /// As the items of [`ChunkIter`]; also [`DecodeError::BadLength`] when more than padding
    /// follows the chunk.
    pub fn from_wire(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (chunk, rest) = Self::split(bytes)?;
        if rest.is_empty() {
            Ok(chunk)
        } else {
            Err(DecodeError::BadLength {
                what: "chunk",
                length: chunk.wire.len(),
            })
        }
    }

    /// The whole chunk with its header and without padding, as the Unrecognized Chunk Type cause
    /// reports it.
    #[must_use]
    pub const fn wire_bytes(&self) -> &'a [u8] {
        self.wire
    }

    /// Reads the first chunk; also returns what follows it and its padding.
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (&[kind, flags, length_high, length_low], _) =
            take::<CHUNK_HEADER_LEN>(bytes, "chunk header")?;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if length < CHUNK_HEADER_LEN {
            return Err(DecodeError::BadLength {
                what: "chunk",
                length,
            });
        }
        let Some(wire) = bytes.get(..length) else {
            return Err(DecodeError::Truncated {
                what: "chunk",
                need: length,
                have: bytes.len(),
            });
        };
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
        //# The receiver MUST ignore the padding bytes.
        // Some senders leave out the padding of the packet's last chunk; nothing is lost by it.
        let rest = bytes.get(padded(length)..).unwrap_or_default();
        let value = &wire[CHUNK_HEADER_LEN..];
        Ok((
            Self {
                kind: ChunkType(kind),
                flags,
                value,
                wire,
            },
            rest,
        ))
    }
}

/// Iterator over the chunks of a packet.
///
/// The first malformed chunk is the last item: what follows it has no known place.
#[derive(Clone, Debug)]
pub struct ChunkIter<'a> {
    rest: &'a [u8],
}

impl<'a> ChunkIter<'a> {
    /// Walks `bytes`, which begin with a chunk header.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is still to be walked.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for ChunkIter<'a> {
    type Item = Result<RawChunk<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match RawChunk::split(self.rest) {
            Ok((chunk, rest)) => {
                self.rest = rest;
                Some(Ok(chunk))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

impl core::iter::FusedIterator for ChunkIter<'_> {}
