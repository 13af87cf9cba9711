//! What the engine tells the application.

use bytes::Bytes;
use manyway_wire::{KeyId, Ppid, StreamId};

use crate::assoc::{AddressChange, AddressRefusal};
use crate::error::CloseReason;
use crate::path::PathId;
use crate::reconfig::{ReconfigFailure, ReconfigRequest, StreamDirection};
use crate::send::AbandonReason;

/// A user message (RFC 9260, section 1.3: delivered whole, boundaries kept).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Payload protocol identifier, opaque to the transport.
    pub ppid: Ppid,
    /// Delivered as soon as complete, without regard to the order of the stream.
    pub unordered: bool,
    /// The bytes, at least one.
    pub payload: Bytes,
}

impl Message {
    /// An ordered message on `stream` without a payload protocol identifier.
    pub fn new(stream: u16, payload: impl Into<Bytes>) -> Self {
        let (stream, ppid) = (StreamId(stream), Ppid(0));
        Self {
            stream,
            ppid,
            unordered: false,
            payload: payload.into(),
        }
    }
}

/// Whether more of a message comes after a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartStatus {
    /// Another part follows.
    MoreFollows,
    /// The message ends with this part.
    Complete,
    /// The peer gave up the message; the rest of it will not come. The part itself is empty.
    Aborted,
}

/// A part of a message, or all of it (RFC 9260, section 6.9: partial delivery). The parts of a
/// message come in order; parts of messages of other streams, and of unordered messages, may come
/// between them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessagePart {
    /// Which message: the parts of a message have the same number, and no two messages of an
    /// association do.
    pub message: u64,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// Payload protocol identifier, opaque to the transport.
    pub ppid: Ppid,
    /// Delivered without regard to the order of the stream.
    pub unordered: bool,
    /// Whether it is the first part of its message.
    pub begin: bool,
    /// The bytes, at least one unless the message was aborted.
    pub payload: Bytes,
    /// What comes after it.
    pub status: PartStatus,
}

/// What happened to an association. Events of one association come in the order they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A peer connected to a listening port; the association is established.
    Incoming,
    /// The association that this side asked for is established.
    Connected,
    /// Messages can be read.
    Readable,
    /// There is room in the send buffer after a [`crate::SendError::WouldBlock`].
    Writable,
    /// Every message was acknowledged by the peer or given up. Comes only after
    /// [`crate::Association::report_sender_dry`] (RFC 6458, section 6.1.9,
    /// `SCTP_SENDER_DRY_EVENT`).
    SenderDry,
    /// The peer reported an error by an ERROR chunk; the association goes on (RFC 6458, section
    /// 6.1.3, `SCTP_REMOTE_ERROR`). One event for each cause. While the application leaves 64
    /// events unread, further causes are only counted, in
    /// [`crate::AssocStats::unreported_errors`].
    PeerError {
        /// The cause code (RFC 9260, section 3.3.10, and its extensions).
        code: u16,
        /// One readable line: name, code, and what it is about. Text of the peer is cut and
        /// escaped.
        description: String,
    },
    /// A message was given up. Comes only after [`crate::Association::report_abandoned`].
    Abandoned {
        /// Its stream.
        stream: StreamId,
        /// [`crate::SendOptions::context`] of the message.
        context: u64,
        /// A part of it was sent, or all; it may have arrived nevertheless.
        sent: bool,
        /// Why.
        reason: AbandonReason,
    },
    /// A path was confirmed, or carries data again (RFC 6458, section 6.1.2, `SCTP_ADDR_CONFIRMED`
    /// and `SCTP_ADDR_AVAILABLE`).
    PathUp {
        /// Which.
        path: PathId,
    },
    /// A path stopped answering; nothing is scheduled on it while another one works (RFC 7829,
    /// section 7.1, `SCTP_ADDR_PF`).
    PathDown {
        /// Which.
        path: PathId,
    },
    /// A path has not answered for so long that it counts as failed (RFC 9260, section 8.2); it is
    /// probed slowly (`SCTP_ADDR_UNREACHABLE`). [`Event::PathDown`] came before.
    PathFailed {
        /// Which.
        path: PathId,
    },
    /// The peer's address on a path changed (NAT rebinding or a move) and was verified.
    PathMoved {
        /// Which.
        path: PathId,
    },
    /// A path was removed (`SCTP_ADDR_REMOVED`).
    PathRemoved {
        /// Which.
        path: PathId,
    },
    /// Another path is the primary now, by this side's or the peer's wish, or because the last one
    /// does not answer (`SCTP_ADDR_MADE_PRIM`).
    PrimaryChanged {
        /// The new primary.
        path: PathId,
    },
    /// The peer, one that is no Manyway endpoint, did what it was asked to with this side's
    /// addresses.
    AddressChanged {
        /// What.
        change: AddressChange,
    },
    /// The peer refused to do so.
    AddressRefused {
        /// What.
        change: AddressChange,
        /// Why.
        reason: AddressRefusal,
    },
    /// The peer authenticates with this key now (RFC 6458, section 6.1.8, SCTP_AUTH_NEW_KEY).
    AuthKeyUsed {
        /// Which.
        key: KeyId,
    },
    /// A deactivated key is used for sending no more (SCTP_AUTH_FREE_KEY).
    AuthKeyFree {
        /// Which.
        key: KeyId,
    },
    /// The peer does not authenticate chunks, though this side's configuration asks for it
    /// (SCTP_AUTH_NO_AUTH). Chunks that it demands authenticated will never arrive.
    AuthNotSupported,
    /// The messages of these streams are numbered from 0 again, by this side's or the peer's wish
    /// (RFC 6525, section 6.1.1). Of incoming streams all messages from before have been read.
    StreamsReset {
        /// Whose messages.
        direction: StreamDirection,
        /// The streams, in ascending order; none named means all.
        streams: Vec<StreamId>,
    },
    /// All streams and the TSNs of both directions were reset (RFC 6525, section 6.1.2).
    AssociationReset,
    /// Streams were added behind those that there were (RFC 6525, section 6.1.3).
    StreamsAdded {
        /// Whose messages they carry.
        direction: StreamDirection,
        /// How many.
        count: u16,
    },
    /// The peer did not carry out a request of this side; messages that waited for it are sent as
    /// if nothing had been asked.
    ReconfigFailed {
        /// What was asked.
        request: ReconfigRequest,
        /// The peer's answer.
        failure: ReconfigFailure,
    },
    /// The peer had nothing to do for a request of this side, because the streams are in that state
    /// or get there by a request of its own.
    ReconfigNothingToDo {
        /// What was asked.
        request: ReconfigRequest,
    },
    /// The peer will send no more messages (SHUTDOWN arrived).
    PeerShutdown,
    /// The association has ended; no more events follow.
    Closed {
        /// How.
        reason: CloseReason,
    },
}
