//! ABORT and ERROR (RFC 9260 sections 3.3.7 and 3.3.10).

use alloc::vec::Vec;

use crate::cause::Causes;
use crate::chunk::{EncodeChunk, expect_kind, put_chunk};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};

/// T bit of ABORT and SHUTDOWN COMPLETE.
pub(super) const T_BIT: u8 = 0b1;

/// An ABORT chunk: ends the association at once (RFC 9260 section 3.3.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abort<'a> {
    /// T bit: the packet's verification tag is the one of the packet that is answered.
    pub reflected_tag: bool,
    /// Why; may be empty.
    pub causes: Causes<'a>,
}

impl<'a> Abort<'a> {
    /// Reads an ABORT chunk. Its causes are not looked at: an abort with a malformed cause is
    /// still an abort.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] when `raw` is another chunk.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::ABORT)?;
        let reflected_tag = raw.flags & T_BIT != 0;
        Ok(Self {
            reflected_tag,
            causes: Causes::from_bytes(raw.value),
        })
    }
}

impl EncodeChunk for Abort<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + self.causes.as_bytes().len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.reflected_tag) * T_BIT;
        put_chunk(out, ChunkType::ABORT, flags, self.causes.as_bytes());
    }
}

/// An ERROR chunk: reports errors that do not end the association (RFC 9260 section 3.3.10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorChunk<'a> {
    /// What happened.
    pub causes: Causes<'a>,
}

impl<'a> ErrorChunk<'a> {
    /// Reads an ERROR chunk. Its causes are not looked at.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] when `raw` is another chunk.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::ERROR)?;
        Ok(Self {
            causes: Causes::from_bytes(raw.value),
        })
    }
}

impl EncodeChunk for ErrorChunk<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + self.causes.as_bytes().len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(out, ChunkType::ERROR, 0, self.causes.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::{Cause, CauseList};
    use crate::chunk::tests::{assert_round_trip, raw};
    use crate::serial::Tsn;

    #[test]
    fn an_abort_with_a_cause_decodes_and_encodes() {
        let wire = [6, 1, 0, 12, 0, 9, 0, 8, 0, 0, 0, 42];
        let mut causes = CauseList::new();
        causes.push(&Cause::NoUserData(Tsn(42)));
        let abort = Abort {
            reflected_tag: true,
            causes: causes.as_causes(),
        };
        assert_eq!(Abort::decode(&raw(&wire)), Ok(abort));
        assert_round_trip(&wire);
        assert_round_trip(&[6, 0, 0, 4]);
    }

    #[test]
    fn an_error_with_two_causes_decodes_and_encodes() {
        let wire = [
            9, 0, 0, 21, // type, flags, length
            0, 6, 0, 9, 0x7e, 0, 0, 5, 0xaa, 0, 0,
            0, // an unrecognized chunk of 5 bytes, padded
            0, 12, 0, 5, b'x', // a reason of one byte, its padding not counted
        ];
        let error = ErrorChunk::decode(&raw(&wire)).unwrap();
        let causes: Vec<_> = error.causes.iter().map(Result::unwrap).collect();
        let expected = [
            Cause::UnrecognizedChunk(&[0x7e, 0, 0, 5, 0xaa]),
            Cause::UserInitiatedAbort(b"x"),
        ];
        assert_eq!(causes, expected);
        assert_round_trip(&wire);
    }

    #[test]
    fn an_abort_with_a_malformed_cause_is_still_an_abort() {
        let abort = Abort::decode(&raw(&[6, 0, 0, 8, 0, 1, 0, 3])).unwrap();
        let error = DecodeError::BadLength {
            what: "error cause",
            length: 3,
        };
        assert_eq!(abort.causes.iter().collect::<Vec<_>>(), [Err(error)]);
    }
}
