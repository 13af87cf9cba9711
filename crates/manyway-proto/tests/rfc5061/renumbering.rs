//! Addresses of the endpoint that come and go (sections 5.3 and 5.3.2).

use manyway_proto::{AddressForm, ChunkType, EndpointConfig, Message};
use manyway_wire::AsconfAction;

use crate::plain::{MS, Offer, Plain, kinds, ours};
use crate::{answer, answer_heartbeats, asked, ip};

fn established() -> Plain {
    let mut config = EndpointConfig::default();
    config.transport.address_form = AddressForm::Explicit;
    let mut plain = Plain::opened_by_endpoint(config, Offer::default());
    let sent = plain.take();
    answer_heartbeats(&mut plain, &sent);
    plain.take();
    plain
}

#[test]
fn a_vanished_address_is_deleted_when_the_new_one_is_confirmed() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3.2
    //= type=test
    //# For this reason, the sender MUST fill in the Address Parameter field with an address that is part of the association (in this case, the one being deleted).
    let mut plain = established();
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 100])))
        .unwrap();
    plain.take();
    plain.endpoint.set_local_addresses(plain.now, &[ours(2)]);
    let sent = plain.take();
    let add = asked(&plain, &sent).pop().expect("ADD first");
    assert_eq!(add.action, AsconfAction::Add(ip(ours(2))));
    assert_eq!(
        add.address,
        ip(ours(1)),
        "by which the peer finds the association"
    );
    assert_eq!(add.path.local, ours(2), "the old one is gone");
    answer(&mut plain, &add, 0);
    let sent = plain.take();
    assert!(asked(&plain, &sent).is_empty());
    assert_eq!(answer_heartbeats(&mut plain, &sent), [add.path]);
    let sent = plain.take();
    let delete = asked(&plain, &sent).pop().expect("DELETE then");
    assert_eq!(delete.action, AsconfAction::Delete(ip(ours(1))));
    assert_eq!(delete.path.local, ours(2));
    // What was in flight from the old address goes on from the new one.
    let late = plain.wait(MS * 2000);
    let all: Vec<_> = sent.iter().chain(&late).collect();
    assert!(all.iter().any(|s| s.kinds().contains(&ChunkType::DATA)));
    assert!(all.iter().all(|s| s.path.local == ours(2)));
    answer(&mut plain, &delete, 0);
    let locals: Vec<_> = plain.assoc().paths().map(|p| p.four_tuple.local).collect();
    assert_eq!(locals, [ours(2)]);
}

#[test]
fn an_address_that_is_back_in_time_stays() {
    let mut plain = established();
    plain.endpoint.set_local_addresses(plain.now, &[ours(2)]);
    let sent = plain.take();
    let add = asked(&plain, &sent).pop().unwrap();
    plain
        .endpoint
        .set_local_addresses(plain.now, &[ours(1), ours(2)]);
    answer(&mut plain, &add, 0);
    let sent = plain.take();
    answer_heartbeats(&mut plain, &sent);
    let sent = plain.wait(MS * 500);
    assert!(asked(&plain, &sent).is_empty());
}

#[test]
fn further_addresses_of_connect_are_told_to_the_peer() {
    let mut config = EndpointConfig::default();
    config.transport.address_form = AddressForm::Explicit;
    let mut plain = Plain::new(config, Offer::default());
    plain.connect(vec![ours(1), ours(2)]);
    plain.answer_init();
    plain.take();
    plain.send(&[&manyway_wire::CookieAck]);
    let sent = plain.take();
    let add = asked(&plain, &sent).pop().unwrap();
    assert_eq!(add.action, AsconfAction::Add(ip(ours(2))));
    answer(&mut plain, &add, 0);
    assert!(kinds(&plain.take()).contains(&ChunkType::HEARTBEAT));
    assert_eq!(plain.assoc().paths().count(), 2);
}
