//! What one side's INIT or INIT-ACK says of AUTH: RANDOM, CHUNKS and HMAC-ALGO.

use manyway_wire::{AUTH_RANDOM_LEN, ChunkType, HmacId, HmacIds, Parameter, ParameterList};

use super::chunks::ChunkSet;
use crate::assoc::setup::BadInit;

/// Chunk types that a CHUNKS parameter may hold.
const MAX_CHUNKS: usize = 256;
/// Hash functions that an HMAC-ALGO parameter may hold: the cookie keeps them all.
pub(crate) const MAX_HMAC_IDS: usize = 16;

/// One side's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthOffer {
    pub(crate) random: [u8; AUTH_RANDOM_LEN],
    /// The value of CHUNKS, if it was sent.
    pub(crate) chunks: Option<Box<[u8]>>,
    /// The value of HMAC-ALGO.
    pub(crate) hmacs: Box<[u8]>,
}

impl AuthOffer {
    pub(super) fn new(random: [u8; 32], chunks: ChunkSet, hmacs: &[HmacId]) -> Self {
        let chunks: Box<[u8]> = chunks.iter().map(|kind| kind.0).collect();
        Self {
            random,
            chunks: (!chunks.is_empty()).then_some(chunks),
            hmacs: hmacs.iter().flat_map(|id| id.0.to_be_bytes()).collect(),
        }
    }

    fn parameters(&self) -> impl Iterator<Item = Parameter<'_>> {
        let chunks = self.chunks.as_deref().map(Parameter::Chunks);
        std::iter::once(Parameter::Random(&self.random))
            .chain(chunks)
            .chain(std::iter::once(Parameter::HmacAlgo(&self.hmacs)))
    }

    pub(crate) fn announce(&self, list: &mut ParameterList) {
        for parameter in self.parameters() {
            list.push(&parameter);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //# These parameters include the parameter type, parameter length, and the parameter value, but padding is omitted; all padding MUST be removed from this concatenation before proceeding with further computation of keys.
    /// The key vector.
    pub(super) fn vector(&self) -> Vec<u8> {
        let mut vector = Vec::new();
        for parameter in self.parameters() {
            parameter.encode_unpadded(&mut vector);
        }
        vector
    }

    pub(super) fn chunks(&self) -> ChunkSet {
        let kinds = self.chunks.as_deref().unwrap_or_default();
        ChunkSet::of(kinds.iter().copied().map(ChunkType))
    }

    pub(super) fn accepts(&self, id: HmacId) -> bool {
        HmacIds::from_bytes(&self.hmacs)
            .iter()
            .any(|known| known == id)
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //# The receiver of an HMAC-ALGO parameter SHOULD use the first listed algorithm it supports.
    pub(super) fn favourite(&self) -> Option<HmacId> {
        HmacIds::from_bytes(&self.hmacs)
            .iter()
            .find(|id| id.hmac_len().is_some())
    }
}

/// Picks a peer's offer out of the parameters of its INIT or INIT-ACK.
#[derive(Debug, Default)]
pub(crate) struct OfferReader<'a> {
    random: Option<&'a [u8]>,
    chunks: Option<&'a [u8]>,
    hmacs: Option<&'a [u8]>,
}

impl<'a> OfferReader<'a> {
    pub(crate) fn learn(&mut self, parameter: &Parameter<'a>) {
        match *parameter {
            Parameter::Random(bytes) => self.random = self.random.or(Some(bytes)),
            Parameter::Chunks(bytes) => self.chunks = self.chunks.or(Some(bytes)),
            Parameter::HmacAlgo(bytes) => self.hmacs = self.hmacs.or(Some(bytes)),
            _ => {}
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-3.1
    //# The RANDOM parameter MUST be included once in the INIT or INIT-ACK chunk, if the sender wants to send or receive authenticated chunks
    /// Whether AUTH is offered, be it one that this engine can meet or not.
    pub(crate) fn is_made(&self) -> bool {
        self.random.is_some()
    }

    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //# If the Random Number is not 32 bytes, the association MUST be aborted.
    /// The offer, if there is one that this engine can meet.
    pub(crate) fn finish(self) -> Result<Option<AuthOffer>, BadInit> {
        let Some(random) = self.random else {
            return Ok(None);
        };
        let random = random.try_into().map_err(|_| BadInit::BadAuthOffer)?;
        let Some(hmacs) = self.hmacs else {
            return Ok(None);
        };
        let too_many = hmacs.len() > 2 * MAX_HMAC_IDS;
        if too_many || self.chunks.is_some_and(|c| c.len() > MAX_CHUNKS) {
            return Err(BadInit::BadAuthOffer);
        }
        let offer = AuthOffer {
            random,
            chunks: self.chunks.map(Box::from),
            hmacs: hmacs.into(),
        };
        Ok(offer.favourite().is_some().then_some(offer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(random: usize, chunks: Option<usize>, hmacs: &[u8]) -> Result<bool, BadInit> {
        let (random, chunks) = (vec![7; random], chunks.map(|len| vec![0xc1; len]));
        let mut reader = OfferReader::default();
        reader.learn(&Parameter::Random(&random));
        if let Some(chunks) = &chunks {
            reader.learn(&Parameter::Chunks(chunks));
        }
        reader.learn(&Parameter::HmacAlgo(hmacs));
        reader.finish().map(|offer| offer.is_some())
    }

    #[test]
    fn a_random_number_has_32_bytes() {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
        //= type=test
        //# The RANDOM parameter MUST contain a 32-byte Random Number.
        assert_eq!(read(32, None, &[0, 1]), Ok(true));
        assert_eq!(read(31, None, &[0, 1]), Err(BadInit::BadAuthOffer));
        assert_eq!(read(33, None, &[0, 1]), Err(BadInit::BadAuthOffer));
    }

    #[test]
    fn lists_are_bounded() {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-3.2
        //= type=test
        //# The CHUNKS parameter MUST be included once in the INIT or INIT-ACK chunk if the sender wants to receive authenticated chunks. Its maximum length is 260 bytes.
        assert_eq!(read(32, Some(256), &[0, 1]), Ok(true));
        assert_eq!(read(32, Some(257), &[0, 1]), Err(BadInit::BadAuthOffer));
        assert_eq!(read(32, None, &[0, 1].repeat(16)), Ok(true));
        assert_eq!(
            read(32, None, &[0, 1].repeat(17)),
            Err(BadInit::BadAuthOffer)
        );
    }

    #[test]
    fn without_a_hash_function_that_we_know_there_is_no_auth() {
        assert_eq!(read(32, None, &[0, 2, 0, 9]), Ok(false));
        assert_eq!(read(32, None, &[0, 2, 0, 3, 0, 1]), Ok(true));
    }

    #[test]
    fn the_first_hash_function_that_is_known_is_used() {
        let offer = AuthOffer::new(
            [0; 32],
            ChunkSet::default(),
            &[HmacId(2), HmacId::SHA256, HmacId::SHA1],
        );
        assert_eq!(offer.favourite(), Some(HmacId::SHA256));
        assert!(offer.accepts(HmacId::SHA1) && !offer.accepts(HmacId(7)));
    }

    #[test]
    fn parameters_that_were_not_sent_are_no_part_of_the_vector() {
        let offer = AuthOffer::new([7; 32], ChunkSet::default(), &[HmacId::SHA1]);
        let expected = [&[0x80, 2, 0, 36][..], &[7; 32], &[0x80, 4, 0, 6, 0, 1]].concat();
        assert_eq!(offer.vector(), expected);
    }
}
