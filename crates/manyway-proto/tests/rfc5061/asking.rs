//! Requests of the endpoint (sections 5.1 and 5.3).

use manyway_proto::{
    AddressChange, AddressError, AddressForm, AddressRefusal, ChunkType, CloseReason,
    EndpointConfig, Event, PathState,
};
use manyway_wire::{AsconfAck, AsconfAction, AsconfResponses, AsconfSerial, Cause, CauseList};

use crate::plain::{MS, Offer, Plain, Seen, causes_of, kinds, ours, theirs};
use crate::{Asked, answer, answer_each, answer_heartbeats, asked, ip};

fn explicit() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.transport.address_form = AddressForm::Explicit;
    config
}

/// An association that the endpoint opened from its address 1, with no probes under way.
fn established(config: EndpointConfig) -> Plain {
    let mut plain = Plain::opened_by_endpoint(config, Offer::default());
    let sent = plain.take();
    answer_heartbeats(&mut plain, &sent);
    plain.take();
    plain.events();
    plain
}

fn add(plain: &mut Plain, n: u8) -> Result<(), AddressError> {
    plain.command(|now, a| a.add_address(now, ours(n)))
}

/// The one request in what leaves now.
fn one(plain: &mut Plain) -> Asked {
    let sent = plain.take();
    let mut all = asked(plain, &sent);
    assert_eq!(all.len(), 1, "one request leaves");
    all.pop().unwrap()
}

/// Adds an address and lets the peer agree; the answered heartbeats.
fn added(plain: &mut Plain, n: u8) -> Vec<manyway_proto::FourTuple> {
    add(plain, n).unwrap();
    let request = one(plain);
    answer(plain, &request, 0);
    let sent = plain.take();
    answer_heartbeats(plain, &sent)
}

#[test]
fn an_address_is_added_explicitly_and_used_when_the_peer_agreed() {
    let mut plain = established(explicit());
    add(&mut plain, 2).unwrap();
    let sent = plain.take();
    let request = asked(&plain, &sent).pop().unwrap();
    assert_eq!(request.action, AsconfAction::Add(ip(ours(2))));
    assert_eq!(request.address, ip(ours(1)));
    assert_eq!(request.path.local, ours(1));
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# The Sequence Number MUST be initialized at the start of the association to the same value as the Initial Transmission Sequence Number (TSN)
    assert_eq!(request.serial, plain.first_tsn.0);
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# This means that until such time as the ASCONF containing the add is acknowledged, the sender MUST NOT use the new IP address as a source for ANY SCTP packet except on carrying an ASCONF Chunk.
    assert!(sent.iter().all(|s| s.path.local == ours(1)));
    answer(&mut plain, &request, 0);
    let change = AddressChange::Add(ours(2));
    assert!(plain.events().contains(&Event::AddressChanged { change }));
    let sent = plain.take();
    let probed = answer_heartbeats(&mut plain, &sent);
    assert_eq!(probed.len(), 1);
    assert_eq!((probed[0].local, probed[0].remote), (ours(2), theirs(1)));
    let active = plain
        .assoc()
        .paths()
        .filter(|p| p.state == PathState::Active);
    assert_eq!(active.count(), 2);
}

#[test]
fn an_acknowledgement_without_responses_is_success() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# If there is no response(s) to specific TLV parameter(s), and no failures are indicated, then all request(s) are considered successful.
    let mut plain = established(explicit());
    add(&mut plain, 2).unwrap();
    let request = one(&mut plain);
    plain.send_signed(&[&AsconfAck {
        serial: AsconfSerial(request.serial),
        responses: AsconfResponses::EMPTY,
    }]);
    let change = AddressChange::Add(ours(2));
    assert_eq!(plain.events(), [Event::AddressChanged { change }]);
}

#[test]
fn behind_a_nat_the_new_address_speaks_for_itself() {
    // 10.0.0.2 is private, 192.0.2.1 is not.
    let mut plain = established(EndpointConfig::default());
    add(&mut plain, 2).unwrap();
    let request = one(&mut plain);
    let any = "0.0.0.0".parse().unwrap();
    assert_eq!(request.action, AsconfAction::Add(any));
    assert_eq!(request.address, any);
    assert_eq!(request.path.local, ours(2));
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# This means that until such time as the ASCONF containing the add is acknowledged, the sender MUST NOT use the new IP address as a source for ANY SCTP packet except on carrying an ASCONF Chunk.
    for seen in plain.wait(MS * 2000) {
        let asconf = seen.kinds().contains(&ChunkType::ASCONF);
        assert!(asconf || seen.path.local == ours(1), "{:?}", seen.kinds());
    }
    answer(&mut plain, &request, 0);
    let sent = plain.take();
    assert_eq!(answer_heartbeats(&mut plain, &sent), [request.path]);
    let path = plain.assoc().paths().find(|p| p.four_tuple == request.path);
    assert_eq!(path.unwrap().state, PathState::Active);
}

#[test]
fn one_request_is_outstanding_and_the_others_wait_within_a_bound() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1.1
    //= type=test
    //# If a sender, after sending an ASCONF chunk, decides it needs to transfer another ASCONF Chunk, it MUST wait until the ASCONF-ACK Chunk returns from the previous ASCONF Chunk before sending a subsequent ASCONF.
    let mut config = explicit();
    config.transport.max_queued_asconfs = 2;
    let mut plain = established(config);
    for n in 2..=4 {
        add(&mut plain, n).unwrap();
    }
    assert_eq!(add(&mut plain, 5), Err(AddressError::QueueFull));
    assert_eq!(plain.assoc().stats().refused_asconfs, 1);
    add(&mut plain, 4).unwrap();
    let first = one(&mut plain);
    answer(&mut plain, &first, 0);
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# The Sequence Number MUST be larger by one.
    let sent = plain.take();
    let both = asked(&plain, &sent);
    let of_both: Vec<_> = both.iter().map(|a| (a.serial, a.action)).collect();
    let expected = [3, 4].map(|n| AsconfAction::Add(ip(ours(n))));
    let serial = first.serial.wrapping_add(1);
    assert_eq!(of_both, expected.map(|action| (serial, action)));
    add(&mut plain, 5).unwrap();
}

#[test]
fn requests_that_wait_share_a_chunk_and_are_judged_one_by_one() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# The endpoint MUST process all of the TLVs within the ASCONF-ACK(s) to find out particular status information returned to the various requests that were sent.
    use AddressChange::{Add, SetPrimary};
    let mut plain = established(explicit());
    let first = add(&mut plain, 2).map(|()| one(&mut plain)).unwrap();
    add(&mut plain, 3).unwrap();
    plain
        .command(|now, a| a.set_peer_primary(now, ours(3)))
        .unwrap();
    add(&mut plain, 4).unwrap();
    plain
        .command(|now, a| a.delete_address(now, ours(2)))
        .unwrap();
    plain.events();
    answer(&mut plain, &first, 0);
    let sent = plain.take();
    answer_heartbeats(&mut plain, &sent);
    let shared = asked(&plain, &sent);
    let actions: Vec<_> = shared.iter().map(|a| a.action).collect();
    let (three, four) = (ip(ours(3)), ip(ours(4)));
    let expected = [
        AsconfAction::Add(three),
        AsconfAction::SetPrimary(three),
        AsconfAction::Add(four),
    ];
    assert_eq!(actions, expected, "what deletes leaves alone");
    // The second is refused, of the third nothing is said.
    let codes = [
        (shared[0].correlation_id, 0),
        (shared[1].correlation_id, 0xa4),
    ];
    answer_each(&mut plain, &shared[0], &codes);
    let told: Vec<_> = plain.events();
    let changed = |change| told.contains(&Event::AddressChanged { change });
    let refused = |change| {
        let reason = AddressRefusal::NotAuthorized;
        told.contains(&Event::AddressRefused { change, reason })
    };
    assert!(changed(Add(ours(2))) && changed(Add(ours(3))), "{told:?}");
    assert!(
        refused(SetPrimary(ours(3))) && refused(Add(ours(4))),
        "{told:?}"
    );
    let last = one(&mut plain);
    assert_eq!(last.action, AsconfAction::Delete(ip(ours(2))));
    assert_eq!(last.serial, shared[0].serial.wrapping_add(1));
}

#[test]
fn a_request_is_repeated_unchanged_and_on_another_path() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# Re-transmit the ASCONF Chunk last sent and if possible choose an alternate destination address (please refer to [RFC4960], Section 6.4.1). An endpoint MUST NOT add new parameters to this chunk; it MUST be the same (including its Sequence Number) as the last ASCONF sent.
    let mut plain = established(explicit());
    added(&mut plain, 2);
    add(&mut plain, 3).unwrap();
    let first = one(&mut plain);
    let sent = plain.wait(MS * 3000);
    let again = asked(&plain, &sent);
    assert!(again.len() >= 2);
    for repeated in &again {
        assert_eq!(
            (repeated.serial, repeated.action, repeated.address),
            (first.serial, first.action, first.address)
        );
    }
    assert!(
        again.iter().any(|a| a.path != first.path),
        "another path is tried"
    );
    // The answer to any of them answers all.
    answer(&mut plain, &again[0], 0);
    let change = AddressChange::Add(ours(3));
    assert!(plain.events().contains(&Event::AddressChanged { change }));
    let later = plain.wait(MS * 5000);
    assert!(asked(&plain, &later).is_empty());
}

#[test]
fn refusals_are_reported_with_their_reason() {
    for (code, reason) in [
        (0xa0, AddressRefusal::LastAddress),
        (0xa1, AddressRefusal::Resources),
        (0xa2, AddressRefusal::SourceAddress),
        (0xa4, AddressRefusal::NotAuthorized),
        (5, AddressRefusal::Unresolvable),
        (77, AddressRefusal::Other(77)),
    ] {
        let mut plain = established(explicit());
        add(&mut plain, 2).unwrap();
        let request = one(&mut plain);
        answer(&mut plain, &request, code);
        let change = AddressChange::Add(ours(2));
        assert_eq!(plain.events(), [Event::AddressRefused { change, reason }]);
        //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
        //= type=test
        //# In other words, if the endpoint does not ABORT the association, it must consider the add attempt failed and NOT use this address since its peer will treat SCTP packets destined to the address as Out Of The Blue packets.
        assert!(
            plain
                .wait(MS * 3000)
                .iter()
                .all(|s| s.path.local == ours(1))
        );
    }
}

#[test]
fn kinds_that_the_peer_does_not_understand_are_not_asked_for_again() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# If an endpoint receives an Error Cause TLV indicating that the IP address Add or IP address Deletion parameters was not understood, the endpoint MUST consider the operation failed and MUST NOT attempt to send any subsequent Add or Delete requests to the peer.
    //# If an endpoint receives an Error Cause TLV indicating that the IP address Set Primary IP Address parameter was not understood, the endpoint MUST consider the operation failed and MUST NOT attempt to send any subsequent Set Primary IP Address requests to the peer.
    let mut plain = established(explicit());
    let prefer = |plain: &mut Plain| plain.command(|now, a| a.set_peer_primary(now, ours(1)));
    add(&mut plain, 2).unwrap();
    add(&mut plain, 3).unwrap();
    prefer(&mut plain).unwrap();
    let request = one(&mut plain);
    answer(&mut plain, &request, 8);
    let refused = plain.events();
    assert_eq!(refused.len(), 2, "the one that waited is refused as well");
    assert_eq!(add(&mut plain, 4), Err(AddressError::NotUnderstood));
    let request = one(&mut plain);
    assert_eq!(request.action, AsconfAction::SetPrimary(ip(ours(1))));
    answer(&mut plain, &request, 8);
    assert_eq!(prefer(&mut plain), Err(AddressError::NotUnderstood));
}

#[test]
fn a_peer_that_does_not_know_asconf_is_asked_no_more() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //= type=test
    //# If the peer responds to an ASCONF with an ERROR Chunk reporting that it did not recognize the ASCONF Chunk Type, the sender of the ASCONF MUST NOT send any further ASCONF Chunks and MUST stop its T-4 timer.
    let mut plain = established(explicit());
    add(&mut plain, 2).unwrap();
    add(&mut plain, 3).unwrap();
    one(&mut plain);
    let mut causes = CauseList::new();
    causes.push(&Cause::UnrecognizedChunk(&[ChunkType::ASCONF.0, 0, 0, 4]));
    plain.send(&[&manyway_wire::ErrorChunk {
        causes: causes.as_causes(),
    }]);
    let events = plain.events();
    let of = |wanted: fn(&Event) -> bool| events.iter().filter(|e| wanted(e)).count();
    assert_eq!(of(|e| matches!(e, Event::PeerError { code: 6, .. })), 1);
    assert_eq!(of(|e| matches!(e, Event::AddressRefused { .. })), 2);
    assert_eq!(events.len(), 3);
    assert_eq!(add(&mut plain, 4), Err(AddressError::NotUnderstood));
    assert!(!kinds(&plain.wait(MS * 5000)).contains(&ChunkType::ASCONF));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_aborts() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# If an endpoint receives an ASCONF-ACK that is greater than or equal to the next Sequence Number to be used but no ASCONF Chunk is outstanding, the endpoint MUST ABORT the association.
    let mut plain = established(explicit());
    let ack = |serial: u32| AsconfAck {
        serial: AsconfSerial(serial),
        responses: AsconfResponses::EMPTY,
    };
    let next = plain.first_tsn.0;
    plain.send_signed(&[&ack(next.wrapping_sub(1))]);
    assert!(plain.take().is_empty(), "an old one is ignored");
    plain.send_signed(&[&ack(next)]);
    assert_eq!(causes_of(&plain.take(), ChunkType::ABORT), [0xa3]);
    let ended = |e: &Event| {
        matches!(
            e,
            Event::Closed {
                reason: CloseReason::ProtocolViolation(_)
            }
        )
    };
    assert!(plain.events().iter().any(ended));
}

#[test]
fn an_address_is_deleted_from_another_one_and_used_no_more() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# An endpoint MUST NOT set an IP header source address for an SCTP packet holding the ASCONF Chunk to be the same as an address being deleted by the ASCONF Chunk.
    //# When deleting an IP address from an association, the IP address MUST be considered a valid destination address for the reception of SCTP packets until the ASCONF-ACK arrives and MUST NOT be used as a source address for any subsequent packets.
    let mut plain = established(explicit());
    added(&mut plain, 2);
    plain
        .command(|now, a| a.delete_address(now, ours(1)))
        .unwrap();
    let request = one(&mut plain);
    assert_eq!(request.action, AsconfAction::Delete(ip(ours(1))));
    assert_eq!(request.path.local, ours(2));
    // Data still arrive there, and are acknowledged from elsewhere.
    let data = plain.data();
    let packet = plain.packet(&[&data]);
    plain.deliver(plain.path, packet.clone());
    let sent = plain.wait(MS * 300);
    assert!(kinds(&sent).contains(&ChunkType::SACK));
    assert!(sent.iter().all(|s| s.path.local == ours(2)));
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3.1
    //= type=test
    //# For this case, during the deletion of an IP address, an Abort MUST be ignored if the destination address of the Abort message is that of a destination being deleted.
    let header = plain.header;
    for reflected_tag in [false, true] {
        if reflected_tag {
            plain.header.verification_tag = crate::plain::TAG;
        }
        plain.send(&[&manyway_wire::Abort {
            reflected_tag,
            causes: manyway_wire::Causes::EMPTY,
        }]);
    }
    plain.header = header;
    assert!(plain.assoc().is_established());
    answer(&mut plain, &request, 0);
    let change = AddressChange::Delete(ours(1));
    assert!(plain.events().contains(&Event::AddressChanged { change }));
    // Now it is nobody's.
    plain.deliver(plain.path, packet);
    assert!(!kinds(&plain.wait(MS * 300)).contains(&ChunkType::SACK));
}

#[test]
fn an_address_that_the_peer_keeps_is_used_again() {
    let mut plain = established(explicit());
    plain.endpoint.set_local_addresses(plain.now, &[ours(1)]);
    added(&mut plain, 2);
    plain
        .command(|now, a| a.delete_address(now, ours(1)))
        .unwrap();
    let request = one(&mut plain);
    answer(&mut plain, &request, 0xa4);
    let sent = plain.take();
    let probed = answer_heartbeats(&mut plain, &sent);
    assert_eq!(probed.len(), 1);
    assert_eq!(probed[0].local, ours(1));
}

#[test]
fn the_last_address_is_not_deleted() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# An endpoint MUST NOT delete its last remaining IP address from an association.
    let mut plain = established(explicit());
    let delete = |plain: &mut Plain, n| plain.command(|now, a| a.delete_address(now, ours(n)));
    assert_eq!(delete(&mut plain, 1), Err(AddressError::LastAddress));
    assert_eq!(delete(&mut plain, 9), Err(AddressError::Unknown));
    // It waits until the other one is known to work.
    add(&mut plain, 2).unwrap();
    delete(&mut plain, 1).unwrap();
    assert_eq!(delete(&mut plain, 2), Err(AddressError::LastAddress));
    let request = one(&mut plain);
    answer(&mut plain, &request, 0);
    let sent = plain.take();
    assert!(asked(&plain, &sent).is_empty(), "not verified yet");
    answer_heartbeats(&mut plain, &sent);
    assert_eq!(one(&mut plain).action, AsconfAction::Delete(ip(ours(1))));
}

#[test]
fn what_was_not_asked_yet_can_be_taken_back() {
    let mut plain = established(explicit());
    add(&mut plain, 2).unwrap();
    add(&mut plain, 3).unwrap();
    let request = one(&mut plain);
    plain
        .command(|now, a| a.delete_address(now, ours(3)))
        .unwrap();
    answer(&mut plain, &request, 0);
    let sent = plain.take();
    assert!(asked(&plain, &sent).is_empty());
}

#[test]
fn all_others_are_deleted_by_one_wildcard_from_the_one_that_stays() {
    let mut plain = established(explicit());
    added(&mut plain, 2);
    added(&mut plain, 3);
    plain
        .command(|now, a| a.delete_other_addresses(now, ours(3)))
        .unwrap();
    let request = one(&mut plain);
    assert_eq!(
        request.action,
        AsconfAction::Delete("0.0.0.0".parse().unwrap())
    );
    assert_eq!(request.path.local, ours(3));
    answer(&mut plain, &request, 0);
    let locals: Vec<_> = plain.assoc().paths().map(|p| p.four_tuple.local).collect();
    assert_eq!(locals, [ours(3)]);
    assert_eq!(
        plain.command(|now, a| a.delete_address(now, ours(3))),
        Err(AddressError::LastAddress)
    );
}

#[test]
fn the_peer_is_asked_to_prefer_an_address_that_it_knows() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.4
    //= type=test
    //# A sender MUST only send a set primary request to an address that is already considered part of the association.
    let mut plain = established(explicit());
    let prefer = |plain: &mut Plain, n| plain.command(|now, a| a.set_peer_primary(now, ours(n)));
    assert_eq!(prefer(&mut plain, 2), Err(AddressError::Unknown));
    added(&mut plain, 2);
    prefer(&mut plain, 2).unwrap();
    let request = one(&mut plain);
    assert_eq!(request.action, AsconfAction::SetPrimary(ip(ours(2))));
}

#[test]
fn nothing_is_asked_once_shutdown_is_acknowledged() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1.1
    //= type=test
    //# Both ASCONF and ASCONF-ACK Chunks MUST NOT be sent in any SCTP state except ESTABLISHED, SHUTDOWN-PENDING, SHUTDOWN-RECEIVED, and SHUTDOWN-SENT.
    let mut plain = established(explicit());
    plain.send(&[&manyway_wire::Shutdown {
        cumulative_tsn_ack: plain.first_tsn.sub(1),
    }]);
    let sent: Vec<Seen> = plain.take();
    assert!(kinds(&sent).contains(&ChunkType::SHUTDOWN_ACK));
    let add = crate::asconf(100, ip(theirs(1)), &[AsconfAction::Add(ip(theirs(2)))]);
    plain.send_signed(&[&add]);
    assert!(!kinds(&plain.take()).contains(&ChunkType::ASCONF_ACK));
    assert_eq!(plain.assoc().stats().dropped_asconfs, 1);
}

#[test]
fn an_unauthenticated_acknowledgement_is_dropped() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.2
    //= type=test
    //# If this chunk is received unauthenticated it MUST be silently discarded as described in [RFC4895].
    let mut plain = established(explicit());
    add(&mut plain, 2).unwrap();
    let request = one(&mut plain);
    let ack = AsconfAck {
        serial: AsconfSerial(request.serial),
        responses: AsconfResponses::EMPTY,
    };
    plain.send(&[&ack]);
    assert_eq!(plain.events(), []);
    assert_eq!(plain.assoc().stats().unauthenticated_chunks, 1);
    plain.send_signed(&[&ack]);
    assert_eq!(plain.events().len(), 1);
}
