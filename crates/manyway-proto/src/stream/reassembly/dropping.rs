//! What is dropped before it is a message: the peer gave it up, or begins its numbers anew.

use std::ops::RangeInclusive;

use manyway_wire::{Mid, Ssn, StreamId};

use super::{Head, Key, Partial, Reassembly, Run, message_number};
use crate::stream::Place;

/// What was dropped of a message.
#[derive(Clone, Copy, Debug)]
pub(in crate::stream) struct Dropped {
    pub(in crate::stream) head: Head,
    /// Payload dropped.
    pub(in crate::stream) bytes: usize,
    /// The message was being given out.
    pub(in crate::stream) partial: Option<Partial>,
}

impl Run {
    pub(super) fn into_dropped(self) -> Dropped {
        Dropped {
            head: self.head,
            bytes: self.bytes,
            partial: None,
        }
    }
}

impl Partial {
    fn into_dropped(self) -> Dropped {
        Dropped {
            head: self.head,
            bytes: 0,
            partial: Some(self),
        }
    }
}

impl Head {
    /// Whether this is the ordered message of DATA chunks with that number.
    fn is_ordered(&self, stream: StreamId, number: Ssn) -> bool {
        self.stream == stream && !self.unordered && self.place == Place::Plain(number)
    }
}

/// A place among the fragments of DATA chunks.
fn plain(at: u64) -> Key {
    Key { message: 0, at }
}

impl Reassembly {
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# The receiver MUST remove any partially reassembled message, which is still missing one or more TSNs earlier than or equal to the new cumulative TSN point.
    /// Everything below `bound` counts as received: names to `on_drop` the runs of DATA chunks
    /// whose messages still miss some of it, and the messages that were given out in part.
    pub(in crate::stream) fn skip_to(&mut self, bound: u64, mut on_drop: impl FnMut(Dropped)) {
        while let Some(first) = self.partials.first_entry()
            && first.key().at < bound
        {
            on_drop(first.remove().into_dropped());
        }
        while let Some(first) = self.runs.first_entry() {
            let (start, run) = (first.key().at, first.get());
            // What a run misses lies right before it, unless it begins a message or goes on with
            // one that is being given out, or right after.
            let goes_on = run.begins && start + run.pieces.len() as u64 >= bound;
            if start > bound || goes_on {
                break;
            }
            let run = first.remove();
            self.fragments -= run.pieces.len();
            on_drop(run.into_dropped());
        }
    }

    /// An ordered message of DATA chunks was given up, and the last of it that was sent is right
    /// before `bound`: takes what there is of it.
    pub(in crate::stream) fn give_up(
        &mut self,
        bound: u64,
        stream: StreamId,
        number: Ssn,
    ) -> Option<Dropped> {
        let key = plain(bound);
        let partial = self.partials.get(&key);
        if partial.is_some_and(|p| p.head.is_ordered(stream, number)) {
            return self.partials.remove(&key).map(Partial::into_dropped);
        }
        let start = self.open_before(bound)?;
        let named = |run: &Run| run.head.is_ordered(stream, number);
        self.runs.get(&start).is_some_and(named).then_some(())?;
        self.take_run(start)
    }

    /// A message of DATA chunks begins at `index`: if another one should go on there, it was given
    /// up. Gives back its head, with nothing dropped while earlier fragments of it may come.
    pub(in crate::stream) fn cut_off(&mut self, index: u64) -> Option<Dropped> {
        if let Some(partial) = self.partials.remove(&plain(index)) {
            return Some(partial.into_dropped());
        }
        let start = self.open_before(index)?;
        let run = self.runs.get_mut(&start)?;
        if run.begins {
            return self.take_run(start);
        }
        (run.ends, run.given_up) = (true, true);
        Some(Dropped {
            head: run.head,
            bytes: 0,
            partial: None,
        })
    }

    /// The run of DATA chunks that ends right before `index`, though its message does not.
    fn open_before(&self, index: u64) -> Option<Key> {
        let (start, run) = self.runs.range(..plain(index)).next_back()?;
        let open = start.plus(run.pieces.len()) == plain(index) && !run.ends;
        open.then_some(*start)
    }

    fn take_run(&mut self, start: Key) -> Option<Dropped> {
        let run = self.runs.remove(&start)?;
        self.fragments -= run.pieces.len();
        Some(run.into_dropped())
    }

    /// The messages of the stream up to and with `last` were given up: as
    /// [`Reassembly::skip_to`], for I-DATA chunks.
    pub(in crate::stream) fn skip_messages(
        &mut self,
        stream: StreamId,
        unordered: bool,
        last: Mid,
        mut on_drop: impl FnMut(Dropped),
    ) {
        let first = last.sub((1 << 31) - 1);
        let whole = |from: u32, to: u32| {
            let of = |mid| message_number(stream, unordered, Mid(mid));
            Key {
                message: of(from),
                at: 0,
            }..=Key {
                message: of(to),
                at: u64::MAX,
            }
        };
        let ranges = if first.0 <= last.0 {
            [Some(whole(first.0, last.0)), None]
        } else {
            [Some(whole(first.0, u32::MAX)), Some(whole(0, last.0))]
        };
        for range in ranges.into_iter().flatten() {
            self.drop_range(range, &mut on_drop);
        }
    }

    /// Drops what was begun in I-DATA chunks: of one stream, or of all.
    pub(in crate::stream) fn drop_begun(
        &mut self,
        stream: Option<StreamId>,
        mut on_drop: impl FnMut(Dropped),
    ) {
        let of = |stream, unordered, mid| message_number(stream, unordered, Mid(mid));
        let (first, last) = match stream {
            Some(stream) => (of(stream, false, 0), of(stream, true, u32::MAX)),
            None => (0, u64::MAX),
        };
        let range = Key {
            message: first,
            at: 0,
        }..=Key {
            message: last,
            at: u64::MAX,
        };
        self.drop_range(range, &mut on_drop);
    }

    fn drop_range(&mut self, range: RangeInclusive<Key>, on_drop: &mut impl FnMut(Dropped)) {
        while let Some((&key, _)) = self.partials.range(range.clone()).next() {
            let partial = self.partials.remove(&key);
            partial.map(Partial::into_dropped).map(&mut *on_drop);
        }
        while let Some((&key, _)) = self.runs.range(range.clone()).next() {
            self.take_run(key).map(&mut *on_drop);
        }
    }

    /// Drops what was begun in DATA chunks below `bound` on streams for which `is_named`.
    pub(in crate::stream) fn drop_begun_below(
        &mut self,
        bound: u64,
        is_named: impl Fn(StreamId) -> bool,
        mut on_drop: impl FnMut(Dropped),
    ) {
        let partials = self.partials.range(..=plain(bound));
        let partials = partials.filter(|(_, p)| is_named(p.head.stream));
        let runs = self.runs.range(..plain(bound));
        let runs = runs.filter(|(_, r)| is_named(r.head.stream));
        let keys: [Vec<Key>; 2] = [
            partials.map(|(key, _)| *key).collect(),
            runs.map(|(key, _)| *key).collect(),
        ];
        for key in &keys[0] {
            let partial = self.partials.remove(key);
            partial.map(Partial::into_dropped).map(&mut on_drop);
        }
        for key in &keys[1] {
            self.take_run(*key).map(&mut on_drop);
        }
    }
}
