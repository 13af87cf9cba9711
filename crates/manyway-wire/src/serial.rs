//! Numbers of the protocol as types: wrapping serial numbers and plain identifiers.

use core::fmt;

macro_rules! serial_number {
    ($(#[$meta:meta])* $name:ident($int:ty)) => {
        $(#[$meta])*
        ///
        /// A serial number in the sense of RFC 1982: it wraps, so it has no total order and
        /// deliberately implements neither `Ord` nor `PartialOrd`. Two values exactly half the
        /// number space apart are neither before nor after each other.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        pub struct $name(pub $int);

        impl $name {
            /// The value after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.wrapping_add(1))
            }

            /// The value `n` steps after this one.
            #[must_use]
            pub const fn add(self, n: $int) -> Self {
                Self(self.0.wrapping_add(n))
            }

            /// The value `n` steps before this one.
            #[must_use]
            pub const fn sub(self, n: $int) -> Self {
                Self(self.0.wrapping_sub(n))
            }

            /// How many steps lead from `earlier` to this value, wrapping.
            #[must_use]
            pub const fn distance_from(self, earlier: Self) -> $int {
                self.0.wrapping_sub(earlier.0)
            }

            /// Whether this value comes before `other`.
            #[must_use]
            pub const fn is_before(self, other: Self) -> bool {
                let ahead = other.distance_from(self);
                ahead != 0 && ahead < 1 << (<$int>::BITS - 1)
            }

            /// Whether this value comes after `other`.
            #[must_use]
            pub const fn is_after(self, other: Self) -> bool {
                other.is_before(self)
            }

            /// Whether this value is `other` or comes before it.
            #[must_use]
            pub const fn is_at_or_before(self, other: Self) -> bool {
                self.0 == other.0 || self.is_before(other)
            }

            /// Whether this value is `other` or comes after it.
            #[must_use]
            pub const fn is_at_or_after(self, other: Self) -> bool {
                self.0 == other.0 || self.is_after(other)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident($int:ty), $format:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
    };
}

serial_number! {
    /// Transmission Sequence Number of a DATA chunk (RFC 9260 section 3.3.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::Tsn;
    /// let ordered = Tsn(1) < Tsn(2);
    /// ```
    Tsn(u32)
}

serial_number! {
    /// Stream Sequence Number of an ordered message (RFC 9260 section 3.3.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::Ssn;
    /// let ordered = Ssn(1) < Ssn(2);
    /// ```
    Ssn(u16)
}

serial_number! {
    /// Sequence Number of an ASCONF chunk and its acknowledgement (RFC 5061 section 4.1.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::AsconfSerial;
    /// let ordered = AsconfSerial(1) < AsconfSerial(2);
    /// ```
    AsconfSerial(u32)
}

serial_number! {
    /// Sequence number of a re-configuration request; each side begins with its initial TSN
    /// (RFC 6525 section 4.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::ReconfigSerial;
    /// let ordered = ReconfigSerial(1) < ReconfigSerial(2);
    /// ```
    ReconfigSerial(u32)
}

serial_number! {
    /// Message Identifier of an I-DATA chunk, one series for the ordered and one for the
    /// unordered messages of a stream (RFC 8260 section 2.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::Mid;
    /// let ordered = Mid(1) < Mid(2);
    /// ```
    Mid(u32)
}

serial_number! {
    /// Fragment Sequence Number of an I-DATA chunk within its message (RFC 8260 section 2.1).
    ///
    /// ```compile_fail,E0369
    /// # use manyway_wire::Fsn;
    /// let ordered = Fsn(1) < Fsn(2);
    /// ```
    Fsn(u32)
}

identifier! {
    /// Shared Key Identifier of an AUTH chunk; 0 means the empty key unless one was configured
    /// for it (RFC 4895 sections 5.1 and 6.2).
    KeyId(u16), "{}"
}

identifier! {
    /// HMAC Identifier: which hash function authenticates chunks (RFC 4895 section 3.3).
    HmacId(u16), "{}"
}

impl HmacId {
    /// SHA-1, which every endpoint that authenticates has to support.
    pub const SHA1: Self = Self(1);
    /// SHA-256.
    pub const SHA256: Self = Self(3);

    /// Bytes of an HMAC with this hash function, or `None` if it is not defined.
    #[must_use]
    pub const fn hmac_len(self) -> Option<usize> {
        match self {
            Self::SHA1 => Some(20),
            Self::SHA256 => Some(32),
            Self(_) => None,
        }
    }
}

identifier! {
    /// Stream Identifier (RFC 9260 section 3.3.1).
    StreamId(u16), "{}"
}

identifier! {
    /// Payload Protocol Identifier, opaque to SCTP; 0 means unspecified (RFC 9260 section 3.3.1).
    Ppid(u32), "{}"
}

identifier! {
    /// Verification Tag, and the Initiate Tag that announces it (RFC 9260 section 3.1).
    VerificationTag(u32), "{:#010x}"
}

identifier! {
    /// SCTP port, which is not the UDP port of the encapsulation (RFC 9260 section 3.1).
    Port(u16), "{}"
}

impl VerificationTag {
    /// The tag of packets that carry an INIT chunk, and of no others.
    pub const ZERO: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_compare_across_the_wrap() {
        let last = Tsn(u32::MAX);
        assert_eq!(last.next(), Tsn(0));
        assert!(last.is_before(Tsn(0)));
        assert!(Tsn(0).is_after(last));
        assert!(Tsn(5).is_at_or_after(Tsn(5)) && Tsn(5).is_at_or_before(Tsn(5)));
        assert!(!Tsn(5).is_after(Tsn(5)) && !Tsn(5).is_before(Tsn(5)));
        assert_eq!(Tsn(2).distance_from(Tsn(u32::MAX - 1)), 4);
        assert_eq!(Tsn(1).sub(2), last);
        assert_eq!(Ssn(u16::MAX).add(2), Ssn(1));
        assert!(Ssn(u16::MAX).is_at_or_before(Ssn(1)));
        assert!(AsconfSerial(7).is_at_or_after(AsconfSerial(6)));
        assert!(ReconfigSerial(u32::MAX).is_before(ReconfigSerial(0)));
        assert!(Mid(0).is_after(Mid(u32::MAX)));
        assert_eq!(Fsn(u32::MAX).next(), Fsn(0));
    }

    #[test]
    fn values_half_the_space_apart_have_no_order() {
        let (a, b) = (Tsn(10), Tsn(10).add(1 << 31));
        assert!(!a.is_before(b) && !a.is_after(b));
        assert!(!b.is_before(a) && !b.is_after(a));
        assert!(a.is_before(a.add((1 << 31) - 1)));
    }
}
