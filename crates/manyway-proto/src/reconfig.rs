//! The words of stream re-configuration (RFC 6525): what may be asked, and what may come of it.

use std::fmt;

use manyway_wire::{ReconfigResult, StreamId};

/// Which re-configuration requests of a peer are carried out (RFC 6525, section 5.2.1: an
/// administrative decision). What this side asked for itself is always allowed.
///
/// ```
/// use manyway_proto::{ReconfigPolicy, TransportConfig};
///
/// let mut config = TransportConfig::default();
/// config.reconfig = ReconfigPolicy::DENY_ALL;
/// assert!(!config.reconfig.reset_streams);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconfigPolicy {
    /// The peer may reset its own outgoing streams and ask this side to reset streams. Default
    /// true: no message is lost by it.
    pub reset_streams: bool,
    /// The peer may reset all streams and the TSNs of both directions. Default true.
    pub reset_association: bool,
    /// Incoming streams up to which the peer may add some. Default 2,048, as many as a handshake
    /// may open by default.
    pub max_inbound_streams: u16,
    /// Outgoing streams up to which the peer may ask this side to add some. Default 2,048.
    pub max_outbound_streams: u16,
}

impl ReconfigPolicy {
    /// Everything is denied.
    pub const DENY_ALL: Self = Self {
        reset_streams: false,
        reset_association: false,
        max_inbound_streams: 0,
        max_outbound_streams: 0,
    };
}

impl Default for ReconfigPolicy {
    fn default() -> Self {
        Self {
            reset_streams: true,
            reset_association: true,
            max_inbound_streams: 2048,
            max_outbound_streams: 2048,
        }
    }
}

/// A direction as this side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamDirection {
    /// From this side to the peer.
    Outgoing,
    /// From the peer to this side.
    Incoming,
}

/// A re-configuration that this side asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReconfigRequest {
    /// Outgoing SSN reset of these streams; of all if none is named (RFC 6525, section 4.1).
    ResetOutgoing(Vec<StreamId>),
    /// Incoming SSN reset of these streams; of all if none is named (RFC 6525, section 4.2).
    ResetIncoming(Vec<StreamId>),
    /// SSN/TSN reset (RFC 6525, section 4.3).
    ResetAssociation,
    /// As many more outgoing streams (RFC 6525, section 4.5).
    AddOutgoing(u16),
    /// As many more incoming streams (RFC 6525, section 4.6).
    AddIncoming(u16),
}

/// Why the peer did not carry out a request (RFC 6525, section 4.4, table 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReconfigFailure {
    /// Its policy does not allow it.
    Denied,
    /// A stream number is out of range ("Wrong SSN").
    WrongStream,
    /// It was busy with another request, also when asked again.
    Busy,
    /// The sequence numbers of the two sides do not agree.
    BadSequenceNumber,
    /// Another result code.
    Other(u32),
}

impl ReconfigFailure {
    pub(crate) fn of(result: ReconfigResult) -> Self {
        match result {
            ReconfigResult::DENIED => Self::Denied,
            ReconfigResult::WRONG_SSN => Self::WrongStream,
            ReconfigResult::REQUEST_IN_PROGRESS => Self::Busy,
            ReconfigResult::BAD_SEQUENCE_NUMBER => Self::BadSequenceNumber,
            other => Self::Other(other.0),
        }
    }
}

impl fmt::Display for ReconfigFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("denied by the peer"),
            Self::WrongStream => f.write_str("the peer does not have such a stream"),
            Self::Busy => f.write_str("the peer was busy with another request"),
            Self::BadSequenceNumber => f.write_str("the peer expected another request number"),
            Self::Other(code) => write!(f, "the peer answered with result {code}"),
        }
    }
}
