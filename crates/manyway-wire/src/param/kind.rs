//! Parameter types.

use core::fmt;

use crate::packet::UnrecognizedAction;

/// Type of a parameter (RFC 9260 section 3.2.1, IANA registry "Chunk Parameter Types").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ParameterType(pub u16);

impl ParameterType {
    /// Heartbeat Info (RFC 9260 section 3.3.5).
    pub const HEARTBEAT_INFO: Self = Self(1);
    /// IPv4 Address (RFC 9260 section 3.3.2.1.1).
    pub const IPV4_ADDRESS: Self = Self(5);
    /// IPv6 Address (RFC 9260 section 3.3.2.1.2).
    pub const IPV6_ADDRESS: Self = Self(6);
    /// State Cookie (RFC 9260 section 3.3.3.1.1).
    pub const STATE_COOKIE: Self = Self(7);
    /// Unrecognized Parameter (RFC 9260 section 3.3.3.1.2).
    pub const UNRECOGNIZED_PARAMETER: Self = Self(8);
    /// Cookie Preservative (RFC 9260 section 3.3.2.1.3).
    pub const COOKIE_PRESERVATIVE: Self = Self(9);
    /// Host Name Address, deprecated (RFC 9260 section 3.3.2.1.4).
    pub const HOST_NAME_ADDRESS: Self = Self(11);
    /// Supported Address Types (RFC 9260 section 3.3.2.1.5).
    pub const SUPPORTED_ADDRESS_TYPES: Self = Self(12);
    /// Outgoing SSN Reset Request of a RE-CONFIG chunk (RFC 6525 section 4.1).
    pub const OUTGOING_SSN_RESET_REQUEST: Self = Self(13);
    /// Incoming SSN Reset Request of a RE-CONFIG chunk (RFC 6525 section 4.2).
    pub const INCOMING_SSN_RESET_REQUEST: Self = Self(14);
    /// SSN/TSN Reset Request of a RE-CONFIG chunk (RFC 6525 section 4.3).
    pub const SSN_TSN_RESET_REQUEST: Self = Self(15);
    /// Re-configuration Response of a RE-CONFIG chunk (RFC 6525 section 4.4).
    pub const RECONFIG_RESPONSE: Self = Self(16);
    /// Add Outgoing Streams Request of a RE-CONFIG chunk (RFC 6525 section 4.5).
    pub const ADD_OUTGOING_STREAMS_REQUEST: Self = Self(17);
    /// Add Incoming Streams Request of a RE-CONFIG chunk (RFC 6525 section 4.6).
    pub const ADD_INCOMING_STREAMS_REQUEST: Self = Self(18);
    /// ECN Capable (RFC 4960 appendix A).
    pub const ECN_CAPABLE: Self = Self(0x8000);
    /// Zero Checksum Acceptable (RFC 9653 section 4).
    pub const ZERO_CHECKSUM_ACCEPTABLE: Self = Self(0x8001);
    /// Random (RFC 4895 section 3.1).
    pub const RANDOM: Self = Self(0x8002);
    /// Chunk List (RFC 4895 section 3.2).
    pub const CHUNKS: Self = Self(0x8003);
    /// Requested HMAC Algorithm (RFC 4895 section 3.3).
    pub const HMAC_ALGO: Self = Self(0x8004);
    /// Padding (RFC 4820 section 4).
    pub const PADDING: Self = Self(0x8005);
    /// Supported Extensions (RFC 5061 section 4.2.7).
    pub const SUPPORTED_EXTENSIONS: Self = Self(0x8008);
    /// Forward-TSN-Supported (RFC 3758 section 3.1).
    pub const FORWARD_TSN_SUPPORTED: Self = Self(0xc000);
    /// Add IP Address (RFC 5061 section 4.2.1).
    pub const ADD_IP_ADDRESS: Self = Self(0xc001);
    /// Delete IP Address (RFC 5061 section 4.2.2).
    pub const DELETE_IP_ADDRESS: Self = Self(0xc002);
    /// Error Cause Indication (RFC 5061 section 4.2.3).
    pub const ERROR_CAUSE_INDICATION: Self = Self(0xc003);
    /// Set Primary Address (RFC 5061 section 4.2.4).
    pub const SET_PRIMARY_ADDRESS: Self = Self(0xc004);
    /// Success Indication (RFC 5061 section 4.2.5).
    pub const SUCCESS_INDICATION: Self = Self(0xc005);
    /// Adaptation Layer Indication (RFC 5061 section 4.2.6).
    pub const ADAPTATION_INDICATION: Self = Self(0xc006);

    /// What to do with a parameter of this type when it is not known.
    #[must_use]
    pub const fn unrecognized_action(self) -> UnrecognizedAction {
        UnrecognizedAction::from_bits((self.0 >> 14) as u8)
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter type {:#06x}", self.0)
    }
}
