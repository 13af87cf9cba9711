//! Lists of error causes, received and to be sent.

use alloc::vec::Vec;

use crate::bytes::{TlvIter, pad};
use crate::cause::Cause;
use crate::error::DecodeError;

/// The error causes of a chunk: a view on bytes, checked as it is walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Causes<'a>(&'a [u8]);

impl<'a> Causes<'a> {
    /// No causes.
    pub const EMPTY: Self = Self(&[]);

    /// The causes that `bytes` encode; the last one's padding may be missing.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoded causes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The causes in wire order; a malformed one is the last item.
    #[must_use]
    pub fn iter(&self) -> CauseIter<'a> {
        CauseIter(TlvIter::new(self.0, "error cause"))
    }
}

impl<'a> IntoIterator for Causes<'a> {
    type Item = Result<Cause<'a>, DecodeError>;
    type IntoIter = CauseIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Causes<'a> {
    type Item = Result<Cause<'a>, DecodeError>;
    type IntoIter = CauseIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Causes`].
#[derive(Clone, Debug)]
pub struct CauseIter<'a>(TlvIter<'a>);

impl<'a> Iterator for CauseIter<'a> {
    type Item = Result<Cause<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(Cause::decode)
    }
}

/// Encoded error causes to be sent.
///
/// The last one is kept without its padding, since a chunk's length does not count it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CauseList(Vec<u8>);

impl CauseList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a cause.
    pub fn push(&mut self, cause: &Cause<'_>) {
        pad(&mut self.0, 0);
        cause.encode_unpadded(&mut self.0);
    }

    /// The causes, to be put into a chunk.
    #[must_use]
    pub fn as_causes(&self) -> Causes<'_> {
        Causes(&self.0)
    }
}
