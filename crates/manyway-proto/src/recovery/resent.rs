//! Which loss each retransmission repairs.

use crate::send::Shot;

/// Retransmissions remembered. A later one takes the place of an earlier one whose index has the
/// same remainder; its duplicate then proves nothing.
const REMEMBERED: usize = 256;

/// The chunks that were sent again of late, and how each had been sent when it was declared lost.
/// A report that such a chunk arrived twice proves that the loss was none. Empty, without memory
/// of its own, until something is sent again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resent(Vec<Option<(u64, Shot)>>);

impl Resent {
    /// Chunk `index` is sent again; `lost` is how it was sent before.
    pub(crate) fn record(&mut self, index: u64, lost: Shot) {
        if self.0.is_empty() {
            self.0 = vec![None; REMEMBERED];
        }
        if let Some(slot) = self.slot(index) {
            *slot = Some((index, lost));
        }
    }

    /// How chunk `index` was sent when it was declared lost, if it is remembered.
    pub(crate) fn get(&self, index: u64) -> Option<Shot> {
        let (of, shot) = (*self.0.get(index as usize % REMEMBERED)?)?;
        (of == index).then_some(shot)
    }

    /// As [`Resent::get`]; each retransmission proves one thing only.
    pub(crate) fn take(&mut self, index: u64) -> Option<Shot> {
        let shot = self.get(index)?;
        *self.slot(index)? = None;
        Some(shot)
    }

    fn slot(&mut self, index: u64) -> Option<&mut Option<(u64, Shot)>> {
        self.0.get_mut(index as usize % REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::PathId;

    #[test]
    fn each_retransmission_is_remembered_once_and_the_memory_is_bounded() {
        let shot = |number| Shot {
            path: PathId::new(1),
            number,
        };
        let mut resent = Resent::default();
        assert_eq!(resent.take(7), None);
        resent.record(7, shot(1));
        assert_eq!(resent.take(7), Some(shot(1)));
        assert_eq!(resent.take(7), None);
        resent.record(7, shot(2));
        resent.record(7 + REMEMBERED as u64, shot(3));
        assert_eq!(resent.take(7), None, "its place was taken");
    }
}
