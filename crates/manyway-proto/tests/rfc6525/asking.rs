//! Requests of this side (RFC 6525, section 5.1) and the answers to them (section 5.2.7).

use std::time::Duration;

use manyway_proto::{
    AssocState, CloseReason, Event, Message, ReconfigError, ReconfigFailure, ReconfigRequest,
    StreamDirection,
};
use manyway_wire::{ChecksumPolicy, Chunk, Packet, ReconfigResult};

use crate::pair::Pair;
use crate::support::{
    Param, add_out, answer, assoc, chunk, chunks, command, events, expire, ids, in_reset, only,
    out_reset, send,
};

/// The server asks, the test answers.
fn reset(pair: &mut Pair, streams: &[u16]) {
    command(pair, 1, |now, a| a.reset_streams(now, &ids(streams))).unwrap();
}

/// A pair in which nothing but requests is repeated.
fn without_heartbeats() -> Pair {
    let mut config = manyway_proto::EndpointConfig::default();
    config.transport.heartbeat_interval = Duration::from_secs(100_000);
    Pair::with_configs([config.clone(), config]).establish()
}

fn reset_event(streams: &[u16]) -> Event {
    Event::StreamsReset {
        direction: StreamDirection::Outgoing,
        streams: ids(streams),
    }
}

/// Streams and numbers of the messages in these packets.
fn numbers(seen: &[crate::pair::Seen]) -> Vec<(u16, u16)> {
    let all = seen.iter().filter_map(|s| {
        s.with(manyway_wire::ChunkType::DATA, |chunk, _| match chunk {
            manyway_wire::Chunk::Data(data) => (data.stream.0, data.ssn.0),
            _ => unreachable!(),
        })
    });
    all.collect()
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
//= type=test
//# A1: The sender MUST stop assigning new SSNs to new user data provided by the upper layer for the affected streams and queue it.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
//= type=test
//# A3: The Sender's Last Assigned TSN MUST be set to the next TSN the sender assigns minus 1.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# H4: If the request was an Outgoing SSN Reset Request, the affected streams MUST now be reset and all queued data should now be processed. The assigning of SSNs is allowed again.
#[test]
fn a_reset_waits_for_what_was_sent_and_holds_what_comes() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    send(&mut pair, 1, 1, "before");
    reset(&mut pair, &[1]);
    send(&mut pair, 1, 1, "after");
    send(&mut pair, 1, 2, "elsewhere");
    let seen = pair.take(1);
    assert_eq!(numbers(&seen), [(1, 0)]);
    assert_eq!(
        chunks(&seen),
        Vec::<Vec<Param>>::new(),
        "not acknowledged yet"
    );
    let sack = pair.sack(first.add(1));
    let expected = Param::Out {
        request: first.0,
        response: pair.next_tsn[0].sub(1).0,
        last: first.add(1),
        streams: ids(&[1]),
    };
    let seen = pair.inject(&[&sack]);
    assert_eq!(only(&seen), expected);
    assert_eq!(numbers(&seen), []);
    let done = chunk(&[answer(first.0, ReconfigResult::PERFORMED)]);
    assert_eq!(numbers(&pair.inject(&[&done])), [(1, 0)]);
    assert_eq!(events(&mut pair, 1), [reset_event(&[1])]);
}

/// The I bits of the DATA chunks of a stream, in order.
fn i_bits(seen: &[crate::pair::Seen], stream: u16) -> Vec<bool> {
    let mut bits = Vec::new();
    for seen in seen {
        let packet = Packet::decode(&seen.bytes, ChecksumPolicy::Verify).unwrap();
        for raw in packet.chunks().flatten() {
            if let Ok(Chunk::Data(data)) = Chunk::decode(&raw)
                && data.stream.0 == stream
            {
                bits.push(data.flags.immediate);
            }
        }
    }
    bits
}

//= https://www.rfc-editor.org/rfc/rfc7053#section-5.1
//= type=test
//# The sending of an Outgoing SSN Reset Request Parameter or an SSN/TSN Reset Request Parameter is pending, if the association supports the Stream Reconfiguration extension defined in [RFC6525].
#[test]
fn what_a_reset_waits_for_asks_for_its_acknowledgement() {
    for resets in [false, true] {
        let mut pair = Pair::established();
        send(&mut pair, 1, 1, "one");
        send(&mut pair, 1, 1, "last");
        let bulk = Message::new(2, vec![0; 50_000]);
        assoc(&mut pair, 1).send(bulk).unwrap();
        if resets {
            reset(&mut pair, &[1, 3]);
        }
        let seen = pair.take(1);
        assert_eq!(i_bits(&seen, 1), [false, resets]);
        assert!(!i_bits(&seen, 2).contains(&true), "there is more of it");
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# H3: If the Result field does not indicate successful processing, the processing of this response is complete.
#[test]
fn a_refused_reset_changes_nothing_and_is_reported() {
    for (result, failure) in [
        (ReconfigResult::DENIED, ReconfigFailure::Denied),
        (ReconfigResult::WRONG_SSN, ReconfigFailure::WrongStream),
        (
            ReconfigResult::BAD_SEQUENCE_NUMBER,
            ReconfigFailure::BadSequenceNumber,
        ),
        (ReconfigResult(77), ReconfigFailure::Other(77)),
    ] {
        let mut pair = Pair::established();
        let first = pair.next_tsn[1];
        send(&mut pair, 1, 1, "before");
        pair.settle();
        reset(&mut pair, &[1]);
        send(&mut pair, 1, 1, "after");
        pair.take(1);
        let seen = pair.inject(&[&chunk(&[answer(first.0, result)])]);
        assert_eq!(numbers(&seen), [(1, 1)], "{result:?}");
        let request = ReconfigRequest::ResetOutgoing(ids(&[1]));
        let failed = Event::ReconfigFailed { request, failure };
        assert_eq!(events(&mut pair, 1), [failed]);
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
//= type=test
//# If the timer expires, besides doubling the value, the sender MUST retransmit the RE-CONFIG chunk, increment the appropriate error counts (for both the association and the destination), and perform threshold management, possibly destroying the association if SCTP retransmission thresholds are exceeded.
#[test]
fn an_unanswered_request_is_repeated_ever_more_slowly_until_the_peer_is_given_up() {
    let mut pair = without_heartbeats();
    reset(&mut pair, &[]);
    let first = only(&pair.take(1));
    let mut repeated = vec![pair.now];
    while pair.state(1) != AssocState::Closed {
        expire(&mut pair, 1);
        let seen = pair.take(1);
        if let [again] = &chunks(&seen)[..] {
            assert_eq!(again[..], *std::slice::from_ref(&first));
            repeated.push(pair.now);
        }
    }
    let gaps: Vec<Duration> = repeated.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.len() > 3, "{gaps:?}");
    assert!(
        gaps.windows(2).take(4).all(|w| w[1] == 2 * w[0]),
        "{gaps:?}"
    );
    assert_eq!(pair.end_of(1), Some(CloseReason::PeerUnreachable));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# H2: If the Result field indicates "In progress", the timer for the Re-configuration Request Sequence Number is started again. If the timer runs out, the RE-CONFIG chunk MUST be retransmitted but the corresponding error counters MUST NOT be incremented.
#[test]
fn a_request_in_progress_is_repeated_without_counting_errors() {
    let mut pair = without_heartbeats();
    let first = pair.next_tsn[1];
    reset(&mut pair, &[]);
    let request = only(&pair.take(1));
    for _ in 0..100 {
        let seen = pair.inject(&[&chunk(&[answer(first.0, ReconfigResult::IN_PROGRESS)])]);
        assert_eq!(chunks(&seen), Vec::<Vec<Param>>::new());
        let mut seen = Vec::new();
        while chunks(&seen).is_empty() {
            expire(&mut pair, 1);
            seen = pair.take(1);
        }
        assert_eq!(only(&seen), request);
    }
    assert_eq!(pair.state(1), AssocState::Established);
    let path = assoc(&mut pair, 1).paths().next().unwrap();
    assert_eq!(path.state, manyway_proto::PathState::Active);
    pair.inject(&[&chunk(&[answer(first.0, ReconfigResult::PERFORMED)])]);
    assert_eq!(events(&mut pair, 1), [reset_event(&[])]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
//= type=test
//# At any given time, there MUST NOT be more than one request in flight.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
//= type=test
//# The next re-configuration request sequence number MUST then be incremented by 1.
#[test]
fn only_one_chunk_of_requests_is_in_flight() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1].0;
    reset(&mut pair, &[3]);
    command(&mut pair, 1, |now, a| a.add_streams(now, 1, 2)).unwrap();
    command(&mut pair, 1, |now, a| a.reset_streams(now, &ids(&[4]))).unwrap();
    command(&mut pair, 1, |now, a| {
        a.request_stream_reset(now, &ids(&[5]))
    })
    .unwrap();
    assert_eq!(only(&pair.take(1)).number(), first);
    // Those that may go together do (section 3.1).
    let seen = pair.inject(&[&chunk(&[answer(first, ReconfigResult::PERFORMED)])]);
    let adds = vec![Param::AddOut(first + 1, 1), Param::AddIn(first + 2, 2)];
    assert_eq!(chunks(&seen), [adds]);
    let half = chunk(&[answer(first + 1, ReconfigResult::PERFORMED)]);
    assert_eq!(chunks(&pair.inject(&[&half])), Vec::<Vec<Param>>::new());
    let rest = chunk(&[answer(first + 2, ReconfigResult::DENIED)]);
    let seen = pair.inject(&[&rest]);
    let [resets] = &chunks(&seen)[..] else {
        panic!()
    };
    assert!(matches!(&resets[0], Param::Out { request, streams, .. }
        if *request == first + 3 && *streams == ids(&[4])));
    let incoming = Param::In {
        request: first + 4,
        streams: ids(&[5]),
    };
    assert_eq!(resets[1], incoming);
    let added = Event::StreamsAdded {
        direction: StreamDirection::Outgoing,
        count: 1,
    };
    let denied = Event::ReconfigFailed {
        request: ReconfigRequest::AddIncoming(2),
        failure: ReconfigFailure::Denied,
    };
    assert_eq!(events(&mut pair, 1), [reset_event(&[3]), added, denied]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# If the timer was not running for the Re-configuration Request Sequence Number, the processing of the Re-configuration Response Parameter is complete.
#[test]
fn answers_to_nothing_and_answers_twice_change_nothing() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1].0;
    let done = chunk(&[answer(first, ReconfigResult::PERFORMED)]);
    pair.inject(&[&done]);
    command(&mut pair, 1, |now, a| a.add_streams(now, 1, 0)).unwrap();
    pair.take(1);
    pair.inject(&[&chunk(&[answer(first + 1, ReconfigResult::PERFORMED)])]);
    pair.inject(&[&done]);
    pair.inject(&[&done]);
    assert_eq!(events(&mut pair, 1).len(), 1);
    assert!(assoc(&mut pair, 1).send(Message::new(17, "x")).is_err());
}

#[test]
fn nothing_to_do_is_reported() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1].0;
    command(&mut pair, 1, |now, a| a.request_stream_reset(now, &[])).unwrap();
    pair.take(1);
    pair.inject(&[&chunk(&[answer(first, ReconfigResult::NOTHING_TO_DO)])]);
    let request = ReconfigRequest::ResetIncoming(vec![]);
    assert_eq!(
        events(&mut pair, 1),
        [Event::ReconfigNothingToDo { request }]
    );
}

#[test]
fn what_cannot_be_asked_is_an_error() {
    let mut pair = Pair::established();
    let refused = command(&mut pair, 0, |now, a| a.reset_streams(now, &ids(&[3, 16])));
    assert_eq!(refused, Err(ReconfigError::InvalidStream(16)));
    let refused = command(&mut pair, 0, |now, a| {
        a.request_stream_reset(now, &ids(&[16]))
    });
    assert_eq!(refused, Err(ReconfigError::InvalidStream(16)));
    for (outgoing, incoming) in [(u16::MAX, 0), (0, u16::MAX)] {
        let refused = command(&mut pair, 0, |now, a| {
            a.add_streams(now, outgoing, incoming)
        });
        assert_eq!(refused, Err(ReconfigError::TooManyStreams));
    }
    let many = command(&mut pair, 0, |now, a| {
        (0..50)
            .map(|_| a.reset_streams(now, &[]))
            .filter(Result::is_ok)
            .count()
    });
    // One is in flight.
    assert_eq!(many, 33);
    command(&mut pair, 0, |now, a| a.shutdown(now));
    let refused = command(&mut pair, 0, |now, a| a.reset_streams(now, &[]));
    assert_eq!(refused, Err(ReconfigError::Closing));
    let mut pair = Pair::new();
    pair.connect();
    let refused = command(&mut pair, 0, |now, a| a.reset_streams(now, &[]));
    assert_eq!(refused, Err(ReconfigError::NotEstablished));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
//= type=test
//# F1: An Outgoing SSN Reset Request Parameter MUST be put into a RE-CONFIG chunk according to Section 5.1.2.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
//= type=test
//# A4: If this Outgoing SSN Reset Request Parameter is sent in response to an Incoming SSN Reset Request Parameter, the stream numbers MUST be copied from the Incoming SSN Reset Request Parameter to the Outgoing SSN Reset Request Parameter. The Re-configuration Response Sequence Number of the Outgoing SSN Reset Request Parameter MUST be the Re-configuration Request Sequence Number of the Incoming SSN Reset Request Parameter.
#[test]
fn an_incoming_reset_is_answered_by_an_outgoing_one() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0].0, pair.next_tsn[1]);
    send(&mut pair, 1, 2, "a message");
    pair.settle();
    let request = chunk(&[in_reset(theirs, &ids(&[2, 4]))]);
    let expected = Param::Out {
        request: ours.0,
        response: theirs,
        last: ours,
        streams: ids(&[2, 4]),
    };
    assert_eq!(only(&pair.inject(&[&request])), expected);
    assert_eq!(
        only(&pair.inject(&[&request])),
        expected,
        "also when asked again"
    );
    pair.inject(&[&chunk(&[answer(ours.0, ReconfigResult::PERFORMED)])]);
    let again = Param::Answer(theirs, ReconfigResult::PERFORMED, None);
    assert_eq!(only(&pair.inject(&[&request])), again);
    assert_eq!(events(&mut pair, 1), [reset_event(&[2, 4])]);
}

#[test]
fn an_incoming_reset_waits_for_what_is_on_its_way() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0].0, pair.next_tsn[1]);
    send(&mut pair, 1, 2, "a message");
    pair.take(1);
    let request = chunk(&[in_reset(theirs, &ids(&[2]))]);
    let progress = Param::Answer(theirs, ReconfigResult::IN_PROGRESS, None);
    assert_eq!(only(&pair.inject(&[&request])), progress);
    send(&mut pair, 1, 2, "held");
    let sack = pair.sack(ours);
    let seen = pair.inject(&[&sack]);
    assert!(matches!(only(&seen), Param::Out { response, .. } if response == theirs));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.3
//= type=test
//# In such a case, all of the streams being requested will be already set to 0. If so, the local endpoint SHOULD send back a Re-configuration Response with the success code "Nothing to do".
#[test]
fn streams_at_zero_need_no_reset() {
    let mut pair = Pair::established();
    let theirs = pair.next_tsn[0].0;
    send(&mut pair, 1, 2, "a message");
    pair.settle();
    let seen = pair.inject(&[&chunk(&[in_reset(theirs, &ids(&[1]))])]);
    let nothing = Param::Answer(theirs, ReconfigResult::NOTHING_TO_DO, None);
    assert_eq!(only(&seen), nothing);
    let seen = pair.inject(&[&chunk(&[in_reset(theirs + 1, &[])])]);
    assert!(
        matches!(only(&seen), Param::Out { .. }),
        "not all are at zero"
    );
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.2
//= type=test
//# The Outgoing SSN Reset Request Parameter MAY be put together with either an Incoming SSN Reset Request Parameter or a Re-configuration Response Parameter, but not with both.
#[test]
fn an_answer_and_the_reset_that_was_asked_for_share_a_chunk() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0].0, pair.next_tsn[1]);
    let last = pair.next_tsn[0].sub(1);
    send(&mut pair, 1, 2, "a message");
    pair.settle();
    let request = chunk(&[out_reset(theirs, last, &[]), in_reset(theirs + 1, &[])]);
    let both = vec![
        Param::Answer(theirs, ReconfigResult::PERFORMED, None),
        Param::Out {
            request: ours.0,
            response: theirs + 1,
            last: ours,
            streams: vec![],
        },
    ];
    assert_eq!(chunks(&pair.inject(&[&request])), [both]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
//= type=test
//# E1: If the Re-configuration Timer is running for the Re-configuration Request Sequence Number indicated in the Re-configuration Response Sequence Number field, the Re-configuration Request Sequence Number MUST be marked as acknowledged.
#[test]
fn the_peers_own_request_answers_ours() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0], pair.next_tsn[1].0);
    command(&mut pair, 1, |now, a| {
        a.request_stream_reset(now, &ids(&[1]))
    })
    .unwrap();
    pair.take(1);
    let streams = ids(&[1]);
    let reset = manyway_wire::ReconfigParameter::OutgoingSsnReset {
        request: manyway_wire::ReconfigSerial(theirs.0),
        response: manyway_wire::ReconfigSerial(ours),
        last_tsn: theirs.sub(1),
        streams: manyway_wire::StreamIds::new(&streams),
    };
    let seen = pair.inject(&[&chunk(&[reset])]);
    let done = Param::Answer(theirs.0, ReconfigResult::PERFORMED, None);
    assert_eq!(only(&seen), done);
    // Nothing is in flight any more: the next request may leave.
    command(&mut pair, 1, |now, a| a.add_streams(now, 0, 3)).unwrap();
    assert_eq!(only(&pair.take(1)), Param::AddIn(ours + 1, 3));
    pair.inject(&[&chunk(&[add_out(theirs.0 + 1, 3)])]);
    command(&mut pair, 1, |now, a| a.add_streams(now, 1, 0)).unwrap();
    assert_eq!(only(&pair.take(1)), Param::AddOut(ours + 2, 1));
    let events = events(&mut pair, 1);
    let reset = Event::StreamsReset {
        direction: StreamDirection::Incoming,
        streams: ids(&[1]),
    };
    let added = Event::StreamsAdded {
        direction: StreamDirection::Incoming,
        count: 3,
    };
    assert_eq!(events, [reset, added]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.4
//= type=test
//# C3: The SSN/TSN Reset Request Parameter MUST be put into a RE-CONFIG chunk. There MUST NOT be any other parameter in this chunk.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# If all Re-configuration Request Sequence Numbers for which the Re-configuration Timer is running are acknowledged, the Re-configuration Timer MUST be stopped.
#[test]
fn an_answered_request_is_not_repeated() {
    let mut pair = without_heartbeats();
    let first = pair.next_tsn[1].0;
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    command(&mut pair, 1, |now, a| a.add_streams(now, 1, 0)).unwrap();
    assert_eq!(only(&pair.take(1)), Param::All(first), "alone in its chunk");
    let seen = pair.inject(&[&chunk(&[answer(first, ReconfigResult::DENIED)])]);
    assert_eq!(only(&seen), Param::AddOut(first + 1, 1));
    pair.inject(&[&chunk(&[answer(first + 1, ReconfigResult::PERFORMED)])]);
    let later = pair.now + Duration::from_secs(20);
    while pair.ends[1].poll_timeout().is_some_and(|at| at < later) {
        expire(&mut pair, 1);
        assert_eq!(chunks(&pair.take(1)), Vec::<Vec<Param>>::new());
    }
    assert_eq!(pair.state(1), AssocState::Established);
}
