//! Lists of fixed-size items inside a chunk, either still as bytes or as values to be sent.

use alloc::vec::Vec;
use core::fmt;

use crate::packet::ChunkType;
use crate::param::ParameterType;
use crate::serial::{HmacId, Ssn, StreamId, Tsn};

/// An item of fixed size on the wire.
pub trait FixedItem: Copy + PartialEq + fmt::Debug {
    /// Bytes of one item.
    const WIRE_LEN: usize;

    /// Reads an item from exactly [`WIRE_LEN`](Self::WIRE_LEN) bytes; shorter input reads as if
    /// zeros followed it.
    fn read(bytes: &[u8]) -> Self;

    /// Appends the item.
    fn write(self, out: &mut Vec<u8>);
}

/// A list of fixed-size items: a view on the bytes of a decoded chunk, or on values to encode.
///
/// Two lists are equal when their items are.
#[derive(Clone, Copy)]
pub struct FixedList<'a, T> {
    repr: Repr<'a, T>,
}

#[derive(Clone, Copy)]
enum Repr<'a, T> {
    Values(&'a [T]),
    /// A whole number of items.
    Wire(&'a [u8]),
}

impl<'a, T: FixedItem> FixedList<'a, T> {
    /// No items.
    pub const EMPTY: Self = Self {
        repr: Repr::Values(&[]),
    };

    /// The list of `values`.
    #[must_use]
    pub const fn new(values: &'a [T]) -> Self {
        Self {
            repr: Repr::Values(values),
        }
    }

    /// The list that `bytes` encode; bytes after the last whole item are left out.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        let whole = bytes.len() - bytes.len() % T::WIRE_LEN;
        Self {
            repr: Repr::Wire(&bytes[..whole]),
        }
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.repr {
            Repr::Values(values) => values.len(),
            Repr::Wire(bytes) => bytes.len() / T::WIRE_LEN,
        }
    }

    /// Whether there are no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items in wire order.
    #[must_use]
    pub fn iter(&self) -> FixedListIter<'a, T> {
        FixedListIter { rest: *self }
    }

    /// Bytes of all items.
    pub(crate) fn wire_len(&self) -> usize {
        self.len() * T::WIRE_LEN
    }

    /// Appends all items.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self.repr {
            Repr::Values(values) => values.iter().for_each(|value| value.write(out)),
            Repr::Wire(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl<T: FixedItem> Default for FixedList<'_, T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<'a, T: FixedItem> From<&'a [T]> for FixedList<'a, T> {
    fn from(values: &'a [T]) -> Self {
        Self::new(values)
    }
}

impl<T: FixedItem> PartialEq for FixedList<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: FixedItem + Eq> Eq for FixedList<'_, T> {}

impl<T: FixedItem> fmt::Debug for FixedList<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: FixedItem> IntoIterator for FixedList<'a, T> {
    type Item = T;
    type IntoIter = FixedListIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T: FixedItem> IntoIterator for &FixedList<'a, T> {
    type Item = T;
    type IntoIter = FixedListIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`FixedList`].
#[derive(Clone, Debug)]
pub struct FixedListIter<'a, T: FixedItem> {
    rest: FixedList<'a, T>,
}

impl<T: FixedItem> Iterator for FixedListIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.rest.repr {
            Repr::Values(values) => {
                let (first, rest) = values.split_first()?;
                *values = rest;
                Some(*first)
            }
            Repr::Wire(bytes) => {
                let (first, rest) = bytes.split_at_checked(T::WIRE_LEN)?;
                *bytes = rest;
                Some(T::read(first))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.rest.len();
        (len, Some(len))
    }
}

impl<T: FixedItem> ExactSizeIterator for FixedListIter<'_, T> {}

/// The two 16-bit fields of a four-byte item.
pub(crate) fn read_pair(bytes: &[u8]) -> (u16, u16) {
    (
        u16::read(bytes),
        u16::read(bytes.get(2..).unwrap_or_default()),
    )
}

impl FixedItem for u16 {
    const WIRE_LEN: usize = 2;

    fn read(bytes: &[u8]) -> Self {
        let byte = |at| bytes.get(at).copied().unwrap_or_default();
        Self::from_be_bytes([byte(0), byte(1)])
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

macro_rules! half_word_item {
    ($($name:ident),*) => {
        $(impl FixedItem for $name {
            const WIRE_LEN: usize = 2;

            fn read(bytes: &[u8]) -> Self {
                Self(u16::read(bytes))
            }

            fn write(self, out: &mut Vec<u8>) {
                self.0.write(out);
            }
        })*
    };
}

half_word_item!(ParameterType, StreamId, HmacId);

impl FixedItem for ChunkType {
    const WIRE_LEN: usize = 1;

    fn read(bytes: &[u8]) -> Self {
        Self(bytes.first().copied().unwrap_or_default())
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(self.0);
    }
}

impl FixedItem for Tsn {
    const WIRE_LEN: usize = 4;

    fn read(bytes: &[u8]) -> Self {
        let (high, low) = read_pair(bytes);
        Self(u32::from(high) << 16 | u32::from(low))
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl FixedItem for (StreamId, Ssn) {
    const WIRE_LEN: usize = 4;

    fn read(bytes: &[u8]) -> Self {
        let (stream, ssn) = read_pair(bytes);
        (StreamId(stream), Ssn(ssn))
    }

    fn write(self, out: &mut Vec<u8>) {
        self.0.0.write(out);
        self.1.0.write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_values_equals_the_list_of_their_bytes() {
        let values = [Tsn(1), Tsn(0xffff_fffe), Tsn(0x0102_0304)];
        let list = FixedList::new(&values);
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        assert_eq!(bytes.len(), list.wire_len());
        let decoded = FixedList::from_bytes(&bytes);
        assert_eq!(decoded, list);
        assert_eq!(decoded.iter().len(), 3);
        assert_eq!(decoded.iter().collect::<Vec<_>>(), values);
        let mut again = Vec::new();
        decoded.encode(&mut again);
        assert_eq!(again, bytes);
        assert_ne!(FixedList::new(&values[..2]), decoded);
    }

    #[test]
    fn bytes_after_the_last_whole_item_are_left_out() {
        let list = FixedList::<u16>::from_bytes(&[0, 5, 0, 6, 9]);
        assert_eq!(list.iter().collect::<Vec<_>>(), [5, 6]);
        assert!(FixedList::<u16>::from_bytes(&[1]).is_empty());
        assert_eq!(FixedList::<ChunkType>::from_bytes(&[1, 2, 3]).len(), 3);
    }
}
