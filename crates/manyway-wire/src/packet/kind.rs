//! Chunk types, and what the types nobody knows ask for.

use core::fmt;

/// Type of a chunk (RFC 9260 section 3.2, IANA registry "Chunk Types").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChunkType(pub u8);

/// What a receiver does with a chunk or parameter whose type it does not know; the two highest
/// bits of the type say it (RFC 9260 sections 3.2 and 3.2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UnrecognizedAction {
    /// `00`: stop processing here.
    Stop,
    /// `01`: stop processing here, and report the element to its sender.
    StopAndReport,
    /// `10`: skip the element and go on.
    Skip,
    /// `11`: skip the element and go on, and report it to its sender.
    SkipAndReport,
}

impl UnrecognizedAction {
    /// The action that the two low bits of `bits` name.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0b00 => Self::Stop,
            0b01 => Self::StopAndReport,
            0b10 => Self::Skip,
            _ => Self::SkipAndReport,
        }
    }
}

macro_rules! chunk_types {
    ($($(#[$meta:meta])* $name:ident = $value:literal, $label:literal;)*) => {
        impl ChunkType {
            $($(#[$meta])* pub const $name: Self = Self($value);)*

            /// The name in the RFCs, or `None` for a type that this crate does not name.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($label),)*
                    _ => None,
                }
            }
        }
    };
}

chunk_types! {
    /// Payload Data (RFC 9260 section 3.3.1).
    DATA = 0, "DATA";
    /// Initiation (RFC 9260 section 3.3.2).
    INIT = 1, "INIT";
    /// Initiation Acknowledgement (RFC 9260 section 3.3.3).
    INIT_ACK = 2, "INIT ACK";
    /// Selective Acknowledgement (RFC 9260 section 3.3.4).
    SACK = 3, "SACK";
    /// Heartbeat Request (RFC 9260 section 3.3.5).
    HEARTBEAT = 4, "HEARTBEAT";
    /// Heartbeat Acknowledgement (RFC 9260 section 3.3.6).
    HEARTBEAT_ACK = 5, "HEARTBEAT ACK";
    /// Abort (RFC 9260 section 3.3.7).
    ABORT = 6, "ABORT";
    /// Shutdown (RFC 9260 section 3.3.8).
    SHUTDOWN = 7, "SHUTDOWN";
    /// Shutdown Acknowledgement (RFC 9260 section 3.3.9).
    SHUTDOWN_ACK = 8, "SHUTDOWN ACK";
    /// Operation Error (RFC 9260 section 3.3.10).
    ERROR = 9, "ERROR";
    /// State Cookie (RFC 9260 section 3.3.11).
    COOKIE_ECHO = 10, "COOKIE ECHO";
    /// Cookie Acknowledgement (RFC 9260 section 3.3.12).
    COOKIE_ACK = 11, "COOKIE ACK";
    /// Explicit Congestion Notification Echo (RFC 4960 appendix A).
    ECNE = 12, "ECNE";
    /// Congestion Window Reduced (RFC 4960 appendix A).
    CWR = 13, "CWR";
    /// Shutdown Complete (RFC 9260 section 3.3.13).
    SHUTDOWN_COMPLETE = 14, "SHUTDOWN COMPLETE";
    /// Authentication (RFC 4895 section 5.1).
    AUTH = 0x0f, "AUTH";
    /// Selective Acknowledgement with non-renegable blocks (draft-natarajan-tsvwg-sctp-nrsack).
    NR_SACK = 0x10, "NR-SACK";
    /// Payload Data that supports interleaving (RFC 8260 section 2.1).
    I_DATA = 0x40, "I-DATA";
    /// Address Configuration Acknowledgement (RFC 5061 section 4.1.2).
    ASCONF_ACK = 0x80, "ASCONF-ACK";
    /// Re-configuration (RFC 6525 section 3.1).
    RE_CONFIG = 0x82, "RE-CONFIG";
    /// Padding (RFC 4820 section 3).
    PAD = 0x84, "PAD";
    /// Forward Cumulative TSN (RFC 3758 section 3.2).
    FORWARD_TSN = 0xc0, "FORWARD-TSN";
    /// Address Configuration Change (RFC 5061 section 4.1.1).
    ASCONF = 0xc1, "ASCONF";
    /// Forward Cumulative TSN for I-DATA (RFC 8260 section 2.3.1).
    I_FORWARD_TSN = 0xc2, "I-FORWARD-TSN";
}

impl ChunkType {
    /// What to do with a chunk of this type when it is not known.
    #[must_use]
    pub const fn unrecognized_action(self) -> UnrecognizedAction {
        UnrecognizedAction::from_bits(self.0 >> 6)
    }

    /// Whether an endpoint may ask for chunks of this type to be authenticated. The types it may
    /// not ask for are to be ignored in its list (RFC 4895 section 3.2).
    #[must_use]
    pub const fn can_require_authentication(self) -> bool {
        !matches!(
            self,
            Self::INIT | Self::INIT_ACK | Self::SHUTDOWN_COMPLETE | Self::AUTH
        )
    }
}

impl fmt::Display for ChunkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "chunk type {:#04x}", self.0),
        }
    }
}
