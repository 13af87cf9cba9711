//! Paths to the addresses that a peer named in its INIT or INIT-ACK (RFC 9260, sections 5.4, 6.4).

use manyway_proto::{ChunkType, EndpointConfig, Message, PathState, Wish};

use crate::plain::{MS, Offer, Plain, Seen, ours, theirs};
use crate::{answer_heartbeats, ip};

fn multihomed() -> Offer {
    Offer {
        addresses: (1..=3).map(|n| ip(theirs(n))).collect(),
        ..Offer::bare()
    }
}

fn data_to(all: &[Seen]) -> Vec<std::net::SocketAddr> {
    let data = all.iter().filter(|s| s.kinds().contains(&ChunkType::DATA));
    data.map(|s| s.path.remote).collect()
}

#[test]
fn when_the_first_address_of_a_server_fails_data_go_to_another() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.4
    //= type=test
    //# An endpoint MUST NOT send user data on an UNCONFIRMED path
    let mut plain = Plain::opened_by_endpoint(EndpointConfig::default(), multihomed());
    let sent = plain.take();
    let probes = sent.iter().filter(|s| s.kinds() == [ChunkType::HEARTBEAT]);
    let probed: Vec<_> = probes.map(|s| s.path.remote).collect();
    assert_eq!(probed, [theirs(2), theirs(3)]);
    let only_second: Vec<_> = sent
        .into_iter()
        .filter(|s| s.path.remote == theirs(2))
        .collect();
    answer_heartbeats(&mut plain, &only_second);
    let states: Vec<_> = plain.assoc().paths().map(|p| (p.state, p.wish)).collect();
    assert_eq!(
        states,
        [
            (PathState::Active, Wish::Active),
            (PathState::Active, Wish::Backup),
            (PathState::Unconfirmed, Wish::Backup)
        ]
    );
    plain
        .command(|_, a| a.send(Message::new(0, vec![1; 3000])))
        .unwrap();
    assert!(data_to(&plain.take()).iter().all(|to| *to == theirs(1)));
    let late = plain.wait(MS * 1500);
    assert_eq!(data_to(&late).last(), Some(&theirs(2)));
    assert!(!data_to(&late).contains(&theirs(3)));
}

#[test]
fn an_address_of_a_server_that_is_down_at_first_is_probed_on() {
    let mut plain = Plain::opened_by_endpoint(EndpointConfig::default(), multihomed());
    let sent = plain.wait(MS * 20_000);
    let third = sent.iter().filter(|s| s.path.remote == theirs(3));
    let third: Vec<_> = third
        .filter(|s| s.kinds() == [ChunkType::HEARTBEAT])
        .collect();
    assert!(third.len() > 5);
    let packet = plain.packet(&[]);
    drop(packet);
    let last = sent
        .into_iter()
        .rfind(|s| s.path.remote == theirs(3))
        .unwrap();
    answer_heartbeats(&mut plain, &[last]);
    let active = plain
        .assoc()
        .paths()
        .find(|p| p.four_tuple.remote == theirs(3));
    assert_eq!(active.unwrap().state, PathState::Active);
}

#[test]
fn an_address_of_a_client_that_never_answers_is_given_up() {
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), multihomed());
    assert_eq!(plain.assoc().paths().count(), 3);
    plain.wait(MS * 10_000);
    assert_eq!(plain.assoc().paths().count(), 1);
    assert_eq!(
        plain.assoc().paths().next().unwrap().four_tuple.local,
        ours(1)
    );
}

#[test]
fn only_so_many_paths_are_opened() {
    let offer = Offer {
        addresses: (1..=30).map(|n| ip(theirs(n))).collect(),
        ..Offer::bare()
    };
    let plain = Plain::opened_by_endpoint(EndpointConfig::default(), offer);
    // 16 addresses are remembered, and 4 of 16 paths are kept for what the peer opens itself.
    assert_eq!(plain.assoc().peer_addresses().len(), 16);
    assert_eq!(plain.assoc().paths().count(), 12);
}
