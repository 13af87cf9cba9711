//! COOKIE-ECHO, which comes before there is an association (section 6.3).

use manyway_proto::{ChunkType, EndpointConfig, KeyId, Message};
use manyway_wire::{CookieAck, CookieEcho};

use crate::plain::{Offer, Plain, Signing, kinds, ours};
use crate::{demanding, with_key};

fn signed_by(secret: &[u8]) -> Signing {
    Signing {
        secret: secret.to_vec(),
        key: KeyId(7),
        ..Signing::default()
    }
}

/// A server that accepts only clients that know its key, after INIT-ACK.
fn server() -> Plain {
    let config = with_key(demanding(&[ChunkType::COOKIE_ECHO]), b"secret");
    let mut plain = Plain::new(config, Offer::default());
    plain.exchange_init();
    plain
}

#[test]
fn a_cookie_that_must_be_authenticated_opens_nothing_without_the_key() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If authentication fails, then the packet is discarded.
    let mut plain = server();
    let cookie = plain.cookie.clone();
    let echo = CookieEcho { cookie: &cookie };
    plain.send(&[&echo]);
    for signing in [signed_by(b"guess"), Signing::default()] {
        let packet = plain.signed(&signing, &[], &[&echo]);
        plain.deliver(plain.path, packet);
    }
    assert!(plain.take().is_empty());
    assert_eq!(plain.endpoint.associations().count(), 0);
    assert_eq!(plain.endpoint.stats().cookies_refused, 3);
}

#[test]
fn with_the_key_it_opens_the_association_and_what_follows_it_counts() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If the authentication is successful, the COOKIE-ECHO and all the chunks after the COOKIE-ECHO MUST be processed.
    let mut plain = server();
    let cookie = plain.cookie.clone();
    let data = plain.data();
    let packet = plain.signed(
        &signed_by(b"secret"),
        &[],
        &[&CookieEcho { cookie: &cookie }, &data],
    );
    plain.deliver(plain.path, packet.clone());
    plain.find();
    assert_eq!(plain.assoc().stats().messages_received + 1, 1);
    assert!(plain.assoc().has_message());
    let answers = kinds(&plain.take());
    let acks = answers
        .iter()
        .filter(|k| **k == ChunkType::COOKIE_ACK)
        .count();
    assert_eq!(acks, 1);
    // COOKIE-ACK was lost.
    plain.deliver(plain.path, packet);
    assert!(kinds(&plain.take()).contains(&ChunkType::COOKIE_ACK));
    assert_eq!(plain.endpoint.associations().count(), 1);
}

#[test]
fn only_the_key_of_the_old_association_restarts_it() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If the receiver has an STCB, it MUST process the AUTH chunk as described above using the STCB from the existing association to authenticate the COOKIE-ECHO chunk and all the chunks after it.
    let mut plain = server();
    let cookie = plain.cookie.clone();
    let packet = plain.signed(
        &signed_by(b"secret"),
        &[],
        &[&CookieEcho { cookie: &cookie }],
    );
    plain.deliver(plain.path, packet);
    plain.find();
    plain.take();
    let old = plain.vectors.clone();
    plain.header.verification_tag.0 = 0;
    plain.offer.random = Some(vec![0xbb; 32]);
    plain.exchange_init();
    let cookie = plain.cookie.clone();
    let echo = CookieEcho { cookie: &cookie };
    let packet = plain.signed(&signed_by(b"secret"), &[], &[&echo]);
    plain.deliver(plain.path, packet);
    assert!(plain.assoc().is_established());
    assert!(plain.take().is_empty());
    let new = std::mem::replace(&mut plain.vectors, old);
    assert_ne!(new, plain.vectors);
}

/// What leaves once a server that demands `kind` authenticated has answered INIT.
fn cookie_echo_with_data(kind: ChunkType) -> (Plain, Vec<crate::plain::Seen>) {
    let offer = Offer {
        chunks: vec![kind],
        ..Offer::default()
    };
    let mut plain = Plain::new(EndpointConfig::default(), offer);
    plain.connect(vec![ours(1)]);
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 10])))
        .unwrap();
    plain.answer_init();
    let sent = plain.take();
    (plain, sent)
}

#[test]
fn our_cookie_echo_is_authenticated_if_the_server_wants_it() {
    let (plain, sent) = cookie_echo_with_data(ChunkType::COOKIE_ECHO);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        plain.authenticated(&sent[0]),
        [ChunkType::COOKIE_ECHO, ChunkType::DATA]
    );
}

#[test]
fn data_that_ride_along_with_the_cookie_are_authenticated_behind_it() {
    let (mut plain, sent) = cookie_echo_with_data(ChunkType::DATA);
    assert_eq!(
        sent[0].kinds(),
        [ChunkType::COOKIE_ECHO, ChunkType::AUTH, ChunkType::DATA]
    );
    assert_eq!(plain.authenticated(&sent[0]), [ChunkType::DATA]);
    plain.send(&[&CookieAck]);
    assert!(plain.assoc().is_established());
}

#[test]
fn a_cookie_ack_that_must_be_authenticated_is_so_when_it_is_repeated() {
    let offer = Offer {
        chunks: vec![ChunkType::COOKIE_ACK],
        ..Offer::default()
    };
    let mut plain = Plain::new(EndpointConfig::default(), offer);
    plain.exchange_init();
    let cookie = plain.cookie.clone();
    for _ in 0..2 {
        plain.send(&[&CookieEcho { cookie: &cookie }]);
        let sent = plain.take();
        let all: Vec<_> = sent.iter().flat_map(|s| plain.authenticated(s)).collect();
        assert!(all.contains(&ChunkType::COOKIE_ACK));
        let total = kinds(&sent);
        assert_eq!(
            total
                .iter()
                .filter(|k| **k == ChunkType::COOKIE_ACK)
                .count(),
            1
        );
    }
}

#[test]
fn a_packet_of_nobody_with_an_auth_chunk_is_out_of_the_blue() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# The out of the blue handling MUST be based on the packet without taking the AUTH chunk into account.
    let mut plain = Plain::new(EndpointConfig::default(), Offer::default());
    plain.header.verification_tag.0 = 99;
    let data = plain.data();
    plain.send_signed(&[&data]);
    assert_eq!(kinds(&plain.take()), [ChunkType::ABORT]);
    plain.send_signed(&[&CookieAck]);
    assert!(plain.take().is_empty());
}

#[test]
fn a_cookie_tells_no_key() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# the cookie contained in an INIT-ACK chunk and in a COOKIE-ECHO chunk MUST NOT contain any endpoint pair shared keys
    let cookie = server().cookie;
    assert!(cookie.len() > 32);
    assert!(!cookie.windows(6).any(|part| part == b"secret"));
}
