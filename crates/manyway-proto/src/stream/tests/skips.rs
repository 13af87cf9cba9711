//! What is given up, and what is reset.

use super::*;

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
    inbound.skip_mids(StreamId(0), false, Mid(0), 7);
    assert_eq!(drain(&mut inbound), [(0, 1)]);
    inbound.skip_mids(StreamId(0), false, Mid(2), 7);
    inbound.skip_mids(StreamId(0), false, Mid(1), 7);
    assert_eq!(drain(&mut inbound), [(0, 3)]);
    inbound.skip_mids(StreamId(0), true, Mid(0), 7);
    assert_eq!(inbound.buffered(), 1);
    inbound.skip_mids(StreamId(0), true, Mid(2), 7);
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
    inbound.skip_mids(StreamId(0), true, Mid(0), 7);
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
    inbound.skip_messages(StreamId(0), Ssn(2), reach(0, 3));
    assert_eq!(drain(&mut inbound), [(0, 1), (0, 3), (0, 4)]);
    // Once more, as a repeated FORWARD-TSN says it.
    inbound.skip_messages(StreamId(0), Ssn(2), reach(0, 3));
    insert(&mut inbound, 5, whole(0, 5, false));
    assert_eq!(drain(&mut inbound), [(0, 5), (0, 6)]);
    assert_empty(&inbound);
}

#[test]
fn skipping_goes_on_across_the_wrap_of_the_numbers() {
    let mut inbound = Inbound::default();
    inbound.skip_messages(StreamId(0), Ssn(u16::MAX - 2), reach(0, 1 << 16));
    for (index, ssn) in [(1, u16::MAX), (3, 1), (4, 2)] {
        insert(&mut inbound, index, whole(0, ssn, false));
    }
    inbound.skip_messages(StreamId(0), Ssn(1), reach(0, 4));
    let numbers: Vec<_> = drain(&mut inbound).iter().map(|m| m.1).collect();
    assert_eq!(numbers, [u32::from(u16::MAX), 1, 2]);
}

#[test]
fn no_more_messages_are_skipped_than_there_were_chunks() {
    let mut inbound = Inbound::default();
    let is_next = |inbound: &Inbound, ssn| inbound.is_next(StreamId(0), Place::Plain(Ssn(ssn)));
    inbound.skip_messages(StreamId(0), Ssn(5), reach(0, 5));
    assert!(is_next(&inbound, 0));
    inbound.skip_messages(StreamId(0), Ssn(5), reach(0, 6));
    assert!(is_next(&inbound, 6));
}

#[test]
fn a_stream_that_is_reset_counts_from_zero() {
    let mut inbound = Inbound::default();
    feed(
        &mut inbound,
        (0..3).map(|mid| piece(4, false, mid, 0, true)),
    );
    inbound.reset(StreamId(4), 8);
    feed(&mut inbound, [piece(4, false, 0, 0, true)]);
    assert_eq!(drain(&mut inbound), [(4, 0), (4, 1), (4, 2), (4, 0)]);
}
