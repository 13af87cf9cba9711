//! Which path the next packet takes.

use std::fmt;
use std::time::Duration;

use crate::path::PathId;

mod blest;
mod deadline;
mod ecf;
mod kind;
mod lowest_rtt;
mod order;
mod redundant;
mod round_robin;
#[cfg(test)]
mod tests;
mod weighted;

pub use blest::Blest;
pub use deadline::Deadline;
pub use ecf::Ecf;
pub use kind::{SchedulerKind, UnknownScheduler};
pub use lowest_rtt::LowestRtt;
pub use order::{Overflow, Primary};
pub use redundant::Redundant;
pub use round_robin::RoundRobin;
pub use weighted::Weighted;

/// What a scheduler sees of a path that both ends want data on.
///
/// While no such path works, those that are left over are shown, so that a scheduler need not care.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PathView {
    /// Which path. Numbers rise in the order in which the paths were opened.
    pub id: PathId,
    /// Whether a packet may leave there now: there is room in its window and in its share of the
    /// buffers, and the pacer does not hold it back. A path that is not ready becomes so without
    /// anything that the scheduler must do.
    pub ready: bool,
    /// Smoothed round-trip time; `None` before the first sample.
    pub srtt: Option<Duration>,
    /// Variation of the round-trip time (RFC 9260, section 6.3.1); zero before the first sample.
    pub rtt_variation: Duration,
    /// Congestion window, bytes.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// Bytes of a full packet.
    pub packet_size: u64,
    /// Rate at which the path delivered lately, bit/s; `None` while that is unknown.
    pub delivery_rate: Option<u64>,
    /// Whether somebody chose this path as the primary.
    pub primary: bool,
}

impl PathView {
    /// A path that is ready, was never measured, and has nothing in flight; for tests of
    /// schedulers.
    pub const fn new(id: PathId) -> Self {
        Self {
            id,
            ready: true,
            srtt: None,
            rtt_variation: Duration::ZERO,
            window: 14_720,
            in_flight: 0,
            packet_size: 1472,
            delivery_rate: None,
            primary: false,
        }
    }

    /// Round-trip time for comparisons: a path that was never measured comes last, so that one
    /// slow unknown cannot hold a thin flow.
    pub fn rtt(&self) -> Duration {
        self.srtt.unwrap_or(Duration::MAX)
    }
}

/// What a scheduler sees of the flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowView {
    /// Bytes of user data that wait to be sent.
    pub waiting: u64,
    /// Bytes of user data that may still be sent before the peer's window or this side's buffer
    /// is full.
    pub room: u64,
}

/// Chooses the path of each packet with new data: a function of what it is shown and of its own
/// state. It can be exchanged while a flow runs ([`crate::Association::set_scheduler`]).
///
/// ```
/// use manyway_proto::{FlowView, PathId, PathView, Scheduler};
///
/// /// Always the path with most room.
/// #[derive(Debug)]
/// struct MostRoom;
///
/// impl Scheduler for MostRoom {
///     fn select(&mut self, paths: &[PathView], _flow: FlowView) -> Option<PathId> {
///         let ready = paths.iter().filter(|p| p.ready);
///         ready.max_by_key(|p| p.window - p.in_flight).map(|p| p.id)
///     }
///     fn name(&self) -> &'static str { "most-room" }
/// }
///
/// let mut far = PathView::new(PathId::new(1));
/// far.window *= 2;
/// let near = PathView::new(PathId::new(2));
/// assert_eq!(MostRoom.select(&[far, near], FlowView::default()), Some(far.id));
/// ```
pub trait Scheduler: fmt::Debug + Send {
    /// The path for the next packets, one that is ready; `None` to wait until a better one is.
    ///
    /// To name a path that is not ready is to wait for it. Who waits although nothing is in flight
    /// would wait for ever: then the flow goes on over the first path that is ready.
    fn select(&mut self, paths: &[PathView], flow: FlowView) -> Option<PathId>;
    /// New data left on `path`, in packets of `bytes` bytes together.
    fn on_sent(&mut self, _path: PathId, _bytes: u64) {}
    /// The most packets that leave on the selected path before the scheduler is asked again.
    /// Batches cost less; the default leaves their size to the sockets.
    fn burst(&self) -> usize {
        usize::MAX
    }
    /// Bytes that may go out a second time, on another path, per byte of new data: 1 for
    /// everything, 0, the default, for nothing.
    fn redundancy(&self) -> f64 {
        0.0
    }
    /// Name for configuration and display.
    fn name(&self) -> &'static str;
}

/// The least round-trip time among `paths`, and where.
fn fastest<'a>(paths: impl Iterator<Item = &'a PathView>) -> Option<&'a PathView> {
    paths.min_by_key(|p| (!p.primary, p.rtt(), p.id))
}
