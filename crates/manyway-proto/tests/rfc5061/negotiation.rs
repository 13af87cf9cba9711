//! Who speaks which form of ASCONF with whom (sections 4.1.1 and 4.2.7).

use manyway_proto::{AddressError, ChunkType, EndpointConfig, Extension};
use manyway_wire::AsconfAction;

use crate::plain::{Offer, Plain, causes_of, kinds, ours, theirs};
use crate::{acks, asconf, ip};

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

#[test]
fn a_peer_that_lists_asconf_without_auth_gets_neither() {
    let offer = Offer {
        random: None,
        ..Offer::default()
    };
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
    let refused = plain.command(|now, a| a.add_address(now, ours(2)));
    assert_eq!(refused, Err(AddressError::NotSupported));
}
