//! Messages of which all that was sent arrived, and whose rest the peer gave up.

use super::*;

fn first(ssn: u16, unordered: bool) -> Fragment {
    plain(0, ssn, flags(unordered, true, false), 0)
}

#[test]
fn the_number_of_a_message_that_arrived_in_part_is_enough_to_give_it_up() {
    let mut inbound = Inbound::default();
    insert(&mut inbound, 0, first(0, false));
    insert(&mut inbound, 1, plain(0, 0, flags(false, false, false), 1));
    for (bound, stream, number) in [(1, 0, 0), (2, 1, 0), (2, 0, 1)] {
        inbound.skip_messages(StreamId(stream), Ssn(number), reach(bound, 0));
        assert_eq!(inbound.buffered(), 2, "another message, or not all of it");
    }
    for _ in 0..2 {
        inbound.skip_messages(StreamId(0), Ssn(0), reach(2, 0));
        assert_empty(&inbound);
        assert_eq!(inbound.given_up_bytes, 2);
    }
    insert(&mut inbound, 2, whole(0, 1, false));
    assert_eq!(drain(&mut inbound), [(0, 1)]);
    assert_empty(&inbound);
}

#[test]
fn one_that_is_being_given_out_is_aborted_and_named_messages_before_it_passed_by() {
    use PartStatus::{Aborted, MoreFollows};
    let mut inbound = Inbound::new(Some(1));
    insert(&mut inbound, 0, first(0, false));
    inbound.skip_messages(StreamId(0), Ssn(0), reach(1, 0));
    let statuses: Vec<_> = parts(&mut inbound).iter().map(|p| p.3).collect();
    assert_eq!(statuses, [MoreFollows, Aborted]);
    // Message 1 arrived in part, of message 2 nothing; both are given up at once.
    let mut inbound = Inbound::default();
    insert(&mut inbound, 0, first(0, false));
    let reached = inbound.skip_to(reach(2, 1));
    inbound.skip_messages(StreamId(0), Ssn(1), reached);
    insert(&mut inbound, 2, whole(0, 2, false));
    assert_eq!(drain(&mut inbound), [(0, 2)]);
    assert_empty(&inbound);
}

#[test]
fn a_message_that_begins_where_another_should_go_on_cuts_it_off() {
    for (unordered, point) in [
        (false, None),
        (true, None),
        (false, Some(1)),
        (true, Some(1)),
    ] {
        let mut inbound = Inbound::new(point);
        let tight = Limits { span: 0, ..LIMITS };
        let mut take = |index, fragment| inbound.insert(index, fragment, tight).unwrap();
        take(0, first(0, unordered));
        take(1, first(1, unordered));
        take(2, whole(0, 2, unordered));
        let statuses: Vec<_> = parts(&mut inbound).iter().map(|p| p.3).collect();
        let aborted = statuses.iter().filter(|s| **s == PartStatus::Aborted);
        assert_eq!(aborted.count(), point.map_or(0, |_| 2));
        assert_eq!(statuses.last(), Some(&PartStatus::Complete));
        assert_empty(&inbound);
        // What a late FORWARD-TSN says of them is no news.
        let told = inbound.skip_to(reach(2, 0));
        inbound.skip_messages(StreamId(0), Ssn(1), told);
        insert(&mut inbound, 3, whole(0, 3, unordered));
        assert_eq!(drain(&mut inbound), [(0, 3)]);
        assert_empty(&inbound);
    }
}

#[test]
fn a_message_cut_off_is_dropped_however_late_its_beginning_comes() {
    for point in [None, Some(1)] {
        for order in [[0, 1, 4], [0, 4, 1], [4, 1, 0], [1, 4, 0]] {
            let mut inbound = Inbound::new(point);
            // Message 0 is whole; 1 has three fragments that arrive, and is given up then.
            let middle = || plain(0, 1, flags(false, false, false), 0);
            insert(&mut inbound, 3, middle());
            insert(&mut inbound, 4, whole(0, 2, false));
            assert!(!inbound.has_ready(), "message 0 may still come");
            for at in order {
                match at {
                    0 => insert(&mut inbound, 0, whole(0, 0, false)),
                    1 => insert(&mut inbound, 1, first(1, false)),
                    _ => insert(&mut inbound, 2, middle()),
                }
            }
            let read = parts(&mut inbound);
            let whole = read.iter().filter(|p| p.3 == PartStatus::Complete);
            assert_eq!(whole.count(), 2, "{order:?}: {read:?}");
            assert_empty(&inbound);
        }
    }
}

#[test]
fn a_message_whose_next_chunk_came_before_it_is_cut_off_at_once() {
    for point in [None, Some(1)] {
        let mut inbound = Inbound::new(point);
        insert(&mut inbound, 1, whole(0, 1, false));
        assert!(!inbound.has_ready());
        let limits = Limits {
            follows: true,
            ..LIMITS
        };
        inbound.insert(0, first(0, false), limits).unwrap();
        let read = parts(&mut inbound);
        assert_eq!(read.last().map(|p| p.3), Some(PartStatus::Complete));
        assert_empty(&inbound);
        // Of the same message, it goes on.
        insert(&mut inbound, 3, plain(0, 2, flags(false, false, true), 1));
        inbound.insert(2, first(2, false), limits).unwrap();
        let bytes: usize = parts(&mut inbound).iter().map(|p| p.2.len()).sum();
        assert_eq!(bytes, 2);
        assert_empty(&inbound);
    }
}

#[test]
fn without_partial_reliability_nothing_is_cut_off() {
    let mut inbound = Inbound::default();
    let limits = Limits {
        span: 0,
        gives_up: false,
        ..LIMITS
    };
    inbound.insert(0, first(0, false), limits).unwrap();
    assert!(inbound.insert(1, whole(0, 1, false), limits).is_err());
}

#[test]
fn messages_known_not_to_come_count_as_memory() {
    let mut inbound = Inbound::default();
    for number in 1..=1000 {
        insert(&mut inbound, u64::from(number), first(number, false));
    }
    assert!(inbound.cost() > 999 * 96);
    inbound.reset_streams(&[], 1001, false);
    assert_empty(&inbound);
}

#[test]
fn what_was_said_before_a_reset_is_not_about_the_messages_after_it() {
    for streams in [&[][..], &[StreamId(0)]] {
        let mut inbound = Inbound::default();
        feed(&mut inbound, [piece(0, false, 0, 0, false)]);
        inbound.reset_streams(streams, 8, true);
        assert_empty(&inbound);
        inbound.skip_mids(StreamId(0), false, Mid(0), 8);
        inbound.skip_mids(StreamId(0), true, Mid(0), 8);
        feed(
            &mut inbound,
            [piece(0, false, 0, 0, true), piece(0, true, 0, 0, true)],
        );
        assert_eq!(drain(&mut inbound).len(), 2);
        inbound.skip_mids(StreamId(0), false, Mid(2), 9);
        feed(&mut inbound, [piece(0, false, 3, 0, true)]);
        assert_eq!(drain(&mut inbound), [(0, 3)]);
    }
}
