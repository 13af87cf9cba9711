//! Lists of RE-CONFIG parameters, received and to be sent.

use alloc::vec::Vec;

use crate::bytes::{TlvIter, pad};
use crate::chunk::ReconfigParameter;
use crate::error::DecodeError;

/// The parameters of a RE-CONFIG chunk: a view on bytes, checked as it is walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReconfigParameters<'a>(&'a [u8]);

impl<'a> ReconfigParameters<'a> {
    /// The parameters that `bytes` encode; the last one's padding may be missing.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoded parameters.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The parameters in wire order; a malformed one is the last item.
    #[must_use]
    pub fn iter(&self) -> ReconfigParameterIter<'a> {
        ReconfigParameterIter(TlvIter::new(self.0, "RE-CONFIG parameter"))
    }
}

impl<'a> IntoIterator for ReconfigParameters<'a> {
    type Item = Result<ReconfigParameter<'a>, DecodeError>;
    type IntoIter = ReconfigParameterIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &ReconfigParameters<'a> {
    type Item = Result<ReconfigParameter<'a>, DecodeError>;
    type IntoIter = ReconfigParameterIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`ReconfigParameters`].
#[derive(Clone, Debug)]
pub struct ReconfigParameterIter<'a>(TlvIter<'a>);

impl<'a> Iterator for ReconfigParameterIter<'a> {
    type Item = Result<ReconfigParameter<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(ReconfigParameter::decode)
    }
}

/// Encoded RE-CONFIG parameters to be sent.
///
/// The last one is kept without its padding, since a chunk's length does not count it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReconfigParameterList(Vec<u8>);

impl ReconfigParameterList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a parameter. A chunk takes no more than two, see
    /// [`Reconfig::is_allowed_combination`](crate::Reconfig::is_allowed_combination).
    pub fn push(&mut self, parameter: &ReconfigParameter<'_>) {
        pad(&mut self.0, 0);
        parameter.encode_unpadded(&mut self.0);
    }

    /// The parameters, to be put into a [`Reconfig`](crate::Reconfig).
    #[must_use]
    pub fn as_parameters(&self) -> ReconfigParameters<'_> {
        ReconfigParameters(&self.0)
    }
}
