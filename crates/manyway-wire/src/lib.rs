//! SCTP packets, chunks and parameters: bytes to values and back.
//!
//! Decoding borrows from the datagram and allocates nothing; encoding appends to a
//! `Vec<u8>` that the caller reuses. Every list inside a chunk (parameters, error causes,
//! gap blocks) is a lazy view: its elements are checked when they are looked at, so one
//! malformed optional element does not hide the rest of the chunk.
//!
//! The crate judges *form* only: lengths, checksums, fields without a legal meaning. What a
//! well-formed chunk may do to an association is decided by the protocol engine.
//!
//! ```
//! use manyway_wire::{
//!     ChecksumPolicy, Chunk, CommonHeader, CookieAck, Packet, PacketWriter, Port, VerificationTag,
//! };
//!
//! let header = CommonHeader {
//!     source_port: Port(5001),
//!     destination_port: Port(5002),
//!     verification_tag: VerificationTag(0x1234_5678),
//! };
//! let mut datagram = Vec::new();
//! let mut writer = PacketWriter::new(&mut datagram, &header, 1200);
//! assert!(writer.push(&CookieAck));
//! assert_eq!(writer.finish(true), 16);
//!
//! let packet = Packet::decode(&datagram, ChecksumPolicy::Verify)?;
//! assert_eq!(packet.header(), header);
//! for raw in packet.chunks() {
//!     assert_eq!(Chunk::decode(&raw?)?, Chunk::CookieAck(CookieAck));
//! }
//! # Ok::<(), manyway_wire::DecodeError>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod bytes;
pub mod cause;
pub mod chunk;
mod crc32c;
mod error;
mod list;
pub mod packet;
pub mod param;
mod serial;
mod walk;

pub use cause::{Cause, CauseIter, CauseList, Causes};
pub use chunk::{
    AUTH_HEADER_LEN, Abort, Asconf, AsconfAck, AsconfAction, AsconfOutcome, AsconfRequest,
    AsconfRequestList, AsconfRequests, AsconfResponse, AsconfResponseList, AsconfResponses, Auth,
    Chunk, CookieAck, CookieEcho, Cwr, DATA_HEADER_LEN, Data, DataFlags, DuplicateTsns, Ecne,
    EncodeChunk, ErrorChunk, ForwardTsn, Fragment, GapBlock, GapBlocks, Heartbeat, HeartbeatAck,
    I_DATA_HEADER_LEN, IData, IForwardTsn, Init, InitAck, NextTsns, NrSack, Pad, Reconfig,
    ReconfigParameter, ReconfigParameterList, ReconfigParameters, ReconfigResult, Sack, Shutdown,
    ShutdownAck, ShutdownComplete, SkippedMessage, SkippedMessages, SkippedStreams, StreamIds,
};
pub use crc32c::crc32c;
pub use error::DecodeError;
pub use list::{FixedItem, FixedList, FixedListIter};
pub use packet::{
    Authentication, CHUNK_HEADER_LEN, COMMON_HEADER_LEN, ChecksumPolicy, ChunkIter, ChunkType,
    CommonHeader, Packet, PacketWriter, RawChunk, UDP_ENCAPSULATION_PORT, UnrecognizedAction,
};
pub use param::{
    AUTH_RANDOM_LEN, AddressTypes, ChunkTypes, EDMID_SCTP_OVER_DTLS, HmacIds, Parameter,
    ParameterIter, ParameterList, ParameterType, Parameters, RawParameter,
};
pub use serial::{
    AsconfSerial, Fsn, HmacId, KeyId, Mid, Port, Ppid, ReconfigSerial, Ssn, StreamId, Tsn,
    VerificationTag,
};
pub use walk::{Element, walk};
