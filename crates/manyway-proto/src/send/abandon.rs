//! Sent messages that are given up, and how far the peer may be moved past them (RFC 3758,
//! section 3.5).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use bytes::Bytes;
use manyway_wire::{DataFlags, Ppid, StreamId, Tsn};

use super::outstanding::{Fate, Outstanding, SentChunk, Shot};
use super::queue::MessageKey;
use super::reliability::AbandonReason;
use crate::stream::Place;
use crate::time::Instant;

/// Names a message that was begun and may be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BegunId(NonZeroU32);

/// A chunk's place among the chunks of its message. Those of reliable messages have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    message: Option<BegunId>,
    /// How many TSNs after this one the next chunk of the message has; 0 if there is none.
    next: u32,
}

/// A message that is sent with limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limited {
    pub(crate) stream: StreamId,
    pub(crate) unordered: bool,
    pub(crate) context: u64,
    pub(crate) expires: Option<Instant>,
    pub(crate) max_retransmissions: Option<u16>,
}

/// A message that may be given up, from its first transmission until the last of its chunks is
/// cumulatively acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) message: Limited,
    /// While a part of it waits in the queue.
    pub(crate) waiting: Option<MessageKey>,
    /// Indices of its first and last chunk that are kept.
    head: u64,
    tail: u64,
    chunks: u32,
}

/// Begun messages, how far the peer may be moved, and what it must be told of it.
#[derive(Debug, Default)]
pub(super) struct Partial {
    slots: Vec<Result<Begun, u32>>,
    /// The first free slot, from 1.
    free: u32,
    /// Chunks of abandoned messages that are kept.
    abandoned: usize,
    /// Chunks below this index were looked at: acknowledged, abandoned, or settled between.
    scanned: u64,
    /// The index after Advanced.Peer.Ack.Point.
    point: u64,
    /// The highest ordered message given up of each stream, and where it ends; with I-DATA the
    /// highest unordered one as well.
    skipped: BTreeMap<(StreamId, bool), (Place, u64)>,
}

impl Partial {
    fn add(&mut self, begun: Begun) -> BegunId {
        let free = NonZeroU32::new(self.free);
        if let Some(id) = free
            && let Some(slot) = self.slots.get_mut(id.get() as usize - 1)
        {
            if let Err(next) = *slot {
                self.free = next;
            }
            *slot = Ok(begun);
            return BegunId(id);
        }
        self.slots.push(Ok(begun));
        // At most one for each chunk of the window and each stream.
        BegunId(NonZeroU32::MIN.saturating_add(self.slots.len() as u32 - 1))
    }

    fn get(&self, id: BegunId) -> Option<&Begun> {
        self.slots.get(id.0.get() as usize - 1)?.as_ref().ok()
    }

    fn get_mut(&mut self, id: BegunId) -> Option<&mut Begun> {
        self.slots.get_mut(id.0.get() as usize - 1)?.as_mut().ok()
    }

    fn release_if_done(&mut self, id: BegunId) {
        let free = self.free;
        if let Some(slot) = self.slots.get_mut(id.0.get() as usize - 1)
            && matches!(slot, Ok(begun) if begun.chunks == 0 && begun.waiting.is_none())
        {
            *slot = Err(free);
            self.free = id.0.get();
        }
    }

    /// The chunk with `index` leaves the window, which it does before all later ones.
    pub(super) fn on_popped(&mut self, index: u64, chunk: &SentChunk) {
        self.abandoned -= usize::from(chunk.fate == Fate::Abandoned);
        let Some(id) = chunk.membership.message else {
            return;
        };
        if let Some(begun) = self.get_mut(id) {
            begun.chunks -= 1;
            begun.head = index + u64::from(chunk.membership.next);
        }
        self.release_if_done(id);
    }
}

impl Outstanding {
    /// A message that may be given up begins; `waiting` if not all of it is sent at once.
    pub(crate) fn begin(&mut self, message: Limited, waiting: Option<MessageKey>) -> BegunId {
        self.partial.add(Begun {
            message,
            waiting,
            head: 0,
            tail: 0,
            chunks: 0,
        })
    }

    /// A message that was begun.
    pub(crate) fn begun(&self, id: BegunId) -> Option<&Begun> {
        self.partial.get(id)
    }

    /// The whole message was given chunks.
    pub(crate) fn on_complete(&mut self, id: BegunId) {
        if let Some(begun) = self.partial.get_mut(id) {
            begun.waiting = None;
        }
        self.partial.release_if_done(id);
    }

    /// Takes a new chunk of the message.
    pub(crate) fn push_of(&mut self, id: BegunId, chunk: SentChunk) {
        let index = self.next_index();
        if let Some(begun) = self.partial.get_mut(id) {
            let tail = begun.tail;
            begun.tail = index;
            if begun.chunks == 0 {
                begun.head = index;
            }
            begun.chunks += 1;
            let linked = begun.chunks > 1;
            if linked && let Some(last) = self.get_mut(tail) {
                // Both lie in the window, which is far below 2^31.
                last.membership.next = (index - tail) as u32;
            }
        }
        self.push(SentChunk {
            membership: Membership {
                message: Some(id),
                next: 0,
            },
            ..chunk
        });
    }

    /// The message of the next lost chunk if it must not be sent again.
    pub(crate) fn hopeless(&self, now: Instant) -> Option<(BegunId, AbandonReason)> {
        self.reason_to_abandon(self.get(self.first_lost()?)?, now)
    }

    /// Whether a chunk may be sent once more.
    pub(crate) fn may_repeat(&self, index: u64, now: Instant) -> bool {
        let chunk = self.get(index);
        chunk.is_some_and(|chunk| self.reason_to_abandon(chunk, now).is_none())
    }

    fn reason_to_abandon(
        &self,
        chunk: &SentChunk,
        now: Instant,
    ) -> Option<(BegunId, AbandonReason)> {
        let id = chunk.membership.message?;
        let begun = self.partial.get(id)?;
        //= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
        //# Before transmitting or retransmitting a message for which a TSN is already assigned, the SCTP sender MUST evaluate the lifetime of the message.
        if begun.message.expires.is_some_and(|at| at <= now) {
            return Some((id, AbandonReason::Lifetime));
        }
        //= https://www.rfc-editor.org/rfc/rfc7496#section-3.1
        //# The sender MUST abandon a user message if the number of retransmissions of any of the DATA chunks of the user message would exceed the provided limit.
        let limit = begun.message.max_retransmissions;
        let worn_out = limit.is_some_and(|max| chunk.transmissions > max);
        worn_out.then_some((id, AbandonReason::Retransmissions))
    }

    /// When the next lost chunk must not be sent any more.
    pub(crate) fn lost_deadline(&self) -> Option<Instant> {
        let chunk = self.get(self.first_lost()?)?;
        let begun = self.partial.get(chunk.membership.message?)?;
        begun.message.expires
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# When a TSN is "abandoned", if it is part of a fragmented message, all other TSN's within that fragmented message MUST be abandoned at the same time.
    /// Gives a message up and calls `on_flight` for each of its chunks in flight. `rest` is the
    /// place of its next chunk if a part of it was never sent.
    pub(crate) fn abandon(
        &mut self,
        id: BegunId,
        rest: Option<Place>,
        mut on_flight: impl FnMut(Shot, u64),
    ) {
        if let Some(place) = rest {
            self.push_end(id, place);
        }
        let Some(begun) = self.partial.get_mut(id) else {
            return;
        };
        begun.waiting = None;
        let (mut index, count) = (begun.head, begun.chunks);
        for _ in 0..count {
            index += u64::from(self.abandon_chunk(index, &mut on_flight));
        }
        self.partial.release_if_done(id);
    }

    /// An empty chunk that ends the message: a FORWARD-TSN to the last chunk that was sent would
    /// be old to a peer that has all of them, and it would wait for the rest.
    fn push_end(&mut self, id: BegunId, place: Place) {
        let Some(message) = self.partial.get(id).map(|begun| begun.message) else {
            return;
        };
        let flags = DataFlags {
            immediate: false,
            unordered: message.unordered,
            begin: false,
            end: true,
        };
        let chunk = SentChunk {
            stream: message.stream,
            place,
            ppid: Ppid(0),
            flags,
            payload: Bytes::new(),
            transmissions: 0,
            moved: false,
            sent_at: Instant::ZERO,
            fate: Fate::Lost(Shot::NONE),
            ecn_capable: false,
            membership: Membership::default(),
        };
        self.push_of(id, chunk);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# When a data chunk is "abandoned", the sender MUST treat the data chunk as being finally acked and no longer outstanding.
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# The sender MUST NOT credit an "abandoned" data chunk to the partial_bytes_acked as defined in Section 7.2.2 of RFC 2960 [2], and MUST NOT advance the cwnd based on this "abandoned" data chunk.
    /// Gives up one chunk; the distance to the next one of its message.
    fn abandon_chunk(&mut self, index: u64, on_flight: &mut impl FnMut(Shot, u64)) -> u32 {
        let Some(chunk) = self.get_mut(index) else {
            return 0;
        };
        let (fate, bytes) = (chunk.fate, chunk.flight_bytes());
        chunk.fate = Fate::Abandoned;
        let (payload, next) = (std::mem::take(&mut chunk.payload), chunk.membership.next);
        match fate {
            Fate::InFlight(shot) => on_flight(shot, bytes),
            Fate::Lost(_) => _ = self.lost.remove(&index),
            _ => {}
        }
        self.buffered -= payload.len();
        if matches!(fate, Fate::InFlight(_) | Fate::Lost(_)) {
            self.unacked -= payload.len() as u64;
        }
        self.partial.abandoned += usize::from(fate != Fate::Abandoned);
        next
    }

    /// Whether anything was given up that the peer has not passed.
    pub(crate) fn has_abandoned(&self) -> bool {
        self.partial.abandoned > 0
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# Try to further advance the "Advanced.Peer.Ack.Point" locally, that is, to move "Advanced.Peer.Ack.Point" up as long as the chunk next in the out-queue space is marked as "abandoned"
    // What the peer acknowledged for good between two abandoned chunks is passed as well: else
    // each run of losses would take a round trip of its own.
    /// Moves Advanced.Peer.Ack.Point on, as far as at most `limit` streams can be told of it.
    pub(crate) fn advance_peer(&mut self, limit: usize) {
        if self.partial.abandoned == 0 {
            return;
        }
        let base = self.base();
        self.partial.point = self.partial.point.max(base);
        self.partial.scanned = self.partial.scanned.max(base);
        loop {
            let index = self.partial.scanned;
            let Some(chunk) = self.get(index) else { break };
            match chunk.fate {
                Fate::Abandoned => {
                    let told = Self::told(chunk);
                    if !self.partial.note_skipped(told, index, base, limit) {
                        break;
                    }
                    self.partial.point = index + 1;
                }
                Fate::Settled => {}
                _ => break,
            }
            self.partial.scanned += 1;
        }
    }
}

/// A stream, whether it is about its unordered messages, and the message.
type Told = ((StreamId, bool), Place);

impl Outstanding {
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.2
    //# This field MUST NOT report TSN's corresponding to DATA chunks that are marked as unordered.
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# For each "abandoned" TSN, the sender of the FORWARD TSN MUST determine if the chunk has a valid stream and sequence number (i.e., it was ordered).
    /// What the peer must be told of an abandoned chunk.
    fn told(chunk: &SentChunk) -> Option<Told> {
        let unordered = chunk.flags.unordered;
        match chunk.place {
            Place::Plain(_) if unordered => None,
            place => Some(((chunk.stream, unordered), place)),
        }
    }

    /// What the peer shall take as received: the last TSN, or `None` if it has got that far.
    pub(crate) fn advanced_peer_ack_point(&self) -> Option<Tsn> {
        let ahead = self.partial.point > self.base();
        ahead.then(|| self.tsn(self.partial.point - 1))
    }

    /// The highest message given up of each stream between the cumulative point and
    /// Advanced.Peer.Ack.Point.
    pub(crate) fn skipped(&mut self) -> impl Iterator<Item = Told> + '_ {
        let base = self.base();
        self.partial.skipped.retain(|_, (_, index)| *index >= base);
        let all = self.partial.skipped.iter();
        all.map(|(stream, (place, _))| (*stream, *place))
    }
}

impl Partial {
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# Each stream SHOULD only be reported once; this means that if multiple abandoned messages occur in the same stream, then only the highest abandoned stream sequence number is reported.
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# If the total size of the FORWARD TSN does NOT fit in a single MTU, then the sender of the FORWARD TSN SHOULD lower the Advanced.Peer.Ack.Point to the last TSN that will fit in a single MTU.
    /// Notes what the peer must be told; false if there is no room for it.
    fn note_skipped(&mut self, told: Option<Told>, index: u64, base: u64, limit: usize) -> bool {
        let Some((stream, place)) = told else {
            return true;
        };
        if self.skipped.len() >= limit && !self.skipped.contains_key(&stream) {
            self.skipped.retain(|_, (_, index)| *index >= base);
            if self.skipped.len() >= limit {
                return false;
            }
        }
        // Within a stream the numbers ascend with the TSNs.
        self.skipped.insert(stream, (place, index));
        true
    }
}

#[cfg(test)]
mod tests {
    use manyway_wire::{GapBlock, GapBlocks, Ssn};

    use super::*;
    use crate::path::PathId;
    use crate::send::Claims;

    const FIRST: Tsn = Tsn(u32::MAX - 2);

    fn limited(stream: u16, unordered: bool) -> Limited {
        Limited {
            stream: StreamId(stream),
            unordered,
            context: 0,
            expires: None,
            max_retransmissions: Some(0),
        }
    }

    fn chunk(message: Limited, ssn: u16) -> SentChunk {
        SentChunk {
            stream: message.stream,
            place: Place::Plain(Ssn(ssn)),
            ppid: Ppid(0),
            flags: DataFlags {
                unordered: message.unordered,
                ..DataFlags::default()
            },
            payload: Bytes::from_static(&[0; 10]),
            transmissions: 1,
            moved: false,
            sent_at: Instant::ZERO,
            fate: Fate::InFlight(Shot {
                path: PathId::new(1),
                number: 0,
            }),
            ecn_capable: false,
            membership: Membership::default(),
        }
    }

    fn send(out: &mut Outstanding, message: Limited, ssn: u16, chunks: usize) -> BegunId {
        let id = out.begin(message, None);
        (0..chunks).for_each(|_| out.push_of(id, chunk(message, ssn)));
        id
    }

    /// Chunks newly acknowledged by a SACK, or by an NR-SACK with the second list.
    fn nr_acknowledge(
        out: &mut Outstanding,
        cumulative: Tsn,
        [gaps, settled]: [&[(u16, u16)]; 2],
    ) -> usize {
        let blocks = |list: &[(u16, u16)]| -> Vec<_> {
            let all = list.iter().map(|&(start, end)| GapBlock { start, end });
            all.collect()
        };
        let (gaps, settled) = (blocks(gaps), blocks(settled));
        let claims = Claims {
            renegable: GapBlocks::new(&gaps),
            non_renegable: GapBlocks::new(&settled),
            limit: 10,
            tells_gaps: true,
        };
        let mut count = 0;
        let on_acked = |_, chunk: &SentChunk| count += usize::from(chunk.fate != Fate::Abandoned);
        out.acknowledge(cumulative, &claims, on_acked, |_, _| ())
            .unwrap();
        count
    }

    fn acknowledge(out: &mut Outstanding, cumulative: Tsn, gaps: &[(u16, u16)]) -> usize {
        nr_acknowledge(out, cumulative, [gaps, &[]])
    }

    fn abandon(out: &mut Outstanding, id: BegunId, rest: Option<Place>) -> u64 {
        let mut in_flight = 0;
        out.abandon(id, rest, |_, bytes| in_flight += bytes);
        in_flight
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //= type=test
    //# Try to further advance the "Advanced.Peer.Ack.Point" locally, that is, to move "Advanced.Peer.Ack.Point" up as long as the chunk next in the out-queue space is marked as "abandoned"
    #[test]
    fn the_example_of_rfc_3758() {
        let mut out = Outstanding::new(Tsn(102));
        let ids: Vec<_> = (0..5)
            .map(|n| send(&mut out, limited(0, false), n, 1))
            .collect();
        abandon(&mut out, ids[1], None);
        abandon(&mut out, ids[2], None);
        acknowledge(&mut out, Tsn(102), &[(4, 4)]);
        out.advance_peer(10);
        assert_eq!(out.advanced_peer_ack_point(), Some(Tsn(104)));
        let told: Vec<_> = out.skipped().collect();
        assert_eq!(told, [((StreamId(0), false), Place::Plain(Ssn(2)))]);
        acknowledge(&mut out, Tsn(104), &[]);
        assert_eq!(out.advanced_peer_ack_point(), None);
        assert!(!out.has_abandoned());
    }

    #[test]
    fn all_chunks_of_a_message_go_and_only_those_in_flight_leave_their_path() {
        let mut out = Outstanding::new(FIRST);
        let other = send(&mut out, limited(1, false), 0, 1);
        let id = send(&mut out, limited(0, false), 0, 5);
        // The first chunk leaves the window, the third arrived, the fourth is lost.
        assert_eq!(acknowledge(&mut out, FIRST.add(1), &[(2, 2)]), 3);
        out.mark_lost(4);
        let place = Place::Plain(Ssn(0));
        assert_eq!(abandon(&mut out, id, Some(place)), 2 * 26);
        assert_eq!((out.buffered(), out.unacked()), (0, 0));
        assert!(!out.has_lost());
        out.advance_peer(10);
        assert_eq!(out.advanced_peer_ack_point(), Some(FIRST.add(6)));
        assert_eq!(
            acknowledge(&mut out, FIRST.add(6), &[]),
            0,
            "acknowledged twice"
        );
        assert!(out.is_empty() && out.begun(id).is_none() && out.begun(other).is_none());
    }

    #[test]
    fn what_was_given_up_stays_so_when_it_is_acknowledged_and_taken_back() {
        for settled in [false, true] {
            let mut out = Outstanding::new(FIRST);
            send(&mut out, limited(0, false), 0, 1);
            let id = send(&mut out, limited(0, false), 1, 1);
            abandon(&mut out, id, None);
            let gap: &[_] = &[(2, 2)];
            let claims = if settled { [&[], gap] } else { [gap, &[]] };
            assert_eq!(nr_acknowledge(&mut out, FIRST.sub(1), claims), 0);
            if !settled {
                assert_eq!(acknowledge(&mut out, FIRST, &[]), 1);
                assert!(!out.has_lost(), "the peer took back what was given up");
            }
            out.advance_peer(10);
            let point = (!settled).then(|| FIRST.add(1));
            assert_eq!(out.advanced_peer_ack_point(), point);
        }
    }

    #[test]
    fn what_is_acknowledged_for_good_between_is_passed_and_what_may_be_taken_back_is_not() {
        for settled in [false, true] {
            let mut out = Outstanding::new(FIRST);
            let ids: Vec<_> = (0..5)
                .map(|n| send(&mut out, limited(0, false), n, 1))
                .collect();
            let gaps: &[_] = &[(2, 2), (4, 5)];
            let claims = if settled { [&[], gaps] } else { [gaps, &[]] };
            nr_acknowledge(&mut out, FIRST.sub(1), claims);
            abandon(&mut out, ids[0], None);
            abandon(&mut out, ids[2], None);
            out.advance_peer(10);
            let point = if settled { FIRST.add(2) } else { FIRST };
            assert_eq!(out.advanced_peer_ack_point(), Some(point));
        }
    }

    #[test]
    fn the_point_waits_where_no_more_streams_can_be_told() {
        let mut out = Outstanding::new(FIRST);
        for (stream, unordered) in [(0, false), (1, true), (0, false), (2, false), (3, false)] {
            let id = send(&mut out, limited(stream, unordered), 0, 1);
            abandon(&mut out, id, None);
        }
        out.advance_peer(2);
        assert_eq!(out.advanced_peer_ack_point(), Some(FIRST.add(3)));
        acknowledge(&mut out, FIRST.add(3), &[]);
        out.advance_peer(2);
        assert_eq!(out.advanced_peer_ack_point(), Some(FIRST.add(4)));
        assert_eq!(out.skipped().count(), 1);
    }

    #[test]
    fn names_are_used_again_once_their_message_is_over() {
        let mut out = Outstanding::new(FIRST);
        for round in 0..100 {
            let ids = [0, 1].map(|n| send(&mut out, limited(n, false), 0, 2));
            abandon(&mut out, ids[round % 2], None);
            let last = out.next_tsn().sub(1);
            acknowledge(&mut out, last, &[]);
        }
        assert_eq!(out.partial.slots.len(), 2);
    }
}
