//! State cookies: how long and how often they count (RFC 9260, sections 5.1.3, 5.1.5 and 5.2.6).

use std::time::Duration;

use bytes::Bytes;
use manyway_proto::AssocState;
use manyway_wire::{Chunk, ChunkType, CommonHeader, Parameter, Port, VerificationTag};

use crate::pair::{MS, Pair, Raw, Seen, causes_of, kinds, packet};

const SECOND: Duration = Duration::from_secs(1);

/// A client that has its cookie and is about to present it.
fn about_to_echo() -> (Pair, Bytes) {
    let mut pair = Pair::new();
    let echo = pair.cookie_echo();
    assert_eq!(echo.kinds(), [ChunkType::COOKIE_ECHO]);
    (pair, echo.bytes)
}

fn preservative(init: &Seen) -> Option<u32> {
    init.with(ChunkType::INIT, |chunk, _| match chunk {
        Chunk::Init(init) => init.parameters.iter().flatten().find_map(|p| match p {
            Parameter::CookiePreservative(ms) => Some(ms),
            _ => None,
        }),
        _ => unreachable!(),
    })?
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.6
//= type=test
//# an implementation SHOULD use the RTT information measured based on the previous COOKIE ECHO/ERROR chunk exchange and SHOULD add no more than 1 second beyond the measured RTT
#[test]
fn after_a_stale_cookie_a_longer_life_is_asked_for_and_given() {
    let (mut pair, echo) = about_to_echo();
    pair.now += 61 * SECOND;
    pair.deliver(1, echo);
    let error = pair.take(1).remove(0);
    assert_eq!(
        causes_of(std::slice::from_ref(&error), ChunkType::ERROR),
        [3]
    );
    pair.deliver(0, error.bytes);
    let init = pair.take(0).remove(0);
    assert_eq!(preservative(&init), Some(62_000));
    pair.deliver(1, init.bytes);
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    // Ten seconds more is all that is given.
    pair.now += 70 * SECOND;
    pair.deliver(1, echo.bytes);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
}

#[test]
fn the_life_that_is_given_is_bounded() {
    let (mut pair, echo) = about_to_echo();
    pair.now += 61 * SECOND;
    pair.deliver(1, echo);
    pair.settle_once();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.bytes);
    pair.settle_once();
    let echo = pair.take(0).remove(0);
    pair.now += 71 * SECOND;
    pair.deliver(1, echo.bytes);
    assert_eq!(causes_of(&pair.take(1), ChunkType::ERROR), [3]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.6
//= type=test
//# In all cases, if the association is not in the COOKIE-ECHOED state, the ERROR chunk SHOULD be silently discarded
#[test]
fn a_stale_cookie_error_disturbs_no_association_that_stands() {
    let (mut pair, echo) = about_to_echo();
    pair.now += 61 * SECOND;
    pair.deliver(1, echo);
    let error = pair.take(1).remove(0);
    pair.deliver(0, error.bytes.clone());
    pair.settle();
    assert_eq!(pair.state(0), AssocState::Established);
    pair.deliver(0, error.bytes);
    assert!(pair.take(0).is_empty());
    assert_eq!(pair.state(0), AssocState::Established);
}

#[test]
fn a_cookie_makes_no_second_association_after_the_first_has_ended() {
    let (mut pair, echo) = about_to_echo();
    pair.deliver(1, echo.clone());
    pair.settle();
    let id = pair.ends[1].associations().next().unwrap().id();
    let now = pair.now;
    pair.ends[1]
        .association_mut(now, id)
        .unwrap()
        .abort(now, Bytes::new());
    pair.settle();
    pair.ends[1].release(id);
    pair.now += 10 * MS;
    pair.deliver(1, echo);
    assert!(pair.take(1).is_empty());
    assert_eq!(pair.ends[1].associations().count(), 0);
    assert_eq!(pair.ends[1].stats().cookies_refused, 1);
}

#[test]
fn a_cookie_that_comes_from_another_address_proves_nothing_of_it() {
    let (mut pair, echo) = about_to_echo();
    let elsewhere = "10.8.8.8:4000".parse().unwrap();
    pair.deliver_from(1, elsewhere, echo);
    let paths: Vec<_> = pair.ends[1]
        .associations()
        .flat_map(|a| a.paths())
        .map(|p| p.state)
        .collect();
    assert_eq!(paths, [manyway_proto::PathState::Unconfirmed]);
    // A newcomer from that address is none of its business.
    let mut other = Pair::new();
    other.connect();
    let init = other.take(0).remove(0);
    pair.take(1);
    pair.deliver_from(1, elsewhere, init.bytes);
    assert_eq!(kinds(&pair.take(1)), [ChunkType::INIT_ACK]);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.2
//= type=test
//# If there are one or more IPv4 Address parameters or IPv6 Address parameters present in the received INIT or INIT ACK chunk, then these addresses MUST be considered as potential destination addresses
#[test]
fn a_peer_with_several_addresses_may_go_on_from_another_one() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.with_address([10, 7, 7, 7]));
    let ack = pair.take(1).remove(0);
    pair.deliver(0, ack.bytes);
    let echo = pair.take(0).remove(0);
    pair.deliver_from(1, "10.7.7.7:9899".parse().unwrap(), echo.bytes);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
    let assoc = pair.ends[1].associations().next().unwrap();
    assert!(assoc.is_established());
    assert!(
        assoc
            .peer_addresses()
            .iter()
            .any(|a| a.ip() == std::net::IpAddr::from([10, 7, 7, 7]))
    );
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.5
//= type=test
//# If these values do not match, the packet MUST be silently discarded.
#[test]
fn a_cookie_under_other_ports_or_another_tag_is_discarded() {
    // Both ports and the tag, byte by byte.
    for at in 0..8 {
        let (mut pair, echo) = about_to_echo();
        let mut header = [0; 8];
        header.copy_from_slice(&echo[..8]);
        header[at] ^= 1;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let [.., t0, t1, t2, t3] = header;
        let header = CommonHeader {
            source_port: Port(word(0)),
            destination_port: Port(word(2)),
            verification_tag: VerificationTag(u32::from_be_bytes([t0, t1, t2, t3])),
        };
        pair.ends[1].listen(Port(81)).unwrap();
        pair.deliver(1, packet(header, &[&Raw(echo[12..].to_vec())]));
        assert!(pair.take(1).is_empty(), "byte {at}");
        assert_eq!(pair.ends[1].associations().count(), 0);
        assert_eq!(pair.ends[1].stats().cookies_refused, 1);
    }
}
