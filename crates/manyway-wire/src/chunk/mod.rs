//! Chunks: one file or folder for each type or pair of types.
//!
//! Every chunk type decodes from a [`RawChunk`] and encodes by [`EncodeChunk`]; decoding a
//! well-formed chunk and encoding the result gives the same bytes. Reserved flags are dropped.

mod abort;
mod asconf;
mod asconf_ack;
mod auth;
mod cookie;
mod data;
mod ecn;
mod forward_tsn;
mod heartbeat;
mod i_data;
mod i_forward_tsn;
mod init;
mod nr_sack;
mod pad;
mod reconfig;
mod sack;
mod shutdown;

pub use abort::{Abort, ErrorChunk};
pub use asconf::{
    Asconf, AsconfAction, AsconfRequest, AsconfRequestIter, AsconfRequestList, AsconfRequests,
};
pub use asconf_ack::{
    AsconfAck, AsconfOutcome, AsconfResponse, AsconfResponseIter, AsconfResponseList,
    AsconfResponses,
};
pub(crate) use auth::BlankAuth;
pub use auth::{AUTH_HEADER_LEN, Auth};
pub use cookie::{CookieAck, CookieEcho};
pub use data::{DATA_HEADER_LEN, Data, DataFlags};
pub use ecn::{Cwr, Ecne};
pub use forward_tsn::{ForwardTsn, SkippedStreams};
pub use heartbeat::{Heartbeat, HeartbeatAck};
pub use i_data::{Fragment, I_DATA_HEADER_LEN, IData};
pub use i_forward_tsn::{IForwardTsn, SkippedMessage, SkippedMessages};
pub use init::{Init, InitAck};
pub use nr_sack::NrSack;
pub use pad::Pad;
pub use reconfig::{
    NextTsns, Reconfig, ReconfigParameter, ReconfigParameterIter, ReconfigParameterList,
    ReconfigParameters, ReconfigResult, StreamIds,
};
pub use sack::{DuplicateTsns, GapBlock, GapBlocks, Sack};
pub use shutdown::{Shutdown, ShutdownAck, ShutdownComplete};

use alloc::vec::Vec;

use crate::bytes::length_field;
use crate::error::DecodeError;
use crate::packet::{CHUNK_HEADER_LEN, ChunkType, RawChunk};

/// A chunk that can be written into a packet.
pub trait EncodeChunk {
    /// Bytes of header and value, without padding.
    fn encoded_len(&self) -> usize;

    /// Appends header and value, without padding.
    ///
    /// A chunk longer than 65,535 bytes cannot say its length and must not be encoded;
    /// [`PacketWriter::push`](crate::PacketWriter::push) refuses it.
    fn encode(&self, out: &mut Vec<u8>);
}

impl<C: EncodeChunk + ?Sized> EncodeChunk for &C {
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

impl EncodeChunk for RawChunk<'_> {
    fn encoded_len(&self) -> usize {
        self.wire_bytes().len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.wire_bytes());
    }
}

/// Any decoded chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunk<'a> {
    /// User data.
    Data(Data<'a>),
    /// Opens an association.
    Init(Init<'a>),
    /// Answers an INIT.
    InitAck(InitAck<'a>),
    /// Acknowledges DATA chunks.
    Sack(Sack<'a>),
    /// Probes a path.
    Heartbeat(Heartbeat<'a>),
    /// Answers a HEARTBEAT.
    HeartbeatAck(HeartbeatAck<'a>),
    /// Ends an association at once.
    Abort(Abort<'a>),
    /// Begins the graceful end.
    Shutdown(Shutdown),
    /// Answers a SHUTDOWN.
    ShutdownAck(ShutdownAck),
    /// Reports errors.
    Error(ErrorChunk<'a>),
    /// Returns the state cookie.
    CookieEcho(CookieEcho<'a>),
    /// Answers a COOKIE ECHO.
    CookieAck(CookieAck),
    /// Reports a congestion mark.
    Ecne(Ecne),
    /// Answers an ECNE.
    Cwr(Cwr),
    /// Completes the graceful end.
    ShutdownComplete(ShutdownComplete),
    /// Authenticates the chunks behind it.
    Auth(Auth<'a>),
    /// Acknowledges DATA chunks, some for good.
    NrSack(NrSack<'a>),
    /// User data that interleaves with other messages.
    IData(IData<'a>),
    /// Asks for changes of addresses.
    Asconf(Asconf<'a>),
    /// Answers an ASCONF.
    AsconfAck(AsconfAck<'a>),
    /// Asks for changes of streams, or answers.
    Reconfig(Reconfig<'a>),
    /// Gives up on DATA chunks.
    ForwardTsn(ForwardTsn<'a>),
    /// Gives up on I-DATA chunks.
    IForwardTsn(IForwardTsn<'a>),
    /// Padding; its content means nothing and is not kept.
    Pad,
    /// A chunk of a type that this crate does not decode.
    Unknown(RawChunk<'a>),
}

impl<'a> Chunk<'a> {
    /// Decodes `raw` by its type.
    ///
    /// # Errors
    /// Those of the type's own `decode`. An unknown type is not an error.
    pub fn decode(raw: &RawChunk<'a>) -> Result<Self, DecodeError> {
        Ok(match raw.kind {
            ChunkType::DATA => Self::Data(Data::decode(raw)?),
            ChunkType::INIT => Self::Init(Init::decode(raw)?),
            ChunkType::INIT_ACK => Self::InitAck(InitAck::decode(raw)?),
            ChunkType::SACK => Self::Sack(Sack::decode(raw)?),
            ChunkType::HEARTBEAT => Self::Heartbeat(Heartbeat::decode(raw)?),
            ChunkType::HEARTBEAT_ACK => Self::HeartbeatAck(HeartbeatAck::decode(raw)?),
            ChunkType::ABORT => Self::Abort(Abort::decode(raw)?),
            ChunkType::SHUTDOWN => Self::Shutdown(Shutdown::decode(raw)?),
            ChunkType::SHUTDOWN_ACK => Self::ShutdownAck(ShutdownAck::decode(raw)?),
            ChunkType::ERROR => Self::Error(ErrorChunk::decode(raw)?),
            ChunkType::COOKIE_ECHO => Self::CookieEcho(CookieEcho::decode(raw)?),
            ChunkType::COOKIE_ACK => Self::CookieAck(CookieAck::decode(raw)?),
            ChunkType::ECNE => Self::Ecne(Ecne::decode(raw)?),
            ChunkType::CWR => Self::Cwr(Cwr::decode(raw)?),
            ChunkType::SHUTDOWN_COMPLETE => Self::ShutdownComplete(ShutdownComplete::decode(raw)?),
            ChunkType::AUTH => Self::Auth(Auth::decode(raw)?),
            ChunkType::NR_SACK => Self::NrSack(NrSack::decode(raw)?),
            ChunkType::I_DATA => Self::IData(IData::decode(raw)?),
            ChunkType::ASCONF => Self::Asconf(Asconf::decode(raw)?),
            ChunkType::ASCONF_ACK => Self::AsconfAck(AsconfAck::decode(raw)?),
            ChunkType::RE_CONFIG => Self::Reconfig(Reconfig::decode(raw)?),
            ChunkType::FORWARD_TSN => Self::ForwardTsn(ForwardTsn::decode(raw)?),
            ChunkType::I_FORWARD_TSN => Self::IForwardTsn(IForwardTsn::decode(raw)?),
            ChunkType::PAD => Self::Pad,
            _ => Self::Unknown(*raw),
        })
    }

    fn as_encode(&self) -> &dyn EncodeChunk {
        match self {
            Self::Data(chunk) => chunk,
            Self::Init(chunk) => chunk,
            Self::InitAck(chunk) => chunk,
            Self::Sack(chunk) => chunk,
            Self::Heartbeat(chunk) => chunk,
            Self::HeartbeatAck(chunk) => chunk,
            Self::Abort(chunk) => chunk,
            Self::Shutdown(chunk) => chunk,
            Self::ShutdownAck(chunk) => chunk,
            Self::Error(chunk) => chunk,
            Self::CookieEcho(chunk) => chunk,
            Self::CookieAck(chunk) => chunk,
            Self::Ecne(chunk) => chunk,
            Self::Cwr(chunk) => chunk,
            Self::ShutdownComplete(chunk) => chunk,
            Self::Auth(chunk) => chunk,
            Self::NrSack(chunk) => chunk,
            Self::IData(chunk) => chunk,
            Self::Asconf(chunk) => chunk,
            Self::AsconfAck(chunk) => chunk,
            Self::Reconfig(chunk) => chunk,
            Self::ForwardTsn(chunk) => chunk,
            Self::IForwardTsn(chunk) => chunk,
            Self::Pad => &Pad { len: 0 },
            Self::Unknown(chunk) => chunk,
        }
    }
}

/// [`Chunk::Pad`] encodes as a PAD chunk without a value.
impl EncodeChunk for Chunk<'_> {
    fn encoded_len(&self) -> usize {
        self.as_encode().encoded_len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.as_encode().encode(out);
    }
}

/// Fails unless `raw` has the type that its caller decodes.
fn expect_kind(raw: &RawChunk<'_>, kind: ChunkType) -> Result<(), DecodeError> {
    if raw.kind == kind {
        Ok(())
    } else {
        Err(DecodeError::InvalidValue { what: "chunk type" })
    }
}

/// Appends a chunk header; `encoded_len` counts it.
fn put_header(out: &mut Vec<u8>, kind: ChunkType, flags: u8, encoded_len: usize) {
    let [length_high, length_low] = length_field(encoded_len);
    out.extend_from_slice(&[kind.0, flags, length_high, length_low]);
}

/// Appends a chunk whose value is `value`.
fn put_chunk(out: &mut Vec<u8>, kind: ChunkType, flags: u8, value: &[u8]) {
    put_header(out, kind, flags, CHUNK_HEADER_LEN + value.len());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests;
