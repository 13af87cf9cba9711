//! The explicit congestion notification field of IP headers.

/// What the field says (RFC 3168, section 5); `None` of an `Option<Ecn>` is Not-ECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// ECN-capable transport, code point `10`.
    Ect0,
    /// ECN-capable transport, code point `01`.
    Ect1,
    /// Congestion experienced, code point `11`.
    Ce,
}
