//! Messages that are given out in parts.

use super::*;

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
    inbound.skip_to(reach(2, 0));
    inbound.skip_messages(StreamId(0), Ssn(0), reach(0, 2));
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
    inbound.skip_mids(StreamId(0), false, Mid(0), 7);
    inbound.skip_mids(StreamId(0), true, Mid(0), 7);
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
