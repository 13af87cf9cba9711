//! Requests of both sides at once.

use manyway_proto::{Event, StreamDirection};
use manyway_wire::ReconfigResult;

use crate::pair::{MS, Pair};
use crate::support::{
    Param, chunk, command, events, ids, in_reset, only, out_reset, read, send, tsn_reset,
};

/// Runs both ends until nothing happens any more.
fn run(pair: &mut Pair) {
    for _ in 0..60 {
        pair.settle();
        for end in [0, 1] {
            read(pair, end);
        }
        pair.now += 100 * MS;
        let now = pair.now;
        pair.ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
}

/// Both sides have sent messages; with the number of the client's next request.
fn used() -> (Pair, u32) {
    let mut pair = Pair::established();
    let number = pair.next_tsn[0].0;
    for end in [0, 1] {
        (0..4).for_each(|stream| send(&mut pair, end, stream, "used"));
    }
    run(&mut pair);
    events(&mut pair, 0);
    events(&mut pair, 1);
    (pair, number)
}

fn reset(direction: StreamDirection, streams: &[u16]) -> Event {
    Event::StreamsReset {
        direction,
        streams: ids(streams),
    }
}

use StreamDirection::{Incoming, Outgoing};

#[test]
fn both_sides_reset_their_streams_at_once() {
    let (mut pair, _) = used();
    for end in [0, 1] {
        command(&mut pair, end, |now, a| a.reset_streams(now, &[])).unwrap();
    }
    run(&mut pair);
    for end in [0, 1] {
        let mut happened = events(&mut pair, end);
        happened.sort_by_key(|e| *e == reset(Incoming, &[]));
        assert_eq!(happened, [reset(Outgoing, &[]), reset(Incoming, &[])]);
    }
}

#[test]
fn both_sides_ask_for_resets_at_once() {
    let (mut pair, _) = used();
    for end in [0, 1] {
        let ask = |now, a: &mut manyway_proto::Association| a.request_stream_reset(now, &[]);
        command(&mut pair, end, ask).unwrap();
    }
    run(&mut pair);
    for end in [0, 1] {
        let happened = events(&mut pair, end);
        assert!(
            happened.contains(&reset(Incoming, &[])),
            "{end}: {happened:?}"
        );
        assert!(
            happened.contains(&reset(Outgoing, &[])),
            "{end}: {happened:?}"
        );
        assert_eq!(happened.len(), 2, "{end}: {happened:?}");
    }
}

#[test]
fn both_sides_want_more_streams_at_once() {
    let (mut pair, _) = used();
    for end in [0, 1] {
        command(&mut pair, end, |now, a| a.add_streams(now, 2, 3)).unwrap();
    }
    run(&mut pair);
    for end in [0, 1] {
        let happened = events(&mut pair, end);
        let sum = |wanted: StreamDirection| -> u16 {
            let of = happened.iter().filter_map(|event| match event {
                Event::StreamsAdded { direction, count } if *direction == wanted => Some(count),
                _ => None,
            });
            of.sum()
        };
        assert_eq!(
            (sum(Outgoing), sum(Incoming)),
            (5, 5),
            "{end}: {happened:?}"
        );
    }
}

#[test]
fn both_sides_reset_the_association_at_once() {
    let (mut pair, _) = used();
    for end in [0, 1] {
        command(&mut pair, end, |now, a| a.reset_association(now)).unwrap();
        send(&mut pair, end, 0, "after");
    }
    run(&mut pair);
    for end in [0, 1] {
        assert_eq!(events(&mut pair, end), [Event::AssociationReset], "{end}");
    }
}

#[test]
fn a_reset_of_the_association_meets_a_reset_of_streams() {
    for first in [0, 1] {
        let (mut pair, _) = used();
        command(&mut pair, first, |now, a| a.reset_association(now)).unwrap();
        command(&mut pair, 1 - first, |now, a| {
            a.reset_streams(now, &ids(&[2]))
        })
        .unwrap();
        run(&mut pair);
        for end in [0, 1] {
            let happened = events(&mut pair, end);
            let direction = if end == first { Incoming } else { Outgoing };
            assert!(happened.contains(&reset(direction, &[2])), "{happened:?}");
            assert!(happened.contains(&Event::AssociationReset), "{happened:?}");
            assert_eq!(happened.len(), 2, "{happened:?}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
//= type=test
//# If the Outgoing SSN Reset Request Parameter that was just sent completely overlaps the received Incoming SSN Reset Request Parameter, respond to the peer with an acknowledgment indicating that there was "Nothing to do".
#[test]
fn a_reset_that_was_just_sent_is_what_the_peer_asks_for() {
    let (mut pair, theirs) = used();
    command(&mut pair, 1, |now, a| a.reset_streams(now, &ids(&[1, 2]))).unwrap();
    pair.take(1);
    let seen = pair.inject(&[&chunk(&[in_reset(theirs, &ids(&[2]))])]);
    let nothing = Param::Answer(theirs, ReconfigResult::NOTHING_TO_DO, None);
    assert_eq!(only(&seen), nothing);
    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
    //= type=test
    //# Even in such a situation, the Incoming SSN Reset MUST be processed normally, even though this means that (if the endpoint elects to do the stream reset) streams that are already at SSN 0 will be reset a subsequent time.
    let seen = pair.inject(&[&chunk(&[in_reset(theirs + 1, &ids(&[2, 3]))])]);
    let progress = Param::Answer(theirs + 1, ReconfigResult::IN_PROGRESS, None);
    assert_eq!(only(&seen), progress);
}

#[test]
fn the_initiator_refuses_what_the_acceptor_puts_off() {
    let (mut pair, theirs) = used();
    let last = manyway_wire::Tsn(theirs).add(3);
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    pair.take(1);
    // The acceptor's turn comes when its own request was answered.
    for request in [out_reset(theirs, last, &[]), tsn_reset(theirs)] {
        let seen = pair.inject(&[&chunk(&[request])]);
        let progress = Param::Answer(theirs, ReconfigResult::IN_PROGRESS, None);
        assert_eq!(only(&seen), progress);
    }
}
