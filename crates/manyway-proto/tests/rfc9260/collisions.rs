//! Both ends open the same association at once (RFC 9260, sections 5.2.1 and 5.2.4).

use manyway_proto::{AssocState, ConnectError, Event, Message};
use manyway_wire::{Chunk, ChunkType, Tsn, VerificationTag};

use crate::pair::{Pair, Seen, causes_of, kinds};

/// Both ends have called connect, and their INITs are on their way.
fn crossing() -> (Pair, Seen, Seen) {
    let mut pair = Pair::new();
    pair.connect_both();
    let (zero, one) = (pair.take(0).remove(0), pair.take(1).remove(0));
    (pair, zero, one)
}

fn first_words(seen: &Seen) -> (VerificationTag, Tsn) {
    let init = seen.with(ChunkType::INIT, |chunk, _| match chunk {
        Chunk::Init(init) => (init.initiate_tag, init.initial_tsn),
        _ => unreachable!(),
    });
    let ack = seen.with(ChunkType::INIT_ACK, |chunk, _| match chunk {
        Chunk::InitAck(ack) => (ack.initiate_tag, ack.initial_tsn),
        _ => unreachable!(),
    });
    init.or(ack).expect("INIT or INIT-ACK")
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# Upon receipt of an INIT chunk in the COOKIE-WAIT state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged)
//# After that, the endpoint MUST NOT change its state, the T1-init timer MUST be left running, and the corresponding TCB MUST NOT be destroyed
#[test]
fn an_init_in_cookie_wait_is_answered_with_the_same_words() {
    let (mut pair, zero, one) = crossing();
    let timer = pair.ends[1].poll_timeout();
    pair.deliver(1, zero.bytes.clone());
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::INIT_ACK]);
    assert_eq!(first_words(&answers[0]), first_words(&one));
    assert_eq!(answers[0].header.verification_tag, first_words(&zero).0);
    assert_eq!(pair.state(1), AssocState::CookieWait);
    assert_eq!(pair.ends[1].poll_timeout(), timer);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# Upon receipt of an INIT chunk in the COOKIE-ECHOED state, an endpoint MUST respond with an INIT ACK chunk using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged), provided that no new address has been added to the forming association
#[test]
fn an_init_in_cookie_echoed_is_answered_with_the_same_words() {
    let (mut pair, zero, one) = crossing();
    pair.deliver(0, one.bytes.clone());
    let ack = pair.take(0).remove(0);
    pair.deliver(1, ack.bytes);
    assert_eq!(pair.state(1), AssocState::CookieEchoed);
    pair.take(1);
    pair.deliver(1, zero.bytes);
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::INIT_ACK]);
    assert_eq!(first_words(&answers[0]), first_words(&one));
    assert_eq!(pair.state(1), AssocState::CookieEchoed);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# If the INIT chunk indicates that a new address has been added to the association, then the entire INIT chunk MUST be discarded, and the state of the existing association SHOULD NOT be changed
#[test]
fn an_init_with_another_address_in_cookie_echoed_is_refused() {
    let (mut pair, zero, one) = crossing();
    pair.deliver(0, one.bytes);
    let ack = pair.take(0).remove(0);
    pair.deliver(1, ack.bytes);
    pair.take(1);
    let widened = zero.with_address([192, 0, 2, 77]);
    pair.deliver(1, widened);
    let answers = pair.take(1);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [11]);
    assert_eq!(answers[0].header.verification_tag, first_words(&zero).0);
    assert_eq!(pair.state(1), AssocState::CookieEchoed);
    assert_eq!(pair.ends[1].stats().restarts_refused, 1);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# The cookie SHOULD be silently discarded. The endpoint SHOULD NOT change states and SHOULD leave any timers running
#[test]
fn a_cookie_from_before_this_side_began_is_late() {
    let mut pair = Pair::new();
    pair.ends[1].listen(Pair::PORTS[1]).unwrap();
    pair.connect_from(0);
    let zero = pair.take(0).remove(0);
    // Answered as by a listener: nothing is known of the association that comes.
    pair.deliver(1, zero.bytes.clone());
    let early = pair.take(1).remove(0);
    pair.connect_from(1);
    let one = pair.take(1).remove(0);
    pair.deliver(0, one.bytes);
    let ack = pair.take(0).remove(0);
    pair.deliver(1, ack.bytes);
    let echo_of_one = pair.take(1).remove(0);
    assert_eq!(pair.state(1), AssocState::CookieEchoed);
    pair.deliver(0, early.bytes);
    let late = pair.take(0).remove(0);
    assert_eq!(late.kinds(), [ChunkType::COOKIE_ECHO]);
    let timer = pair.ends[1].poll_timeout();
    pair.deliver(1, late.bytes);
    assert!(pair.take(1).is_empty());
    assert_eq!(pair.state(1), AssocState::CookieEchoed);
    assert_eq!(pair.ends[1].poll_timeout(), timer);
    assert_eq!(pair.ends[1].stats().cookies_refused, 1);
    // The other cookie makes the association: action B at the end that knows another tag.
    pair.deliver(0, echo_of_one.bytes);
    pair.settle();
    pair.assert_one_association_that_works();
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# it MUST update its peer's Verification Tag from the State Cookie, stop any T1-init or T1-cookie timers that might be running, and send a COOKIE ACK chunk
#[test]
fn a_cookie_in_cookie_wait_establishes() {
    let (mut pair, _, one) = crossing();
    pair.deliver(0, one.bytes);
    let ack = pair.take(0).remove(0);
    pair.deliver(1, ack.bytes);
    let echo = pair.take(1).remove(0);
    assert_eq!(pair.state(0), AssocState::CookieWait);
    pair.deliver(0, echo.bytes);
    assert_eq!(pair.state(0), AssocState::Established);
    let id = pair.ids[0];
    let (of, event) = pair.ends[0].poll_event().unwrap();
    assert!(id == Some(of) && matches!(event, Event::Connected | Event::PathUp { .. }));
    assert!(kinds(&pair.take(0)).contains(&ChunkType::COOKIE_ACK));
    pair.settle();
}

#[test]
fn both_ends_get_one_association_whatever_the_order_of_the_packets() {
    for seed in 0..400 {
        let mut pair = Pair::new();
        pair.connect_both();
        pair.shuffle(seed, 4);
        pair.assert_one_association_that_works();
    }
}

#[test]
fn what_is_sent_while_both_open_arrives_once() {
    for seed in 0..200 {
        let mut pair = Pair::new();
        pair.connect_both();
        let now = pair.now;
        for end in 0..2 {
            let id = pair.ids[end].unwrap();
            let assoc = pair.ends[end].association_mut(now, id).unwrap();
            for number in 0..20_u8 {
                assoc.send(Message::new(0, vec![number; 500])).unwrap();
            }
        }
        pair.shuffle(seed, 4);
        for end in 0..2 {
            let id = pair.ids[end].unwrap();
            let assoc = pair.ends[end].association_mut(now, id).unwrap();
            let numbers: Vec<u8> = std::iter::from_fn(|| assoc.recv())
                .map(|m| m.payload[0])
                .collect();
            assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "seed {seed}");
        }
    }
}

#[test]
fn a_port_in_use_with_the_peer_is_not_used_twice() {
    let mut pair = Pair::new();
    pair.connect_from(0);
    assert_eq!(pair.try_connect_from(0), Err(ConnectError::InUse));
}
