//! Which path the next packet takes.

use std::fmt;
use std::time::Duration;

use crate::path::PathId;

mod lowest_rtt;

pub use lowest_rtt::LowestRtt;

/// What a scheduler sees of a path that may carry data now: its window has room and its pacer does
/// not hold it back.
#[derive(Clone, Copy, Debug)]
pub struct PathView {
    /// Which path.
    pub id: PathId,
    /// Smoothed round-trip time; `None` before the first sample.
    pub srtt: Option<Duration>,
    /// Congestion window, bytes.
    pub window: u64,
    /// Bytes in flight.
    pub in_flight: u64,
    /// Whether somebody chose this path as the primary.
    pub primary: bool,
}

/// Chooses the path of each packet. Pure: a function of the views and the scheduler's own state.
///
/// ```
/// use manyway_proto::{PathId, PathView, Scheduler};
///
/// /// Always the path with most room.
/// #[derive(Debug)]
/// struct MostRoom;
///
/// impl Scheduler for MostRoom {
///     fn select(&mut self, paths: &[PathView]) -> Option<PathId> {
///         paths.iter().max_by_key(|p| p.window - p.in_flight).map(|p| p.id)
///     }
///     fn name(&self) -> &'static str { "most-room" }
/// }
/// assert_eq!(MostRoom.select(&[]), None);
/// ```
pub trait Scheduler: fmt::Debug + Send {
    /// The path for the next packet, one of `paths`; `None` to send nothing now.
    fn select(&mut self, paths: &[PathView]) -> Option<PathId>;
    /// Name for configuration and display.
    fn name(&self) -> &'static str;
}
