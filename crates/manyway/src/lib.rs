//! Multihomed, message-oriented connections that use every network path at once.
//!
//! An [`Endpoint`] owns UDP sockets, one per local address, and drives the SCTP engine of
//! `manyway-proto` on the current tokio runtime. An [`Association`] is a connection: it sends and
//! receives [`Message`]s over all paths between the two hosts (concurrent multipath transfer,
//! CMT), through NATs, and goes on when paths fail, return, or change their address.
//!
//! ```
//! use manyway::{Endpoint, EndpointConfig, Message};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = EndpointConfig::default();
//! config.addresses = vec!["127.0.0.1".parse()?];
//! let server = Endpoint::bind(config.clone()).await?;
//! let mut listener = server.listen(7)?;
//! tokio::spawn(async move {
//!     while let Some(peer) = listener.accept().await {
//!         while let Ok(Some(message)) = peer.recv().await {
//!             let _ = peer.send(message).await;
//!         }
//!         let _ = peer.shutdown().await;
//!     }
//! });
//!
//! let client = Endpoint::bind(config).await?;
//! let echo = client.connect(&server.local_addresses(), 7).await?;
//! echo.send(Message::new(0, "hello")).await?;
//! assert_eq!(&echo.recv().await?.expect("an echo").payload[..], b"hello");
//! echo.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod association;
mod config;
mod driver;
mod endpoint;
mod error;
mod events;
mod listener;
mod shared;
mod stats;

pub use association::Association;
pub use config::{Carrier, EndpointConfig};
pub use endpoint::Endpoint;
pub use error::{BindError, ConnectError, RecvError, SendError, ShutdownError};
pub use events::Events;
pub use listener::Listener;
pub use manyway_proto::{
    AbandonReason, AbandonedMessages, Acked, AddressChange, AddressError, AddressForm,
    AddressRefusal, AssocState, AssocStats, AuthConfig, AuthKeyError, AuthSecret, Blest, ChunkType,
    CloseReason, Congestion, CongestionController, ControllerKind, ControllerSetup,
    CustomController, Deadline, Ecf, EndpointStats, Event, Extension, Extensions, FlowView,
    FourTuple, FrontMessage, HmacId, Instant, KeyId, ListenError, LostPacket, LowestRtt, Message,
    MessagePart, Overflow, PartStatus, PathError, PathId, PathInfo, PathManager, PathState,
    PathThresholds, PathView, Ppid, Predecessor, Primary, RateSample, ReconfigError,
    ReconfigFailure, ReconfigPolicy, ReconfigRequest, Redundant, Reliability, RetransmissionPolicy,
    RoundRobin, Scheduler, SchedulerKind, SendOptions, Sent, Share, Signal, StreamDirection,
    StreamError, StreamId, StreamScheduler, StreamSchedulerKind, StreamView, TransportConfig,
    UnknownController, UnknownPathManager, UnknownPolicy, UnknownScheduler, Weighted, Wish,
};
pub use stats::SocketStats;

/// The UDP port of SCTP encapsulated in UDP (RFC 6951, section 5.1).
pub const UDP_PORT: u16 = 9899;
