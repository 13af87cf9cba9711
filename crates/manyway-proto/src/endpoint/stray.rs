//! Answers to packets that belong to no association, within a budget.

use std::collections::VecDeque;
use std::time::Duration;

use crate::path::FourTuple;
use crate::time::Instant;

/// Answers that wait to be sent; more are dropped.
const MAX_WAITING: usize = 256;

/// Packets of the endpoint itself: INIT-ACK, ABORT, SHUTDOWN-COMPLETE.
#[derive(Debug)]
pub(super) struct StrayAnswers {
    waiting: VecDeque<(FourTuple, Vec<u8>)>,
    limit: RateLimit,
}

/// So many in each second.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_second: u32,
    window_start: Instant,
    used: u32,
}

impl RateLimit {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            window_start: Instant::ZERO,
            used: 0,
        }
    }

    /// Whether one more is within the limit; it is counted.
    pub(super) fn allow(&mut self, now: Instant) -> bool {
        if now - self.window_start >= Duration::from_secs(1) {
            self.window_start = now;
            self.used = 0;
        }
        let allowed = self.used < self.per_second;
        self.used += u32::from(allowed);
        allowed
    }
}

impl StrayAnswers {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            waiting: VecDeque::new(),
            limit: RateLimit::new(per_second),
        }
    }

    /// Whether an answer to a stray packet is within the budget.
    pub(super) fn allow(&mut self, now: Instant) -> bool {
        self.limit.allow(now)
    }

    /// Queues a packet to go back the way it came; false if it was dropped.
    pub(super) fn push(&mut self, path: FourTuple, packet: Vec<u8>) -> bool {
        let room = self.waiting.len() < MAX_WAITING;
        if room {
            self.waiting.push_back((path, packet));
        }
        room
    }

    pub(super) fn pop(&mut self) -> Option<(FourTuple, Vec<u8>)> {
        self.waiting.pop_front()
    }
}
