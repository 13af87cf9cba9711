//! Which stream's data leave next (RFC 8260, section 3).

use std::fmt;
use std::num::NonZeroU16;

use manyway_wire::StreamId;

mod agenda;
mod fair;
mod first_come;
mod priority;
mod round_robin;
#[cfg(test)]
mod tests;

use fair::Fair;
use first_come::FirstCome;
use priority::Priority;
use round_robin::{RoundRobin, RoundRobinPerPacket};

/// The message at the front of a stream's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontMessage {
    /// Bytes of it that were not sent yet.
    pub remaining: usize,
    /// Messages are numbered in the order in which the application gave them, over all streams.
    pub arrival: u64,
}

/// What a stream scheduler sees of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamView {
    /// Which stream.
    pub stream: StreamId,
    /// 0, the default, is the highest priority.
    pub priority: u16,
    /// Its share of the capacity, in proportion to those of the others; 1 by default.
    pub weight: NonZeroU16,
    /// What it would send next; `None` if there is nothing.
    pub front: Option<FrontMessage>,
}

/// Chooses the stream of each *unit*: of each chunk if messages are interleaved
/// ([`crate::Extension::Interleaving`]), else of each message. The queue itself keeps the rule that
/// without interleaving a message that was begun is finished first, and each stream's own order.
///
/// A scheduler is told of every change of every stream and keeps what it needs of it, so that
/// [`StreamScheduler::next`] need not search. Streams that were never named have nothing to send.
///
/// ```
/// use std::collections::BTreeSet;
/// use manyway_proto::{StreamId, StreamScheduler, StreamView};
///
/// /// Always the stream with the lowest number.
/// #[derive(Debug, Default)]
/// struct LowestNumber(BTreeSet<StreamId>);
///
/// impl StreamScheduler for LowestNumber {
///     fn on_change(&mut self, stream: StreamView) {
///         match stream.front {
///             Some(_) => self.0.insert(stream.stream),
///             None => self.0.remove(&stream.stream),
///         };
///     }
///     fn on_sent(&mut self, stream: StreamView, _bytes: usize) {
///         self.on_change(stream);
///     }
///     fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
///         self.0.first().copied()
///     }
///     fn name(&self) -> &'static str { "lowest-number" }
/// }
/// assert_eq!(LowestNumber::default().next(None), None);
/// ```
pub trait StreamScheduler: fmt::Debug + Send {
    /// A stream changed otherwise than by sending: it has something to send now, has nothing left,
    /// its front message was dropped, or it has another priority or weight.
    fn on_change(&mut self, stream: StreamView);
    /// A unit of `bytes` bytes of user data was taken from the stream, which is `stream` now.
    fn on_sent(&mut self, stream: StreamView, bytes: usize);
    /// The packet being filled is complete.
    fn on_packet_end(&mut self) {}
    /// The stream of the next unit, one that has something to send. `packet` is the stream of the
    /// last new chunk in the packet being filled; in a packet that has one already `None` ends the
    /// packet. The answer must not change unless something happens.
    ///
    /// An answer that names a stream with nothing to send is replaced by one that has something,
    /// at the price of a search.
    fn next(&self, packet: Option<StreamId>) -> Option<StreamId>;
    /// Name for configuration and display.
    fn name(&self) -> &'static str;
}

/// The stream schedulers of RFC 8260.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamSchedulerKind {
    /// Messages leave in the order in which the application gave them (section 3.1).
    #[default]
    FirstComeFirstServed,
    /// The streams take turns (section 3.2).
    RoundRobin,
    /// The streams take turns, each packet carries one stream's data (section 3.3).
    RoundRobinPerPacket,
    /// Strictly by priority; streams of the same priority take turns (section 3.4).
    Priority,
    /// The streams get the same number of bytes (section 3.5).
    FairCapacity,
    /// The streams get bytes in proportion to their weights (section 3.6).
    WeightedFair,
}

impl StreamSchedulerKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::FirstComeFirstServed,
        Self::RoundRobin,
        Self::RoundRobinPerPacket,
        Self::Priority,
        Self::FairCapacity,
        Self::WeightedFair,
    ];

    /// Makes one.
    pub fn build(self) -> Box<dyn StreamScheduler> {
        match self {
            Self::FirstComeFirstServed => Box::new(FirstCome::default()),
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::RoundRobinPerPacket => Box::new(RoundRobinPerPacket::default()),
            Self::Priority => Box::new(Priority::default()),
            Self::FairCapacity => Box::new(Fair::equal()),
            Self::WeightedFair => Box::new(Fair::weighted()),
        }
    }
}
