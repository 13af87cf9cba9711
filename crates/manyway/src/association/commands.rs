//! What is asked of the association.

use manyway_proto::{PathError, PathId, Wish};

use super::Association;

impl Association {
    /// Asks the engine's association, or says `gone` if there is none any more.
    pub(super) fn command<E>(
        &self,
        gone: E,
        f: impl FnOnce(&mut manyway_proto::Association, manyway_proto::Instant) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = self.0.shared.now();
        self.with(|state| {
            let assoc = state.proto.association_mut(now, self.0.id);
            let result = assoc.map_or(Err(gone), |assoc| f(assoc, now));
            state.wake_driver();
            result
        })
    }

    /// Makes a path the one that is used first, in both directions.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_primary(&self, path: PathId) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.set_primary(now, path)
        })
    }

    /// States how a path shall be used, to this side and to the peer.
    ///
    /// # Errors
    ///
    /// [`PathError::Unknown`], or [`PathError::NotEstablished`].
    pub fn set_wish(&self, path: PathId, wish: Wish) -> Result<(), PathError> {
        self.command(PathError::NotEstablished, |assoc, now| {
            assoc.set_wish(now, path, wish)
        })
    }
}
