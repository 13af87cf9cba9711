//! Takes over the connections of unmodified programs by seccomp user notification.
//!
//! A [`Supervisor`] starts a program under a filter that notifies it of `connect` and the few
//! other calls that name addresses or report a connect's outcome. It takes a duplicate of the very
//! socket the program holds and connects *it*, to a [`LoopbackListener`] of the broker or straight
//! to its destination. Nothing is replaced: descriptors, epoll registrations, options, `dup`,
//! `fork` and half-close stay the kernel's own. This works for static programs and without
//! privileges, and children inherit it.
//!
//! A [`Handler`] decides about each [`PendingConnect`], later and from any thread if it likes:
//!
//! - [`PendingConnect::direct`] and [`PendingConnect::refuse`] settle it at once;
//! - [`PendingConnect::hold`] takes it over until [`HeldConnect::succeed`],
//!   [`HeldConnect::fail`] or [`HeldConnect::direct`].
//!
//! Programs that serve see their true clients, also those the broker hands on over loopback: see
//! [`PeerNames`]. Every `accept` is performed by the supervisor.
//!
//! This is no sandbox. A program that races its own memory or descriptors against the supervisor
//! can reach where it likes, as it could without interception.

mod accept;
mod acceptor;
mod calls;
mod connect;
mod direct;
mod error;
mod filter;
mod handler;
mod held;
mod listeners;
mod loopback;
mod memory;
mod names;
mod notify;
mod parked;
mod program_fds;
mod relay;
mod signals;
mod sockets;
mod spawn;
mod supervisor;
mod watch;

pub use connect::{PendingConnect, Verdict};
pub use error::{HoldError, SpawnError};
pub use handler::{Handler, ListenerInfo};
pub use held::HeldConnect;
pub use loopback::LoopbackListener;
pub use names::{NameGuard, PeerNameGuard, PeerNames};
pub use spawn::Program;
pub use supervisor::Supervisor;
