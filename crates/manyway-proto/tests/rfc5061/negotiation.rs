//! Who speaks which form of ASCONF with whom (sections 4.1.1 and 4.2.7).

use manyway_proto::{AddressError, ChunkType, CloseReason, EndpointConfig, Event, Extension};
use manyway_wire::AsconfAction;

use crate::plain::{self, Offer, Plain, causes_of, kinds, ours, theirs};
use crate::{acks, answer_heartbeats, asconf, ip};

#[test]
fn asconf_asconf_ack_and_auth_are_listed_together() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.7
    //= type=test
    //# An implementation supporting this extension MUST list the ASCONF,the ASCONF-ACK, and the AUTH chunks in its INIT and INIT-ACK parameters.
    let plain = Plain::opened_by_peer(EndpointConfig::default(), Offer::default());
    for kind in [ChunkType::AUTH, ChunkType::ASCONF, ChunkType::ASCONF_ACK] {
        assert!(plain.listed.contains(&kind.0), "{kind}");
    }
    let mut config = EndpointConfig::default();
    config.transport.extensions = config.transport.extensions.without(Extension::Auth);
    let plain = Plain::opened_by_peer(config, Offer::default());
    for kind in [ChunkType::AUTH, ChunkType::ASCONF, ChunkType::ASCONF_ACK] {
        assert!(!plain.listed.contains(&kind.0), "{kind} without AUTH");
    }
}

#[test]
fn an_unauthenticated_asconf_is_dropped_with_the_rest_of_its_packet() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.1.1
    //= type=test
    //# If this chunk is received unauthenticated it MUST be silently discarded as described in [RFC4895].
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# If either authentication fails, or the AUTH chunk is missing, the receiver MUST silently discard this chunk and the rest of the packet.
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), Offer::default());
    let add = asconf(100, ip(theirs(1)), &[AsconfAction::Add(ip(theirs(2)))]);
    let heartbeat = manyway_wire::Heartbeat { info: b"?" };
    plain.send(&[&add, &heartbeat]);
    assert!(plain.take().is_empty());
    assert_eq!(plain.assoc().stats().unauthenticated_chunks, 1);
    let mut wrong = plain
        .signed(&crate::plain::Signing::default(), &[], &[&add])
        .to_vec();
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    wrong[8..12].fill(0);
    let crc = manyway_wire::crc32c(&[&wrong]);
    wrong[8..12].copy_from_slice(&crc.to_le_bytes());
    plain.deliver(plain.path, wrong.into());
    assert!(plain.take().is_empty());
    assert_eq!(plain.assoc().peer_addresses().len(), 1);
    plain.send_signed(&[&add]);
    assert_eq!(acks(&plain.take()), [(100, vec![(1, 0)])]);
    assert_eq!(plain.assoc().peer_addresses().len(), 2);
}

#[test]
fn to_a_peer_without_the_extension_asconf_is_an_unknown_chunk() {
    for offer in [
        Offer::bare(),
        Offer {
            extensions: vec![ChunkType::AUTH],
            ..Offer::default()
        },
    ] {
        let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer.clone());
        let refused = plain.command(|now, a| a.add_address(now, ours(2)));
        assert_eq!(refused, Err(AddressError::NotSupported));
        let add = asconf(100, ip(theirs(1)), &[AsconfAction::Add(ip(theirs(2)))]);
        match offer.random {
            Some(_) => plain.send_signed(&[&add]),
            None => plain.send(&[&add]),
        }
        let answer = plain.take();
        assert_eq!(kinds(&answer), [ChunkType::ERROR]);
        assert_eq!(causes_of(&answer, ChunkType::ERROR), [6]);
    }
}

fn without_auth() -> Offer {
    Offer {
        random: None,
        ..Offer::default()
    }
}

#[test]
fn a_peer_that_lists_asconf_without_auth_is_refused() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-6
    //= type=test
    //# If an SCTP endpoint that supports this extension receives an INIT that indicates that the peer supports the ASCONF extension but does NOT support the [RFC4895] extension, the receiver of such an INIT MUST send an ABORT in response.
    let mut plain = Plain::new(EndpointConfig::default(), without_auth());
    plain.send_init();
    let answer = plain.take();
    assert_eq!(kinds(&answer), [ChunkType::ABORT]);
    assert_eq!(causes_of(&answer, ChunkType::ABORT), [13]);
    assert_eq!(answer[0].packet().header().verification_tag, plain::TAG);
    assert_eq!(plain.endpoint.associations().count(), 0);
}

#[test]
fn nor_is_an_association_opened_with_such_a_peer() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-6
    //= type=test
    //# An implementation that receives an INIT-ACK that indicates that the peer does not support the [RFC4895] extension MUST NOT send the COOKIE-ECHO to establish the association.
    let mut plain = Plain::new(EndpointConfig::default(), without_auth());
    plain.connect(vec![ours(1)]);
    plain.answer_init();
    assert_eq!(kinds(&plain.take()), [ChunkType::ABORT]);
    let closed = |e: &Event| {
        matches!(
            e,
            Event::Closed {
                reason: CloseReason::ProtocolViolation(_)
            }
        )
    };
    assert!(plain.events().iter().any(closed));
}

#[test]
fn an_endpoint_without_the_extension_takes_such_a_peer() {
    for extension in [Extension::Asconf, Extension::Auth] {
        let mut config = EndpointConfig::default();
        config.transport.extensions = config.transport.extensions.without(extension);
        let mut plain = Plain::opened_by_peer(config, without_auth());
        let refused = plain.command(|now, a| a.add_address(now, ours(2)));
        assert_eq!(refused, Err(AddressError::NotSupported));
    }
}

#[test]
fn the_peer_may_say_where_it_would_like_to_be_sent_to_first() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.4
    //= type=test
    //# The inclusion of this parameter in the INIT or INIT-ACK can be used to indicate an initial preference of primary address.
    let offer = Offer {
        addresses: vec![ip(theirs(2)), ip(theirs(3))],
        primary: Some(ip(theirs(3))),
        ..Offer::default()
    };
    let mut forbidding = EndpointConfig::default();
    forbidding.transport.peer_may_change_addresses = false;
    for opened in [Plain::opened_by_peer, Plain::opened_by_endpoint] {
        let mut plain = opened(EndpointConfig::default(), offer.clone());
        let sent = plain.take();
        answer_heartbeats(&mut plain, &sent);
        let primary = |plain: &Plain| {
            let mut paths = plain.assoc().paths();
            paths.find(|p| p.primary).map(|p| ip(p.four_tuple.remote))
        };
        assert_eq!(primary(&plain), Some(ip(theirs(3))));
        let other = Offer {
            primary: Some(ip(theirs(9))),
            ..offer.clone()
        };
        for (config, offer) in [
            (EndpointConfig::default(), other),
            (forbidding.clone(), offer.clone()),
        ] {
            assert_eq!(primary(&opened(config, offer)), Some(ip(theirs(1))));
        }
    }
}
