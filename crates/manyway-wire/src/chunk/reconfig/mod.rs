//! RE-CONFIG (RFC 6525 section 3.1).

mod list;
mod parameter;

pub use list::{ReconfigParameterIter, ReconfigParameterList, ReconfigParameters};
pub use parameter::{NextTsns, ReconfigParameter, ReconfigResult, StreamIds};

use alloc::vec::Vec;

use crate::chunk::{EncodeChunk, expect_kind, put_chunk};
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};
use crate::param::ParameterType;

/// A RE-CONFIG chunk: asks for changes of streams, or answers such requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reconfig<'a> {
    /// The requests and responses; one or two of them.
    pub parameters: ReconfigParameters<'a>,
}

impl<'a> Reconfig<'a> {
    /// Reads a RE-CONFIG chunk; its parameters are checked as they are walked.
    ///
    /// # Errors
    /// [`DecodeError::InvalidValue`] when `raw` is another chunk.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        expect_kind(raw, ChunkType::RE_CONFIG)?;
        Ok(Self {
            parameters: ReconfigParameters::from_bytes(raw.value),
        })
    }

    /// Whether the parameters are well formed and one of the ten combinations that may share a
    /// chunk (RFC 6525 section 3.1), in whichever order. Any other combination is to be answered
    /// with the Protocol Violation cause.
    #[must_use]
    pub fn is_allowed_combination(&self) -> bool {
        use ParameterType as P;
        let mut parameters = self.parameters.iter().map(|item| item.map(|p| p.kind()));
        match (parameters.next(), parameters.next(), parameters.next()) {
            (Some(Ok(kind)), None, None) => {
                (P::OUTGOING_SSN_RESET_REQUEST..=P::ADD_INCOMING_STREAMS_REQUEST).contains(&kind)
            }
            (Some(Ok(one)), Some(Ok(other)), None) => matches!(
                (one.min(other), one.max(other)),
                (P::OUTGOING_SSN_RESET_REQUEST, P::INCOMING_SSN_RESET_REQUEST)
                    | (P::OUTGOING_SSN_RESET_REQUEST, P::RECONFIG_RESPONSE)
                    | (
                        P::ADD_OUTGOING_STREAMS_REQUEST,
                        P::ADD_INCOMING_STREAMS_REQUEST
                    )
                    | (P::RECONFIG_RESPONSE, P::RECONFIG_RESPONSE)
            ),
            _ => false,
        }
    }
}

impl EncodeChunk for Reconfig<'_> {
    fn encoded_len(&self) -> usize {
        CHUNK_HEADER_LEN + self.parameters.as_bytes().len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_chunk(out, ChunkType::RE_CONFIG, 0, self.parameters.as_bytes());
    }
}

#[cfg(test)]
mod tests;
