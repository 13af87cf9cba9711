//! Endpoint pair shared keys (sections 6.1 to 6.3; RFC 6458, sections 6.1.8 and 8.3).

use manyway_proto::{
    AuthKeyError, AuthSecret, ChunkType, EndpointConfig, Event, HmacId, KeyId, Message,
};
use manyway_wire::Heartbeat;

use crate::plain::{Offer, Plain, Signing, kinds};
use crate::{demanding, with_key};

fn signed_by(key: u16, secret: &[u8]) -> Signing {
    Signing {
        secret: secret.to_vec(),
        key: KeyId(key),
        hmac: HmacId::SHA256,
    }
}

/// Whether the endpoint takes a heartbeat under this key.
fn takes(plain: &mut Plain, signing: &Signing) -> bool {
    let packet = plain.signed(signing, &[], &[&Heartbeat { info: b"?" }]);
    plain.deliver(plain.path, packet);
    kinds(&plain.take()).contains(&ChunkType::HEARTBEAT_ACK)
}

/// The key and what it authenticates of the next message.
fn signs(plain: &mut Plain, secret: &[u8]) -> KeyId {
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 10])))
        .unwrap();
    let sent = plain.take();
    assert!(
        plain
            .authenticated_by(&sent[0], secret)
            .contains(&ChunkType::DATA)
    );
    sent[0].packet().authentication().unwrap().auth().key_id
}

fn offer() -> Offer {
    Offer {
        chunks: vec![ChunkType::DATA],
        ..Offer::default()
    }
}

#[test]
fn without_keys_the_null_key_has_identifier_0() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.2
    //= type=test
    //# If the endpoint has no endpoint pair shared key for the peer, it MUST use Shared Key Identifier zero with an empty endpoint pair shared key.
    let mut plain = Plain::opened_by_peer(demanding(&[ChunkType::HEARTBEAT]), offer());
    assert_eq!(signs(&mut plain, b""), KeyId(0));
    assert!(takes(&mut plain, &signed_by(0, b"")));
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If an endpoint with no shared key receives a Shared Key Identifier other than 0, it MUST silently discard all authenticated chunks.
    assert!(!takes(&mut plain, &signed_by(1, b"")));
}

#[test]
fn a_configured_key_is_the_only_one() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.3
    //= type=test
    //# If no endpoint pair shared key has been configured for that Shared Key Identifier, all authenticated chunks MUST be silently discarded.
    let config = with_key(demanding(&[ChunkType::HEARTBEAT]), b"secret");
    let mut plain = Plain::opened_by_peer(config, offer());
    assert_eq!(plain.assoc().active_auth_key(), Some(KeyId(7)));
    assert_eq!(signs(&mut plain, b"secret"), KeyId(7));
    assert!(takes(&mut plain, &signed_by(7, b"secret")));
    assert!(!takes(&mut plain, &signed_by(7, b"guess")));
    assert!(
        !takes(&mut plain, &signed_by(0, b"")),
        "the null key would open the door"
    );
    assert_eq!(plain.assoc().stats().failed_authentications, 2);
}

#[test]
fn keys_change_while_the_association_lives() {
    let mut plain = Plain::opened_by_peer(demanding(&[ChunkType::HEARTBEAT]), offer());
    plain.events();
    let new = || AuthSecret::new(*b"new");
    assert_eq!(
        plain.command(|_, a| a.activate_auth_key(KeyId(3))),
        Err(AuthKeyError::Unknown)
    );
    plain
        .command(|_, a| a.set_auth_key(KeyId(3), new()))
        .unwrap();
    assert_eq!(signs(&mut plain, b""), KeyId(0), "not active yet");
    assert!(takes(&mut plain, &signed_by(3, b"new")), "but accepted");
    assert!(
        plain
            .events()
            .contains(&Event::AuthKeyUsed { key: KeyId(3) })
    );
    plain.command(|_, a| a.activate_auth_key(KeyId(3))).unwrap();
    assert_eq!(signs(&mut plain, b"new"), KeyId(3));
    assert_eq!(
        plain.command(|_, a| a.delete_auth_key(KeyId(3))),
        Err(AuthKeyError::Active)
    );
    plain
        .command(|_, a| a.deactivate_auth_key(KeyId(0)))
        .unwrap();
    assert!(
        plain
            .events()
            .contains(&Event::AuthKeyFree { key: KeyId(0) })
    );
    assert!(
        takes(&mut plain, &signed_by(0, b"")),
        "a deactivated key is still accepted"
    );
    plain.command(|_, a| a.delete_auth_key(KeyId(0))).unwrap();
    assert!(!takes(&mut plain, &signed_by(0, b"")));
    // The same identifier with other bytes is another key.
    plain
        .command(|_, a| a.set_auth_key(KeyId(3), AuthSecret::new(*b"newer")))
        .unwrap();
    assert!(!takes(&mut plain, &signed_by(3, b"new")));
    assert!(takes(&mut plain, &signed_by(3, b"newer")));
}

#[test]
fn keys_may_be_set_before_the_peer_answers() {
    let mut plain = Plain::new(EndpointConfig::default(), offer());
    plain.connect(vec![crate::plain::ours(1)]);
    let set = |_, a: &mut manyway_proto::Association| {
        a.set_auth_key(KeyId(1), AuthSecret::new(*b"early"))?;
        a.activate_auth_key(KeyId(1))
    };
    plain.command(set).unwrap();
    plain.answer_init();
    plain.take();
    plain.send(&[&manyway_wire::CookieAck]);
    plain.take();
    assert_eq!(signs(&mut plain, b"early"), KeyId(1));
}

#[test]
fn the_peers_favourite_hash_function_is_used() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //= type=test
    //# The receiver of an HMAC-ALGO parameter SHOULD use the first listed algorithm it supports.
    for (listed, used) in [
        (vec![HmacId::SHA1, HmacId::SHA256], HmacId::SHA1),
        (
            vec![HmacId(2), HmacId::SHA256, HmacId::SHA1],
            HmacId::SHA256,
        ),
    ] {
        let offer = Offer {
            hmacs: listed,
            ..offer()
        };
        let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
        plain
            .command(|_, a| a.send(Message::new(0, vec![1; 10])))
            .unwrap();
        let sent = plain.take();
        assert_eq!(
            sent[0].packet().authentication().unwrap().auth().hmac_id,
            used
        );
        plain.authenticated(&sent[0]);
    }
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let secret = AuthSecret::new(*b"do not print me");
    assert_eq!(format!("{secret:?}"), "AuthSecret(15 bytes)");
}
