//! Lists of parameters, received and to be sent.

use alloc::vec::Vec;

use crate::bytes::{TlvIter, pad, padded};
use crate::error::DecodeError;
use crate::param::Parameter;

/// The parameters at the end of a chunk: a view on bytes, checked as it is walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parameters<'a>(&'a [u8]);

impl<'a> Parameters<'a> {
    /// No parameters.
    pub const EMPTY: Self = Self(&[]);

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
    pub fn iter(&self) -> ParameterIter<'a> {
        ParameterIter(TlvIter::new(self.0, "parameter"))
    }
}

impl<'a> IntoIterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, DecodeError>;
    type IntoIter = ParameterIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Parameters<'a> {
    type Item = Result<Parameter<'a>, DecodeError>;
    type IntoIter = ParameterIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Parameters`].
#[derive(Clone, Debug)]
pub struct ParameterIter<'a>(TlvIter<'a>);

impl<'a> Iterator for ParameterIter<'a> {
    type Item = Result<Parameter<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_with(Parameter::decode)
    }
}

/// Encoded parameters to be sent.
///
/// The last one is kept without its padding, since a chunk's length does not count it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ParameterList(Vec<u8>);

impl ParameterList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a parameter.
    pub fn push(&mut self, parameter: &Parameter<'_>) {
        pad(&mut self.0, 0);
        parameter.encode_unpadded(&mut self.0);
    }

    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// The parameters, to be put into a chunk.
    #[must_use]
    pub fn as_parameters(&self) -> Parameters<'_> {
        Parameters(&self.0)
    }

    /// Bytes of all parameters with all padding.
    #[must_use]
    pub fn padded_len(&self) -> usize {
        padded(self.0.len())
    }
}
