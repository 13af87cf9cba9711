//! AUTH chunks in packets (sections 5.1, 6.2 and 6.3).

use bytes::Bytes;
use manyway_proto::{ChunkType, EndpointConfig, HmacId, KeyId, Message};
use manyway_wire::{Abort, Causes, Heartbeat};

use crate::demanding;
use crate::plain::{MS, Offer, Plain, Signing, causes_of, kinds};

fn heartbeat() -> Heartbeat<'static> {
    Heartbeat {
        info: b"are you there",
    }
}

/// An association on which the endpoint takes heartbeats only authenticated.
fn guarded() -> Plain {
    Plain::opened_by_peer(demanding(&[ChunkType::HEARTBEAT]), Offer::default())
}

#[test]
fn what_has_to_be_authenticated_is_dropped_silently_without_it() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# It MUST silently discard these chunks if they are not placed after an AUTH chunk in the packet.
    let mut plain = guarded();
    let data = plain.data();
    plain.send(&[&heartbeat(), &data]);
    let answer = plain.wait(MS * 100);
    assert_eq!(kinds(&answer), [ChunkType::SACK], "the other chunks count");
    assert_eq!(plain.assoc().stats().unauthenticated_chunks, 1);
}

#[test]
fn what_stands_behind_a_right_auth_chunk_counts() {
    for hmac in [HmacId::SHA1, HmacId::SHA256] {
        let mut plain = guarded();
        let signing = Signing {
            hmac,
            ..Signing::default()
        };
        let packet = plain.signed(&signing, &[], &[&heartbeat()]);
        plain.deliver(plain.path, packet);
        assert_eq!(kinds(&plain.take()), [ChunkType::HEARTBEAT_ACK], "{hmac}");
    }
}

#[test]
fn what_stands_before_the_auth_chunk_is_not_authenticated() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-5.1
    //= type=test
    //# Those chunks placed in a packet before the AUTH chunk are not authenticated.
    let mut plain = guarded();
    let data = plain.data();
    let packet = plain.signed(&Signing::default(), &[&heartbeat()], &[&data]);
    plain.deliver(plain.path, packet);
    assert_eq!(kinds(&plain.wait(MS * 100)), [ChunkType::SACK]);
}

#[test]
fn every_altered_bit_behind_the_common_header_is_noticed() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If the field does not match the result of the calculation, all the chunks following the AUTH chunk MUST be silently discarded.
    let mut plain = guarded();
    let right = plain.signed(&Signing::default(), &[], &[&heartbeat()]);
    for bit in 12 * 8..right.len() * 8 {
        let mut wrong = right.to_vec();
        wrong[bit / 8] ^= 1 << (bit % 8);
        wrong[8..12].fill(0);
        let crc = manyway_wire::crc32c(&[&wrong]);
        wrong[8..12].copy_from_slice(&crc.to_le_bytes());
        plain.deliver(plain.path, wrong.into());
        let answer = plain.take();
        // Another hash function is reported, everything else is not.
        let quiet = answer.is_empty() || causes_of(&answer, ChunkType::ERROR) == [0x105];
        assert!(
            quiet || kinds(&answer) == [ChunkType::ERROR],
            "bit {bit}: {:?}",
            kinds(&answer)
        );
        assert!(
            !kinds(&answer).contains(&ChunkType::HEARTBEAT_ACK),
            "bit {bit}"
        );
    }
    plain.deliver(plain.path, right);
    assert_eq!(kinds(&plain.take()), [ChunkType::HEARTBEAT_ACK]);
}

#[test]
fn an_hmac_cut_short_proves_nothing() {
    let mut plain = guarded();
    let right = plain.signed(&Signing::default(), &[], &[&heartbeat()]);
    for len in [0, 1, 19] {
        let hmac = &right[20..20 + len];
        let auth = manyway_wire::Auth {
            key_id: KeyId(0),
            hmac_id: HmacId::SHA1,
            hmac,
        };
        plain.send(&[&auth, &heartbeat()]);
        assert!(plain.take().is_empty(), "{len} bytes");
    }
    assert_eq!(plain.assoc().stats().failed_authentications, 3);
}

#[test]
fn a_hash_function_that_was_not_offered_is_reported() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If this algorithm was not specified by the receiver in the HMAC-ALGO parameter in the INIT or INIT-ACK chunk during association setup, the AUTH chunk and all the chunks after it MUST be discarded and an ERROR chunk SHOULD be sent with the error cause defined in Section 4.1.
    let mut plain = guarded();
    let signing = Signing {
        hmac: HmacId(2),
        ..Signing::default()
    };
    let packet = plain.signed(&signing, &[], &[&heartbeat()]);
    plain.deliver(plain.path, packet);
    let answer = plain.take();
    assert_eq!(kinds(&answer), [ChunkType::ERROR]);
    assert_eq!(causes_of(&answer, ChunkType::ERROR), [0x105]);
}

#[test]
fn a_second_auth_chunk_ends_the_packet() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-5.1
    //= type=test
    //# The control chunk AUTH MUST NOT appear more than once in an SCTP packet.
    let mut plain = guarded();
    let one = plain.signed(&Signing::default(), &[], &[]);
    let auth = crate::plain::Raw(one[12..].to_vec());
    let packet = plain.signed(&Signing::default(), &[], &[&auth, &heartbeat()]);
    plain.deliver(plain.path, packet);
    assert!(plain.take().is_empty());
    assert_eq!(plain.assoc().stats().failed_authentications, 1);
}

#[test]
fn every_chunk_that_the_peer_listed_leaves_behind_an_auth_chunk() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.2
    //= type=test
    //# To send chunks in an authenticated way, the sender MUST include these chunks after an AUTH chunk.
    let offer = Offer {
        chunks: vec![ChunkType::DATA, ChunkType::SACK, ChunkType::HEARTBEAT_ACK],
        ..Offer::default()
    };
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 4000])))
        .unwrap();
    let data = plain.data();
    plain.send(&[&data, &heartbeat()]);
    let sent = plain.wait(MS * 100);
    assert!(kinds(&sent).contains(&ChunkType::DATA));
    assert!(kinds(&sent).contains(&ChunkType::HEARTBEAT_ACK));
    for seen in &sent {
        let all = seen.kinds();
        assert_eq!(all[0], ChunkType::AUTH);
        assert_eq!(plain.authenticated(seen), all[1..]);
    }
}

#[test]
fn a_message_that_fits_a_packet_fits_it_with_its_auth_chunk() {
    let offer = Offer {
        chunks: vec![ChunkType::DATA],
        hmacs: vec![HmacId::SHA256],
        ..Offer::default()
    };
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
    let plainly = Plain::opened_by_peer(EndpointConfig::default(), Offer::default());
    let len = plain.assoc().max_message_payload();
    assert_eq!(len + 40, plainly.assoc().max_message_payload());
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; len])))
        .unwrap();
    let sent = plain.take();
    let data = |s: &&crate::plain::Seen| s.kinds().contains(&ChunkType::DATA);
    assert_eq!(sent.iter().filter(data).count(), 1);
    // Lost, it leaves once more, and still fits.
    let again = plain.wait(MS * 1500);
    let again: Vec<_> = again.iter().filter(data).collect();
    assert!(!again.is_empty());
    assert!(again.iter().all(|s| s.bytes.len() <= 1232));
}

#[test]
fn data_that_nobody_wants_authenticated_cost_no_auth_chunk() {
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), Offer::default());
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 100])))
        .unwrap();
    assert!(!kinds(&plain.take()).contains(&ChunkType::AUTH));
}

#[test]
fn an_abort_that_must_be_authenticated_ends_nothing_without_it() {
    let abort = |reflected_tag| Abort {
        reflected_tag,
        causes: Causes::EMPTY,
    };
    let mut plain = Plain::opened_by_peer(demanding(&[ChunkType::ABORT]), Offer::default());
    plain.send(&[&abort(false)]);
    assert!(plain.assoc().is_established());
    let tag = std::mem::replace(&mut plain.header.verification_tag, crate::plain::TAG);
    plain.send(&[&abort(true)]);
    assert!(plain.assoc().is_established());
    assert_eq!(plain.assoc().stats().unauthenticated_chunks, 2);
    plain.header.verification_tag = tag;
    plain.send_signed(&[&abort(false)]);
    assert!(!plain.assoc().is_established());
}

#[test]
fn our_abort_is_authenticated_if_the_peer_wants_it() {
    let offer = Offer {
        chunks: vec![ChunkType::ABORT],
        ..Offer::default()
    };
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
    plain.command(|now, a| a.abort(now, Bytes::new()));
    let sent = plain.take();
    assert_eq!(sent.len(), 1);
    assert_eq!(plain.authenticated(&sent[0]), [ChunkType::ABORT]);
}
