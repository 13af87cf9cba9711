//! Stream re-configuration (RFC 6525).
//!
//! | file | what |
//! |---|---|
//! | `commands` | what the application may ask for |
//! | `asking` | our requests: when they leave, their timer |
//! | `transmit` | the chunks they are sent in, and their timer |
//! | `answers` | the peer's answers to them |
//! | `holding` | messages that wait for the reset of their stream |
//! | `serving` | the peer's requests and our answers |
//! | `judging` | what becomes of each kind of request |
//! | `deferred` | resets that wait until what came before is complete |

use std::collections::VecDeque;

use manyway_wire::{NextTsns, ReconfigResult, ReconfigSerial, StreamId, Tsn};

use super::{Association, Extension};
use crate::reconfig::ReconfigPolicy;
use crate::time::{Instant, earlier};

mod answers;
mod asking;
mod commands;
mod deferred;
mod holding;
mod judging;
mod serving;
mod transmit;

use asking::{InFlight, Waiting};
use deferred::Pending;

/// All that is kept for re-configuration; only associations that negotiated it have one.
#[derive(Debug)]
pub(super) struct Reconfig {
    policy: ReconfigPolicy,
    /// Requests of ours that wait for their turn.
    waiting: VecDeque<Waiting>,
    in_flight: Option<InFlight>,
    next_serial: ReconfigSerial,
    /// The Re-configuration Timer.
    timer: Option<Instant>,
    /// A request that met another one is repeated then.
    retry: Option<Instant>,
    /// The number of the peer's next request.
    expected: ReconfigSerial,
    /// Our answers to its last two requests: a chunk holds no more.
    answers: VecDeque<Answer>,
    pending: Option<Pending>,
    /// Incoming streams up to which we asked for more.
    asked_inbound: u16,
    /// The streams that we last asked the peer to reset.
    asked_resets: Option<Vec<StreamId>>,
    /// When TSNs were last reset.
    tsns_reset: Option<Instant>,
}

/// Our answer to a request of the peer, kept for its repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Answer {
    serial: ReconfigSerial,
    result: ReconfigResult,
    next_tsns: Option<NextTsns>,
}

impl Answer {
    fn new(serial: ReconfigSerial, result: ReconfigResult) -> Self {
        Self {
            serial,
            result,
            next_tsns: None,
        }
    }
}

impl Reconfig {
    //= https://www.rfc-editor.org/rfc/rfc6525#section-4.1
    //# It is a monotonically increasing number that is initialized to the same value as the initial TSN.
    fn new(policy: ReconfigPolicy, local: Tsn, peer: Tsn) -> Self {
        Self {
            policy,
            waiting: VecDeque::new(),
            in_flight: None,
            next_serial: ReconfigSerial(local.0),
            timer: None,
            retry: None,
            expected: ReconfigSerial(peer.0),
            answers: VecDeque::new(),
            pending: None,
            asked_inbound: 0,
            asked_resets: None,
            tsns_reset: None,
        }
    }

    /// Whether a reset waits for the application to read.
    pub(super) fn is_resetting(&self) -> bool {
        self.pending.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        earlier(self.timer, self.retry)
    }
}

impl Association {
    /// Both sides are known: request numbers begin at the initial TSNs.
    pub(super) fn init_reconfig(&mut self, peer_initial: Tsn) {
        self.reconfig = self.has(Extension::StreamReconfig).then(|| {
            let local = self.sender.outstanding.cumulative().next();
            Box::new(Reconfig::new(self.config.reconfig, local, peer_initial))
        });
    }

    /// Goes on with whatever has become possible: resets whose time has come, then requests.
    pub(super) fn advance_reconfig(&mut self, now: Instant) {
        // Each packet comes by here, and hardly ever is there anything to do.
        let idle = |r: &Reconfig| r.pending.is_none() && r.waiting.is_empty();
        if self.reconfig.as_deref().is_none_or(idle) {
            return;
        }
        self.advance_pending(now);
        match self.state.sends_data() {
            true => self.send_next_reconfig(now),
            false => self.drop_waiting_requests(),
        }
    }
}

/// Whether `list`, in which none named means all, has `stream`. Lists are sorted.
fn names(list: &[StreamId], stream: StreamId) -> bool {
    list.is_empty() || list.binary_search(&stream).is_ok()
}

/// Whether every stream of `part` is one of `list`.
fn covers(list: &[StreamId], part: &[StreamId]) -> bool {
    list.is_empty() || (!part.is_empty() && part.iter().all(|&s| names(list, s)))
}

/// A list as it is kept: sorted, each stream once.
fn sorted(streams: impl Iterator<Item = StreamId>) -> Vec<StreamId> {
    let mut list: Vec<StreamId> = streams.collect();
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stream_named_means_all() {
        let list = |ids: &[u16]| sorted(ids.iter().map(|&id| StreamId(id)));
        assert!(names(&list(&[]), StreamId(9)));
        assert!(names(&list(&[9, 1, 9]), StreamId(9)));
        assert!(!names(&list(&[1, 3]), StreamId(2)));
        assert!(covers(&list(&[]), &list(&[])));
        assert!(covers(&list(&[]), &list(&[4])));
        assert!(covers(&list(&[4, 5]), &list(&[5])));
        assert!(!covers(&list(&[4, 5]), &list(&[5, 6])));
        assert!(!covers(&list(&[4, 5]), &list(&[])));
    }
}
