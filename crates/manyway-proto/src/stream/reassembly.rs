//! From DATA chunks to whole messages.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use manyway_wire::{DataFlags, Ppid, Ssn, StreamId};

/// A received DATA chunk.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) stream: StreamId,
    pub(crate) ssn: Ssn,
    pub(crate) ppid: Ppid,
    pub(crate) flags: DataFlags,
    pub(crate) payload: Bytes,
}

/// Neighbouring fragments of one message.
#[derive(Debug)]
struct Run {
    head: Fragment,
    /// Payloads after the head's, in order.
    rest: Vec<Bytes>,
    bytes: usize,
    ends: bool,
}

impl Run {
    fn len(&self) -> u64 {
        1 + self.rest.len() as u64
    }

    fn is_complete(&self) -> bool {
        self.head.flags.begin && self.ends
    }

    fn belongs_with(&self, next: &Fragment) -> bool {
        self.head.stream == next.stream
            && self.head.flags.unordered == next.flags.unordered
            && (self.head.ssn == next.ssn || next.flags.unordered)
    }

    fn into_message(self) -> Fragment {
        let mut payload = BytesMut::with_capacity(self.bytes);
        payload.extend_from_slice(&self.head.payload);
        self.rest
            .iter()
            .for_each(|piece| payload.extend_from_slice(piece));
        Fragment {
            payload: payload.freeze(),
            ..self.head
        }
    }
}

/// The fragments contradict each other or make a message that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadFragments(pub(crate) &'static str);

/// Fragments of incomplete messages, as runs of neighbours keyed by their first index.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    runs: BTreeMap<u64, Run>,
    fragments: usize,
}

impl Reassembly {
    /// Takes a fragment; gives back the message that it completes.
    pub(crate) fn insert(
        &mut self,
        index: u64,
        fragment: Fragment,
        max_message: usize,
    ) -> Result<Option<Fragment>, BadFragments> {
        if fragment.flags.begin && fragment.flags.end {
            return Ok(Some(fragment));
        }
        self.fragments += 1;
        let (ends, bytes) = (fragment.flags.end, fragment.payload.len());
        let mut key = index;
        let mut run = Run {
            head: fragment,
            rest: Vec::new(),
            bytes,
            ends,
        };
        if let Some(before) = self.run_before(index)
            && !run.head.flags.begin
        {
            let mut earlier = self.runs.remove(&before).ok_or(BadFragments("lost run"))?;
            append(&mut earlier, run)?;
            (key, run) = (before, earlier);
        }
        if !run.ends
            && let Some(later) = self.runs.remove(&(index + 1))
        {
            if later.head.flags.begin {
                self.runs.insert(index + 1, later);
            } else {
                append(&mut run, later)?;
            }
        }
        if run.bytes > max_message {
            return Err(BadFragments("message larger than allowed"));
        }
        if run.is_complete() {
            self.fragments -= 1 + run.rest.len();
            return Ok(Some(run.into_message()));
        }
        self.runs.insert(key, run);
        Ok(None)
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //# The receiver MUST remove any partially reassembled message, which is still missing one or more TSNs earlier than or equal to the new cumulative TSN point.
    /// Everything below `bound` counts as received: drops the fragments of messages that still
    /// miss some of it. Gives back the bytes dropped.
    pub(crate) fn skip_to(&mut self, bound: u64) -> usize {
        let mut dropped = 0;
        while let Some(first) = self.runs.first_entry() {
            let (start, run) = (*first.key(), first.get());
            // What a run misses lies right before it, unless it begins a message, or right after.
            let goes_on = run.head.flags.begin && start + run.len() >= bound;
            if start > bound || goes_on {
                break;
            }
            let run = first.remove();
            self.fragments -= 1 + run.rest.len();
            dropped += run.bytes;
        }
        dropped
    }

    /// Fragments held.
    pub(crate) fn fragments(&self) -> usize {
        self.fragments
    }

    /// The run that ends just before `index` and goes on.
    fn run_before(&self, index: u64) -> Option<u64> {
        let (&key, run) = self.runs.range(..index).next_back()?;
        (key + run.len() == index && !run.ends).then_some(key)
    }
}

fn append(run: &mut Run, later: Run) -> Result<(), BadFragments> {
    if !run.belongs_with(&later.head) {
        return Err(BadFragments("neighbouring fragments of different messages"));
    }
    run.bytes += later.bytes;
    run.ends = later.ends;
    run.rest.push(later.head.payload);
    run.rest.extend(later.rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(byte: u8, ssn: u16, begin: bool, end: bool) -> Fragment {
        Fragment {
            stream: StreamId(0),
            ssn: Ssn(ssn),
            ppid: Ppid(0),
            flags: DataFlags {
                immediate: false,
                unordered: false,
                begin,
                end,
            },
            payload: Bytes::copy_from_slice(&[byte]),
        }
    }

    #[test]
    fn fragments_in_any_order_make_the_message() {
        let parts = [
            (0, true, false),
            (1, false, false),
            (2, false, false),
            (3, false, true),
        ];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            let mut reassembly = Reassembly::default();
            let mut message = None;
            for at in order {
                let (index, begin, end) = parts[at];
                let piece = fragment(index as u8, 5, begin, end);
                message = reassembly.insert(index, piece, 100).unwrap().or(message);
            }
            assert_eq!(&message.unwrap().payload[..], [0, 1, 2, 3]);
            assert!(reassembly.runs.is_empty());
            assert_eq!(reassembly.fragments(), 0);
        }
    }

    #[test]
    fn neighbours_of_other_messages_are_kept_apart() {
        let mut reassembly = Reassembly::default();
        assert!(
            reassembly
                .insert(1, fragment(1, 0, false, true), 100)
                .unwrap()
                .is_none()
        );
        assert!(
            reassembly
                .insert(2, fragment(2, 1, true, false), 100)
                .unwrap()
                .is_none()
        );
        let first = reassembly
            .insert(0, fragment(0, 0, true, false), 100)
            .unwrap();
        assert_eq!(&first.unwrap().payload[..], [0, 1]);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
    //= type=test
    //# The receiver MUST remove any partially reassembled message, which is still missing one or more TSNs earlier than or equal to the new cumulative TSN point
    #[test]
    fn messages_that_miss_something_skipped_are_dropped_and_others_kept() {
        // Message 0 is 0..=3 without 1, message 1 is 4..=6 without 6, message 2 lacks its head 7.
        let held = [
            (0, 0, true, false),
            (2, 0, false, false),
            (3, 0, false, true),
            (4, 1, true, false),
            (5, 1, false, false),
            (8, 2, false, false),
        ];
        let kept = |bound| {
            let mut reassembly = Reassembly::default();
            for (index, ssn, begin, end) in held {
                let piece = fragment(index as u8, ssn, begin, end);
                reassembly.insert(index, piece, 100).unwrap();
            }
            let dropped = reassembly.skip_to(bound);
            assert_eq!(dropped + reassembly.fragments(), held.len());
            reassembly.runs.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(kept(1), [0, 2, 4, 8]);
        assert_eq!(kept(2), [4, 8]);
        assert_eq!(kept(4), [4, 8]);
        assert_eq!(kept(6), [4, 8]);
        assert_eq!(kept(7), [8]);
        assert_eq!(kept(8), [0; 0]);
    }

    #[test]
    fn contradictions_and_giants_are_errors() {
        let mut reassembly = Reassembly::default();
        reassembly
            .insert(0, fragment(0, 0, true, false), 100)
            .unwrap();
        assert!(
            reassembly
                .insert(1, fragment(1, 9, false, true), 100)
                .is_err()
        );
        let mut reassembly = Reassembly::default();
        reassembly
            .insert(0, fragment(0, 0, true, false), 1)
            .unwrap();
        assert!(
            reassembly
                .insert(1, fragment(1, 0, false, false), 1)
                .is_err()
        );
    }
}
