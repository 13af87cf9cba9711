//! The keys of an association (RFC 4895), so that what is forged reaches behind AUTH.

use hmac::{Hmac, KeyInit, Mac};
use manyway_wire::{HmacId, KeyId, PacketWriter, ParameterType, Parameters};
use sha2::Sha256;

/// Identifiers of the keys that both ends have.
pub(crate) const KEYS: std::ops::Range<u16> = 0..3;

/// The endpoint pair shared key under an identifier.
pub(crate) fn secret(id: u16) -> [u8; 4] {
    [id as u8; 4]
}

/// What the keys of an association follow from, and those that were computed.
pub(crate) struct Keys {
    /// Whether [`secret`] is configured at both ends, or the null key alone.
    configured: bool,
    /// The key vectors of INIT and INIT-ACK.
    vectors: [Vec<u8>; 2],
    computed: Vec<(u16, Hmac<Sha256>)>,
}

impl Keys {
    pub(crate) fn new(configured: bool) -> Self {
        Self {
            configured,
            vectors: Default::default(),
            computed: Vec::new(),
        }
    }

    /// The parameters of an INIT or INIT-ACK of side `end`.
    pub(crate) fn learn(&mut self, end: usize, parameters: &Parameters<'_>) {
        let kinds = [
            ParameterType::RANDOM,
            ParameterType::CHUNKS,
            ParameterType::HMAC_ALGO,
        ];
        let vector = &mut self.vectors[end];
        vector.clear();
        for kind in kinds {
            for parameter in parameters.iter().flatten().filter(|p| p.kind() == kind) {
                parameter.encode_unpadded(vector);
            }
        }
    }

    /// Completes a packet that has an AUTH chunk.
    pub(crate) fn fill(&mut self, id: u16, writer: &mut PacketWriter<'_>) {
        if !self.computed.iter().any(|(known, _)| *known == id) {
            let mut key = Vec::new();
            if self.configured {
                key.extend_from_slice(&secret(id));
            }
            // Both vectors are of the same length and begin alike, so that their order as numbers
            // is that of their bytes.
            let [a, b] = &self.vectors;
            let (small, large) = if a < b { (a, b) } else { (b, a) };
            key.extend_from_slice(small);
            key.extend_from_slice(large);
            let mac = Hmac::new_from_slice(&key).expect("HMAC takes keys of any length");
            self.computed.push((id, mac));
        }
        let known = self.computed.iter().find(|(known, _)| *known == id);
        if let (Some((_, mac)), Some(covered)) = (known, writer.authenticated()) {
            let mut mac = mac.clone();
            mac.update(covered);
            let filled = writer.fill_hmac(&mac.finalize().into_bytes());
            assert!(filled, "the chunk has room for its HMAC");
        }
    }

    /// Begins the authenticated part of a packet.
    pub(crate) fn begin(id: u16, writer: &mut PacketWriter<'_>) -> bool {
        writer.push_auth(KeyId(id), HmacId::SHA256, 32)
    }
}
