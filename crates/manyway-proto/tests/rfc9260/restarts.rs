//! A peer that lost its memory opens its association again (RFC 9260, sections 5.2.2 and 5.2.4).

use std::net::IpAddr;

use manyway_proto::{AssocState, CloseReason, Endpoint, EndpointConfig, Event, Message};
use manyway_wire::{Cause, Chunk, ChunkType, Parameter, Parameters, Shutdown};

use crate::pair::{Pair, SERVER_PORT, Seen, causes_of, kinds};

/// An established association whose client has been started anew: its INIT is on its way.
fn restarted() -> (Pair, Seen) {
    let mut pair = Pair::established();
    let old = pair.ids[0].unwrap();
    let port = pair.ends[0].association(old).unwrap().local_port();
    pair.ends[0] = Endpoint::new(EndpointConfig::default(), [77; 32]);
    let id = pair.ends[0].connect_from(pair.now, port, pair.request(0, SERVER_PORT));
    pair.ids[0] = Some(id.unwrap());
    let init = pair.take(0).remove(0);
    (pair, init)
}

fn initiate_tag(seen: &Seen) -> u32 {
    let tag = seen.with(ChunkType::INIT, |chunk, _| match chunk {
        Chunk::Init(init) => init.initiate_tag.0,
        _ => unreachable!(),
    });
    tag.unwrap()
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
//= type=test
//# And the INIT ACK chunk MUST contain a new Initiate Tag (randomly generated; see Section 5.3.1)
//# After sending the INIT ACK or ABORT chunk, the endpoint MUST take no further actions, i.e., the existing association, including its current state, and the corresponding TCB MUST NOT be changed
#[test]
fn an_unexpected_init_is_answered_and_changes_nothing() {
    let (mut pair, init) = restarted();
    let id = pair.ids[1].unwrap();
    let before = format!("{:?}", pair.ends[1].association(id).unwrap());
    let old_tag = pair.headers[1].verification_tag;
    pair.deliver(1, init.bytes.clone());
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::INIT_ACK]);
    assert_eq!(answers[0].header.verification_tag.0, initiate_tag(&init));
    let new = answers[0].with(ChunkType::INIT_ACK, |chunk, _| match chunk {
        Chunk::InitAck(ack) => ack.initiate_tag,
        _ => unreachable!(),
    });
    assert_ne!(new, Some(old_tag));
    let after = format!("{:?}", pair.ends[1].association(id).unwrap());
    assert_eq!(before, after);
    assert_eq!(pair.end_of(1), None);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
//= type=test
//# If new addresses are added to the association, the endpoint MUST respond with an ABORT chunk, copying the 'Initiate Tag' of the unexpected INIT chunk into the 'Verification Tag' of the outbound packet carrying the ABORT chunk
//# The error SHOULD list the addresses that were added to the restarting association
#[test]
fn a_restart_with_another_address_is_refused() {
    let (mut pair, init) = restarted();
    pair.deliver(1, init.with_address([192, 0, 2, 77]));
    let answers = pair.take(1);
    assert_eq!(answers[0].header.verification_tag.0, initiate_tag(&init));
    let listed = answers[0].with(ChunkType::ABORT, |chunk, _| match chunk {
        Chunk::Abort(abort) => abort.causes.iter().flatten().find_map(|cause| match cause {
            Cause::RestartWithNewAddresses(bytes) => Some(bytes.to_vec()),
            _ => None,
        }),
        _ => unreachable!(),
    });
    let listed = listed.flatten().expect("the cause is given");
    let listed: Vec<_> = Parameters::from_bytes(&listed).iter().flatten().collect();
    assert_eq!(listed, [Parameter::Ipv4([192, 0, 2, 77].into())]);
    assert_eq!(pair.state(1), AssocState::Established);
    assert_eq!(pair.ends[1].stats().restarts_refused, 1);
}

#[test]
fn an_init_from_elsewhere_that_names_an_address_of_the_association_is_refused() {
    let (mut pair, init) = restarted();
    let known: IpAddr = [10, 0, 0, 1].into();
    let stranger = "10.9.9.9:9899".parse().unwrap();
    pair.deliver_from(1, stranger, init.with_address(known));
    let answers = pair.take(1);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [11]);
    assert_eq!(pair.state(1), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# A RESTART notification SHOULD be sent to the ULP instead of a COMMUNICATION LOST notification
#[test]
fn a_restart_ends_the_old_association_and_begins_another() {
    let (mut pair, init) = restarted();
    let old = pair.ids[1].unwrap();
    pair.deliver(1, init.bytes);
    pair.settle();
    let events: Vec<_> = std::iter::from_fn(|| pair.ends[1].poll_event()).collect();
    let closed = Event::Closed {
        reason: CloseReason::Restarted,
    };
    assert!(events.contains(&(old, closed)));
    let incoming = events.iter().find(|(_, e)| *e == Event::Incoming);
    let new = incoming.expect("a new association came").0;
    assert_ne!(new, old);
    assert_eq!(pair.ends[1].stats().restarts, 1);
    pair.ends[1].release(old);
    pair.ids[1] = Some(new);
    pair.assert_one_association_that_works();
}

/// The listener restarts and opens towards the port from which it was called.
#[test]
fn a_restart_begins_nothing_where_nobody_listens() {
    for listens in [false, true] {
        let mut pair = Pair::established();
        let old = pair.ids[0].unwrap();
        let port = pair.ends[0].association(old).unwrap().local_port();
        if listens {
            pair.ends[0].listen(port).unwrap();
        }
        pair.ends[1] = Endpoint::new(EndpointConfig::default(), [78; 32]);
        let id = pair.ends[1].connect_from(pair.now, SERVER_PORT, pair.request(1, port));
        pair.ids[1] = Some(id.unwrap());
        pair.settle();
        let events: Vec<_> = std::iter::from_fn(|| pair.ends[0].poll_event()).collect();
        let closed = Event::Closed {
            reason: CloseReason::Restarted,
        };
        assert!(events.contains(&(old, closed)));
        let incoming = events.iter().find(|(_, e)| *e == Event::Incoming);
        assert_eq!(incoming.is_some(), listens);
        if !listens {
            assert_eq!(pair.end_of(1), Some(CloseReason::Refused));
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk
#[test]
fn an_init_while_shutting_down_repeats_the_shutdown_ack() {
    let (mut pair, init) = restarted();
    shut_down_server(&mut pair);
    let header = pair.headers[1];
    pair.deliver(1, init.bytes);
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::SHUTDOWN_ACK]);
    assert_eq!(answers[0].header, header);
    // The client has no such association and says that it is complete.
    for seen in answers {
        pair.deliver(0, seen.bytes);
    }
    let complete = pair.take(0);
    assert_eq!(kinds(&complete), [ChunkType::SHUTDOWN_COMPLETE]);
    for seen in complete {
        pair.deliver(1, seen.bytes);
    }
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
    assert_eq!(pair.state(0), AssocState::CookieWait);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# it MUST NOT set up a new association but instead resend the SHUTDOWN ACK chunk and send an ERROR chunk with a "Cookie Received While Shutting Down" error cause to its peer
#[test]
fn a_restart_while_shutting_down_is_put_off() {
    let (mut pair, init) = restarted();
    let old_header = pair.headers[0];
    pair.deliver(1, init.bytes);
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    pair.headers[0] = old_header;
    shut_down_server(&mut pair);
    pair.deliver(1, echo.bytes);
    let answers = pair.take(1);
    assert!(kinds(&answers).contains(&ChunkType::SHUTDOWN_ACK));
    assert_eq!(causes_of(&answers, ChunkType::ERROR), [10]);
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    assert_eq!(pair.ends[1].associations().count(), 1);
    // The client completes the old one, tries again, and is served.
    for seen in answers {
        pair.deliver(0, seen.bytes);
    }
    assert_eq!(pair.state(0), AssocState::CookieEchoed);
    pair.settle();
    pair.run_timers();
    assert_eq!(pair.state(0), AssocState::Established);
}

fn shut_down_server(pair: &mut Pair) {
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    let answers = pair.inject(&[&shutdown]);
    assert!(kinds(&answers).contains(&ChunkType::SHUTDOWN_ACK));
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# The endpoint also MUST transmit an ERROR chunk with a "Stale Cookie" error cause to the peer endpoint (this is case C or D in Section 5.2).
#[test]
fn a_restart_with_a_stale_cookie_is_reported_and_changes_nothing() {
    let (mut pair, init) = restarted();
    pair.deliver(1, init.bytes);
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    pair.now += std::time::Duration::from_secs(61);
    pair.deliver(1, echo.bytes);
    assert_eq!(causes_of(&pair.take(1), ChunkType::ERROR), [3]);
    assert_eq!(pair.state(1), AssocState::Established);
    assert_eq!(pair.end_of(1), None);
    assert_eq!(pair.ends[1].stats().restarts, 0);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# All the congestion control parameters (e.g., cwnd, ssthresh) related to this peer MUST be reset to their initial values (see Section 6.2.1).
#[test]
fn a_restart_begins_with_the_window_of_a_newcomer() {
    let window = |pair: &Pair| pair.assoc(1).paths().next().unwrap().cwnd;
    let fresh = window(&Pair::established());
    let (mut pair, init) = restarted();
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    while pair.assoc(1).stats().timeouts == 0 {
        pair.take(1);
        pair.next_timeout(1);
    }
    assert!(window(&pair) < fresh);
    pair.deliver(1, init.bytes);
    pair.settle();
    let old = pair.ids[1].unwrap();
    pair.ends[1].release(old);
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    assert_eq!(window(&pair), fresh);
}
