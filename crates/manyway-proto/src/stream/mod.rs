//! Streams: whose data leave next; putting messages together and in order.

mod inbound;
mod reassembly;
mod sched;

pub(crate) use inbound::Inbound;
pub(crate) use reassembly::Fragment;
pub use sched::{FrontMessage, StreamScheduler, StreamSchedulerKind, StreamView};
