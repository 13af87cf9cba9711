use std::collections::{BTreeMap, VecDeque};

use manyway_wire::{Fsn, Mid, Ssn};
use proptest::prelude::*;

use super::*;
use crate::stream::StreamSchedulerKind;

const PACKET: usize = 116;

fn queue(kind: StreamSchedulerKind, interleaving: bool) -> SendQueue {
    let mut queue = SendQueue::new(kind.build());
    queue.set_interleaving(interleaving);
    queue
}

fn fifo() -> SendQueue {
    queue(StreamSchedulerKind::FirstComeFirstServed, false)
}

fn message(stream: u16, len: usize) -> Message {
    Message::new(stream, vec![7; len])
}

fn push(queue: &mut SendQueue, stream: u16, len: usize) -> MessageKey {
    queue.push(message(stream, len), SendOptions::default())
}

/// One piece in a packet of its own.
fn piece(queue: &mut SendQueue) -> Option<Piece> {
    let piece = queue.next_piece(PACKET, true);
    queue.finish_packet();
    piece
}

fn streams(queue: &mut SendQueue) -> Vec<u16> {
    std::iter::from_fn(|| piece(queue))
        .map(|p| p.stream.0)
        .collect()
}

#[test]
fn a_large_message_is_split_and_keeps_its_sequence_number() {
    let mut queue = fifo();
    push(&mut queue, 1, 250);
    push(&mut queue, 1, 10);
    let pieces: Vec<_> = std::iter::from_fn(|| piece(&mut queue)).collect();
    let shape: Vec<_> = pieces
        .iter()
        .map(|p| (p.payload.len(), p.place, p.flags.begin, p.flags.end))
        .collect();
    let (first, second) = (Place::Plain(Ssn(0)), Place::Plain(Ssn(1)));
    assert_eq!(
        shape,
        [
            (100, first, true, false),
            (100, first, false, false),
            (50, first, false, true),
            (10, second, true, true)
        ]
    );
    assert!(queue.is_empty() && queue.is_idle());
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn a_message_that_fits_an_empty_packet_is_not_split_into_the_rest_of_another() {
    let mut queue = fifo();
    push(&mut queue, 0, 90);
    assert!(queue.next_piece(50, false).is_none());
    assert!(queue.next_piece(PACKET, true).is_some());
}

#[test]
fn messages_and_fragments_have_numbers_of_their_own() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
    //= type=test
    //# The sender uses two counters for each outgoing stream: one for ordered messages and one for unordered messages. All of these counters are independent and initially 0. They are incremented by 1 for each user message.
    let mut queue = queue(StreamSchedulerKind::FirstComeFirstServed, true);
    let unordered = |len| Message {
        unordered: true,
        ..message(1, len)
    };
    push(&mut queue, 1, 100);
    queue.push(unordered(100), SendOptions::default());
    push(&mut queue, 1, 10);
    push(&mut queue, 2, 10);
    queue.push(unordered(10), SendOptions::default());
    let numbers: Vec<_> = std::iter::from_fn(|| piece(&mut queue))
        .map(|p| (p.stream.0, p.flags.unordered, p.place))
        .collect();
    let at = |mid, fsn| Place::Interleaved {
        mid: Mid(mid),
        fsn: Fsn(fsn),
    };
    assert_eq!(
        numbers,
        [
            (1, false, at(0, 0)),
            (1, false, at(0, 1)),
            (1, true, at(0, 0)),
            (1, true, at(0, 1)),
            (1, false, at(1, 0)),
            (2, false, at(0, 0)),
            (1, true, at(1, 0)),
        ]
    );
}

#[test]
fn without_interleaving_nothing_comes_between_the_pieces_of_a_message() {
    let mut queue = queue(StreamSchedulerKind::Priority, false);
    queue.set_priority(StreamId(0), 9);
    push(&mut queue, 0, 250);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    push(&mut queue, 1, 10);
    assert_eq!(queue.next_len(), Some(150));
    assert_eq!(streams(&mut queue), [0, 0, 1]);
}

#[test]
fn with_interleaving_a_higher_priority_overtakes_a_message_that_was_begun() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-3.4
    //= type=test
    //# When using user message interleaving, the sending of large lower-priority user messages will not delay the sending of higher-priority user messages.
    let mut queue = queue(StreamSchedulerKind::Priority, true);
    queue.set_priority(StreamId(0), 9);
    push(&mut queue, 0, 250);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    push(&mut queue, 1, 10);
    assert_eq!(queue.next_len(), Some(10));
    assert_eq!(streams(&mut queue), [1, 0, 0]);
}

#[test]
fn settings_and_schedulers_change_while_messages_wait() {
    let mut queue = fifo();
    for stream in [5, 5, 6, 6, 7] {
        push(&mut queue, stream, 10);
    }
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(5));
    queue.set_scheduler(StreamSchedulerKind::Priority.build());
    queue.set_priority(StreamId(5), 2);
    queue.set_priority(StreamId(6), 1);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(7));
    queue.set_priority(StreamId(6), 3);
    assert_eq!(streams(&mut queue), [5, 6, 6]);
    assert_eq!(queue.scheduler_name(), "priority");
    assert_eq!(
        (queue.priority(StreamId(6)), queue.priority(StreamId(8))),
        (3, 0)
    );
}

#[test]
fn a_discarded_message_leaves_its_place_to_the_next() {
    let mut queue = fifo();
    let keys: Vec<_> = [1, 1, 1, 2].map(|s| push(&mut queue, s, 250)).into();
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(1));
    // The rest of one that was begun.
    let rest = queue.discard(keys[0]).expect("it waits");
    assert_eq!(
        (rest.message.payload.len(), rest.next_place.is_some()),
        (150, true)
    );
    assert!(queue.discard(keys[0]).is_none());
    // One in the middle, and the last.
    assert!(
        queue
            .discard(keys[1])
            .is_some_and(|q| q.next_place.is_none())
    );
    assert!(queue.discard(keys[3]).is_some());
    assert_eq!(queue.bytes(), 250);
    let next = piece(&mut queue).unwrap();
    assert_eq!(
        (next.stream, next.place),
        (StreamId(1), Place::Plain(Ssn(1)))
    );
    assert!(next.flags.begin);
    assert_eq!(streams(&mut queue), [1, 1]);
    assert!(queue.is_empty());
    // A key does not name whatever comes to the same place later.
    push(&mut queue, 1, 10);
    assert!(queue.get(keys[2]).is_none() && queue.discard(keys[2]).is_none());
}

#[test]
fn a_held_stream_sends_what_it_had_and_begins_anew_after_a_reset() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.2
    //= type=test
    //# When an association resets the SSN using the SCTP extension defined in [RFC6525], the two counters (one for the ordered messages, one for the unordered messages) used for the MIDs MUST be reset to 0.
    for interleaving in [false, true] {
        let mut queue = queue(StreamSchedulerKind::FirstComeFirstServed, interleaving);
        push(&mut queue, 1, 250);
        assert!(piece(&mut queue).is_some());
        let from = queue.next_number();
        queue.hold_from(StreamId(1), Some(from));
        push(&mut queue, 1, 10);
        assert!(!queue.is_drained(StreamId(1)));
        push(&mut queue, 2, 10);
        assert_eq!(streams(&mut queue), [1, 1, 2]);
        assert!(queue.is_drained(StreamId(1)) && queue.is_idle() && !queue.is_empty());
        assert_eq!(queue.next_len(), None);
        queue.reset_numbers(StreamId(1));
        queue.hold_from(StreamId(1), None);
        let first = piece(&mut queue).unwrap().place;
        let zero = match interleaving {
            true => Place::Interleaved {
                mid: Mid(0),
                fsn: Fsn(0),
            },
            false => Place::Plain(Ssn(0)),
        };
        assert_eq!(first, zero);
        assert!(!queue.is_at_zero(StreamId(1)) && !queue.all_at_zero());
        queue.reset_all_numbers();
        assert!(queue.is_at_zero(StreamId(1)) && queue.all_at_zero());
    }
}

#[test]
fn all_streams_can_be_held_also_those_not_used_yet() {
    let mut queue = queue(StreamSchedulerKind::FirstComeFirstServed, false);
    push(&mut queue, 1, 10);
    let from = queue.next_number();
    queue.hold_all_from(Some(from));
    push(&mut queue, 1, 10);
    push(&mut queue, 2, 10);
    assert_eq!(streams(&mut queue), [1]);
    assert!(queue.is_idle() && queue.is_drained(StreamId(2)));
    queue.hold_from(StreamId(2), Some(from));
    queue.hold_all_from(None);
    assert_eq!(streams(&mut queue), [1]);
    queue.hold_from(StreamId(2), None);
    assert_eq!(streams(&mut queue), [2]);
}

#[test]
fn only_the_last_piece_of_an_urgent_message_asks_for_an_acknowledgement() {
    let mut queue = fifo();
    queue.push(message(0, 150), SendOptions::default().with_immediate(true));
    assert!(!piece(&mut queue).unwrap().flags.immediate);
    assert!(piece(&mut queue).unwrap().flags.immediate);
}

#[test]
fn numbers_wrap() {
    let mut queue = fifo();
    for _ in 0..=u16::MAX {
        push(&mut queue, 0, 1);
        piece(&mut queue).unwrap();
    }
    push(&mut queue, 0, 1);
    assert_eq!(piece(&mut queue).unwrap().place, Place::Plain(Ssn(0)));
}

/// A scheduler of somebody else that names what is not there.
#[derive(Debug)]
struct Liar;

impl StreamScheduler for Liar {
    fn on_change(&mut self, _stream: StreamView) {}
    fn on_sent(&mut self, _stream: StreamView, _bytes: usize) {}
    fn next(&self, _packet: Option<StreamId>) -> Option<StreamId> {
        Some(StreamId(77))
    }
    fn name(&self) -> &'static str {
        "liar"
    }
}

#[test]
fn a_scheduler_that_names_nothing_useful_does_not_stop_the_association() {
    let mut queue = fifo();
    queue.set_scheduler(Box::new(Liar));
    push(&mut queue, 3, 150);
    push(&mut queue, 2, 10);
    assert_eq!(streams(&mut queue), [2, 3, 3]);
}

#[test]
fn idle_streams_cost_little_and_unused_ones_nothing() {
    let mut queue = queue(StreamSchedulerKind::RoundRobin, true);
    assert!(std::mem::size_of::<OutStream>() <= 56);
    for stream in 0..1000 {
        push(&mut queue, stream, 1);
    }
    while piece(&mut queue).is_some() {}
    assert_eq!(queue.messages.capacity(), 0);
    assert_eq!(queue.streams.len(), 1000);
}

#[derive(Clone, Debug)]
enum Op {
    Push(u16, usize, bool),
    Piece(usize),
    EndPacket,
    Discard(usize),
    Priority(u16, u16),
    Scheduler(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..6_u16, 1..400_usize, any::<bool>()).prop_map(|(s, n, u)| Op::Push(s, n, u)),
        6 => (20..200_usize).prop_map(Op::Piece),
        2 => Just(Op::EndPacket),
        1 => (0..50_usize).prop_map(Op::Discard),
        1 => (0..6_u16, 0..3_u16).prop_map(|(s, p)| Op::Priority(s, p)),
        1 => (0..StreamSchedulerKind::ALL.len()).prop_map(Op::Scheduler),
    ]
}

/// What the queue must do, said plainly.
#[derive(Default)]
struct Model {
    /// Key and bytes left of each stream's messages.
    waiting: BTreeMap<u16, VecDeque<(MessageKey, usize)>>,
    begun: Option<u16>,
}

impl Model {
    fn bytes(&self) -> usize {
        self.waiting.values().flatten().map(|(_, left)| left).sum()
    }

    fn take(&mut self, piece: &Piece, interleaving: bool) {
        let stream = piece.stream.0;
        if !interleaving {
            assert!(self.begun.is_none_or(|begun| begun == stream));
        }
        let queue = self.waiting.get_mut(&stream).expect("it has something");
        let (_, left) = queue.front_mut().expect("it has something");
        *left -= piece.payload.len();
        assert_eq!(*left == 0, piece.flags.end);
        if *left == 0 {
            queue.pop_front();
        }
        self.begun = (!piece.flags.end).then_some(stream);
    }
}

proptest! {
    /// Under every scheduler: each stream keeps its order, nothing is lost, nothing stops.
    #[test]
    fn whatever_happens_each_stream_is_sent_whole_and_in_order(
        ops in prop::collection::vec(op(), 1..200),
        interleaving: bool,
    ) {
        let mut queue = queue(StreamSchedulerKind::FirstComeFirstServed, interleaving);
        let (mut model, mut keys) = (Model::default(), Vec::new());
        for op in ops {
            match op {
                Op::Push(stream, len, unordered) => {
                    let message = Message { unordered, ..message(stream, len) };
                    let key = queue.push(message, SendOptions::default());
                    keys.push((stream, key));
                    model.waiting.entry(stream).or_default().push_back((key, len));
                }
                Op::Piece(space) => {
                    if let Some(piece) = queue.next_piece(space, space > 40) {
                        model.take(&piece, interleaving);
                    }
                }
                Op::EndPacket => queue.finish_packet(),
                Op::Discard(at) => {
                    let Some(&(stream, key)) = keys.get(at) else { continue };
                    let waiting = model.waiting.entry(stream).or_default();
                    let found = waiting.iter().position(|(k, _)| *k == key);
                    let discarded = queue.discard(key);
                    prop_assert_eq!(discarded.is_some(), found.is_some());
                    found.map(|at| waiting.remove(at));
                    if discarded.is_some_and(|d| d.next_place.is_some()) {
                        model.begun = None;
                    }
                }
                Op::Priority(stream, priority) => queue.set_priority(StreamId(stream), priority),
                Op::Scheduler(at) => queue.set_scheduler(StreamSchedulerKind::ALL[at].build()),
            }
            prop_assert_eq!(queue.bytes(), model.bytes());
            prop_assert_eq!(queue.is_empty(), model.bytes() == 0);
        }
        queue.finish_packet();
        while let Some(next) = piece(&mut queue) {
            model.take(&next, interleaving);
        }
        prop_assert!(queue.is_empty());
        prop_assert_eq!(model.bytes(), 0);
    }
}
