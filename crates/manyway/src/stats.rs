//! What an endpoint's sockets did with the engine's packets.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of an endpoint's sockets, since it was bound. A batch is one or more packets of one
/// path that were given to the system at once. To the engine whatever did not leave is lost, and is
/// sent again as far as it was data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Batches dropped because the socket's send buffer stayed full.
    pub dropped_batches: u64,
    /// Batches that the system refused: there is no route, or they are larger than the interface
    /// carries.
    pub refused_batches: u64,
    /// Batches whose local address is gone.
    pub homeless_batches: u64,
    /// ICMP messages about packets of this endpoint. Those that were not believed are counted in
    /// [`EndpointStats`](crate::EndpointStats).
    pub icmp_messages: u64,
}

/// The counters that make up [`SocketStats`]; the driver writes them, and handles read them.
#[derive(Debug, Default)]
pub(crate) struct SocketCounters {
    pub(crate) dropped: Counter,
    pub(crate) refused: Counter,
    pub(crate) homeless: Counter,
    pub(crate) icmp: Counter,
}

/// Counts what one task does, for others to read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl SocketCounters {
    pub(crate) fn snapshot(&self) -> SocketStats {
        SocketStats {
            dropped_batches: self.dropped.get(),
            refused_batches: self.refused.get(),
            homeless_batches: self.homeless.get(),
            icmp_messages: self.icmp.get(),
        }
    }
}
