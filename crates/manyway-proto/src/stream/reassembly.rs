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
