//! Chunks that were sent and are not cumulatively acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use manyway_wire::{
    DATA_HEADER_LEN, Data, DataFlags, Fragment, I_DATA_HEADER_LEN, IData, PacketWriter, Ppid, Ssn,
    StreamId, Tsn,
};

use super::claims::{AckOutcome, BadAck, Claims};
use crate::path::PathId;
use crate::range_set::RangeSet;
use crate::send::abandon::{Membership, Partial};
use crate::stream::Place;
use crate::time::Instant;

/// How far a TSN may lie above the first of the window.
const MAX_DISTANCE: usize = (1 << 31) - 1;

/// On which path and in which of its packets a chunk was last sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shot {
    pub(crate) path: PathId,
    pub(crate) number: u64,
}

impl Shot {
    /// On no path: nothing of it arrives any more.
    pub(super) const NONE: Self = Self {
        path: PathId::new(0),
        number: 0,
    };
}

/// Where a chunk is. Every chunk belongs to exactly one path at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Counted in the path's bytes in flight.
    InFlight(Shot),
    /// Waits for retransmission.
    Lost(Shot),
    /// Acknowledged by a gap block; the peer may take that back.
    Acked,
    /// Acknowledged by a non-renegable gap block: the payload is gone, only the TSN is kept until
    /// the cumulative point passes it.
    Settled,
    /// Given up, whether it arrived or not: the payload is gone, and the peer is told to skip it.
    Abandoned,
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
    /// Sent on more than one path: its acknowledgement does not say which of them works.
    pub(crate) moved: bool,
    pub(crate) sent_at: Instant,
    pub(crate) fate: Fate,
    /// Its packet, the last one, said that it is ECN-capable.
    pub(crate) ecn_capable: bool,
    pub(crate) membership: Membership,
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

    /// Bytes of a packet with just this chunk and `headers` besides.
    pub(crate) fn packet_len(&self, headers: usize) -> usize {
        (headers + self.flight_bytes() as usize).next_multiple_of(4)
    }

    /// The ordered message of its stream that it is the last chunk of, if it is a DATA chunk.
    fn completes(&self) -> Option<(StreamId, Ssn)> {
        match self.place {
            Place::Plain(ssn) if self.flags.end && !self.flags.unordered => {
                Some((self.stream, ssn))
            }
            _ => None,
        }
    }

    /// The path on which it was sent last; that of no path once it has arrived.
    pub(crate) fn last_path(&self) -> PathId {
        match self.fate {
            Fate::InFlight(shot) | Fate::Lost(shot) => shot.path,
            Fate::Acked | Fate::Settled | Fate::Abandoned => Shot::NONE.path,
        }
    }

    /// Whether it is in flight or waits for retransmission.
    pub(crate) fn is_unacked(&self) -> bool {
        matches!(self.fate, Fate::InFlight(_) | Fate::Lost(_))
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

/// The window of sent chunks. Indices are TSNs that never wrap.
#[derive(Debug)]
pub(crate) struct Outstanding {
    chunks: VecDeque<SentChunk>,
    base: u64,
    base_tsn: Tsn,
    /// Acknowledged by gap blocks, settled or not.
    acked: RangeSet,
    /// Acknowledged by non-renegable gap blocks.
    settled: RangeSet,
    pub(super) lost: BTreeSet<u64>,
    /// Payload bytes of all chunks kept, but for those that are settled.
    pub(super) buffered: usize,
    /// Payload bytes not acknowledged at all: in flight or lost.
    pub(super) unacked: u64,
    /// What is given up.
    pub(super) partial: Partial,
}

impl Outstanding {
    pub(crate) fn new(initial: Tsn) -> Self {
        Self {
            chunks: VecDeque::new(),
            base: 0,
            base_tsn: initial,
            acked: RangeSet::default(),
            settled: RangeSet::default(),
            lost: BTreeSet::new(),
            buffered: 0,
            unacked: 0,
            partial: Partial::default(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-1.6
    //# An endpoint SHOULD NOT transmit a DATA chunk with a TSN that is more than 2^31 - 1 above the beginning TSN of its current send window.
    /// Whether serial numbers leave room for another chunk.
    pub(crate) fn has_room(&self) -> bool {
        self.chunks.len() < MAX_DISTANCE
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

    /// The index after the cumulative TSN.
    pub(super) fn base(&self) -> u64 {
        self.base
    }

    fn end(&self) -> u64 {
        self.base + self.chunks.len() as u64
    }

    pub(crate) fn next_index(&self) -> u64 {
        self.end()
    }

    /// The next chunk gets this TSN. Nothing may be outstanding.
    pub(crate) fn restart_at(&mut self, tsn: Tsn) {
        debug_assert!(self.is_empty(), "chunks keep their TSNs");
        self.base_tsn = tsn;
    }

    pub(crate) fn tsn(&self, index: u64) -> Tsn {
        // The difference is smaller than the window, which is below 2^31.
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

    /// Chunks that wait for retransmission.
    pub(crate) fn lost_len(&self) -> usize {
        self.lost.len()
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

    /// A chunk that was declared lost by this shot is in flight after all; false if it is not so.
    pub(crate) fn revive(&mut self, index: u64, shot: Shot) -> bool {
        let found = self.get_mut(index).filter(|c| c.fate == Fate::Lost(shot));
        let Some(chunk) = found else { return false };
        chunk.fate = Fate::InFlight(shot);
        self.lost.remove(&index);
        true
    }

    /// The index of a TSN in the window or below it; `None` if it was never sent.
    pub(crate) fn index_of(&self, tsn: Tsn) -> Option<u64> {
        if tsn.is_before(self.base_tsn) {
            self.base
                .checked_sub(u64::from(self.base_tsn.distance_from(tsn)))
        } else {
            let index = self.base + u64::from(tsn.distance_from(self.base_tsn));
            (index < self.end()).then_some(index)
        }
    }

    /// The index of the first chunk kept.
    pub(crate) fn first_index(&self) -> u64 {
        self.base
    }

    /// A lost chunk goes out again.
    pub(crate) fn mark_resent(&mut self, index: u64, shot: Shot, now: Instant) {
        self.lost.remove(&index);
        if let Some(chunk) = self.get_mut(index) {
            let same = |last: Shot| last.path == shot.path;
            chunk.moved |=
                !matches!(chunk.fate, Fate::Lost(last) | Fate::InFlight(last) if same(last));
            chunk.fate = Fate::InFlight(shot);
            chunk.transmissions = chunk.transmissions.saturating_add(1);
            chunk.sent_at = now;
            chunk.ecn_capable = false;
        }
    }

    /// Takes in a SACK or NR-SACK and calls `on_acked` for every chunk that it newly acknowledges,
    /// and `on_passed` for ordered messages in DATA chunks that leave the window: of neighbours of
    /// one stream the last. Old SACKs change nothing.
    pub(crate) fn acknowledge(
        &mut self,
        cumulative: Tsn,
        claims: &Claims<'_>,
        mut on_acked: impl FnMut(u64, &SentChunk),
        on_passed: impl FnMut(StreamId, Ssn),
    ) -> Result<AckOutcome, BadAck> {
        let mut outcome = AckOutcome::default();
        if cumulative.is_before(self.cumulative()) {
            return Ok(outcome);
        }
        let advance = u64::from(cumulative.distance_from(self.cumulative()));
        if advance > self.chunks.len() as u64 {
            return Err(BadAck::NeverSent);
        }
        outcome.advanced = advance > 0;
        let bound = self.base + advance;
        self.pop_below(bound, &mut on_acked, on_passed);
        for claim in claims.iter() {
            let Some(range) = claim.range(bound) else {
                outcome.ignored_blocks += 1;
                continue;
            };
            if range.end > self.end() {
                return Err(BadAck::NeverSent);
            }
            self.ack_range(range.clone(), &mut on_acked);
            if claim.for_good {
                self.settle_range(range);
            }
        }
        outcome.ignored_blocks += claims.ignored() as u64;
        outcome.withdrawn = self.take_back(claims)?;
        Ok(outcome)
    }

    fn pop_below(
        &mut self,
        bound: u64,
        on_acked: &mut impl FnMut(u64, &SentChunk),
        mut on_passed: impl FnMut(StreamId, Ssn),
    ) {
        let mut passed: Option<(StreamId, Ssn)> = None;
        while self.base < bound {
            let Some(chunk) = self.chunks.pop_front() else {
                break;
            };
            let index = self.base;
            self.base += 1;
            self.base_tsn = self.base_tsn.next();
            self.buffered -= chunk.payload.len();
            self.partial.on_popped(index, &chunk);
            if let Some((stream, ssn)) = chunk.completes() {
                if let Some((other, ssn)) = passed.filter(|(other, _)| *other != stream) {
                    on_passed(other, ssn);
                }
                passed = Some((stream, ssn));
            }
            if !matches!(chunk.fate, Fate::Acked | Fate::Settled | Fate::Abandoned) {
                self.unacked -= chunk.payload.len() as u64;
                self.lost.remove(&index);
                on_acked(index, &chunk);
            }
        }
        if let Some((stream, ssn)) = passed {
            on_passed(stream, ssn);
        }
        self.acked.remove_below(bound);
        self.settled.remove_below(bound);
    }

    fn ack_range(&mut self, range: Range<u64>, on_acked: &mut impl FnMut(u64, &SentChunk)) {
        let (base, chunks, lost) = (self.base, &mut self.chunks, &mut self.lost);
        let mut acked_bytes = 0;
        self.acked.insert_range(range, |missing| {
            for index in missing {
                // The index lies within the window: the caller compared it with both ends.
                let chunk = &mut chunks[(index - base) as usize];
                if chunk.fate == Fate::Abandoned {
                    continue;
                }
                on_acked(index, chunk);
                chunk.fate = Fate::Acked;
                acked_bytes += chunk.payload.len() as u64;
                lost.remove(&index);
            }
        });
        self.unacked -= acked_bytes;
    }

    // draft-natarajan-tsvwg-sctp-nrsack-08, section 4.4: what is acknowledged by an NR gap block is
    // never sent again, so that nothing but its place among the TSNs is needed any more.
    fn settle_range(&mut self, range: Range<u64>) {
        let (base, chunks) = (self.base, &mut self.chunks);
        let mut freed = 0;
        self.settled.insert_range(range, |missing| {
            for index in missing {
                // The index lies within the window: the caller compared it with both ends.
                let chunk = &mut chunks[(index - base) as usize];
                if chunk.fate != Fate::Abandoned {
                    chunk.fate = Fate::Settled;
                }
                freed += std::mem::take(&mut chunk.payload).len();
            }
        });
        self.buffered -= freed;
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
    //# If the SACK chunk is missing a TSN that was previously acknowledged via a Gap Ack Block (e.g., the data receiver reneged on the data), then consider the corresponding DATA that might be possibly missing
    /// What the peer took back of what it had acknowledged; the number of chunks.
    ///
    /// The peer lacks the first TSN beyond its cumulative point. If an earlier SACK had it in a gap
    /// block, it was taken back since, and with it whatever the SACK at hand does not claim. The
    /// order in which SACKs arrive makes no difference to this: a later one would have a larger
    /// cumulative point. Withdrawals further on show themselves when the point gets there.
    fn take_back(&mut self, claims: &Claims<'_>) -> Result<u64, BadAck> {
        //= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.8
        //# Since the SHUTDOWN chunk does not contain Gap Ack Blocks, the receiver of the SHUTDOWN chunk MUST NOT interpret the lack of a Gap Ack Block as a renege.
        if !claims.tells_gaps || !self.acked.contains(self.base) {
            return Ok(0);
        }
        let mut kept = self.settled.clone();
        for claim in claims.iter() {
            if let Some(range) = claim.range(self.base) {
                kept.insert_range(range, |_| ());
            }
        }
        if kept.contains(self.base) {
            return Err(BadAck::SettledWithdrawn);
        }
        let acked = std::mem::replace(&mut self.acked, kept.clone());
        let mut count = 0;
        for index in acked.iter().flatten().filter(|i| !kept.contains(*i)) {
            let chunk = &mut self.chunks[(index - self.base) as usize];
            if chunk.fate == Fate::Abandoned {
                continue;
            }
            chunk.fate = Fate::Lost(Shot::NONE);
            self.unacked += chunk.payload.len() as u64;
            self.lost.insert(index);
            count += 1;
        }
        Ok(count)
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

    /// Whether the sums and sets agree with the chunks, counted anew: for tests and fuzzers.
    pub(crate) fn check(&self) -> Result<(), String> {
        let indexed = || (self.base..).zip(&self.chunks);
        let bytes = |wanted: fn(&Fate) -> bool| -> usize {
            let some = indexed().filter(|(_, c)| wanted(&c.fate));
            some.map(|(_, c)| c.payload.len()).sum()
        };
        let waiting = bytes(|f| matches!(f, Fate::InFlight(_) | Fate::Lost(_)));
        let (kept, settled) = (bytes(|_| true), bytes(|f| *f == Fate::Settled));
        if (waiting as u64, kept, 0) != (self.unacked, self.buffered, settled) {
            return Err(format!(
                "{waiting} bytes unacknowledged, {kept} kept, {settled} settled; noted {} and {}",
                self.unacked, self.buffered
            ));
        }
        // What is given up may be acknowledged besides.
        let mut others = indexed().filter(|(_, chunk)| chunk.fate != Fate::Abandoned);
        let odd = others.find(|(index, chunk)| {
            let lost = matches!(chunk.fate, Fate::Lost(_));
            let settled = chunk.fate == Fate::Settled;
            let acked = settled || chunk.fate == Fate::Acked;
            (lost, acked, settled)
                != (
                    self.lost.contains(index),
                    self.acked.contains(*index),
                    self.settled.contains(*index),
                )
        });
        odd.map_or(Ok(()), |(index, chunk)| {
            Err(format!(
                "chunk {index} is {:?} and noted otherwise",
                chunk.fate
            ))
        })
    }
}

#[cfg(test)]
mod tests;
