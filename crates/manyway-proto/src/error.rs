//! Errors, one small enum per operation. How an association ended is a [`CloseReason`].

use std::fmt;

use bytes::Bytes;

use crate::event::Message;

/// Why [`crate::Endpoint::connect`] could not begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No local and remote address of the same family.
    #[error(
        "no local address of the same family as a remote one; add a local address of that family"
    )]
    NoUsableAddress,
    /// An association between these SCTP ports and one of the remote addresses exists.
    #[error("there is an association with this peer from that port already; close it first")]
    InUse,
    /// [`crate::EndpointConfig::max_associations`] are open.
    #[error("too many associations are open; raise max_associations or close some")]
    TooManyAssociations,
}

/// Why [`crate::Endpoint::listen`] failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The port already listens.
    #[error("SCTP port {0} already listens on this endpoint")]
    InUse(u16),
}

/// Why a message was not accepted for sending.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The send buffer is full; wait for [`crate::Event::Writable`]. The message comes back.
    #[error("the send buffer is full; wait until the association is writable")]
    WouldBlock(Message),
    /// The message is empty or larger than [`crate::TransportConfig::max_message_size`].
    #[error("a message of {0} bytes cannot be sent; it must have 1 to max_message_size bytes")]
    BadLength(usize),
    /// The peer does not take that many streams.
    #[error("stream {0} is not open; the peer accepts fewer streams")]
    InvalidStream(u16),
    /// The association is shutting down or has ended.
    #[error("the association is closing or has ended")]
    Closing,
}

/// Why a command on an outgoing stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The association has no outgoing stream of that number.
    #[error("stream {0} is not open; the peer accepts fewer streams")]
    Invalid(u16),
}

/// Why a command on a path failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// No such path, or it has been removed.
    #[error("the association has no such path")]
    Unknown,
    /// [`crate::TransportConfig::max_paths`] are in use.
    #[error("the association has as many paths as it may")]
    TooMany,
    /// The path between these addresses is being removed.
    #[error("the path between these addresses is being removed; add it again when it is gone")]
    Removing,
    /// [`crate::TransportConfig::max_queued_asconfs`] requests wait for the peer already.
    #[error("as many requests as may wait do so already; try again when one is answered")]
    TooManyRequests,
    /// The association is not established.
    #[error("paths can be changed only while the association is established")]
    NotEstablished,
    /// The peer is no Manyway endpoint and does not know the local address.
    #[error("the peer does not know the local address; use add_address to tell it")]
    NotSupported,
    /// [`crate::PathThresholds::primary_switchover`] is below
    /// [`crate::PathThresholds::potentially_failed`].
    #[error(
        "the primary cannot be switched before its path is potentially failed; raise primary_switchover"
    )]
    InvalidThresholds,
    /// No remote address of the family of the local one.
    #[error("the peer has no address of that family")]
    NoRemote,
}

/// Why a re-configuration of streams cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReconfigError {
    /// The peer does not know RFC 6525, or the extension is switched off.
    #[error("the peer cannot re-configure streams")]
    NotSupported,
    /// The handshake is under way.
    #[error("streams can be re-configured only while the association is established")]
    NotEstablished,
    /// The association is shutting down.
    #[error("the association is closing")]
    Closing,
    /// There is no such stream in that direction.
    #[error("stream {0} is not open")]
    InvalidStream(u16),
    /// There would be more than 65,535 streams.
    #[error("there cannot be more than 65,535 streams")]
    TooManyStreams,
    /// Too many requests wait already.
    #[error("too many requests wait for the peer")]
    TooManyRequests,
    /// TSNs may be reset only every 30 s.
    #[error("the association was reset less than 30 s ago, or is being reset")]
    TooSoon,
}

/// How an association ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both sides shut down; all data were acknowledged.
    Graceful,
    /// This side aborted.
    LocalAbort,
    /// The peer aborted. `causes` is one readable line; `user` is the payload of a User-Initiated
    /// Abort, if there was one.
    PeerAbort {
        /// The error causes, readable.
        causes: String,
        /// The upper layer's reason.
        user: Option<Bytes>,
    },
    /// The peer answered INIT or COOKIE-ECHO with ABORT, or its host said that nobody listens.
    Refused,
    /// No answer to INIT or COOKIE-ECHO.
    HandshakeTimeout,
    /// Too many timeouts in a row on every path.
    PeerUnreachable,
    /// The peer violated the protocol.
    ProtocolViolation(&'static str),
    /// The peer used up what this side may hold for it.
    OutOfResources(&'static str),
    /// The peer restarted (RFC 9260, section 5.2.4, action A): what was on its way in either
    /// direction is lost. If the local SCTP port listens, [`crate::Event::Incoming`] of a new
    /// association follows; it is never this one that goes on, because a stream of messages cannot
    /// be continued by a peer that has forgotten it.
    Restarted,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Graceful => f.write_str("shut down by both sides"),
            Self::LocalAbort => f.write_str("aborted by this side"),
            Self::PeerAbort { causes, .. } if causes.is_empty() => {
                f.write_str("aborted by the peer")
            }
            Self::PeerAbort { causes, .. } => write!(f, "aborted by the peer: {causes}"),
            Self::Refused => f.write_str("refused: nobody listens on that port at the peer"),
            Self::HandshakeTimeout => f.write_str("no answer from the peer"),
            Self::PeerUnreachable => f.write_str("the peer stopped answering on every path"),
            Self::ProtocolViolation(what) => write!(f, "the peer violated the protocol: {what}"),
            Self::OutOfResources(what) => write!(f, "out of resources: {what}"),
            Self::Restarted => f.write_str("the peer restarted"),
        }
    }
}
