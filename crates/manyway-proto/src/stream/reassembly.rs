//! From fragments to messages.
//!
//! Neighbouring fragments of one message form a *run*. Fragments of DATA chunks are neighbours if
//! their TSNs are, those of I-DATA chunks if they have the same stream, order and MID, and their
//! FSNs are neighbours. Both cases share one map of runs.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};
use manyway_wire::{DataFlags, Mid, Ppid, StreamId};

use super::Place;

mod dropping;

pub(super) use dropping::Dropped;

/// A received chunk of user data.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) stream: StreamId,
    pub(crate) place: Place,
    /// Of an I-DATA chunk: known for the first fragment only.
    pub(crate) ppid: Ppid,
    pub(crate) flags: DataFlags,
    pub(crate) payload: Bytes,
}

impl Fragment {
    fn head(&self) -> Head {
        Head {
            stream: self.stream,
            place: self.place,
            ppid: self.ppid,
            unordered: self.flags.unordered,
        }
    }
}

/// The fragments contradict each other or make a message that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadFragments(pub(crate) &'static str);

const OTHER_MESSAGE: BadFragments = BadFragments("neighbouring fragments of different messages");
const AFTER_END: BadFragments = BadFragments("fragment after the end of its message");

/// What the fragments of a message have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) stream: StreamId,
    pub(super) place: Place,
    pub(super) ppid: Ppid,
    pub(super) unordered: bool,
}

impl Head {
    fn same_message(&self, other: &Self) -> bool {
        let same_number = match (self.place, other.place) {
            (Place::Plain(a), Place::Plain(b)) => a == b || self.unordered,
            (Place::Interleaved { mid: a, .. }, Place::Interleaved { mid: b, .. }) => a == b,
            _ => false,
        };
        self.stream == other.stream && self.unordered == other.unordered && same_number
    }
}

/// A message, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) head: Head,
    pub(super) payload: Bytes,
}

/// A message of which a part was given out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partial {
    pub(super) head: Head,
    /// What the application knows it by.
    pub(super) message: u64,
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Of I-DATA chunks: stream, order and MID. Of DATA chunks: 0.
    message: u64,
    /// Of I-DATA chunks: the FSN; of DATA chunks: the index of the TSN. Neither wraps.
    at: u64,
}

impl Key {
    fn plus(self, n: usize) -> Self {
        Self {
            at: self.at + n as u64,
            ..self
        }
    }

    /// All fragments of I-DATA chunks are checked against each other; those of DATA chunks only
    /// against their neighbours, which may be of other messages.
    fn is_interleaved(self, head: &Head) -> bool {
        matches!(head.place, Place::Interleaved { .. })
    }
}

fn message_number(stream: StreamId, unordered: bool, mid: Mid) -> u64 {
    u64::from(stream.0) << 33 | u64::from(unordered) << 32 | u64::from(mid.0)
}

#[derive(Debug)]
struct Run {
    head: Head,
    begins: bool,
    ends: bool,
    /// What should follow will not come: the next TSN is of another message.
    given_up: bool,
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Run {
    fn new(fragment: Fragment) -> Self {
        let (head, flags) = (fragment.head(), fragment.flags);
        let bytes = fragment.payload.len();
        let mut pieces = VecDeque::with_capacity(1);
        pieces.push_back(fragment.payload);
        Self {
            head,
            begins: flags.begin,
            ends: flags.end,
            given_up: false,
            pieces,
            bytes,
        }
    }

    fn push(mut self, next: Fragment) -> Result<Self, BadFragments> {
        if !self.head.same_message(&next.head()) {
            return Err(OTHER_MESSAGE);
        }
        self.bytes += next.payload.len();
        self.ends = next.flags.end;
        self.pieces.push_back(next.payload);
        Ok(self)
    }

    /// Joins two neighbours, the shorter to the longer, so that messages whose fragments arrive
    /// backwards cost no more than others.
    fn join(mut self, mut later: Self) -> Result<Self, BadFragments> {
        if !self.head.same_message(&later.head) {
            return Err(OTHER_MESSAGE);
        }
        let pieces = if self.pieces.len() >= later.pieces.len() {
            self.pieces.append(&mut later.pieces);
            self.pieces
        } else {
            let earlier = self.pieces.drain(..).rev();
            earlier.for_each(|piece| later.pieces.push_front(piece));
            later.pieces
        };
        Ok(Self {
            ends: later.ends,
            given_up: later.given_up,
            bytes: self.bytes + later.bytes,
            pieces,
            ..self
        })
    }

    fn into_whole(self) -> Whole {
        let mut payload = BytesMut::with_capacity(self.bytes);
        self.pieces
            .iter()
            .for_each(|piece| payload.extend_from_slice(piece));
        Whole {
            head: self.head,
            payload: payload.freeze(),
        }
    }
}

/// What a fragment led to.
#[derive(Debug)]
pub(super) enum Insertion {
    /// It waits for others, in the run with this key.
    Held(Key),
    /// It completed a message.
    Whole(Whole),
    /// It goes on with a message that is being given out: the fragment, and those that waited for
    /// it.
    Part {
        partial: Partial,
        first: Bytes,
        rest: VecDeque<Bytes>,
        ended: bool,
    },
    /// It is of a message that was given up.
    GivenUp(Dropped),
}

/// Fragments of incomplete messages.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    runs: BTreeMap<Key, Run>,
    /// Messages that are being given out, by the fragment that is next.
    partials: BTreeMap<Key, Partial>,
    fragments: usize,
}

impl Reassembly {
    /// Where a fragment belongs; `index` is that of its TSN.
    pub(super) fn key(&self, index: u64, fragment: &Fragment) -> Result<Key, BadFragments> {
        let Place::Interleaved { mid, fsn } = fragment.place else {
            return Ok(Key {
                message: 0,
                at: index,
            });
        };
        let message = message_number(fragment.stream, fragment.flags.unordered, mid);
        let next = self.next_of(message);
        if fragment.flags.begin != (next.is_none() && fsn.0 == 0) {
            return Err(BadFragments("fragment with a wrong B bit or number"));
        }
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
        //# Note that the FSN MAY wrap completely multiple times, thus allowing arbitrarily large user messages. For the FSN, the serial number arithmetic defined in [RFC1982] applies with SERIAL_BITS = 32.
        let next = next.unwrap_or_default();
        let ahead = fsn.0.wrapping_sub(next as u32);
        if ahead >= 1 << 31 {
            return Err(BadFragments("fragment number used twice"));
        }
        let at = next + u64::from(ahead);
        Ok(Key { message, at })
    }

    /// The fragment that is next of a message that is being given out.
    fn next_of(&self, message: u64) -> Option<u64> {
        let (first, last) = (
            Key { message, at: 0 },
            Key {
                message,
                at: u64::MAX,
            },
        );
        let mut found = self.partials.range(first..=last);
        found.next().map(|(key, _)| key.at)
    }

    pub(super) fn insert(
        &mut self,
        key: Key,
        fragment: Fragment,
        max_message: usize,
    ) -> Result<Insertion, BadFragments> {
        if let Some(partial) = self.partials.remove(&key) {
            return self.go_on(key, partial, fragment);
        }
        let head = fragment.head();
        let before = self.run_before(key);
        if key.is_interleaved(&head) {
            self.check_message(key, before, &fragment)?;
        }
        if fragment.flags.begin && fragment.flags.end {
            let (head, payload) = (head, fragment.payload);
            return Ok(Insertion::Whole(Whole { head, payload }));
        }
        let adjoining = before.filter(|(start, run)| start.plus(run.pieces.len()) == key);
        let goes_on = adjoining.is_some_and(|(_, run)| !run.ends) && !fragment.flags.begin;
        let start = match adjoining {
            Some((start, _)) if goes_on => start,
            _ => key,
        };
        self.fragments += 1;
        let later = match fragment.flags.end {
            true => None,
            false => self.take_later(key.plus(1)),
        };
        let mut run = match goes_on.then(|| self.runs.remove(&start)).flatten() {
            Some(earlier) => earlier.push(fragment)?,
            None => Run::new(fragment),
        };
        if let Some(later) = later {
            run = run.join(later)?;
        }
        if run.bytes > max_message {
            return Err(BadFragments("message larger than allowed"));
        }
        if run.begins && run.given_up {
            self.fragments -= run.pieces.len();
            return Ok(Insertion::GivenUp(run.into_dropped()));
        }
        if run.begins && run.ends {
            self.fragments -= run.pieces.len();
            return Ok(Insertion::Whole(run.into_whole()));
        }
        self.runs.insert(start, run);
        Ok(Insertion::Held(start))
    }

    /// The next fragment of a message that is being given out.
    fn go_on(
        &mut self,
        key: Key,
        partial: Partial,
        fragment: Fragment,
    ) -> Result<Insertion, BadFragments> {
        if fragment.flags.begin || !partial.head.same_message(&fragment.head()) {
            return Err(OTHER_MESSAGE);
        }
        let (mut ended, mut rest) = (fragment.flags.end, VecDeque::new());
        if ended && key.is_interleaved(&partial.head) && self.has_later(key) {
            return Err(AFTER_END);
        }
        if !ended && let Some(later) = self.take_later(key.plus(1)) {
            if !partial.head.same_message(&later.head) {
                return Err(OTHER_MESSAGE);
            }
            self.fragments -= later.pieces.len();
            if later.given_up {
                let mut dropped = later.into_dropped();
                dropped.bytes += fragment.payload.len();
                dropped.partial = Some(partial);
                return Ok(Insertion::GivenUp(dropped));
            }
            (ended, rest) = (later.ends, later.pieces);
        }
        if !ended {
            self.partials.insert(key.plus(1 + rest.len()), partial);
        }
        Ok(Insertion::Part {
            partial,
            first: fragment.payload,
            rest,
            ended,
        })
    }

    /// The run that goes on at `key`, unless another message begins there.
    fn take_later(&mut self, key: Key) -> Option<Run> {
        let goes_on = self.runs.get(&key).is_some_and(|run| !run.begins);
        goes_on.then(|| self.runs.remove(&key)).flatten()
    }

    fn run_before(&self, key: Key) -> Option<(Key, &Run)> {
        let (start, run) = self.runs.range(..=key).next_back()?;
        (start.message == key.message).then_some((*start, run))
    }

    /// Whether the fragment contradicts others of its message, all of which have the same key.
    fn check_message(
        &self,
        key: Key,
        before: Option<(Key, &Run)>,
        fragment: &Fragment,
    ) -> Result<(), BadFragments> {
        if let Some((start, run)) = before {
            if start.plus(run.pieces.len()) > key {
                return Err(BadFragments("fragment number used twice"));
            }
            if run.ends {
                return Err(AFTER_END);
            }
        }
        if fragment.flags.end && self.has_later(key) {
            return Err(AFTER_END);
        }
        Ok(())
    }

    /// Whether there is a fragment of the same message at or after `key`.
    fn has_later(&self, key: Key) -> bool {
        let mut later = self.runs.range(key..);
        later.next().is_some_and(|(k, _)| k.message == key.message)
    }

    /// What the run has, if it is the beginning of a message: its head and bytes.
    pub(super) fn beginning(&self, key: Key) -> Option<(Head, usize)> {
        let run = self.runs.get(&key).filter(|run| run.begins)?;
        Some((run.head, run.bytes))
    }

    /// The runs that are beginnings of messages.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = Key> + '_ {
        let begun = self.runs.iter().filter(|(_, run)| run.begins);
        begun.map(|(key, _)| *key)
    }

    /// Takes the beginning of a message for giving it out; what follows comes as
    /// [`Insertion::Part`].
    pub(super) fn give_out(&mut self, key: Key, message: u64) -> VecDeque<Bytes> {
        let Some(run) = self.runs.remove(&key) else {
            return VecDeque::new();
        };
        self.fragments -= run.pieces.len();
        let head = run.head;
        self.partials
            .insert(key.plus(run.pieces.len()), Partial { head, message });
        run.pieces
    }

    /// Fragments held.
    pub(super) fn fragments(&self) -> usize {
        self.fragments
    }

    /// Moves the only message that is being given out to a later fragment.
    #[cfg(test)]
    pub(super) fn pretend_given_out(&mut self, at: u64) {
        if let Some((key, partial)) = self.partials.pop_first() {
            self.partials.insert(Key { at, ..key }, partial);
        }
    }

    /// Runs held, and messages that are being given out.
    pub(super) fn begun(&self) -> usize {
        self.runs.len() + self.partials.len()
    }
}
