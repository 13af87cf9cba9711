//! Resets as the receiver sees them: deferred until all is there, and the reset of TSNs.

use std::time::Duration;

use manyway_proto::{Event, PartStatus, ReconfigError, StreamDirection};
use manyway_wire::{DataFlags, NextTsns, ReconfigResult, StreamId, Tsn};

use crate::pair::{MS, Pair};
use crate::support::{
    Param, answer, assoc, chunk, chunks, command, events, ids, only, out_reset, read, result, send,
    settle_reading, stats, tsn_reset,
};

fn incoming(streams: &[u16]) -> Event {
    Event::StreamsReset {
        direction: StreamDirection::Incoming,
        streams: ids(streams),
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
//= type=test
//# E3: If no stream numbers are listed in the parameter, then all incoming streams MUST be reset to 0 as the next expected SSN. If specific stream numbers are listed, then only these specific streams MUST be reset to 0, and all other non-listed SSNs remain unchanged.
#[test]
fn listed_streams_or_all_of_them_begin_at_zero_again() {
    for streams in [vec![], ids(&[0])] {
        let mut pair = Pair::established();
        let first = pair.next_tsn[0];
        let (mut one, mut two) = (pair.data(0, 0), pair.data(1, 0));
        two.stream = StreamId(1);
        pair.inject(&[&one, &two]);
        assert_eq!(read(&mut pair, 1).len(), 2);
        let seen = pair.inject(&[&chunk(&[out_reset(first.0, first.add(1), &streams)])]);
        assert_eq!(result(&seen), ReconfigResult::PERFORMED);
        one.tsn = first.add(2);
        two.tsn = first.add(3);
        two.ssn.0 = u16::from(!streams.is_empty());
        pair.inject(&[&one, &two]);
        assert_eq!(read(&mut pair, 1).len(), 2);
    }
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
//= type=test
//# E2: If the Sender's Last Assigned TSN is greater than the cumulative acknowledgment point, then the endpoint MUST enter "deferred reset processing". In this mode, any data arriving with a TSN larger than the Sender's Last Assigned TSN for the affected stream(s) MUST be queued locally and held until the cumulative acknowledgment point reaches the Sender's Last Assigned TSN. When the cumulative acknowledgment point reaches the last assigned TSN, then proceed to the next step. If the endpoint enters "deferred reset processing", it MUST put a Re-configuration Response Parameter into a RE-CONFIG chunk indicating "In progress" and MUST send the RE-CONFIG chunk.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
//= type=test
//# E4: Any queued TSNs (queued at step E2) MUST now be released and processed normally.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.2
//= type=test
//# E5: A Re-configuration Response Parameter MUST be put into a RE-CONFIG chunk indicating successful processing.
#[test]
fn a_reset_is_deferred_until_the_last_tsn_has_arrived() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let (before, mut after) = (pair.data(0, 0), pair.data(1, 0));
    after.payload = b"after";
    let request = chunk(&[out_reset(first.0, first, &ids(&[0]))]);
    let seen = pair.inject(&[&request]);
    assert_eq!(result(&seen), ReconfigResult::IN_PROGRESS);
    pair.inject(&[&after]);
    assert_eq!(read(&mut pair, 1), Vec::<String>::new());
    assert_eq!(
        result(&pair.inject(&[&request])),
        ReconfigResult::IN_PROGRESS
    );
    let seen = pair.inject(&[&before]);
    assert_eq!(chunks(&seen), Vec::<Vec<Param>>::new(), "not read yet");
    assert_eq!(read(&mut pair, 1), ["hello"]);
    assert_eq!(events(&mut pair, 1), []);
    assert_eq!(result(&pair.take(1)), ReconfigResult::PERFORMED);
    assert_eq!(events(&mut pair, 1), [incoming(&[0])]);
    assert_eq!(read(&mut pair, 1), ["after"]);
    assert_eq!(result(&pair.inject(&[&request])), ReconfigResult::PERFORMED);
}

#[test]
fn a_reset_is_performed_when_the_application_has_read_what_goes_before() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let data = pair.data(0, 0);
    pair.inject(&[&data]);
    let seen = pair.inject(&[&chunk(&[out_reset(first.0, first, &[])])]);
    assert_eq!(result(&seen), ReconfigResult::IN_PROGRESS);
    assert_eq!(read(&mut pair, 1), ["hello"]);
    assert!(assoc(&mut pair, 1).wants_to_send());
    assert_eq!(result(&pair.take(1)), ReconfigResult::PERFORMED);
    assert_eq!(events(&mut pair, 1), [incoming(&[])]);
}

#[test]
fn what_is_held_behind_a_reset_counts_against_the_receive_buffer() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    pair.inject(&[&chunk(&[out_reset(first.0, first, &[])])]);
    let payload = vec![7; 1200];
    for number in 0..5000 {
        let mut data = pair.data(1 + number, number as u16);
        data.payload = &payload;
        pair.inject(&[&data]);
        assoc(&mut pair, 1).check_invariants().unwrap();
    }
    assert!(stats(&mut pair, 1).receive_buffer_drops > 0);
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.7
//= type=test
//# D3: If the incoming request is an SSN/TSN reset request, the Sender's Next TSN field MUST be filled with the next TSN the sender of this Re-configuration Response Parameter will assign.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.7
//= type=test
//# D4: If the incoming request is an SSN/TSN reset request, the Receiver's Next TSN field MUST be filled with a TSN such that the sender of the Re-configuration Response Parameter can be sure it can discard received DATA chunks with smaller TSNs. The value SHOULD be the smallest TSN not acknowledged by the receiver of the request plus 2^31.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.4
//= type=test
//# G5: The next expected and outgoing SSNs MUST be reset to 0 for all incoming and outgoing streams.
#[test]
fn a_reset_of_tsns_goes_on_far_away() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0], pair.next_tsn[1]);
    let old = pair.data(0, 0);
    pair.inject(&[&old]);
    send(&mut pair, 1, 0, "x");
    pair.take(1);
    let sack = pair.sack(ours);
    pair.inject(&[&sack]);
    assert_eq!(read(&mut pair, 1), ["hello"]);
    let far = theirs.add(1).add(1 << 31);
    let next = NextTsns {
        sender: ours.add(1),
        receiver: far,
    };
    let request = chunk(&[tsn_reset(theirs.0)]);
    let expected = Param::Answer(theirs.0, ReconfigResult::PERFORMED, Some(next));
    assert_eq!(only(&pair.inject(&[&request])), expected);
    assert_eq!(
        only(&pair.inject(&[&request])),
        expected,
        "also when asked again"
    );
    assert_eq!(events(&mut pair, 1), [Event::AssociationReset]);
    // A late old packet is not taken for a new one.
    pair.inject(&[&old]);
    let mut data = old;
    data.tsn = far;
    data.payload = b"anew";
    pair.inject(&[&data]);
    assert_eq!(read(&mut pair, 1), ["anew"]);
    send(&mut pair, 1, 0, "y");
    let flags_and_ssn = pair.take(1).iter().find_map(|s| {
        s.with(manyway_wire::ChunkType::DATA, |chunk, _| match chunk {
            manyway_wire::Chunk::Data(data) => (data.tsn, data.ssn.0),
            _ => unreachable!(),
        })
    });
    assert_eq!(flags_and_ssn, Some((ours.add(1), 0)));
    // Another one within a segment lifetime could mix up the packets of both.
    let seen = pair.inject(&[&chunk(&[tsn_reset(theirs.0 + 1)])]);
    assert_eq!(result(&seen), ReconfigResult::DENIED);
}

#[test]
fn a_reset_of_tsns_waits_for_this_sides_own_data() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0], pair.next_tsn[1]);
    send(&mut pair, 1, 0, "on its way");
    pair.take(1);
    let request = chunk(&[tsn_reset(theirs.0)]);
    assert_eq!(
        result(&pair.inject(&[&request])),
        ReconfigResult::IN_PROGRESS
    );
    send(&mut pair, 1, 0, "held");
    assert!(pair.take(1).is_empty());
    let sack = pair.sack(ours);
    let seen = pair.inject(&[&sack]);
    let [answers] = &chunks(&seen)[..] else {
        panic!("{:?}", chunks(&seen))
    };
    assert!(matches!(
        answers[..],
        [Param::Answer(_, ReconfigResult::PERFORMED, Some(_))]
    ));
    assert!(crate::pair::kinds(&seen).contains(&manyway_wire::ChunkType::DATA));
}

//= https://www.rfc-editor.org/rfc/rfc6525#section-5.2.7
//= type=test
//# H5: If the request was an SSN/TSN Reset Request, new data MUST be sent from the Receiver's Next TSN, beginning with SSN 0 for all outgoing streams. All incoming streams MUST be reset to 0 as the next expected SSN. The peer will send DATA chunks starting with the Sender's Next TSN.
//= https://www.rfc-editor.org/rfc/rfc6525#section-5.1.4
//= type=test
//# The sender MUST queue any user data, suspending any new transmissions and TSN assignment until the reset procedure is finished by the peer either acknowledging or denying the request.
#[test]
fn both_sides_go_on_after_a_reset_of_the_association() {
    let mut pair = Pair::established();
    for end in [0, 1] {
        send(&mut pair, end, 0, "before");
        send(&mut pair, end, 5, "before too");
    }
    command(&mut pair, 0, |now, a| a.reset_association(now)).unwrap();
    for end in [0, 1] {
        send(&mut pair, end, 0, "after");
        send(&mut pair, end, 6, "after too");
    }
    let mut texts = [Vec::new(), Vec::new()];
    for _ in 0..8 {
        pair.settle();
        for (end, texts) in texts.iter_mut().enumerate() {
            texts.extend(read(&mut pair, end));
        }
        pair.now += 50 * MS;
        let now = pair.now;
        pair.ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
    for texts in texts {
        assert_eq!(texts, ["before", "before too", "after", "after too"]);
    }
    for end in [0, 1] {
        assert_eq!(events(&mut pair, end), [Event::AssociationReset]);
    }
    let refused = command(&mut pair, 0, |now, a| a.reset_association(now));
    assert_eq!(refused, Err(ReconfigError::TooSoon));
    pair.now += Duration::from_secs(30);
    command(&mut pair, 0, |now, a| a.reset_association(now)).unwrap();
    settle_reading(&mut pair, 1);
    assert_eq!(events(&mut pair, 1), [Event::AssociationReset]);
}

#[test]
fn late_acknowledgements_from_before_a_reset_of_tsns_are_ignored() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0], pair.next_tsn[1]);
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    pair.take(1);
    let late = pair.sack(ours.sub(1));
    // The peer has reset already, but its answer comes later.
    let new = pair.sack(ours.add(1 << 31).sub(1));
    pair.inject(&[&new]);
    let next_tsns = Some(NextTsns {
        sender: theirs,
        receiver: ours.add(1 << 31),
    });
    let response = manyway_wire::ReconfigParameter::Response {
        response: manyway_wire::ReconfigSerial(ours.0),
        result: ReconfigResult::PERFORMED,
        next_tsns,
    };
    pair.inject(&[&chunk(&[response])]);
    assert_eq!(events(&mut pair, 1), [Event::AssociationReset]);
    pair.inject(&[&late]);
    let earlier = pair.sack(ours.sub(100));
    pair.inject(&[&earlier]);
    assert_eq!(pair.state(1), manyway_proto::AssocState::Established);
    assert_eq!(stats(&mut pair, 1).dropped_packets, 3);
}

#[test]
fn what_arrives_during_a_reset_of_the_association_is_sorted_by_its_tsn() {
    let mut pair = Pair::established();
    let (theirs, ours) = (pair.next_tsn[0], pair.next_tsn[1]);
    let first = pair.data(0, 0);
    pair.inject(&[&first]);
    read(&mut pair, 1);
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    pair.take(1);
    // One more from before, one from after, whose number 0 was used already.
    let (mut before, mut after) = (pair.data(1, 1), pair.data(2, 0));
    before.payload = b"before";
    after.payload = b"after";
    pair.inject(&[&after, &before]);
    assert_eq!(read(&mut pair, 1), Vec::<String>::new());
    let next_tsns = Some(NextTsns {
        sender: theirs.add(2),
        receiver: ours.add(1 << 31),
    });
    let response = manyway_wire::ReconfigParameter::Response {
        response: manyway_wire::ReconfigSerial(ours.0),
        result: ReconfigResult::PERFORMED,
        next_tsns,
    };
    pair.inject(&[&chunk(&[response])]);
    assert_eq!(events(&mut pair, 1), []);
    assert_eq!(read(&mut pair, 1), ["before"]);
    pair.take(1);
    assert_eq!(events(&mut pair, 1), [Event::AssociationReset]);
    assert_eq!(read(&mut pair, 1), ["after"]);
}

#[test]
fn a_denied_reset_of_the_association_lets_everything_go_on() {
    let mut pair = Pair::established();
    let ours = pair.next_tsn[1];
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    pair.take(1);
    let data = pair.data(0, 0);
    pair.inject(&[&data]);
    send(&mut pair, 1, 0, "held");
    assert_eq!(read(&mut pair, 1), Vec::<String>::new());
    let seen = pair.inject(&[&chunk(&[answer(ours.0, ReconfigResult::DENIED)])]);
    assert!(crate::pair::kinds(&seen).contains(&manyway_wire::ChunkType::DATA));
    assert_eq!(read(&mut pair, 1), ["hello"]);
    assert!(matches!(
        events(&mut pair, 1)[..],
        [Event::ReconfigFailed { .. }]
    ));
}

#[test]
fn performed_without_the_next_tsns_is_a_violation() {
    let mut pair = Pair::established();
    let ours = pair.next_tsn[1];
    command(&mut pair, 1, |now, a| a.reset_association(now)).unwrap();
    pair.take(1);
    pair.inject(&[&chunk(&[answer(ours.0, ReconfigResult::PERFORMED)])]);
    assert_eq!(pair.state(1), manyway_proto::AssocState::Closed);
}

#[test]
fn a_message_that_was_begun_before_a_reset_and_never_ended_is_dropped() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let mut data = pair.data(0, 0);
    data.flags = DataFlags {
        begin: true,
        ..DataFlags::default()
    };
    pair.inject(&[&data]);
    let seen = pair.inject(&[&chunk(&[tsn_reset(first.0)])]);
    assert!(matches!(
        only(&seen),
        Param::Answer(_, ReconfigResult::PERFORMED, Some(_))
    ));
    let mut data = pair.data(0, 0);
    data.tsn = Tsn(first.0).add(1).add(1 << 31);
    pair.inject(&[&data]);
    assert_eq!(read(&mut pair, 1), ["hello"]);
}

#[test]
fn a_message_in_parts_that_a_reset_cuts_off_is_aborted_and_the_application_told() {
    let mut config = manyway_proto::EndpointConfig::default();
    config.transport.partial_delivery_point = Some(1);
    let mut pair = Pair::with_configs([config.clone(), config]).establish();
    let first = pair.next_tsn[0];
    let begun = manyway_wire::Data {
        flags: DataFlags {
            begin: true,
            ..DataFlags::default()
        },
        ..pair.data(0, 0)
    };
    pair.inject(&[&begun]);
    let next = |pair: &mut Pair| assoc(pair, 1).recv_part().map(|p| p.status);
    assert_eq!(next(&mut pair), Some(PartStatus::MoreFollows));
    while pair.ends[1].poll_event().is_some() {}
    pair.inject(&[&chunk(&[out_reset(first.0, first, &[])])]);
    let told: Vec<_> = std::iter::from_fn(|| pair.ends[1].poll_event()).collect();
    assert!(told.iter().any(|(_, event)| *event == Event::Readable));
    assert_eq!(next(&mut pair), Some(PartStatus::Aborted));
    let after = pair.data(1, 0);
    pair.inject(&[&after]);
    assert_eq!(next(&mut pair), Some(PartStatus::Complete));
}
