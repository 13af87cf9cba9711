//! Parameters that list numbers, as typed lists (RFC 4895 section 3, RFC 5061 section 4.2.7).

use crate::bytes::{pad, put_tlv};
use crate::list::{FixedItem, FixedList};
use crate::packet::ChunkType;
use crate::param::{Parameter, ParameterList, ParameterType};
use crate::serial::HmacId;

/// Chunk types, as Chunk List and Supported Extensions parameters list them.
pub type ChunkTypes<'a> = FixedList<'a, ChunkType>;

/// HMAC identifiers, the sender's favourite first.
pub type HmacIds<'a> = FixedList<'a, HmacId>;

/// Bytes that a [`Parameter::Random`] has to hold; with another length it ends the association
/// (RFC 4895 section 6.1).
pub const AUTH_RANDOM_LEN: usize = 32;

/// The error detection method "SCTP over DTLS" of [`Parameter::ZeroChecksumAcceptable`]
/// (RFC 9653 section 8).
pub const EDMID_SCTP_OVER_DTLS: u32 = 1;

impl<'a> Parameter<'a> {
    /// The types in a Chunk List or Supported Extensions parameter, `None` for any other.
    ///
    /// Some types have no place in a Chunk List, see
    /// [`ChunkType::can_require_authentication`].
    #[must_use]
    pub fn chunk_types(&self) -> Option<ChunkTypes<'a>> {
        match *self {
            Self::Chunks(types) | Self::SupportedExtensions(types) => {
                Some(ChunkTypes::from_bytes(types))
            }
            _ => None,
        }
    }

    /// The identifiers in a Requested HMAC Algorithm parameter, `None` for any other.
    #[must_use]
    pub fn hmac_ids(&self) -> Option<HmacIds<'a>> {
        match *self {
            Self::HmacAlgo(ids) => Some(HmacIds::from_bytes(ids)),
            _ => None,
        }
    }
}

impl ParameterList {
    /// Appends a Chunk List: the types that have to come authenticated.
    ///
    /// A list beyond 65,531 bytes, which a parameter cannot carry, is cut; so in the other lists.
    pub fn push_chunks(&mut self, types: &[ChunkType]) {
        self.push_items(ParameterType::CHUNKS, types);
    }

    /// Appends Supported Extensions: the chunk types of the extensions that the sender supports.
    pub fn push_supported_extensions(&mut self, types: &[ChunkType]) {
        self.push_items(ParameterType::SUPPORTED_EXTENSIONS, types);
    }

    /// Appends a Requested HMAC Algorithm, the favourite first.
    pub fn push_hmac_algo(&mut self, ids: &[HmacId]) {
        self.push_items(ParameterType::HMAC_ALGO, ids);
    }

    fn push_items<T: FixedItem>(&mut self, kind: ParameterType, items: &[T]) {
        let out = self.bytes_mut();
        pad(out, 0);
        put_tlv(out, kind.0, |out| FixedList::new(items).encode(out));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn typed_lists_encode_as_the_figures_say() {
        let mut list = ParameterList::new();
        list.push(&Parameter::Random(&[7; 3]));
        list.push_chunks(&[ChunkType::ASCONF, ChunkType::ASCONF_ACK]);
        list.push_hmac_algo(&[HmacId::SHA256, HmacId::SHA1]);
        list.push_supported_extensions(&[ChunkType::AUTH]);
        let wire = [
            0x80, 0x02, 0x00, 0x07, 7, 7, 7, 0, // RANDOM
            0x80, 0x03, 0x00, 0x06, 0xc1, 0x80, 0, 0, // CHUNKS
            0x80, 0x04, 0x00, 0x08, 0, 3, 0, 1, // HMAC-ALGO
            0x80, 0x08, 0x00, 0x05, 0x0f, // Supported Extensions
        ];
        assert_eq!(list.as_parameters().as_bytes(), wire);

        let parameters: Vec<_> = list.as_parameters().iter().map(Result::unwrap).collect();
        let types = parameters[1].chunk_types().unwrap();
        assert!(types.iter().eq([ChunkType::ASCONF, ChunkType::ASCONF_ACK]));
        let ids = parameters[2].hmac_ids().unwrap();
        assert!(ids.iter().eq([HmacId::SHA256, HmacId::SHA1]));
        let extensions = parameters[3].chunk_types().unwrap();
        assert!(extensions.iter().eq([ChunkType::AUTH]));
        assert_eq!(parameters[0].chunk_types(), None);
        assert_eq!(parameters[1].hmac_ids(), None);
    }

    #[test]
    fn a_key_vector_is_three_parameters_without_padding() {
        let parameters = [
            Parameter::Random(&[7; 3]),
            Parameter::Chunks(&[0xc1]),
            Parameter::HmacAlgo(&[0, 1]),
        ];
        let mut vector = Vec::new();
        for parameter in parameters {
            parameter.encode_unpadded(&mut vector);
        }
        let expected = [
            0x80, 0x02, 0, 7, 7, 7, 7, 0x80, 0x03, 0, 5, 0xc1, 0x80, 0x04, 0, 6, 0, 1,
        ];
        assert_eq!(vector, expected);
    }

    #[test]
    fn four_chunk_types_never_require_authentication() {
        let exempt: Vec<_> = (0..=u8::MAX)
            .map(ChunkType)
            .filter(|kind| !kind.can_require_authentication())
            .collect();
        let expected = [
            ChunkType::INIT,
            ChunkType::INIT_ACK,
            ChunkType::SHUTDOWN_COMPLETE,
            ChunkType::AUTH,
        ];
        assert_eq!(exempt, expected);
    }
}
