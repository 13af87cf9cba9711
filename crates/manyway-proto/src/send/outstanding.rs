//! Chunks that were sent and are not cumulatively acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use manyway_wire::{
    DATA_HEADER_LEN, Data, DataFlags, Fragment, GapBlock, I_DATA_HEADER_LEN, IData, PacketWriter,
    Ppid, StreamId, Tsn,
};

use crate::path::PathId;
use crate::range_set::RangeSet;
use crate::send::Place;
use crate::time::Instant;

/// On which path and in which of its packets a chunk was last sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shot {
    pub(crate) path: PathId,
    pub(crate) number: u64,
}

/// Where a chunk is. Every chunk belongs to exactly one path at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Counted in the path's bytes in flight.
    InFlight(Shot),
    /// Waits for retransmission.
    Lost(Shot),
    /// Acknowledged by a gap block.
    Acked,
}

/// A chunk with its TSN assigned.
#[derive(Debug)]
pub(crate) struct SentChunk {
    pub(crate) stream: StreamId,
    pub(crate) place: Place,
    pub(crate) ppid: Ppid,
    pub(crate) flags: DataFlags,
    pub(crate) payload: Bytes,
    pub(crate) transmissions: u16,
    pub(crate) sent_at: Instant,
    pub(crate) fate: Fate,
}

impl SentChunk {
    /// Bytes that count as in flight: header and payload.
    pub(crate) fn flight_bytes(&self) -> u64 {
        let header = match self.place {
            Place::Plain(_) => DATA_HEADER_LEN,
            Place::Interleaved { .. } => I_DATA_HEADER_LEN,
        };
        (header + self.payload.len()) as u64
    }

    /// Appends the chunk to a packet; false if it does not fit. `immediate` asks for a SACK without
    /// delay even if the message itself does not.
    pub(crate) fn write(&self, tsn: Tsn, immediate: bool, writer: &mut PacketWriter<'_>) -> bool {
        let immediate = immediate || self.flags.immediate;
        match self.place {
            Place::Plain(ssn) => writer.push(&Data {
                tsn,
                stream: self.stream,
                ssn,
                ppid: self.ppid,
                flags: DataFlags {
                    immediate,
                    ..self.flags
                },
                payload: &self.payload,
            }),
            Place::Interleaved { mid, fsn } => writer.push(&IData {
                tsn,
                stream: self.stream,
                mid,
                immediate,
                unordered: self.flags.unordered,
                fragment: match self.flags.begin {
                    true => Fragment::First(self.ppid),
                    false => Fragment::Later(fsn),
                },
                end: self.flags.end,
                payload: &self.payload,
            }),
        }
    }
}

/// A SACK acknowledged what was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NeverSent;

/// The window of sent chunks. Indices are TSNs that never wrap.
#[derive(Debug)]
pub(crate) struct Outstanding {
    chunks: VecDeque<SentChunk>,
    base: u64,
    base_tsn: Tsn,
    acked: RangeSet,
    lost: BTreeSet<u64>,
    /// Payload bytes of all chunks kept.
    buffered: usize,
    /// Payload bytes not acknowledged at all: in flight or lost.
    unacked: u64,
}

impl Outstanding {
    pub(crate) fn new(initial: Tsn) -> Self {
        Self {
            chunks: VecDeque::new(),
            base: 0,
            base_tsn: initial,
            acked: RangeSet::default(),
            lost: BTreeSet::new(),
            buffered: 0,
            unacked: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Chunks kept.
    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    pub(crate) fn unacked(&self) -> u64 {
        self.unacked
    }

    /// The cumulative TSN acknowledged by the peer.
    pub(crate) fn cumulative(&self) -> Tsn {
        self.base_tsn.sub(1)
    }

    pub(crate) fn next_tsn(&self) -> Tsn {
        self.tsn(self.end())
    }

    fn end(&self) -> u64 {
        self.base + self.chunks.len() as u64
    }

    pub(crate) fn next_index(&self) -> u64 {
        self.end()
    }

    pub(crate) fn tsn(&self, index: u64) -> Tsn {
        // The difference is smaller than the window, which is far below 2^31.
        self.base_tsn.add((index - self.base) as u32)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&SentChunk> {
        self.chunks
            .get(usize::try_from(index.checked_sub(self.base)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, index: u64) -> Option<&mut SentChunk> {
        self.chunks
            .get_mut(usize::try_from(index.checked_sub(self.base)?).ok()?)
    }

    pub(crate) fn push(&mut self, chunk: SentChunk) {
        self.buffered += chunk.payload.len();
        self.unacked += chunk.payload.len() as u64;
        self.chunks.push_back(chunk);
    }

    /// Whether the chunk is in flight by just this shot.
    pub(crate) fn is_in_flight(&self, index: u64, shot: Shot) -> bool {
        self.get(index)
            .is_some_and(|c| c.fate == Fate::InFlight(shot))
    }

    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// The lost chunk that is needed most: the one with the lowest TSN.
    pub(crate) fn first_lost(&self) -> Option<u64> {
        self.lost.first().copied()
    }

    /// Declares a chunk in flight lost; false if it was not in flight. The caller takes its bytes
    /// from the path.
    pub(crate) fn mark_lost(&mut self, index: u64) -> bool {
        let Some(chunk) = self.get_mut(index) else {
            return false;
        };
        let Fate::InFlight(shot) = chunk.fate else {
            return false;
        };
        chunk.fate = Fate::Lost(shot);
        self.lost.insert(index)
    }

    /// A lost chunk goes out again.
    pub(crate) fn mark_resent(&mut self, index: u64, shot: Shot, now: Instant) {
        self.lost.remove(&index);
        if let Some(chunk) = self.get_mut(index) {
            chunk.fate = Fate::InFlight(shot);
            chunk.transmissions = chunk.transmissions.saturating_add(1);
            chunk.sent_at = now;
        }
    }

    /// Takes in a SACK and calls `on_acked` for every chunk that it newly acknowledges. True if
    /// the cumulative point advanced. Old SACKs change nothing.
    pub(crate) fn acknowledge(
        &mut self,
        cumulative: Tsn,
        gaps: impl Iterator<Item = GapBlock>,
        mut on_acked: impl FnMut(u64, &SentChunk),
    ) -> Result<bool, NeverSent> {
        if cumulative.is_before(self.cumulative()) {
            return Ok(false);
        }
        let advance = u64::from(cumulative.distance_from(self.cumulative()));
        if advance > self.chunks.len() as u64 {
            return Err(NeverSent);
        }
        let bound = self.base + advance;
        self.pop_below(bound, &mut on_acked);
        for gap in gaps {
            if gap.start == 0 || gap.end < gap.start {
                continue;
            }
            let range = bound + u64::from(gap.start) - 1..bound + u64::from(gap.end);
            if range.end > self.end() {
                return Err(NeverSent);
            }
            self.ack_range(range, &mut on_acked);
        }
        Ok(advance > 0)
    }

    fn pop_below(&mut self, bound: u64, on_acked: &mut impl FnMut(u64, &SentChunk)) {
        while self.base < bound {
            let Some(chunk) = self.chunks.pop_front() else {
                break;
            };
            let index = self.base;
            self.base += 1;
            self.base_tsn = self.base_tsn.next();
            self.buffered -= chunk.payload.len();
            if chunk.fate != Fate::Acked {
                self.unacked -= chunk.payload.len() as u64;
                self.lost.remove(&index);
                on_acked(index, &chunk);
            }
        }
        self.acked.remove_below(bound);
    }

    fn ack_range(&mut self, range: Range<u64>, on_acked: &mut impl FnMut(u64, &SentChunk)) {
        let (base, chunks, lost) = (self.base, &mut self.chunks, &mut self.lost);
        let mut acked_bytes = 0;
        self.acked.insert_range(range, |missing| {
            for index in missing {
                // The index lies within the window: the caller compared it with both ends.
                let chunk = &mut chunks[(index - base) as usize];
                on_acked(index, chunk);
                chunk.fate = Fate::Acked;
                acked_bytes += chunk.payload.len() as u64;
                lost.remove(&index);
            }
        });
        self.unacked -= acked_bytes;
    }

    /// The peer took back what it had acknowledged by gap blocks (RFC 9260, section 6.2.1): all of
    /// it is lost.
    pub(crate) fn on_renege(&mut self, path: PathId) {
        for index in self.acked.iter().flatten() {
            let chunk = &mut self.chunks[(index - self.base) as usize];
            chunk.fate = Fate::Lost(Shot { path, number: 0 });
            self.unacked += chunk.payload.len() as u64;
            self.lost.insert(index);
        }
        self.acked.clear();
    }

    /// Whether chunks are kept only because the cumulative point does not pass them.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.chunks.is_empty() && self.unacked == 0
    }

    /// Sum of the bytes in flight per path, counted anew: for checking the paths' own sums.
    pub(crate) fn flight_bytes_on(&self, path: PathId) -> u64 {
        let on_path = |c: &&SentChunk| matches!(c.fate, Fate::InFlight(s) if s.path == path);
        self.chunks
            .iter()
            .filter(on_path)
            .map(SentChunk::flight_bytes)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use manyway_wire::Ssn;

    use super::*;

    fn outstanding(count: u32) -> Outstanding {
        let mut out = Outstanding::new(Tsn(u32::MAX - 1));
        for number in 0..u64::from(count) {
            out.push(SentChunk {
                stream: StreamId(0),
                place: Place::Plain(Ssn(0)),
                ppid: Ppid(0),
                flags: DataFlags::default(),
                payload: Bytes::from_static(&[0; 10]),
                transmissions: 1,
                sent_at: Instant::ZERO,
                fate: Fate::InFlight(Shot {
                    path: PathId::new(1),
                    number,
                }),
            });
        }
        out
    }

    fn ack(out: &mut Outstanding, cum: u32, gaps: &[(u16, u16)]) -> Result<Vec<u64>, NeverSent> {
        let gaps = gaps.iter().map(|&(start, end)| GapBlock { start, end });
        let mut acked = Vec::new();
        out.acknowledge(Tsn(cum), gaps, |index, _| acked.push(index))
            .map(|_| acked)
    }

    #[test]
    fn each_chunk_is_acknowledged_once_across_the_wrap() {
        let mut out = outstanding(6);
        assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 3)]), Ok(vec![1, 2]));
        assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 4)]), Ok(vec![3]));
        assert_eq!(ack(&mut out, 1, &[]), Ok(vec![0]));
        assert_eq!(out.unacked(), 20);
        assert_eq!(out.next_tsn(), Tsn(4));
    }

    #[test]
    fn acknowledging_what_was_never_sent_is_an_error() {
        assert_eq!(ack(&mut outstanding(2), 1, &[]), Err(NeverSent));
        assert_eq!(
            ack(&mut outstanding(2), u32::MAX - 2, &[(2, 3)]),
            Err(NeverSent)
        );
    }

    #[test]
    fn old_and_malformed_acknowledgements_change_nothing() {
        let mut out = outstanding(4);
        assert_eq!(ack(&mut out, u32::MAX - 2, &[(0, 1)]), Ok(vec![]));
        assert_eq!(ack(&mut out, u32::MAX, &[]), Ok(vec![0, 1]));
        assert_eq!(ack(&mut out, u32::MAX - 1, &[(2, 3)]), Ok(vec![]));
        assert_eq!(ack(&mut out, u32::MAX, &[(0, 1), (2, 1)]), Ok(vec![]));
    }

    #[test]
    fn a_lost_chunk_that_is_acknowledged_after_all_is_not_sent_again() {
        let mut out = outstanding(2);
        assert!(out.mark_lost(0));
        assert!(!out.mark_lost(0));
        assert_eq!(out.first_lost(), Some(0));
        assert_eq!(ack(&mut out, u32::MAX - 1, &[]), Ok(vec![0]));
        assert!(!out.has_lost());
    }

    #[test]
    fn reneged_chunks_are_lost() {
        let mut out = outstanding(3);
        assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 3)]), Ok(vec![1, 2]));
        out.on_renege(PathId::new(1));
        assert_eq!(out.first_lost(), Some(1));
        assert_eq!(out.unacked(), 30);
    }
}
