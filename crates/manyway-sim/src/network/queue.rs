//! What will happen, in order of time and, at the same time, of scheduling.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;

use super::{Action, InterfaceId, Network, Packet};
use crate::Instant;

pub(super) type Script<N> = Box<dyn FnOnce(&mut Network<N>)>;

pub(super) enum Happening<N> {
    /// A packet that was held back enters the uplink.
    Depart(InterfaceId, Packet),
    /// A packet has come through the uplink.
    Core(InterfaceId, Packet),
    /// The host behind the uplink learns that it could not carry a packet.
    TooBig(InterfaceId, Packet, usize),
    /// A packet has come through the downlink.
    Arrive(InterfaceId, Packet),
    Action(Action),
    Script(Script<N>),
}

struct Entry<N> {
    at: Instant,
    sequence: u64,
    what: Happening<N>,
}

impl<N> PartialEq for Entry<N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<N> Eq for Entry<N> {}

impl<N> PartialOrd for Entry<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N> Ord for Entry<N> {
    /// Earlier is greater, because the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

pub(super) struct Queue<N> {
    heap: BinaryHeap<Entry<N>>,
    sequence: u64,
}

impl<N> Queue<N> {
    pub(super) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            sequence: 0,
        }
    }

    pub(super) fn push(&mut self, at: Instant, what: Happening<N>) {
        self.sequence += 1;
        self.heap.push(Entry {
            at,
            sequence: self.sequence,
            what,
        });
    }

    pub(super) fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(super) fn pop(&mut self) -> Option<Happening<N>> {
        self.heap.pop().map(|entry| entry.what)
    }
}

impl<N> fmt::Debug for Queue<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.heap.len())
            .finish_non_exhaustive()
    }
}
