//! Errors of the asynchronous interface.

use std::io;

use manyway_proto::{CloseReason, Message};

/// Why an endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A socket could not be bound.
    #[error(transparent)]
    Socket(#[from] manyway_net::udp::BindError),
    /// A socket for SCTP over IP itself could not be bound.
    #[error(transparent)]
    Raw(#[from] manyway_net::raw::RawError),
    /// The host's addresses could not be listed.
    #[error("cannot list this host's addresses: {0}")]
    Addresses(#[source] io::Error),
    /// There is no address to bind.
    #[error("this host has no usable address; bring an interface up or name an address")]
    NoAddress,
}

/// Why an association could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The peer's host or endpoint said that nobody listens there.
    #[error("connection refused: nobody listens there")]
    Refused,
    /// No answer.
    #[error("no answer from the peer")]
    TimedOut,
    /// No local address of a family that the peer has.
    #[error("no local address can reach the peer; check that an interface of that family is up")]
    Unreachable,
    /// The peer or this side ended it during set-up.
    #[error("the association ended during set-up: {0}")]
    Closed(CloseReason),
    /// There is an association between these SCTP ports and one of the addresses. Only from
    /// `connect_from`.
    #[error("there is an association with this peer from that port already; close it first")]
    InUse,
    /// This endpoint cannot hold more associations.
    #[error("too many associations are open on this endpoint")]
    TooMany,
    /// The first message cannot be sent.
    #[error("the first message cannot be sent: {0}")]
    FirstMessage(#[source] SendError),
    /// The endpoint was closed.
    #[error("the endpoint is closed")]
    EndpointClosed,
    /// A socket for a local address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The send buffer is full; the message comes back. Only from `try_send`.
    #[error("the send buffer is full")]
    WouldBlock(Message),
    /// Empty or larger than the configured limit.
    #[error("a message of {0} bytes cannot be sent; it must have 1 to max_message_size bytes")]
    BadLength(usize),
    /// The peer accepts fewer streams.
    #[error("stream {0} is not open; the peer accepts fewer streams")]
    InvalidStream(u16),
    /// The association is shutting down.
    #[error("the association is shutting down")]
    Closing,
    /// The association has ended.
    #[error("the association has ended: {0}")]
    Closed(CloseReason),
}

impl From<manyway_proto::SendError> for SendError {
    fn from(error: manyway_proto::SendError) -> Self {
        match error {
            manyway_proto::SendError::WouldBlock(message) => Self::WouldBlock(message),
            manyway_proto::SendError::BadLength(length) => Self::BadLength(length),
            manyway_proto::SendError::InvalidStream(stream) => Self::InvalidStream(stream),
            _ => Self::Closing,
        }
    }
}

/// Why nothing more can be received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The association ended otherwise than by a shutdown; what had not arrived is lost.
    #[error("the association has ended: {0}")]
    Aborted(CloseReason),
}

/// Why a shutdown did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// It ended before the peer had acknowledged everything.
    #[error("the association ended before all data were acknowledged: {0}")]
    Aborted(CloseReason),
}
