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
        let place = piece(&mut queue).unwrap().place;
        if let Place::Plain(ssn) = place {
            queue.on_passed(StreamId(0), ssn);
        }
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

/// A queue that may have so many ordered messages of a stream in the window, and begin so many
/// bytes of interleaved messages.
fn limited(interleaving: bool, ordered: u16, window: usize) -> SendQueue {
    let mut queue = queue(StreamSchedulerKind::RoundRobin, interleaving);
    queue.set_begin_limits(BeginLimits {
        ordered,
        ..BeginLimits::WIDE
    });
    queue.on_peer_window(window);
    queue
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.1
//= type=test
//# For each stream, the data sender MUST NOT have more than 2^16 - 1 ordered user messages in the current send window
#[test]
fn a_stream_waits_when_its_numbers_are_used_up_and_others_do_not() {
    for kind in StreamSchedulerKind::ALL {
        let mut queue = queue(*kind, false);
        queue.set_begin_limits(BeginLimits::WIDE);
        let limit = usize::from(u16::MAX);
        for _ in 0..=limit {
            push(&mut queue, 1, 1);
        }
        let mut sent = 0;
        while piece(&mut queue).is_some() {
            sent += 1;
        }
        assert_eq!(sent, limit, "{kind:?}");
        assert!(queue.is_idle() && !queue.is_exhausted() && !queue.is_drained(StreamId(1)));
        push(&mut queue, 2, 250);
        assert_eq!(streams(&mut queue), [2, 2, 2], "{kind:?}");
        queue.on_passed(StreamId(1), Ssn(0));
        let last = piece(&mut queue).unwrap();
        assert_eq!(last.place, Place::Plain(Ssn(u16::MAX)));
        assert!(queue.is_exhausted());
    }
}

#[test]
fn unordered_messages_need_no_number() {
    let mut queue = limited(false, 1, 0);
    let unordered = Message {
        unordered: true,
        ..message(1, 10)
    };
    queue.push(unordered.clone(), SendOptions::default());
    push(&mut queue, 1, 250);
    queue.push(unordered, SendOptions::default());
    push(&mut queue, 1, 10);
    let order: Vec<_> = std::iter::from_fn(|| piece(&mut queue))
        .map(|p| p.flags.unordered)
        .collect();
    assert_eq!(order, [true, false, false, false, true]);
    // A reset leaves nothing in the window.
    queue.reset_numbers(StreamId(1));
    queue.hold_from(StreamId(1), None);
    assert_eq!(streams(&mut queue), [1]);
}

#[test]
fn interleaved_messages_begin_as_the_peer_has_room_and_finish_before_more_begin() {
    // Half of the window is for two of them.
    let mut queue = limited(true, 1, 2 * 5000);
    for stream in 0..4 {
        push(&mut queue, stream, 2500);
    }
    let order = streams(&mut queue);
    let at = |stream| order.iter().position(|s| *s == stream).unwrap();
    let end = |stream| order.iter().rposition(|s| *s == stream).unwrap();
    assert_eq!(&order[..4], [0, 1, 0, 1]);
    assert!(
        at(2) > end(0) && at(3) > end(0).max(end(1)) - 1,
        "{order:?}"
    );
    assert_eq!(order.len(), 4 * 2500_usize.div_ceil(96));
    assert!(queue.is_exhausted() && queue.begins.bytes == 0);
}

#[test]
fn one_byte_more_than_fits_waits_and_a_larger_window_lets_it_begin() {
    let mut queue = limited(true, 1, 2 * 5000);
    push(&mut queue, 0, 2500);
    push(&mut queue, 1, 2501);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    assert!(!queue.is_idle() && !queue.is_drained(StreamId(1)));
    queue.on_peer_window(2 * 5000);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    queue.on_peer_window(2 * 5001);
    let both = [
        piece(&mut queue).unwrap().stream,
        piece(&mut queue).unwrap().stream,
    ];
    assert!(both.contains(&StreamId(1)), "{both:?}");
}

#[test]
fn small_messages_and_the_only_one_always_begin() {
    let mut queue = limited(true, 1, 1500);
    push(&mut queue, 0, 100_000);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(0));
    push(&mut queue, 1, 1024);
    push(&mut queue, 2, 1025);
    let next: Vec<_> = (0..40)
        .map(|_| piece(&mut queue).unwrap().stream.0)
        .collect();
    assert!(next.contains(&1) && !next.contains(&2), "{next:?}");
}

#[test]
fn what_waits_begins_when_the_one_before_it_went_in_one_piece() {
    let mut queue = limited(true, 1, 2 * 1500);
    push(&mut queue, 0, 2000);
    assert!(piece(&mut queue).is_some());
    push(&mut queue, 1, 1100);
    push(&mut queue, 2, 1200);
    // There is room for the first of them when the begun one is finished, and it fits a packet.
    let whole = |queue: &mut SendQueue| {
        let piece = queue.next_piece(3000, true);
        queue.finish_packet();
        piece.map(|p| p.stream.0)
    };
    let order: Vec<_> = std::iter::from_fn(|| whole(&mut queue)).collect();
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn what_waits_begins_when_a_begun_message_is_given_up_by_priority_and_may_be_given_up_itself() {
    let mut queue = queue(StreamSchedulerKind::Priority, true);
    queue.on_peer_window(2 * 3000);
    let begun = push(&mut queue, 9, 2500);
    assert!(piece(&mut queue).is_some());
    let keys = [1, 2, 3].map(|stream| {
        queue.set_priority(StreamId(stream), 5 - stream);
        push(&mut queue, stream, 2500)
    });
    queue.set_priority(StreamId(9), 9);
    assert_eq!(
        piece(&mut queue).unwrap().stream,
        StreamId(9),
        "the others wait"
    );
    // The first in line is given up, and what is behind it on its stream is small.
    push(&mut queue, 3, 10);
    queue.discard(keys[2]);
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(3));
    assert_eq!(piece(&mut queue).unwrap().stream, StreamId(9));
    queue.set_priority(StreamId(1), 1);
    queue.discard(begun);
    let order = streams(&mut queue);
    // Those of the better priority are finished first.
    let pieces = 2500_usize.div_ceil(96);
    assert_eq!(order, [vec![1; pieces], vec![2; pieces]].concat());
    assert!(queue.is_exhausted() && queue.begins.bytes == 0);
}

#[test]
fn nothing_waits_for_a_message_that_fits_one_packet_or_was_dropped_before_it_began() {
    for dropped in [false, true] {
        let mut queue = limited(true, 1, 2 * 4096);
        queue.push(message(0, 8401), SendOptions::default());
        let whole = |queue: &mut SendQueue| queue.next_piece(1400, true);
        assert!(whole(&mut queue).is_some());
        let key = push(&mut queue, 2, 1025);
        push(&mut queue, 1, 3072);
        let mut sent = Vec::new();
        // The first one is finished, and then there is room for just one of those that wait.
        while !sent.ends_with(&[(0, true)]) {
            let piece = whole(&mut queue).unwrap();
            sent.push((piece.stream.0, piece.flags.end));
        }
        if dropped {
            queue.discard(key);
        }
        let rest: Vec<_> = std::iter::from_fn(|| whole(&mut queue))
            .map(|piece| piece.stream.0)
            .collect();
        assert_eq!(rest.contains(&2), !dropped);
        assert!(rest.contains(&1) && queue.is_exhausted(), "{rest:?}");
    }
}
