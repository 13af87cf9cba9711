use bytes::Bytes;
use manyway_wire::{DataFlags, Fsn, Mid, Ppid, Ssn, StreamId};
use proptest::prelude::*;

use super::*;
use crate::event::PartStatus;

const LIMITS: Limits = Limits {
    max_message: 1 << 20,
    span: 1 << 16,
};

fn flags(unordered: bool, begin: bool, end: bool) -> DataFlags {
    DataFlags {
        immediate: false,
        unordered,
        begin,
        end,
    }
}

/// A fragment in a DATA chunk, with one byte.
fn plain(stream: u16, ssn: u16, flags: DataFlags, byte: u8) -> Fragment {
    Fragment {
        stream: StreamId(stream),
        place: Place::Plain(Ssn(ssn)),
        ppid: Ppid(u32::from(ssn)),
        flags,
        payload: Bytes::copy_from_slice(&[byte]),
    }
}

/// A fragment in an I-DATA chunk, with one byte.
fn piece(stream: u16, unordered: bool, mid: u32, fsn: u32, end: bool) -> Fragment {
    let begin = fsn == 0;
    Fragment {
        stream: StreamId(stream),
        place: Place::Interleaved {
            mid: Mid(mid),
            fsn: Fsn(fsn),
        },
        ppid: Ppid(if begin { mid } else { 0 }),
        flags: flags(unordered, begin, end),
        payload: Bytes::copy_from_slice(&[fsn as u8]),
    }
}

fn whole(stream: u16, ssn: u16, unordered: bool) -> Fragment {
    plain(stream, ssn, flags(unordered, true, true), 0)
}

fn insert(inbound: &mut Inbound, index: u64, fragment: Fragment) {
    inbound
        .insert(index, fragment, LIMITS)
        .expect("it is valid");
}

/// Fragments in the order given; their TSNs are of no concern.
fn feed(inbound: &mut Inbound, pieces: impl IntoIterator<Item = Fragment>) {
    for piece in pieces {
        insert(inbound, 7, piece);
    }
}

fn drain(inbound: &mut Inbound) -> Vec<(u16, u32)> {
    std::iter::from_fn(|| inbound.pop_whole())
        .map(|m| (m.stream.0, m.ppid.0))
        .collect()
}

/// The parts that can be read: message, begin, bytes, status.
fn parts(inbound: &mut Inbound) -> Vec<(u64, bool, Vec<u8>, PartStatus)> {
    std::iter::from_fn(|| inbound.pop())
        .map(|p| (p.message, p.begin, p.payload.to_vec(), p.status))
        .collect()
}

fn assert_empty(inbound: &Inbound) {
    assert_eq!((inbound.buffered(), inbound.cost()), (0, 0));
}

#[test]
fn a_late_message_holds_only_its_own_stream() {
    let mut inbound = Inbound::default();
    insert(&mut inbound, 1, whole(0, 1, false));
    insert(&mut inbound, 2, whole(1, 0, false));
    insert(&mut inbound, 3, whole(0, 9, true));
    assert_eq!(drain(&mut inbound), [(1, 0), (0, 9)]);
    insert(&mut inbound, 0, whole(0, 0, false));
    assert_eq!(drain(&mut inbound), [(0, 0), (0, 1)]);
    assert_empty(&inbound);
}

#[test]
fn a_sequence_number_used_twice_is_refused() {
    let mut inbound = Inbound::default();
    let limits = Limits { span: 0, ..LIMITS };
    inbound.insert(0, whole(0, 0, false), limits).unwrap();
    assert!(inbound.insert(1, whole(0, 0, false), limits).is_err());
}

#[test]
fn a_window_of_more_messages_than_half_the_number_space_is_legal() {
    let mut inbound = Inbound::default();
    for number in 1..=u16::MAX {
        insert(&mut inbound, u64::from(number), whole(0, number, false));
    }
    insert(&mut inbound, 0, whole(0, 0, false));
    assert_eq!(drain(&mut inbound).len(), 1 << 16);
}

#[test]
fn sequence_numbers_wrap() {
    let mut inbound = Inbound::default();
    for number in 0..70_000_u32 {
        insert(
            &mut inbound,
            u64::from(number),
            whole(3, number as u16, false),
        );
        assert_eq!(drain(&mut inbound).len(), 1);
    }
}

#[test]
fn fragments_of_data_in_any_order_make_the_message() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let mut inbound = Inbound::default();
        for at in order {
            let fragment = plain(0, 0, flags(false, at == 0, at == 3), at as u8);
            insert(&mut inbound, at, fragment);
        }
        let message = inbound.pop_whole().unwrap();
        assert_eq!(&message.payload[..], [0, 1, 2, 3]);
        assert_empty(&inbound);
    }
}

#[test]
fn neighbours_of_other_messages_are_kept_apart() {
    let mut inbound = Inbound::default();
    insert(&mut inbound, 1, plain(0, 0, flags(false, false, true), 1));
    insert(&mut inbound, 2, plain(0, 1, flags(false, true, false), 2));
    insert(&mut inbound, 0, plain(0, 0, flags(false, true, false), 0));
    assert_eq!(&inbound.pop_whole().unwrap().payload[..], [0, 1]);
    assert!(inbound.pop_whole().is_none());
}

#[test]
fn contradictions_and_giants_are_errors() {
    let mut inbound = Inbound::default();
    insert(&mut inbound, 0, plain(0, 0, flags(false, true, false), 0));
    let other = plain(0, 9, flags(false, false, true), 1);
    assert!(inbound.insert(1, other, LIMITS).is_err());
    let mut inbound = Inbound::default();
    let limits = Limits {
        max_message: 1,
        ..LIMITS
    };
    let first = plain(0, 0, flags(false, true, false), 0);
    inbound.insert(0, first, limits).unwrap();
    let second = plain(0, 0, flags(false, false, false), 1);
    assert!(inbound.insert(1, second, limits).is_err());
}

#[test]
fn fragments_are_found_by_stream_order_message_and_number_and_not_by_their_tsn() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
    //= type=test
    //# the receiver MUST first use the SID to identify the stream, consider the U bit to determine if it is part of an ordered or unordered message, find the user message identified by the MID, and use the FSN for reassembly of the message and not the TSN.
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.2.3
    //= type=test
    //# The receiver MUST NOT make any assumption about the TSN assignments of the sender.
    let mut pieces = Vec::new();
    for stream in 0..2 {
        for unordered in [false, true] {
            for mid in 0..2 {
                pieces.extend((0..4).map(|fsn| piece(stream, unordered, mid, fsn, fsn == 3)));
            }
        }
    }
    // Every seventh of 32, so that no two neighbours come after each other.
    let count = pieces.len();
    let mut inbound = Inbound::default();
    feed(
        &mut inbound,
        (0..count).map(|n| pieces[n * 7 % count].clone()),
    );
    let messages: Vec<_> = std::iter::from_fn(|| inbound.pop_whole()).collect();
    assert_eq!(messages.len(), 8);
    assert!(messages.iter().all(|m| m.payload[..] == [0, 1, 2, 3]));
    for stream in 0..2 {
        let ordered = messages
            .iter()
            .filter(|m| m.stream.0 == stream && !m.unordered);
        assert!(ordered.map(|m| m.ppid.0).eq([0, 1]));
    }
    assert_empty(&inbound);
}

#[test]
fn message_identifiers_wrap() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
    //= type=test
    //# Please note that the serial number arithmetic defined in [RFC1982] using SERIAL_BITS = 32 applies.
    let mut inbound = Inbound::default();
    inbound.skip_mids(StreamId(0), false, Mid((1 << 31) - 1));
    inbound.skip_mids(StreamId(0), false, Mid(u32::MAX - 2));
    for mid in [0, u32::MAX, 1, u32::MAX - 1] {
        feed(
            &mut inbound,
            [
                piece(0, false, mid, 1, true),
                piece(0, false, mid, 0, false),
            ],
        );
    }
    let order: Vec<_> = drain(&mut inbound).iter().map(|m| m.1).collect();
    assert_eq!(order, [u32::MAX - 1, u32::MAX, 0, 1]);
    // What was delivered is over: a fragment may be left of a skip, a single chunk is a lie.
    feed(&mut inbound, [piece(0, false, 1, 1, true)]);
    assert_eq!(inbound.stale_fragments, 1);
    assert_empty(&inbound);
    let single = piece(0, false, 1, 0, true);
    assert!(inbound.insert(0, single, LIMITS).is_err());
}

#[test]
fn contradicting_fragment_numbers_are_errors() {
    let first = || piece(0, false, 0, 0, false);
    let unmarked = Fragment {
        flags: flags(false, false, false),
        ..first()
    };
    for (what, before, wrong) in [
        ("twice", vec![first()], first()),
        (
            "twice, within a run",
            vec![first(), piece(0, false, 0, 1, false)],
            first(),
        ),
        (
            "after the end",
            vec![piece(0, false, 0, 2, true)],
            piece(0, false, 0, 5, false),
        ),
        (
            "two ends",
            vec![piece(0, false, 0, 5, false)],
            piece(0, false, 0, 3, true),
        ),
        (
            "single, begun",
            vec![piece(0, false, 0, 2, false)],
            piece(0, false, 0, 0, true),
        ),
        ("first without B", vec![], unmarked),
        ("far away", vec![], piece(0, false, 0, 1 << 31, false)),
    ] {
        let mut inbound = Inbound::default();
        feed(&mut inbound, before);
        assert!(inbound.insert(9, wrong, LIMITS).is_err(), "{what}");
    }
}

#[test]
fn what_was_given_up_is_dropped_and_what_waited_for_it_delivered() {
    let mut inbound = Inbound::default();
    for unordered in [false, true] {
        // 0 and 2 are incomplete, 1 and 3 whole.
        feed(
            &mut inbound,
            [
                piece(0, unordered, 0, 1, false),
                piece(0, unordered, 1, 0, true),
                piece(0, unordered, 2, 0, false),
                piece(0, unordered, 3, 0, true),
            ],
        );
    }
    assert_eq!(drain(&mut inbound), [(0, 1), (0, 3)]);
    inbound.skip_mids(StreamId(0), false, Mid(0));
    assert_eq!(drain(&mut inbound), [(0, 1)]);
    inbound.skip_mids(StreamId(0), false, Mid(2));
    inbound.skip_mids(StreamId(0), false, Mid(1));
    assert_eq!(drain(&mut inbound), [(0, 3)]);
    inbound.skip_mids(StreamId(0), true, Mid(0));
    assert_eq!(inbound.buffered(), 1);
    inbound.skip_mids(StreamId(0), true, Mid(2));
    assert_empty(&inbound);
    // Fragments of what was given up that come later.
    feed(
        &mut inbound,
        [piece(0, true, 2, 1, true), piece(0, false, 2, 1, true)],
    );
    assert_eq!(inbound.stale_fragments, 2);
    assert_empty(&inbound);
    feed(
        &mut inbound,
        [piece(0, true, 4, 0, true), piece(0, false, 4, 0, true)],
    );
    assert_eq!(drain(&mut inbound), [(0, 4), (0, 4)]);
}

#[test]
fn unordered_messages_after_a_skip_are_taken_when_their_numbers_have_wrapped() {
    let mut inbound = Inbound::default();
    inbound.skip_mids(StreamId(0), true, Mid(0));
    for mid in (1..=9_u32).map(|n| n.wrapping_mul(1 << 29)) {
        feed(&mut inbound, [piece(0, true, mid, 0, true)]);
        assert_eq!(drain(&mut inbound).len(), 1, "{mid}");
    }
}

#[test]
fn skipping_delivers_what_waited_for_the_skipped() {
    let mut inbound = Inbound::default();
    for (index, ssn) in [(1, 1), (3, 3), (4, 4), (6, 6)] {
        insert(&mut inbound, index, whole(0, ssn, false));
    }
    inbound.skip_messages(StreamId(0), Ssn(2), 3);
    assert_eq!(drain(&mut inbound), [(0, 1), (0, 3), (0, 4)]);
    // Once more, as a repeated FORWARD-TSN says it.
    inbound.skip_messages(StreamId(0), Ssn(2), 3);
    insert(&mut inbound, 5, whole(0, 5, false));
    assert_eq!(drain(&mut inbound), [(0, 5), (0, 6)]);
    assert_empty(&inbound);
}

#[test]
fn skipping_goes_on_across_the_wrap_of_the_numbers() {
    let mut inbound = Inbound::default();
    inbound.skip_messages(StreamId(0), Ssn(u16::MAX - 2), 1 << 16);
    for (index, ssn) in [(1, u16::MAX), (3, 1), (4, 2)] {
        insert(&mut inbound, index, whole(0, ssn, false));
    }
    inbound.skip_messages(StreamId(0), Ssn(1), 4);
    let numbers: Vec<_> = drain(&mut inbound).iter().map(|m| m.1).collect();
    assert_eq!(numbers, [u32::from(u16::MAX), 1, 2]);
}

#[test]
fn no_more_messages_are_skipped_than_there_were_chunks() {
    let mut inbound = Inbound::default();
    let is_next = |inbound: &Inbound, ssn| inbound.is_next(StreamId(0), Place::Plain(Ssn(ssn)));
    inbound.skip_messages(StreamId(0), Ssn(5), 5);
    assert!(is_next(&inbound, 0));
    inbound.skip_messages(StreamId(0), Ssn(5), 6);
    assert!(is_next(&inbound, 6));
}

#[test]
fn a_stream_that_is_reset_counts_from_zero() {
    let mut inbound = Inbound::default();
    feed(
        &mut inbound,
        (0..3).map(|mid| piece(4, false, mid, 0, true)),
    );
    inbound.reset(StreamId(4));
    feed(&mut inbound, [piece(4, false, 0, 0, true)]);
    assert_eq!(drain(&mut inbound), [(4, 0), (4, 1), (4, 2), (4, 0)]);
}

#[test]
fn a_message_that_reaches_the_point_is_given_out_in_parts() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-6.9
    //= type=test
    //# it SHOULD dispatch part of its inbound message through a partial delivery API
    use PartStatus::{Complete, MoreFollows};
    for interleaved in [false, true] {
        let mut inbound = Inbound::new(Some(2));
        let fragment = |at: u64, end| match interleaved {
            true => piece(0, false, 0, at as u32, end),
            false => plain(0, 0, flags(false, at == 0, end), at as u8),
        };
        let next = |index: u64| match interleaved {
            true => (index, piece(0, false, 1, 0, true)),
            false => (index, whole(0, 1, false)),
        };
        insert(&mut inbound, 0, fragment(0, false));
        assert!(!inbound.has_ready());
        insert(&mut inbound, 1, fragment(1, false));
        // A gap, then what closes it.
        insert(&mut inbound, 3, fragment(3, false));
        let expected = vec![
            (0, true, vec![0], MoreFollows),
            (0, false, vec![1], MoreFollows),
        ];
        assert_eq!(parts(&mut inbound), expected);
        let (index, message) = next(5);
        insert(&mut inbound, index, message);
        assert!(
            !inbound.has_ready(),
            "the next message waits for the end of this one"
        );
        insert(&mut inbound, 2, fragment(2, false));
        insert(&mut inbound, 4, fragment(4, true));
        let rest: Vec<_> = parts(&mut inbound);
        let shape: Vec<_> = rest.iter().map(|p| (p.0, p.1, p.2[0], p.3)).collect();
        assert_eq!(
            shape,
            [
                (0, false, 2, MoreFollows),
                (0, false, 3, MoreFollows),
                (0, false, 4, Complete),
                (1, true, 0, Complete)
            ]
        );
        assert_empty(&inbound);
    }
}

#[test]
fn only_the_message_whose_turn_it_is_comes_in_parts() {
    let mut inbound = Inbound::new(Some(1));
    feed(&mut inbound, [piece(0, false, 1, 0, false)]);
    assert!(!inbound.has_ready());
    feed(
        &mut inbound,
        [piece(0, true, 0, 0, false), piece(1, false, 0, 0, false)],
    );
    let begun: Vec<_> = parts(&mut inbound).iter().map(|p| (p.0, p.1)).collect();
    assert_eq!(begun, [(0, true), (1, true)]);
    // Its turn has come.
    feed(
        &mut inbound,
        [piece(0, false, 0, 0, true), piece(0, false, 1, 1, true)],
    );
    let rest: Vec<_> = parts(&mut inbound).iter().map(|p| (p.0, p.3)).collect();
    assert_eq!(rest, [(2, PartStatus::Complete), (3, PartStatus::Complete)]);
}

#[test]
fn a_message_in_parts_that_is_given_up_is_aborted() {
    let mut inbound = Inbound::new(Some(1));
    insert(&mut inbound, 0, plain(0, 0, flags(false, true, false), 0));
    insert(&mut inbound, 3, whole(0, 1, false));
    inbound.skip_to(2);
    inbound.skip_messages(StreamId(0), Ssn(0), 2);
    let statuses: Vec<_> = parts(&mut inbound).iter().map(|p| (p.0, p.3)).collect();
    use PartStatus::{Aborted, Complete, MoreFollows};
    assert_eq!(statuses, [(0, MoreFollows), (0, Aborted), (1, Complete)]);
    assert_empty(&inbound);

    let mut inbound = Inbound::new(Some(1));
    for unordered in [false, true] {
        feed(
            &mut inbound,
            [
                piece(0, unordered, 0, 0, false),
                piece(0, unordered, 1, 0, true),
            ],
        );
    }
    inbound.skip_mids(StreamId(0), false, Mid(0));
    inbound.skip_mids(StreamId(0), true, Mid(0));
    let aborted = parts(&mut inbound)
        .iter()
        .filter(|p| p.3 == Aborted)
        .count();
    assert_eq!(aborted, 2);
    feed(
        &mut inbound,
        [piece(0, true, 0, 1, true), piece(0, false, 0, 1, true)],
    );
    assert_eq!(inbound.stale_fragments, 2);
    assert_empty(&inbound);
}

#[test]
fn fragment_numbers_wrap_in_a_message_that_is_given_out() {
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.1
    //= type=test
    //# Note that the FSN MAY wrap completely multiple times, thus allowing arbitrarily large user messages.
    // Two thousand million fragments take too long; the numbers are all that counts here.
    let mut reassembly = super::reassembly::Reassembly::default();
    let first = piece(0, false, 0, 0, false);
    let key = reassembly.key(0, &first).unwrap();
    reassembly.insert(key, first, 100).unwrap();
    reassembly.give_out(key, 0);
    reassembly.pretend_given_out(u64::from(u32::MAX) - 1);
    for (fsn, end) in [
        (u32::MAX - 1, false),
        (u32::MAX, false),
        (0, false),
        (1, true),
    ] {
        let fragment = Fragment {
            flags: flags(false, false, end),
            ..piece(0, false, 0, fsn, end)
        };
        let key = reassembly.key(0, &fragment).unwrap();
        let insertion = reassembly.insert(key, fragment, 100).unwrap();
        let ended = matches!(
            insertion,
            super::reassembly::Insertion::Part { ended: true, .. }
        );
        assert_eq!(ended, end, "{fsn}");
    }
}

#[test]
fn a_full_buffer_is_relieved_of_what_was_begun() {
    let mut inbound = Inbound::new(Some(1000));
    feed(
        &mut inbound,
        (0..5).map(|stream| piece(stream, false, 0, 0, false)),
    );
    feed(&mut inbound, [piece(9, false, 0, 5, false)]);
    inbound.relieve();
    assert_eq!(parts(&mut inbound).len(), 5);
    assert_eq!(inbound.buffered(), 1);
    inbound.relieve();
    assert!(!inbound.has_ready());
    // Without consent nothing comes in parts.
    let mut whole_only = Inbound::new(None);
    feed(&mut whole_only, [piece(0, false, 0, 0, false)]);
    whole_only.relieve();
    assert!(!whole_only.has_ready());
}

#[test]
fn a_large_message_that_arrives_backwards_costs_no_more_than_another() {
    // Quadratic work would be two thousand million steps.
    const COUNT: u32 = 65_000;
    let mut inbound = Inbound::default();
    for fsn in (0..COUNT).rev() {
        insert(&mut inbound, 0, piece(0, false, 0, fsn, fsn + 1 == COUNT));
    }
    assert_eq!(inbound.pop_whole().unwrap().payload.len(), COUNT as usize);
    for index in (0..u64::from(COUNT)).rev() {
        let flags = flags(false, index == 0, index + 1 == u64::from(COUNT));
        insert(&mut inbound, index, plain(1, 0, flags, 0));
    }
    assert_eq!(inbound.pop_whole().unwrap().payload.len(), COUNT as usize);
    assert_empty(&inbound);
}

proptest! {
    /// Any messages, cut anyhow and in any order, come out whole or in parts, once, and each
    /// stream in order.
    #[test]
    fn everything_comes_out_once_and_in_order(
        sizes in prop::collection::vec((0_u16..4, any::<bool>(), 1_u32..6), 1..40),
        interleaved: bool,
        point in prop::option::of(1_usize..8),
        shuffle in prop::collection::vec(any::<u32>(), 240),
    ) {
        let mut next = std::collections::BTreeMap::new();
        let (mut all, mut sent) = (Vec::new(), Vec::new());
        for (stream, unordered, count) in sizes {
            // Unordered messages in DATA chunks have no number.
            let counted = interleaved || !unordered;
            let number: &mut u32 = next.entry((stream, unordered)).or_default();
            let mid = *number;
            *number += u32::from(counted);
            sent.push((stream, unordered, count));
            for fsn in 0..count {
                let index = all.len() as u64;
                let flags = flags(unordered, fsn == 0, fsn + 1 == count);
                let fragment = match interleaved {
                    true => piece(stream, unordered, mid, fsn, fsn + 1 == count),
                    false => plain(stream, mid as u16, flags, fsn as u8),
                };
                let ppid = Ppid(sent.len() as u32 - 1);
                all.push((index, Fragment { ppid, ..fragment }));
            }
        }
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|at| shuffle[*at]);
        let mut inbound = Inbound::new(point);
        let mut open = std::collections::BTreeMap::new();
        let mut out: Vec<u32> = Vec::new();
        for at in order {
            let (index, fragment) = all[at].clone();
            insert(&mut inbound, index, fragment);
            while let Some(part) = inbound.pop() {
                let so_far: &mut Vec<u8> = open.entry(part.message).or_default();
                prop_assert_eq!(part.begin, so_far.is_empty());
                so_far.extend_from_slice(&part.payload);
                if part.status == PartStatus::Complete {
                    let bytes = open.remove(&part.message).unwrap();
                    let (stream, unordered, count) = sent[part.ppid.0 as usize];
                    prop_assert_eq!((part.stream.0, part.unordered), (stream, unordered));
                    prop_assert_eq!(bytes, (0..count as u8).collect::<Vec<_>>());
                    out.push(part.ppid.0);
                }
            }
        }
        prop_assert_eq!(out.len(), sent.len());
        prop_assert!(open.is_empty());
        for stream in 0..4 {
            let of = |id: &&u32| {
                let (at, unordered, _) = sent[**id as usize];
                at == stream && !unordered
            };
            prop_assert!(out.iter().filter(of).is_sorted());
        }
        prop_assert_eq!((inbound.buffered(), inbound.cost()), (0, 0));
    }
}
