//! Requests of the peer and their answers (RFC 6525, section 5.2).

use manyway_proto::{AssocState, EndpointConfig, Event, ReconfigPolicy, StreamDirection};
use manyway_wire::{Chunk, ChunkType, EncodeChunk, ReconfigResult};

use crate::pair::{Pair, causes_of, kinds};
use crate::support::{
    Param, add_in, add_out, answer, assoc, chunk, chunks, command, events, ids, in_reset, only,
    out_reset, read, result, send, stats, tsn_reset,
};

//= https://www.rfc-editor.org/rfc/rfc6525#section-4.1
//= type=test
//# It is a monotonically increasing number that is initialized to the same value as the initial TSN.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.7
//= type=test
//# D1: The Re-configuration Request Sequence number of the incoming request MUST be copied to the Re-configuration Response Sequence Number field of the Re-configuration Response Parameter.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
//= type=test
//# If the received RE-CONFIG chunk contains at least one request parameter, a selective acknowledgment (SACK) chunk SHOULD be sent back and MAY be bundled with the RE-CONFIG chunk.
#[test]
fn the_first_request_has_the_number_of_the_initial_tsn() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    let seen = pair.inject(&[&chunk(&[add_out(first, 1)])]);
    let performed = Param::Answer(first, ReconfigResult::PERFORMED, None);
    assert_eq!(only(&seen), performed);
    let sacks = [ChunkType::SACK, ChunkType::NR_SACK];
    assert!(kinds(&seen).iter().any(|kind| sacks.contains(kind)));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
//= type=test
//# If the received RE-CONFIG chunk contains at least one request and based on the analysis of the Re-configuration Request Sequence Numbers this is the last received RE-CONFIG chunk (i.e., a retransmission), the same RE-CONFIG chunk MUST to be sent back in response, as it was earlier.
#[test]
fn a_repeated_request_is_answered_as_before_and_not_done_again() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    let before = pair.inject(&[&chunk(&[add_out(first, 3)])]);
    let again = pair.inject(&[&chunk(&[add_out(first, 3)])]);
    assert_eq!(chunks(&before), chunks(&again));
    let added = Event::StreamsAdded {
        direction: StreamDirection::Incoming,
        count: 3,
    };
    assert_eq!(events(&mut pair, 1), [added]);
}

#[test]
fn other_numbers_are_bad() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    for wrong in [first.wrapping_sub(1), first.wrapping_add(1)] {
        let seen = pair.inject(&[&chunk(&[add_out(wrong, 3)])]);
        assert_eq!(result(&seen), ReconfigResult::BAD_SEQUENCE_NUMBER);
    }
    assert_eq!(stats(&mut pair, 1).reconfig_refused, 2);
    assert_eq!(events(&mut pair, 1), []);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-3.1
//= type=test
//# If a sender transmits an unsupported combination, the receiver SHOULD send an ERROR chunk with a Protocol Violation cause
#[test]
fn unsupported_combinations_are_errors_and_nothing_is_done() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    for parameters in [
        vec![],
        vec![add_out(first, 1), add_out(first + 1, 1)],
        vec![tsn_reset(first), add_in(first + 1, 1)],
    ] {
        let seen = pair.inject(&[&chunk(&parameters)]);
        assert_eq!(causes_of(&seen, ChunkType::ERROR), [13], "{parameters:?}");
        assert_eq!(chunks(&seen), Vec::<Vec<Param>>::new());
    }
    assert_eq!(events(&mut pair, 1), []);
    assert_eq!(pair.state(1), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
//= type=test
//# If multiple parameters have to be returned, they MUST be put into one RE_CONFIG chunk.
#[test]
fn two_requests_are_answered_in_one_chunk() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    let seen = pair.inject(&[&chunk(&[add_out(first, 1), add_in(first + 1, 0)])]);
    let answers = vec![
        Param::Answer(first, ReconfigResult::PERFORMED, None),
        Param::Answer(first + 1, ReconfigResult::NOTHING_TO_DO, None),
    ];
    assert_eq!(chunks(&seen), [answers]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.5
//= type=test
//# The SCTP endpoint SHOULD deny the request if the number of streams exceeds a limit that should be configurable by the application.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.6
//= type=test
//# The SCTP endpoint SHOULD deny the request if the number of streams exceeds a limit that should be configurable by the application.
#[test]
fn streams_are_added_up_to_the_limit() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    // 16 each way are there.
    let policy = ReconfigPolicy {
        max_inbound_streams: 20,
        max_outbound_streams: 20,
        ..ReconfigPolicy::default()
    };
    assoc(&mut pair, 1).set_reconfig_policy(policy).unwrap();
    for (ahead, count, wanted) in [
        (0, 5, ReconfigResult::DENIED),
        (1, 4, ReconfigResult::PERFORMED),
        (2, 1, ReconfigResult::DENIED),
        (3, 0, ReconfigResult::NOTHING_TO_DO),
        (4, u16::MAX, ReconfigResult::DENIED),
    ] {
        let seen = pair.inject(&[&chunk(&[add_out(first + ahead, count)])]);
        assert_eq!(result(&seen), wanted, "{count} more");
    }
    let seen = pair.inject(&[&chunk(&[add_in(first + 5, 5)])]);
    assert_eq!(result(&seen), ReconfigResult::DENIED);
    assert_eq!(stats(&mut pair, 1).reconfig_refused, 4);
    // The new streams are there, and no others.
    let mut data = pair.data(0, 0);
    data.stream = ids(&[19])[0];
    assert!(!kinds(&pair.inject(&[&data])).contains(&ChunkType::ERROR));
    data.tsn = data.tsn.next();
    data.stream = ids(&[20])[0];
    assert!(kinds(&pair.inject(&[&data])).contains(&ChunkType::ERROR));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.6
//= type=test
//# When an SCTP endpoint receives a re-configuration request adding additional incoming streams, it MUST either send a response parameter denying the request or send a corresponding Add Outgoing Streams Request Parameter, following the rules given in Section 5.1.5.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.5
//= type=test
//# Upon sending the request, the sender MUST await a positive acknowledgment (Success) before using any additional stream added by this request.
#[test]
fn a_peer_that_wants_more_incoming_streams_gets_them_by_a_request() {
    let mut pair = Pair::established();
    let (first, ours) = (pair.next_tsn[0].0, pair.next_tsn[1].0);
    let seen = pair.inject(&[&chunk(&[add_in(first, 4)])]);
    let all: Vec<Param> = chunks(&seen).into_iter().flatten().collect();
    let performed = Param::Answer(first, ReconfigResult::PERFORMED, None);
    assert!(all.contains(&Param::AddOut(ours, 4)), "{all:?}");
    assert!(all.contains(&performed), "{all:?}");
    let message = || manyway_proto::Message::new(16, "on a new stream");
    assert!(assoc(&mut pair, 1).send(message()).is_err());
    pair.inject(&[&chunk(&[answer(ours, ReconfigResult::PERFORMED)])]);
    assoc(&mut pair, 1).send(message()).unwrap();
    let added = Event::StreamsAdded {
        direction: StreamDirection::Outgoing,
        count: 4,
    };
    assert_eq!(events(&mut pair, 1), [added]);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.1
//= type=test
//# If for whatever reason the endpoint does not wish to process a received request parameter, it MUST send a corresponding response parameter as described in Section 5.1.7, with an appropriate Result field.
#[test]
fn what_the_policy_does_not_allow_is_denied_and_counted() {
    let mut config = EndpointConfig::default();
    config.transport.reconfig = ReconfigPolicy::DENY_ALL;
    let mut pair = Pair::with_configs([EndpointConfig::default(), config]).establish();
    let (first, last) = (pair.next_tsn[0].0, pair.next_tsn[0].sub(1));
    send(&mut pair, 1, 0, "so that there is something to reset");
    pair.settle();
    let requests = [
        out_reset(first, last, &[]),
        in_reset(first + 1, &[]),
        tsn_reset(first + 2),
        add_out(first + 3, 1),
        add_in(first + 4, 1),
    ];
    for request in requests {
        let seen = pair.inject(&[&chunk(&[request])]);
        assert_eq!(result(&seen), ReconfigResult::DENIED, "{request:?}");
    }
    assert_eq!(stats(&mut pair, 1).reconfig_refused, 5);
    assert_eq!(events(&mut pair, 1), []);
}

#[test]
fn streams_that_do_not_exist_or_too_many_are_refused() {
    let mut pair = Pair::established();
    let (first, last) = (pair.next_tsn[0].0, pair.next_tsn[0].sub(1));
    let many = ids(&[1; 17]);
    for (ahead, streams) in [(0, ids(&[0, 16])), (2, many)] {
        let seen = pair.inject(&[&chunk(&[out_reset(first + ahead, last, &streams)])]);
        assert_eq!(result(&seen), ReconfigResult::WRONG_SSN);
        let seen = pair.inject(&[&chunk(&[in_reset(first + ahead + 1, &streams)])]);
        assert_eq!(result(&seen), ReconfigResult::WRONG_SSN);
    }
    assert_eq!(events(&mut pair, 1), []);
}

#[test]
fn a_last_tsn_that_nobody_can_have_assigned_is_denied() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let request = out_reset(first.0, first.add(1 << 30), &[]);
    let seen = pair.inject(&[&chunk(&[request])]);
    assert_eq!(result(&seen), ReconfigResult::DENIED);
}

#[test]
fn a_second_request_while_the_first_is_in_progress_is_refused() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let seen = pair.inject(&[&chunk(&[out_reset(first.0, first, &[])])]);
    assert_eq!(result(&seen), ReconfigResult::IN_PROGRESS);
    let seen = pair.inject(&[&chunk(&[out_reset(first.0 + 1, first, &[])])]);
    assert_eq!(result(&seen), ReconfigResult::REQUEST_IN_PROGRESS);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
//= type=test
//# An SCTP endpoint supporting this extension MUST include the chunk type of the RE-CONFIG chunk in the Supported Extensions Parameter in either the INIT or INIT-ACK.
#[test]
fn the_extension_is_announced() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0);
    let listed = init[0].with(ChunkType::INIT, |chunk, _| match chunk {
        Chunk::Init(init) => init.parameters.iter().flatten().any(|p| {
            matches!(p, manyway_wire::Parameter::SupportedExtensions(kinds)
                if kinds.contains(&ChunkType::RE_CONFIG.0))
        }),
        _ => unreachable!(),
    });
    assert_eq!(listed, Some(true));
}

#[test]
fn without_the_extension_the_chunk_is_unknown_and_skipped() {
    let mut config = EndpointConfig::default();
    let extensions = config.transport.extensions;
    let without = extensions.without(manyway_proto::Extension::StreamReconfig);
    config.transport.extensions = without;
    let mut pair = Pair::with_configs([EndpointConfig::default(), config]).establish();
    let (first, data) = (pair.next_tsn[0].0, pair.data(0, 0));
    let request = chunk(&[add_out(first, 1)]);
    let seen = pair.inject(&[&request as &dyn EncodeChunk, &data]);
    assert_eq!(chunks(&seen), Vec::<Vec<Param>>::new());
    assert!(stats(&mut pair, 1).bytes_received > 0);
    //= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
    //= type=test
    //# then the sender MUST NOT send any re-configuration request to the peer, and any request by the application for such service SHOULD be responded to with an appropriate error indicating that the peer SCTP stack does not support the re-configuration extension.
    let refused = command(&mut pair, 0, |now, a| a.reset_streams(now, &[]));
    assert_eq!(refused, Err(manyway_proto::ReconfigError::NotSupported));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.1
//= type=test
//# If it contains no request parameters, the Re-configuration Timer MUST NOT be started.
#[test]
fn an_answer_is_not_repeated_by_itself() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0].0;
    assert_eq!(
        chunks(&pair.inject(&[&chunk(&[add_out(first, 1)])])).len(),
        1
    );
    let later = pair.now + std::time::Duration::from_secs(20);
    while pair.ends[1].poll_timeout().is_some_and(|at| at < later) {
        pair.next_timeout(1);
        assert_eq!(chunks(&pair.take(1)), Vec::<Vec<Param>>::new());
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.5
//= type=test
//# A new stream MUST use SSN 0 for its first ordered message.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.6
//= type=test
//# A new stream MUST use SSN 0 for its first ordered message.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.5
//= type=test
//# If the response is successful, the receiver MUST add the requested number of inbound streams to the association, initializing the next expected SSN to 0.
#[test]
fn new_streams_begin_at_zero() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0].0, pair.next_tsn[1].0);
    pair.inject(&[&chunk(&[add_out(theirs, 1)])]);
    let (mut one, mut two) = (pair.data(1, 1), pair.data(0, 0));
    one.stream = ids(&[16])[0];
    two.stream = ids(&[16])[0];
    one.payload = b"second";
    pair.inject(&[&one]);
    assert_eq!(read(&mut pair, 1), Vec::<String>::new());
    pair.inject(&[&two]);
    assert_eq!(read(&mut pair, 1), ["hello", "second"]);

    command(&mut pair, 1, |now, a| a.add_streams(now, 1, 0)).unwrap();
    assert_eq!(only(&pair.take(1)), Param::AddOut(ours, 1));
    let refused = assoc(&mut pair, 1).send(manyway_proto::Message::new(16, "too early"));
    assert!(refused.is_err());
    pair.inject(&[&chunk(&[answer(ours, ReconfigResult::PERFORMED)])]);
    send(&mut pair, 1, 16, "first");
    let number = pair.take(1).iter().find_map(|seen| {
        seen.with(ChunkType::DATA, |chunk, _| match chunk {
            Chunk::Data(data) => (data.stream.0, data.ssn.0),
            _ => unreachable!(),
        })
    });
    assert_eq!(number, Some((16, 0)));
}
