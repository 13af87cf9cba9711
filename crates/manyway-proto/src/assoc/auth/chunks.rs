//! Sets of chunk types.

use manyway_wire::ChunkType;

/// A set of chunk types that may be required to be authenticated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChunkSet([u64; 4]);

impl ChunkSet {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-3.2
    //# However, if a CHUNKS parameter is received then the types for INIT, INIT-ACK, SHUTDOWN-COMPLETE, and AUTH chunks MUST be ignored.
    /// The set of `kinds`, less those that are never authenticated.
    pub(crate) fn of(kinds: impl IntoIterator<Item = ChunkType>) -> Self {
        let mut set = Self::default();
        for kind in kinds {
            if kind.can_require_authentication() {
                set.0[usize::from(kind.0 >> 6)] |= 1 << (kind.0 & 63);
            }
        }
        set
    }

    pub(crate) fn contains(&self, kind: ChunkType) -> bool {
        self.0[usize::from(kind.0 >> 6)] & (1 << (kind.0 & 63)) != 0
    }

    /// Whether more is in it than the chunks that change addresses.
    pub(super) fn is_more_than_asconf(&self) -> bool {
        let asconf = Self::of([ChunkType::ASCONF, ChunkType::ASCONF_ACK]);
        self.0
            .iter()
            .zip(asconf.0)
            .any(|(all, few)| all & !few != 0)
    }

    /// The types in it, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = ChunkType> + '_ {
        (0..=u8::MAX).map(ChunkType).filter(|k| self.contains(*k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_are_never_authenticated_are_left_out() {
        //= https://www.rfc-editor.org/rfc/rfc4895#section-3.2
        //= type=test
        //# The chunk types for INIT, INIT-ACK, SHUTDOWN-COMPLETE, and AUTH chunks MUST NOT be listed in the CHUNKS parameter.
        let all = ChunkSet::of((0..=u8::MAX).map(ChunkType));
        assert_eq!(all.iter().count(), 252);
        for kind in [
            ChunkType::INIT,
            ChunkType::INIT_ACK,
            ChunkType::SHUTDOWN_COMPLETE,
            ChunkType::AUTH,
        ] {
            assert!(!all.contains(kind));
        }
        assert!(all.contains(ChunkType::DATA) && all.contains(ChunkType(255)));
    }

    #[test]
    fn only_other_chunks_cost_every_packet_an_auth_chunk() {
        let asconf = [ChunkType::ASCONF, ChunkType::ASCONF_ACK];
        assert!(!ChunkSet::of(asconf).is_more_than_asconf());
        assert!(!ChunkSet::default().is_more_than_asconf());
        assert!(ChunkSet::of([ChunkType::ASCONF, ChunkType::DATA]).is_more_than_asconf());
    }
}
