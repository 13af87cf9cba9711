//! What the receiving half of the streams does.

mod cut_off;
mod linux;
mod parts;
mod skips;

use bytes::Bytes;
use manyway_wire::{DataFlags, Fsn, Mid, Ppid, Ssn, StreamId};
use proptest::prelude::*;

use super::*;
use crate::event::PartStatus;

const LIMITS: Limits = Limits {
    max_message: 1 << 20,
    span: 1 << 16,
    gives_up: true,
    follows: false,
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

fn reach(bound: u64, advance: u64) -> Reach {
    Reach {
        bound,
        advance,
        span: 0,
    }
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
    inbound.skip_mids(StreamId(0), false, Mid((1 << 31) - 1), 7);
    inbound.skip_mids(StreamId(0), false, Mid(u32::MAX - 2), 7);
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
