//! The sans-IO SCTP engine of Manyway: an [`Endpoint`] with its [`Association`]s, each over any
//! number of paths at once (concurrent multipath transfer, CMT).
//!
//! The engine has no clock, no sockets and no threads. Time comes in as [`Instant`], randomness as
//! the seed of [`Endpoint::new`], datagrams as bytes with the [`FourTuple`] they travelled on. The
//! same code runs in the simulator, under a fuzzer and in the broker.
//!
//! # The driving loop
//!
//! After *every* call of a `handle_*` method or of a command (`connect`, `send`, `shutdown`, …)
//! drain the engine before the next one:
//!
//! 1. [`Endpoint::poll_transmit`] until it returns `None`, sending what it gives;
//! 2. [`Endpoint::poll_event`] until it returns `None`;
//! 3. arm one timer for [`Endpoint::poll_timeout`] and call [`Endpoint::handle_timeout`] when it
//!    fires.
//!
//! What the network says besides datagrams goes in as well: congestion marks of IP headers
//! ([`Endpoint::handle_marked_datagram`]; [`Transmit::ecn`] is the way out), and ICMP messages with
//! what they quote ([`Endpoint::handle_packet_too_big`], [`Endpoint::handle_unreachable`]). Without
//! it the engine finds out by itself, later.
//!
//! Time never goes backwards: an older `now` than one seen before is taken as the newer one.
//!
//! ```
//! use manyway_proto::{Connect, Endpoint, EndpointConfig, FourTuple, Instant, Port};
//!
//! let (a, b) = ("10.0.0.1:9899".parse()?, "10.0.0.2:9899".parse()?);
//! let mut client = Endpoint::new(EndpointConfig::default(), [1; 32]);
//! let mut server = Endpoint::new(EndpointConfig::default(), [2; 32]);
//! server.listen(Port(80))?;
//! let now = Instant::ZERO;
//! let id = client.connect(now, Connect { locals: vec![a], remotes: vec![b], port: Port(80) })?;
//! let mut buf = Vec::new();
//! for _ in 0..4 {
//!     while let Some(t) = client.poll_transmit(now, 1, &mut buf) {
//!         let path = FourTuple { local: t.path.remote, remote: t.path.local };
//!         server.handle_datagram(now, path, buf[..t.size].to_vec().into());
//!     }
//!     while let Some(t) = server.poll_transmit(now, 1, &mut buf) {
//!         let path = FourTuple { local: t.path.remote, remote: t.path.local };
//!         client.handle_datagram(now, path, buf[..t.size].to_vec().into());
//!     }
//! }
//! assert!(client.association(id).is_some_and(|a| a.is_established()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assoc;
mod cc;
mod cmt;
mod config;
mod ecn;
mod endpoint;
mod error;
mod event;
mod path;
mod range_set;
mod reconfig;
mod recovery;
mod recv;
mod sched;
mod seal;
mod send;
mod stats;
mod stream;
mod time;

pub use assoc::{
    AddressChange, AddressError, AddressForm, AddressRefusal, AssocId, AssocState, Association,
    AuthConfig, AuthKeyError, AuthSecret, Extension, Extensions,
};
pub use cc::{
    Acked, Congestion, CongestionController, ControllerKind, ControllerSetup, CustomController,
    LostPacket, Predecessor, RateSample, Sent, Share, Signal, UnknownController,
};
pub use cc::{Balia, Bbr, Cubic, Lia, Olia, Reno};
pub use cmt::{RetransmissionPolicy, UnknownPolicy};
pub use config::{EndpointConfig, TransportConfig};
pub use ecn::Ecn;
pub use endpoint::{Connect, Endpoint, EndpointStats, Transmit};
pub use error::{
    CloseReason, ConnectError, ListenError, PathError, ReconfigError, SendError, StreamError,
};
pub use event::{Event, Message, MessagePart, PartStatus};
pub use manyway_wire::{ChunkType, HmacId, KeyId, Port, Ppid, StreamId};
pub use path::{
    FourTuple, PathId, PathInfo, PathManager, PathState, PathThresholds, UnknownPathManager, Wish,
};
pub use reconfig::{ReconfigFailure, ReconfigPolicy, ReconfigRequest, StreamDirection};
pub use sched::{
    Blest, Deadline, Ecf, FlowView, LowestRtt, Overflow, PathView, Primary, Redundant, RoundRobin,
    Scheduler, SchedulerKind, UnknownScheduler, Weighted,
};
pub use seal::ErrorDetection;
pub use send::{AbandonReason, AbandonedMessages, Reliability, SendOptions};
pub use stats::AssocStats;
pub use stream::{FrontMessage, StreamScheduler, StreamSchedulerKind, StreamView};
pub use time::Instant;
