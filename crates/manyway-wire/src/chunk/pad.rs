//! PAD (RFC 4820 section 3).

use alloc::vec::Vec;

use crate::chunk::{EncodeChunk, expect_kind, put_header};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};

/// A PAD chunk: makes a packet longer, to probe a path's MTU or to make a question no shorter
/// than its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pad {
    /// Bytes of the chunk's value, its header not counted.
    pub len: usize,
}

impl Pad {
    /// Reads a PAD chunk; whatever it holds is ignored.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] when `raw` is another chunk.
    pub fn decode(raw: &RawChunk<'_>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::PAD)?;
        Ok(Self {
            len: raw.value.len(),
        })
    }
}

impl EncodeChunk for Pad {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN.saturating_add(self.len)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, ChunkType::PAD, 0, self.encoded_len());
        out.resize(out.len() + self.len, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::tests::raw;

    #[test]
    fn a_pad_chunk_decodes_and_encodes() {
        let wire = [0x84, 0, 0, 9, 0, 0, 0, 0, 0];
        let pad = Pad::decode(&raw(&wire)).unwrap();
        assert_eq!(pad, Pad { len: 5 });
        let mut out = Vec::new();
        pad.encode(&mut out);
        assert_eq!(out, wire);
    }
}
