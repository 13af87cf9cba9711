//! Streams: whose data leave next; putting messages together and in order.

mod barrier;
mod inbound;
mod order;
mod place;
mod reassembly;
mod sched;
mod skip;
#[cfg(test)]
mod tests;

pub(crate) use barrier::{GivenUp, LastGivenUp};
pub(crate) use inbound::{Inbound, Limits};
pub(crate) use place::Place;
pub(crate) use reassembly::Fragment;
pub use sched::{FrontMessage, StreamScheduler, StreamSchedulerKind, StreamView};
pub(crate) use skip::Reach;
