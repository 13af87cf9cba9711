//! Messages that this side gives up (RFC 3758, sections 3.5 and 4.1; RFC 7496, section 3).

use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AbandonReason, AssocState, EndpointConfig, Event, Extension, Message, Reliability, SendError,
    SendOptions, StreamId,
};
use manyway_wire::{Chunk, ChunkType, Ssn, Tsn};

use crate::pair::{MS, Pair, Seen, kinds};

pub(crate) const ONCE: Reliability = Reliability::RELIABLE.with_max_retransmissions(0);

pub(crate) fn options(reliability: Reliability, context: u64) -> SendOptions {
    SendOptions::default()
        .with_reliability(reliability)
        .with_context(context)
}

pub(crate) fn send(
    pair: &mut Pair,
    message: Message,
    options: SendOptions,
) -> Result<(), SendError> {
    let (now, id) = (pair.now, pair.ids[0].unwrap());
    let assoc = pair.ends[0].association_mut(now, id).unwrap();
    assoc.send_with(message, options)
}

/// A message whose bytes all say `number`.
pub(crate) fn numbered(stream: u16, number: u8, len: usize) -> Message {
    Message::new(stream, vec![number; len])
}

/// Lets time pass in which no packet arrives.
pub(crate) fn pass(pair: &mut Pair, time: Duration) {
    pair.now += time;
    let now = pair.now;
    pair.ends.iter_mut().for_each(|end| end.handle_timeout(now));
}

/// Lets time pass in which every packet arrives.
pub(crate) fn run(pair: &mut Pair, time: Duration) {
    for _ in 0..time.as_millis() {
        pair.settle();
        pass(pair, MS);
    }
    pair.settle();
}

/// What the server gives to its application: the first byte of each message.
pub(crate) fn received(pair: &mut Pair) -> Vec<u8> {
    let (now, id) = (pair.now, pair.ids[1].unwrap());
    let assoc = pair.ends[1].association_mut(now, id).unwrap();
    std::iter::from_fn(|| assoc.recv())
        .map(|m| m.payload[0])
        .collect()
}

fn report(pair: &mut Pair) {
    let (now, id) = (pair.now, pair.ids[0].unwrap());
    let assoc = pair.ends[0].association_mut(now, id).unwrap();
    assoc.report_abandoned(true);
}

/// Context, whether sent, and why, of the messages that the client gave up.
fn abandoned(pair: &mut Pair) -> Vec<(u64, bool, AbandonReason)> {
    std::iter::from_fn(|| pair.ends[0].poll_event())
        .filter_map(|(_, event)| match event {
            Event::Abandoned {
                context,
                sent,
                reason,
                ..
            } => Some((context, sent, reason)),
            _ => None,
        })
        .collect()
}

fn forwards(sent: &[Seen]) -> Vec<(Tsn, Vec<(StreamId, Ssn)>)> {
    let decode = |chunk: Chunk<'_>, _| match chunk {
        Chunk::ForwardTsn(f) => (f.new_cumulative_tsn, f.skipped.iter().collect()),
        _ => unreachable!(),
    };
    let of = |seen: &Seen| seen.with(ChunkType::FORWARD_TSN, decode);
    sent.iter().filter_map(of).collect()
}

pub(crate) fn check(pair: &Pair) {
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    client.check_invariants().unwrap();
}

pub(crate) fn is_drained(pair: &Pair) -> bool {
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    client.send_backlog() == 0
}

//= https://www.rfc-editor.org/rfc/rfc7496#section-3.1
//= type=test
//# The sender MUST abandon a user message if the number of retransmissions of any of the DATA chunks of the user message would exceed the provided limit.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# the data sender MUST send the data receiver a FORWARD TSN chunk containing the latest value of the "Advanced.Peer.Ack.Point"
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# If the chunk has a valid stream and sequence number, the sender MUST include the stream and sequence number in the FORWARD TSN.
#[test]
fn a_chunk_that_must_not_be_sent_again_is_skipped() {
    let mut pair = Pair::established();
    report(&mut pair);
    let first = pair.next_tsn[0];
    for number in 0..5 {
        let message = numbered(3, number, 1000);
        send(&mut pair, message, options(ONCE, u64::from(number))).unwrap();
    }
    let mut sent = pair.take(0);
    assert_eq!(sent.len(), 5);
    sent.remove(0);
    sent.into_iter()
        .for_each(|seen| pair.deliver(1, seen.bytes));
    assert_eq!(received(&mut pair), [0; 0]);
    let answers = pair.take(1);
    answers
        .into_iter()
        .for_each(|seen| pair.deliver(0, seen.bytes));
    let next = pair.take(0);
    assert_eq!(forwards(&next), [(first, vec![(StreamId(3), Ssn(0))])]);
    assert!(!kinds(&next).contains(&ChunkType::DATA));
    assert_eq!(
        abandoned(&mut pair),
        [(0, true, AbandonReason::Retransmissions)]
    );
    next.into_iter()
        .for_each(|seen| pair.deliver(1, seen.bytes));
    assert_eq!(received(&mut pair), [1, 2, 3, 4]);
    pair.settle();
    assert!(is_drained(&pair));
    check(&pair);
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    let counted = client.abandoned_messages(StreamId(3));
    assert_eq!((counted.sent, counted.unsent), (1, 0));
    assert_eq!(client.stats().abandoned, counted);
    assert_eq!(client.stats().retransmitted_bytes, 0);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# If a FORWARD TSN is sent, the sender MUST assure that at least one T3-rtx timer is running.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# Any time the T3-rtx timer expires, on any destination, the sender SHOULD try to advance the "Advanced.Peer.Ack.Point" by following the procedures outlined in C2 - C5.
#[test]
fn a_lost_forward_tsn_is_sent_again_and_again_until_it_is_answered() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    send(&mut pair, numbered(0, 0, 100), options(ONCE, 0)).unwrap();
    pair.take(0);
    let mut told = 0;
    for _ in 0..300 {
        pass(&mut pair, 10 * MS);
        let sent = pair.take(0);
        assert!(!kinds(&sent).contains(&ChunkType::DATA));
        for (tsn, skipped) in forwards(&sent) {
            assert_eq!((tsn, skipped), (first, vec![(StreamId(0), Ssn(0))]));
            told += 1;
        }
    }
    assert!((3..20).contains(&told), "{told} in 3 seconds");
    send(&mut pair, numbered(0, 1, 100), SendOptions::default()).unwrap();
    run(&mut pair, 3000 * MS);
    assert_eq!(received(&mut pair), [1]);
    assert!(is_drained(&pair));
    pass(&mut pair, 5000 * MS);
    assert_eq!(forwards(&pair.take(0)), [], "nothing is left to tell");
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# When a TSN is "abandoned", if it is part of a fragmented message, all other TSN's within that fragmented message MUST be abandoned at the same time.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# When a data chunk is "abandoned", the sender MUST treat the data chunk as being finally acked and no longer outstanding.
#[test]
fn a_fragmented_message_is_given_up_as_a_whole() {
    for lost in 0..4 {
        let mut pair = Pair::established();
        let first = pair.next_tsn[0];
        send(&mut pair, numbered(0, 0, 5000), options(ONCE, 0)).unwrap();
        send(&mut pair, numbered(0, 1, 1100), options(ONCE, 1)).unwrap();
        let mut sent = pair.take(0);
        assert_eq!(sent.len(), 5);
        sent.remove(lost);
        sent.into_iter()
            .for_each(|seen| pair.deliver(1, seen.bytes));
        for seen in pair.take(1) {
            pair.deliver(0, seen.bytes);
        }
        check(&pair);
        let mut told = forwards(&pair.take(0));
        for _ in 0..200 {
            pass(&mut pair, MS);
            told.extend(forwards(&pair.take(0)));
        }
        let (tsn, skipped) = told.pop().unwrap();
        assert_eq!(skipped, [(StreamId(0), Ssn(0))]);
        assert_eq!(tsn, first.add(3), "{lost} lost");
        check(&pair);
        run(&mut pair, 2000 * MS);
        assert_eq!(received(&mut pair), [1]);
        assert!(is_drained(&pair));
    }
}

#[test]
fn what_was_never_sent_of_a_message_is_given_up_with_the_rest() {
    let mut pair = Pair::established();
    report(&mut pair);
    let lifetime = Reliability::RELIABLE.with_lifetime(50 * MS);
    // More than the congestion window: the rest waits in the queue.
    send(&mut pair, numbered(0, 0, 500_000), options(lifetime, 7)).unwrap();
    let sent = pair.take(0);
    assert!(sent.len() > 3);
    // All of it arrives, so that a FORWARD-TSN to the last chunk sent would be old.
    sent.into_iter()
        .for_each(|seen| pair.deliver(1, seen.bytes));
    pair.take(1);
    pass(&mut pair, 60 * MS);
    assert_eq!(abandoned(&mut pair), [(7, true, AbandonReason::Lifetime)]);
    assert!(is_drained(&pair));
    check(&pair);
    send(&mut pair, numbered(0, 1, 100), SendOptions::default()).unwrap();
    run(&mut pair, 2000 * MS);
    assert_eq!(received(&mut pair), [1]);
    let server = pair.ends[1].association(pair.ids[1].unwrap()).unwrap();
    assert_eq!(server.stats().skipped_tsns, 1);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
//= type=test
//# Before assigning a TSN to any message, the SCTP sender MUST evaluate the lifetime of that message.
//= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
//= type=test
//# If it is expired, the SCTP sender MUST NOT assign a TSN to that message, but instead, SHOULD issue a notification to the upper layer and abandon the message.
#[test]
fn a_message_that_expires_in_the_queue_uses_no_tsn() {
    let mut pair = Pair::new();
    pair.connect();
    report(&mut pair);
    let lifetime = |ms| Reliability::RELIABLE.with_lifetime(ms * MS);
    for (number, ms) in [(0, 10), (1, 500), (2, 10), (3, 200), (4, 500)] {
        let options = options(lifetime(ms), u64::from(number));
        send(&mut pair, numbered(0, number, 100), options).unwrap();
    }
    pair.take(0);
    pass(&mut pair, 10 * MS);
    let gone = AbandonReason::Lifetime;
    assert_eq!(abandoned(&mut pair), [(0, false, gone), (2, false, gone)]);
    pass(&mut pair, 190 * MS);
    assert_eq!(abandoned(&mut pair), [(3, false, gone)]);
    run(&mut pair, 50 * MS);
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    assert_eq!(received(&mut pair), [1, 4]);
    run(&mut pair, 500 * MS);
    assert_eq!(abandoned(&mut pair), []);
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    let counted = client.stats().abandoned;
    assert_eq!((counted.sent, counted.unsent), (0, 3));
    assert_eq!(client.stats().forward_tsns_sent, 0);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
//= type=test
//# Before transmitting or retransmitting a message for which a TSN is already assigned, the SCTP sender MUST evaluate the lifetime of the message.
//= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
//= type=test
//# the SCTP sender MUST treat the message just as if it were a normal reliable SCTP message, as long as the lifetime has not yet expired.
#[test]
fn a_timed_message_is_sent_again_until_its_lifetime_has_passed() {
    let mut pair = Pair::established();
    report(&mut pair);
    let options = options(Reliability::RELIABLE.with_lifetime(900 * MS), 0);
    send(&mut pair, numbered(0, 0, 100), options).unwrap();
    let (mut last, mut count) = (pair.now, 0);
    let end = pair.now + 900 * MS;
    for _ in 0..300 {
        if kinds(&pair.take(0)).contains(&ChunkType::DATA) {
            (last, count) = (pair.now, count + 1);
        }
        pass(&mut pair, 10 * MS);
    }
    assert!(count > 1 && last < end, "{count} times, last at {last:?}");
    assert_eq!(abandoned(&mut pair), [(0, true, AbandonReason::Lifetime)]);
    run(&mut pair, 2000 * MS);
    assert_eq!(received(&mut pair), [0; 0]);
    assert!(is_drained(&pair));
}

//= https://www.rfc-editor.org/rfc/rfc7496#section-3.2
//= type=test
//# When storing a user message in the send buffer while there is not enough available space, the SCTP stack at the sender side MAY abandon other user message(s) of the same SCTP association (with the same or a different stream) with a priority lower than the provided one.
//= https://www.rfc-editor.org/rfc/rfc7496#section-3.2
//= type=test
//# User messages sent reliably are considered to have a priority higher than all messages sent with the Priority Policy.
#[test]
fn a_full_buffer_gives_up_what_ranks_lower_oldest_first() {
    let mut config = EndpointConfig::default();
    config.transport.send_buffer = 1000;
    let mut pair = Pair::with_configs([config, EndpointConfig::default()]);
    pair.connect();
    report(&mut pair);
    let ranked = |rank, context| options(Reliability::RELIABLE.with_priority(rank), context);
    for (context, rank) in [(0, 5), (1, 9), (2, 9), (3, 2)] {
        let message = numbered(context as u16, context as u8, 200);
        send(&mut pair, message, ranked(rank, context)).unwrap();
    }
    send(&mut pair, numbered(0, 4, 200), SendOptions::default()).unwrap();
    // Nothing ranks lower than the lowest, and two of 200 bytes do not make room for 500.
    let refused = send(&mut pair, numbered(0, 5, 200), ranked(9, 5));
    assert!(matches!(refused, Err(SendError::WouldBlock(_))));
    let refused = send(&mut pair, numbered(0, 6, 500), ranked(5, 6));
    assert!(matches!(refused, Err(SendError::WouldBlock(_))));
    assert_eq!(abandoned(&mut pair), []);
    send(&mut pair, numbered(0, 7, 200), ranked(5, 7)).unwrap();
    let gone = AbandonReason::Priority;
    assert_eq!(abandoned(&mut pair), [(1, false, gone)]);
    send(&mut pair, numbered(0, 8, 300), SendOptions::default()).unwrap();
    assert_eq!(abandoned(&mut pair), [(2, false, gone), (0, false, gone)]);
    run(&mut pair, 300 * MS);
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    let mut all = received(&mut pair);
    all.sort_unstable();
    assert_eq!(all, [3, 4, 7, 8]);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.2
//= type=test
//# MUST NOT send a FORWARD TSN chunk at any time during the associations life,
//= https://www.rfc-editor.org/rfc/rfc3758#section-4.1
//= type=test
//# in the base protocol, if SCTP has sent the first transmission before the lifetime expires, then the message MUST be sent as a normal reliable message.
#[test]
fn with_a_peer_that_cannot_skip_what_was_begun_is_reliable() {
    let mut config = EndpointConfig::default();
    let extensions = config.transport.extensions;
    config.transport.extensions = extensions.without(Extension::PartialReliability);
    let mut pair = Pair::with_configs([EndpointConfig::default(), config]).establish();
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    assert!(!client.can_abandon_sent());
    report(&mut pair);
    let timed = ONCE.with_lifetime(20 * MS);
    send(&mut pair, numbered(0, 0, 500_000), options(timed, 0)).unwrap();
    send(&mut pair, numbered(0, 1, 100), options(timed, 1)).unwrap();
    pair.take(0);
    pass(&mut pair, 30 * MS);
    for _ in 0..500 {
        for end in [0, 1] {
            let sent = pair.take(end);
            assert!(!kinds(&sent).contains(&ChunkType::FORWARD_TSN));
            sent.into_iter()
                .for_each(|seen| pair.deliver(1 - end, seen.bytes));
        }
        pass(&mut pair, 10 * MS);
    }
    assert_eq!(received(&mut pair), [0]);
    assert_eq!(abandoned(&mut pair), [(1, false, AbandonReason::Lifetime)]);
    assert!(is_drained(&pair));
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.2
//= type=test
//# This field MUST NOT report TSN's corresponding to DATA chunks that are marked as unordered.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.2
//= type=test
//# For ordered DATA chunks this field MUST be filled in.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# Each stream SHOULD only be reported once; this means that if multiple abandoned messages occur in the same stream, then only the highest abandoned stream sequence number is reported.
#[test]
fn each_stream_is_told_once_and_unordered_messages_never() {
    let mut pair = Pair::established();
    for (stream, unordered) in [(1, false), (2, true), (3, false), (1, false), (2, true)] {
        let message = Message {
            unordered,
            ..numbered(stream, 0, 10)
        };
        send(&mut pair, message, options(ONCE, 0)).unwrap();
    }
    pair.take(0);
    let first = pair.next_tsn[0].sub(1);
    pass(&mut pair, 3000 * MS);
    let told = forwards(&pair.take(0));
    let streams = vec![(StreamId(1), Ssn(1)), (StreamId(3), Ssn(0))];
    assert_eq!(told, [(first.add(4), streams)]);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# If the total size of the FORWARD TSN does NOT fit in a single MTU, then the sender of the FORWARD TSN SHOULD lower the Advanced.Peer.Ack.Point to the last TSN that will fit in a single MTU.
#[test]
fn more_streams_than_a_packet_can_tell_are_told_in_turn() {
    let mut config = EndpointConfig::default();
    config.transport.outbound_streams = 2048;
    let mut pair = Pair::with_configs([config, EndpointConfig::default()]).establish();
    for stream in 0..700 {
        send(&mut pair, numbered(stream, 0, 1), options(ONCE, 0)).unwrap();
    }
    // All data vanish, and acknowledgements and the rest do not.
    let mut most = 0;
    for _ in 0..3000 {
        for end in [0, 1] {
            for seen in pair.take(end) {
                assert!(seen.bytes.len() <= 1472);
                if let [(_, streams)] = &forwards(std::slice::from_ref(&seen))[..] {
                    most = most.max(streams.len());
                }
                if !seen.kinds().contains(&ChunkType::DATA) {
                    pair.deliver(1 - end, seen.bytes);
                }
            }
        }
        pass(&mut pair, 10 * MS);
    }
    assert!(most > 250, "{most} streams were told at once");
    assert!(is_drained(&pair));
    for stream in 0..700 {
        send(&mut pair, numbered(stream, 1, 1), SendOptions::default()).unwrap();
    }
    run(&mut pair, 3000 * MS);
    assert_eq!(received(&mut pair).len(), 700);
}

#[test]
fn shutdown_waits_until_the_peer_has_passed_what_was_given_up() {
    let mut pair = Pair::established();
    for number in 0..3 {
        send(&mut pair, numbered(0, number, 1100), options(ONCE, 0)).unwrap();
    }
    let mut sent = pair.take(0);
    sent.remove(1);
    sent.into_iter()
        .for_each(|seen| pair.deliver(1, seen.bytes));
    let (now, id) = (pair.now, pair.ids[0].unwrap());
    pair.ends[0].association_mut(now, id).unwrap().shutdown(now);
    assert_eq!(pair.state(0), AssocState::ShutdownPending);
    run(&mut pair, 2000 * MS);
    assert_eq!(received(&mut pair), [0, 2]);
    assert_eq!([pair.state(0), pair.state(1)], [AssocState::Closed; 2]);
}

#[test]
fn defaults_count_for_messages_without_options_of_their_own() {
    let mut pair = Pair::new();
    pair.connect();
    report(&mut pair);
    let (now, id) = (pair.now, pair.ids[0].unwrap());
    let assoc = pair.ends[0].association_mut(now, id).unwrap();
    let lifetime = |ms| Reliability::RELIABLE.with_lifetime(ms * MS);
    assoc.set_default_reliability(None, lifetime(10)).unwrap();
    assoc
        .set_default_reliability(Some(StreamId(1)), lifetime(100))
        .unwrap();
    assert!(
        assoc
            .set_default_reliability(Some(StreamId(99)), ONCE)
            .is_err()
    );
    let context = |c| SendOptions::default().with_context(c);
    send(&mut pair, numbered(0, 0, 10), context(0)).unwrap();
    send(&mut pair, numbered(1, 0, 10), context(1)).unwrap();
    send(
        &mut pair,
        numbered(1, 0, 10),
        options(Reliability::RELIABLE, 2),
    )
    .unwrap();
    pair.take(0);
    pass(&mut pair, 10 * MS);
    assert_eq!(abandoned(&mut pair), [(0, false, AbandonReason::Lifetime)]);
    pass(&mut pair, 90 * MS);
    assert_eq!(abandoned(&mut pair), [(1, false, AbandonReason::Lifetime)]);
    pass(&mut pair, 500 * MS);
    assert_eq!(abandoned(&mut pair), []);
}

#[test]
fn nobody_is_told_who_did_not_ask() {
    let mut pair = Pair::new();
    pair.connect();
    let short = Reliability::RELIABLE.with_lifetime(MS);
    send(
        &mut pair,
        Message::new(0, Bytes::from_static(b"x")),
        options(short, 0),
    )
    .unwrap();
    pair.take(0);
    pass(&mut pair, MS);
    assert_eq!(abandoned(&mut pair), []);
    let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
    assert_eq!(client.stats().abandoned.unsent, 1);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# F5) If the decision to "abandon" a chunk is made, no matter how such a decision is made, the appropriate congestion adjustment MUST be made as specified in RFC 2960 if the chunk would have been marked for retransmission later (e.g., either by T3-Timeout or by Fast Retransmit).
//= https://www.rfc-editor.org/rfc/rfc7496#section-3.1
//= type=test
//# The sender MUST perform all other actions required for processing the retransmission event, such as adapting the congestion window and the retransmission timeout.
#[test]
fn what_is_given_up_instead_of_sent_again_costs_the_window_and_the_patience_as_well() {
    let path = |pair: &Pair| {
        let client = pair.ends[0].association(pair.ids[0].unwrap()).unwrap();
        client.paths().next().unwrap()
    };
    for arrives in [true, false] {
        let mut pair = Pair::established();
        let before = path(&pair);
        for number in 0..5 {
            let message = numbered(0, number, 1000);
            send(&mut pair, message, options(ONCE, 0)).unwrap();
        }
        let sent = pair.take(0);
        if arrives {
            // All but the first.
            sent.into_iter()
                .skip(1)
                .for_each(|seen| pair.deliver(1, seen.bytes));
            pair.take(1)
                .into_iter()
                .for_each(|seen| pair.deliver(0, seen.bytes));
        } else {
            while path(&pair).timeouts == 0 {
                pair.next_timeout(0);
            }
            assert!(path(&pair).rto >= 2 * before.rto);
        }
        let after = path(&pair);
        assert!(after.cwnd < before.cwnd, "{after:?}");
        assert_eq!(after.retransmitted_bytes, 0);
    }
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
//= type=test
//# IMPLEMENTATION NOTE: It is an implementation decision as to which destination address it is to be sent to, the only restriction being that the address MUST be one that is CONFIRMED.
#[test]
fn nobody_is_told_at_an_address_that_is_not_confirmed() {
    let mut pair = Pair::established();
    let (now, id) = (pair.now, pair.ids[0].unwrap());
    let first = crate::pair::address(0);
    let mut second = first;
    second.set_port(9900);
    let client = pair.ends[0].association_mut(now, id).unwrap();
    client.add_path(now, second, None).unwrap();
    pair.take(0);
    for number in 0..5 {
        let message = numbered(0, number, 1000);
        send(&mut pair, message, options(ONCE, 0)).unwrap();
    }
    // Nothing arrives.
    let (mut told, mut elsewhere) = (0, 0);
    let mut buf = Vec::new();
    while let Some(at) = pair.ends[0].poll_timeout() {
        while let Some(transmit) = pair.ends[0].poll_transmit(pair.now, 1, &mut buf) {
            let seen = Seen {
                header: crate::pair::no_header(),
                bytes: Bytes::copy_from_slice(&buf[..transmit.size]),
            };
            let tells = seen.kinds().contains(&ChunkType::FORWARD_TSN);
            assert!(!tells || transmit.path.local == first);
            told += usize::from(tells);
            elsewhere += usize::from(transmit.path.local == second);
        }
        pair.now = pair.now.max(at);
        pair.ends[0].handle_timeout(pair.now);
    }
    assert!(told > 0 && elsewhere > 0, "{told} {elsewhere}");
}
