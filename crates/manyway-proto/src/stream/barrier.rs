//! Chunks that belong behind a reset of their streams and wait for it (RFC 6525, section 5.2.2).

use std::collections::BTreeMap;

use manyway_wire::{SkippedMessage, Ssn, StreamId};

use super::inbound::{Inbound, Limits};
use super::reassembly::{BadFragments, Fragment};
use super::skip::Reach;

/// Times that the peer gives messages up while a reset is waited for.
const MAX_GIVEN_UP: usize = 64;
/// Streams named by these; one more chunk may name as many as fit it.
const MAX_GIVEN_UP_STREAMS: usize = 4096;

/// Holds chunks back. The receive buffer bounds them: they count like others.
#[derive(Debug)]
pub(super) struct Barrier {
    /// Sorted; none means all.
    streams: Vec<StreamId>,
    /// Chunks of the streams from this index on wait.
    from: u64,
    held: BTreeMap<u64, Fragment>,
    given_up: Vec<GivenUp>,
    /// Streams that these name.
    streams_given_up: usize,
}

/// What one FORWARD-TSN or I-FORWARD-TSN gives up, while it waits.
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) reach: Reach,
    pub(crate) last: LastGivenUp,
}

/// The last message given up of each stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LastGivenUp {
    /// In DATA chunks.
    Plain(Vec<(StreamId, Ssn)>),
    /// In I-DATA chunks.
    Interleaved(Vec<SkippedMessage>),
}

impl LastGivenUp {
    fn len(&self) -> usize {
        match self {
            Self::Plain(list) => list.len(),
            Self::Interleaved(list) => list.len(),
        }
    }
}

impl Barrier {
    pub(super) fn new(streams: Vec<StreamId>, from: u64) -> Self {
        Self {
            streams,
            from,
            held: BTreeMap::new(),
            given_up: Vec::new(),
            streams_given_up: 0,
        }
    }

    /// Whether a chunk has to wait.
    pub(super) fn holds(&self, index: u64, stream: StreamId) -> bool {
        let named = self.streams.is_empty() || self.streams.binary_search(&stream).is_ok();
        named && index >= self.from
    }

    pub(super) fn push(&mut self, index: u64, fragment: Fragment) {
        self.held.insert(index, fragment);
    }

    /// The first chunk below `bound`, in the order of their indices.
    pub(super) fn pop_below(&mut self, bound: u64) -> Option<(u64, Fragment)> {
        let first = self.held.first_entry()?;
        (*first.key() < bound).then(|| first.remove_entry())
    }

    /// What was given up of the chunks below `bound`, in the order in which it was.
    fn given_up_below(&mut self, bound: u64) -> Vec<GivenUp> {
        let later = self.given_up.partition_point(|g| g.reach.bound <= bound);
        let later = self.given_up.split_off(later);
        let given_up = std::mem::replace(&mut self.given_up, later);
        self.streams_given_up -= given_up.iter().map(|g| g.last.len()).sum::<usize>();
        given_up
    }

    /// How many TSNs are passed by in what is still to be given up.
    fn skipped_later(&self) -> u64 {
        self.given_up.iter().map(|g| g.reach.advance).sum()
    }

    /// Keeps it in the order of the bounds, unless it repeats another one.
    fn give_up(&mut self, given_up: GivenUp) {
        let bound = given_up.reach.bound;
        let at = self.given_up.partition_point(|g| g.reach.bound <= bound);
        let same = self.given_up[..at].iter().rev();
        let mut same = same.take_while(|g| g.reach.bound == bound);
        if !same.any(|g| g.last == given_up.last) {
            self.streams_given_up += given_up.last.len();
            self.given_up.insert(at, given_up);
        }
    }

    /// Chunks held.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

impl Inbound {
    /// Whether what is given up below `bound` may belong behind a reset: numbers before and after
    /// it mean different messages.
    pub(crate) fn must_wait(&self, bound: u64) -> bool {
        self.barrier.as_ref().is_some_and(|b| bound > b.from)
    }

    /// Whether more of what is given up can wait; if not, the peer must say it again.
    pub(crate) fn has_room_to_wait(&self) -> bool {
        let Some(barrier) = &self.barrier else {
            return true;
        };
        barrier.given_up.len() < MAX_GIVEN_UP && barrier.streams_given_up < MAX_GIVEN_UP_STREAMS
    }

    /// Holds back what is given up.
    pub(crate) fn give_up_later(&mut self, given_up: GivenUp) {
        if let Some(barrier) = &mut self.barrier {
            barrier.give_up(given_up);
        }
    }

    fn carry_out(&mut self, given_up: &GivenUp) {
        match &given_up.last {
            LastGivenUp::Plain(list) => {
                let reach = self.skip_to(given_up.reach);
                for (stream, last) in list {
                    self.skip_messages(*stream, *last, reach);
                }
            }
            LastGivenUp::Interleaved(list) => {
                for s in list {
                    self.skip_mids(s.stream, s.unordered, s.mid, given_up.reach.bound);
                }
            }
        }
    }

    /// Chunks of these streams, none meaning all, wait from this index on.
    pub(crate) fn hold_behind(&mut self, streams: Vec<StreamId>, from: u64) {
        debug_assert!(self.barrier.is_none(), "one reset at a time");
        self.barrier
            .get_or_insert_with(|| Box::new(Barrier::new(streams, from)));
    }

    /// Takes in the chunks below `bound` that were held, and what was given up of them.
    pub(crate) fn release_below(&mut self, bound: u64, limits: Limits) -> Result<(), BadFragments> {
        let Some(mut barrier) = self.barrier.take() else {
            return Ok(());
        };
        while let Some((index, fragment)) = barrier.pop_below(bound) {
            // Messages with numbers after those given up are in order only when these are skipped.
            let given_up = barrier.given_up_below(index);
            given_up.iter().for_each(|g| self.carry_out(g));
            self.bytes -= fragment.payload.len();
            // When it arrived those were missing that a later chunk gave up.
            let limits = Limits {
                span: limits.span + barrier.skipped_later(),
                ..limits
            };
            self.insert(index, fragment, limits)?;
        }
        let given_up = barrier.given_up_below(bound);
        given_up.iter().for_each(|g| self.carry_out(g));
        self.barrier = Some(barrier);
        Ok(())
    }

    /// Messages and parts that the application has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Those that it could have taken by now.
    pub(crate) fn completed(&self) -> u64 {
        self.taken + self.ready.len() as u64
    }

    /// Nothing waits any more.
    pub(crate) fn lift_barrier(&mut self) {
        if let Some(mut barrier) = self.barrier.take() {
            // Nothing is left of it unless the peer has broken the rules.
            while let Some((_, fragment)) = barrier.pop_below(u64::MAX) {
                self.bytes -= fragment.payload.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use manyway_wire::{DataFlags, Ppid};

    use super::*;
    use crate::stream::Place;

    const LIMITS: Limits = Limits {
        max_message: 10,
        span: 5,
        gives_up: false,
        follows: false,
    };

    fn whole(stream: u16, ssn: u16) -> Fragment {
        Fragment {
            stream: StreamId(stream),
            place: Place::Plain(Ssn(ssn)),
            ppid: Ppid(0),
            flags: DataFlags {
                begin: true,
                end: true,
                ..DataFlags::default()
            },
            payload: Bytes::from_static(b"x"),
        }
    }

    fn streams(inbound: &mut Inbound) -> Vec<u16> {
        std::iter::from_fn(|| inbound.pop())
            .map(|m| m.stream.0)
            .collect()
    }

    #[test]
    fn what_belongs_behind_a_reset_waits_for_it() {
        let mut inbound = Inbound::default();
        inbound.insert(0, whole(1, 0), LIMITS).unwrap();
        inbound.hold_behind(vec![StreamId(1)], 2);
        inbound.insert(2, whole(1, 0), LIMITS).unwrap();
        inbound.insert(3, whole(2, 0), LIMITS).unwrap();
        assert!(inbound.cost() > inbound.buffered(), "held chunks count");
        assert_eq!((inbound.completed(), inbound.taken()), (2, 0));
        assert_eq!(streams(&mut inbound), [1, 2], "other streams go on");
        inbound.insert(1, whole(1, 1), LIMITS).unwrap();
        assert_eq!(streams(&mut inbound), [1]);
        assert_eq!((inbound.completed(), inbound.taken()), (3, 3));
        inbound.reset_streams(&[StreamId(1)], 2, false);
        inbound.release_below(u64::MAX, LIMITS).unwrap();
        inbound.lift_barrier();
        assert_eq!(streams(&mut inbound), [1]);
        assert_eq!((inbound.buffered(), inbound.cost()), (0, 0));
    }

    #[test]
    fn early_messages_are_given_out_when_their_stream_is_reset() {
        let mut inbound = Inbound::default();
        inbound.insert(1, whole(1, 1), LIMITS).unwrap();
        inbound.insert(2, whole(2, 3), LIMITS).unwrap();
        inbound.reset_streams(&[StreamId(2)], 3, false);
        assert_eq!(streams(&mut inbound), [2]);
        inbound.reset_streams(&[], 0, false);
        assert_eq!(streams(&mut inbound), [1]);
        inbound.insert(3, whole(1, 0), LIMITS).unwrap();
        assert_eq!(streams(&mut inbound), [1]);
    }

    #[test]
    fn what_is_given_up_behind_a_reset_is_not_the_message_before_it() {
        let mut inbound = Inbound::default();
        inbound.hold_behind(vec![], 0);
        inbound.insert(0, whole(1, 0), LIMITS).unwrap();
        assert!(inbound.must_wait(2));
        inbound.give_up_later(GivenUp {
            reach: Reach {
                bound: 2,
                advance: 1,
                span: 0,
            },
            last: LastGivenUp::Plain(vec![(StreamId(1), Ssn(0))]),
        });
        inbound.insert(2, whole(1, 1), LIMITS).unwrap();
        inbound.release_below(1, LIMITS).unwrap();
        assert_eq!(streams(&mut inbound), [1]);
        inbound.reset_streams(&[], 0, false);
        let tight = Limits { span: 0, ..LIMITS };
        inbound.release_below(u64::MAX, tight).unwrap();
        inbound.lift_barrier();
        assert_eq!(streams(&mut inbound), [1], "number 0 was given up");
    }

    #[test]
    fn what_came_before_others_were_given_up_is_early_and_no_lie() {
        let mut inbound = Inbound::default();
        inbound.hold_behind(vec![], 0);
        inbound.insert(0, whole(1, 0), LIMITS).unwrap();
        inbound.insert(2, whole(3, 1), LIMITS).unwrap();
        inbound.give_up_later(GivenUp {
            reach: Reach {
                bound: 4,
                advance: 3,
                span: 0,
            },
            last: LastGivenUp::Plain(vec![(StreamId(1), Ssn(1)), (StreamId(3), Ssn(0))]),
        });
        inbound.reset_streams(&[], 0, false);
        let tight = Limits { span: 0, ..LIMITS };
        inbound.release_below(u64::MAX, tight).unwrap();
        inbound.lift_barrier();
        assert_eq!(streams(&mut inbound), [1, 3]);
    }

    #[test]
    fn no_more_is_held_than_the_peer_can_repeat() {
        let mut inbound = Inbound::default();
        inbound.hold_behind(vec![], 0);
        let mut held = 0;
        while inbound.has_room_to_wait() {
            held += 1;
            inbound.give_up_later(GivenUp {
                reach: Reach {
                    bound: held,
                    advance: 1,
                    span: 0,
                },
                last: LastGivenUp::Plain(vec![]),
            });
        }
        assert_eq!(held, MAX_GIVEN_UP as u64);
    }

    #[test]
    fn what_waits_names_no_more_streams_than_are_remembered_and_is_held_once() {
        let mut inbound = Inbound::default();
        inbound.hold_behind(vec![], 0);
        for bound in [1, 1, 2, 1, 2] {
            assert!(inbound.has_room_to_wait());
            let last = (0..MAX_GIVEN_UP_STREAMS / 2).map(|n| (StreamId(n as u16), Ssn(0)));
            inbound.give_up_later(GivenUp {
                reach: Reach {
                    bound,
                    advance: 1,
                    span: 0,
                },
                last: LastGivenUp::Plain(last.collect()),
            });
            if bound == 2 {
                break;
            }
        }
        assert!(!inbound.has_room_to_wait());
        inbound.release_below(1, LIMITS).unwrap();
        assert!(inbound.has_room_to_wait());
    }
}
