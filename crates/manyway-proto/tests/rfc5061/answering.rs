//! The peer's requests (sections 4.2, 4.3, 5.2 and 5.3).

use std::net::{IpAddr, Ipv4Addr};

use manyway_proto::{ChunkType, EndpointConfig, Event, FourTuple, PathState, Wish};
use manyway_wire::{AsconfAction, AsconfRequestList, AsconfSerial, Chunk, ParameterType};

use crate::plain::{MS, Offer, Plain, Signing, kinds, ours, theirs};
use crate::{acks, answer_heartbeats, asconf, ip};

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn established() -> Plain {
    let mut plain = Plain::opened_by_peer(EndpointConfig::default(), Offer::default());
    plain.events();
    plain
}

/// Asks from the usual address; the error codes of the answer, in order.
fn ask(plain: &mut Plain, serial: u32, actions: &[AsconfAction]) -> Vec<u16> {
    plain.send_signed(&[&asconf(serial, ip(theirs(1)), actions)]);
    let sent = plain.take();
    for seen in &sent {
        if seen.kinds().contains(&ChunkType::ASCONF_ACK) {
            assert_eq!(seen.path, plain.path, "back to where it came from");
            assert!(plain.authenticated(seen).contains(&ChunkType::ASCONF_ACK));
        }
    }
    answer_heartbeats(plain, &sent);
    let mut acks = acks(&sent);
    assert_eq!(acks.len(), 1);
    let (of, codes) = acks.pop().unwrap();
    assert_eq!(of, serial);
    codes.into_iter().map(|(_, code)| code).collect()
}

fn remotes(plain: &Plain) -> Vec<IpAddr> {
    let mut all: Vec<_> = plain
        .assoc()
        .paths()
        .map(|p| p.four_tuple.remote.ip())
        .collect();
    all.sort();
    all
}

#[test]
fn an_added_address_is_verified_before_it_is_used_and_only_on_failure() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# All addresses added by the reception of an ASCONF Chunk MUST be put into the UNCONFIRMED state and MUST have path verification performed on them before the address can be used as described in [RFC4960], Section 5.4.
    let mut plain = established();
    let add = asconf(100, ip(theirs(1)), &[AsconfAction::Add(ip(theirs(2)))]);
    plain.send_signed(&[&add]);
    let sent = plain.take();
    let state = |plain: &Plain| plain.assoc().paths().nth(1).unwrap().state;
    assert_eq!(state(&plain), PathState::Unconfirmed);
    let new = FourTuple {
        local: ours(1),
        remote: theirs(2),
    };
    let there: Vec<_> = sent.iter().filter(|s| s.path == new).collect();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].kinds(), [ChunkType::HEARTBEAT]);
    assert_eq!(answer_heartbeats(&mut plain, &sent), [new]);
    let path = plain.assoc().paths().nth(1).unwrap();
    assert_eq!((path.state, path.wish), (PathState::Active, Wish::Backup));
    plain
        .command(|_, a| a.send(manyway_proto::Message::new(0, vec![1; 5000])))
        .unwrap();
    let data = |s: &&crate::plain::Seen| s.kinds().contains(&ChunkType::DATA);
    assert!(
        plain
            .take()
            .iter()
            .filter(data)
            .all(|s| s.path == plain.path)
    );
    let late = plain.wait(MS * 1500);
    assert!(
        late.iter().filter(data).any(|s| s.path == new),
        "the first path failed"
    );
}

#[test]
fn the_wildcard_adds_where_the_packet_came_from() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.1
    //= type=test
    //# If the address 0.0.0.0 or ::0 is provided, the source address of the packet MUST be added.
    let mut plain = established();
    // Behind a NAT, from a UDP port of its own choice.
    let remote = "192.0.2.9:40001".parse().unwrap();
    let path = FourTuple {
        local: ours(1),
        remote,
    };
    let packet = plain.signed(
        &Signing::default(),
        &[],
        &[&asconf(100, ANY, &[AsconfAction::Add(ANY)])],
    );
    plain.deliver(path, packet);
    let sent = plain.take();
    assert_eq!(sent[0].path, path);
    assert_eq!(
        sent[0].kinds(),
        [ChunkType::AUTH, ChunkType::ASCONF_ACK, ChunkType::HEARTBEAT]
    );
    answer_heartbeats(&mut plain, &sent);
    assert!(plain.assoc().peer_addresses().contains(&remote));
    assert_eq!(
        plain.assoc().paths().nth(1).unwrap().state,
        PathState::Active
    );
}

#[test]
fn requests_are_done_in_order_and_answered_by_their_numbers() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# The TLVs MUST be processed in order within the Chunk.
    let mut plain = established();
    let two = ip(theirs(2));
    let all = [
        AsconfAction::SetPrimary(two),
        AsconfAction::Add(two),
        AsconfAction::SetPrimary(two),
        AsconfAction::Delete(two),
        AsconfAction::Delete(ip(theirs(1))),
    ];
    assert_eq!(ask(&mut plain, 100, &all), [5, 0, 0, 0, 0xa0]);
    assert_eq!(remotes(&plain), [ip(theirs(1))]);
}

#[test]
fn the_last_address_and_the_source_are_not_deleted() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# If a request is received to delete the last remaining IP address of a peer endpoint, the receiver MUST send an Error Cause TLV with the Error Cause set to the new error code 'Request to Delete Last Remaining IP Address'. The requested delete MUST NOT be performed or acted upon, other than to send the ASCONF-ACK.
    //# If a request is received to delete an IP address that is also the source address of the IP packet that contained the ASCONF chunk, the receiver MUST reject this request.
    let mut plain = established();
    let (one, two) = (ip(theirs(1)), ip(theirs(2)));
    assert_eq!(ask(&mut plain, 100, &[AsconfAction::Delete(one)]), [0xa0]);
    assert_eq!(ask(&mut plain, 101, &[AsconfAction::Delete(ANY)]), [0]);
    assert_eq!(ask(&mut plain, 102, &[AsconfAction::Add(two)]), [0]);
    assert_eq!(ask(&mut plain, 103, &[AsconfAction::Delete(one)]), [0xa2]);
    assert_eq!(remotes(&plain), [one, two]);
}

#[test]
fn the_wildcard_deletes_all_but_the_source() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.2
    //= type=test
    //# If the address 0.0.0.0 or ::0 is provided, all addresses of the peer except the source address of the packet MUST be deleted.
    let mut plain = established();
    let adds: Vec<_> = (2..6).map(|n| AsconfAction::Add(ip(theirs(n)))).collect();
    assert_eq!(ask(&mut plain, 100, &adds), [0; 4]);
    assert_eq!(plain.assoc().peer_addresses().len(), 5);
    assert_eq!(ask(&mut plain, 101, &[AsconfAction::Delete(ANY)]), [0]);
    assert_eq!(plain.assoc().peer_addresses(), [theirs(1)]);
    assert_eq!(remotes(&plain), [ip(theirs(1))]);
}

#[test]
fn what_comes_from_a_deleted_address_is_nobodys() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# It MUST NOT send SCTP packets for the association to that address and it MUST treat subsequent packets received from that address as Out Of The Blue.
    let mut plain = established();
    let two = ip(theirs(2));
    ask(&mut plain, 100, &[AsconfAction::Add(two)]);
    ask(&mut plain, 101, &[AsconfAction::Delete(two)]);
    let path = FourTuple {
        local: ours(1),
        remote: theirs(2),
    };
    let late = plain.packet(&[&manyway_wire::Heartbeat { info: b"late" }]);
    plain.deliver(path, late.clone());
    assert!(plain.wait(MS * 500).is_empty());
    assert_eq!(plain.assoc().stats().dropped_packets, 1);
    assert_eq!(ask(&mut plain, 102, &[AsconfAction::Add(two)]), [0]);
    plain.deliver(path, late);
    assert!(kinds(&plain.take()).contains(&ChunkType::HEARTBEAT_ACK));
}

#[test]
fn more_addresses_than_fit_are_refused_and_so_is_all_behind_them() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# If an endpoint receives an ADD IP Address request and does not have the local resources to add this new address to the association, it MUST return an Error Cause TLV set to the new error code 'Operation Refused Due to Resource Shortage'.
    //# The receiver MUST NOT reject an ADD and then accept a subsequent DELETE of an IP address in the same ASCONF Chunk.
    let mut plain = established();
    // 16 paths, less the first and those that are left for candidates.
    let adds: Vec<_> = (2..13).map(|n| AsconfAction::Add(ip(theirs(n)))).collect();
    assert_eq!(ask(&mut plain, 100, &adds), [0; 11]);
    let more = [
        AsconfAction::Add(ip(theirs(2))),
        AsconfAction::Add(ip(theirs(13))),
        AsconfAction::Delete(ip(theirs(2))),
        AsconfAction::SetPrimary(ip(theirs(2))),
    ];
    assert_eq!(ask(&mut plain, 101, &more), [0, 0xa1, 0xa1, 0]);
    assert_eq!(remotes(&plain).len(), 12);
}

#[test]
fn refusals_that_do_not_fit_a_packet_end_the_chunk() {
    let mut plain = established();
    let deletes = vec![AsconfAction::Delete(ip(theirs(1))); 80];
    let codes = ask(&mut plain, 100, &deletes);
    assert!(codes.len() < 80);
    assert_eq!(
        codes.last(),
        Some(&0xa1),
        "what has no response was not done"
    );
    assert_eq!(codes[0], 0xa0);
    assert!(codes[1..].iter().all(|c| *c == 0xa1));
}

#[test]
fn after_an_address_that_is_not_added_none_is_added_or_deleted() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# The receiver MUST NOT reject an ADD and then accept a subsequent DELETE of an IP address in the same ASCONF Chunk.
    //# In other words, once a receiver begins failing any ADD or DELETE request, it must fail all subsequent ADD or DELETE requests contained in that single ASCONF.
    use AsconfAction::{Add, Delete, SetPrimary};
    let (one, two, three) = (ip(theirs(1)), ip(theirs(2)), ip(theirs(3)));
    let nowhere = IpAddr::from([224, 0, 0, 1]);
    let mut plain = established();
    assert_eq!(ask(&mut plain, 100, &[Add(two)]), [0]);
    for (serial, refused, code) in [(101, Add(nowhere), 5), (102, Delete(one), 0xa2)] {
        let all = [refused, Delete(two), SetPrimary(two), Add(three)];
        assert_eq!(ask(&mut plain, serial, &all), [code, 0xa1, 0, 0xa1]);
        assert_eq!(remotes(&plain), [one, two]);
    }
    // What fails to become primary changes no address, and the next chunk is judged anew.
    let all = [SetPrimary(three), Add(three), Delete(two)];
    assert_eq!(ask(&mut plain, 103, &all), [5, 0, 0]);
    assert_eq!(remotes(&plain), [one, three]);
}

#[test]
fn addresses_of_no_host_are_refused() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.1
    //= type=test
    //# This parameter MUST NOT contain a broadcast or multicast address.
    let mut plain = established();
    for (serial, bad) in (100..).zip(["224.0.0.1", "255.255.255.255", "127.0.0.1", "ff02::1"]) {
        let add = AsconfAction::Add(bad.parse().unwrap());
        assert_eq!(ask(&mut plain, serial, &[add]), [5], "{bad}");
    }
    // No local address of that family.
    let six = AsconfAction::Add("2001:db8::1".parse().unwrap());
    assert_eq!(ask(&mut plain, 104, &[six]), [5]);
}

#[test]
fn an_endpoint_may_forbid_its_peers_to_change_addresses() {
    let mut config = EndpointConfig::default();
    config.transport.peer_may_change_addresses = false;
    let mut plain = Plain::opened_by_peer(config, Offer::default());
    let two = ip(theirs(2));
    for (serial, action) in (100..).zip([
        AsconfAction::Add(two),
        AsconfAction::Delete(two),
        AsconfAction::SetPrimary(two),
    ]) {
        assert_eq!(ask(&mut plain, serial, &[action]), [0xa4]);
    }
}

/// Sends requests of any types; the responses' causes, each with what it copies.
fn ask_raw(plain: &mut Plain, serial: u32, list: &AsconfRequestList) -> Vec<(u16, Vec<u8>)> {
    let packet = plain.signed(
        &Signing::default(),
        &[],
        &[&manyway_wire::Asconf {
            serial: AsconfSerial(serial),
            address: ip(theirs(1)),
            requests: list.as_requests(),
        }],
    );
    plain.deliver(plain.path, packet);
    let sent = plain.take();
    let found = sent.iter().find_map(|seen| {
        seen.with(ChunkType::ASCONF_ACK, |chunk| {
            let Chunk::AsconfAck(ack) = chunk else {
                unreachable!()
            };
            let all = ack
                .responses
                .with_causes()
                .map(|r| r.unwrap().1.iter().next());
            all.map(|cause| match cause.map(Result::unwrap) {
                None => (0, vec![]),
                Some(cause) => {
                    let mut bytes = Vec::new();
                    cause.encode(&mut bytes);
                    (cause.code(), bytes[4..].to_vec())
                }
            })
            .collect()
        })
    });
    found.unwrap()
}

#[test]
fn unknown_parameters_are_treated_as_their_types_say() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# All responses MUST copy the ASCONF-Request Correlation ID field received in the ASCONF parameter from the TLV being responded to, into the ASCONF-Request Correlation ID field in the response parameter.
    let mut plain = established();
    let mut list = AsconfRequestList::new();
    list.push_value(ParameterType(0xc07f), 9, &[1, 2, 3, 4]);
    list.push_value(ParameterType(0x807f), 10, &[]);
    list.push_value(ParameterType(0x407f), 11, &[]);
    list.push_value(ParameterType(0xc07f), 12, &[]);
    let answer = ask_raw(&mut plain, 100, &list);
    let reported = vec![0xc0, 0x7f, 0, 12, 0, 0, 0, 9, 1, 2, 3, 4];
    let stopped = vec![0x40, 0x7f, 0, 8, 0, 0, 0, 11];
    assert_eq!(answer, [(8, reported), (8, stopped)]);
}

#[test]
fn parameters_out_of_place_are_ignored() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2.6
    //= type=test
    //# This parameter MUST NOT be sent in any other chunks, and if it is received in another chunk, it MUST be ignored.
    //= https://www.rfc-editor.org/rfc/rfc5061#section-4.2
    //= type=test
    //# If the receiver chooses NOT to abort, the parameter MUST be ignored.
    let mut plain = established();
    let mut list = AsconfRequestList::new();
    list.push_value(ParameterType::ADAPTATION_INDICATION, 7, &[]);
    list.push_value(ParameterType::SUCCESS_INDICATION, 7, &[]);
    list.push_value(ParameterType::SUPPORTED_EXTENSIONS, 7, &[]);
    assert_eq!(ask_raw(&mut plain, 100, &list), []);
    let mut host = AsconfRequestList::new();
    host.push_value(
        ParameterType::ADD_IP_ADDRESS,
        8,
        &[0, 11, 0, 8, b'h', b'o', b's', b't'],
    );
    assert_eq!(ask_raw(&mut plain, 101, &host)[0].0, 5);
    assert!(plain.assoc().is_established());
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_is_done_once() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# If the value found in the Sequence Number is less than the ('Peer- Sequence-Number' + 1), simply skip to the next ASCONF, and include in the outbound response packet any previously cached ASCONF-ACK response that was sent and saved that matches the Sequence Number of the ASCONF.
    let mut plain = established();
    let two = AsconfAction::Add(ip(theirs(2)));
    assert_eq!(ask(&mut plain, 100, &[two, two]), [0, 0]);
    assert_eq!(
        ask(&mut plain, 100, &[AsconfAction::Delete(ip(theirs(2)))]),
        [0, 0]
    );
    assert_eq!(remotes(&plain).len(), 2);
    assert_eq!(
        plain.events(),
        [Event::PathUp {
            path: manyway_proto::PathId::new(2)
        }]
    );
}

#[test]
fn replayed_and_skipped_serials_are_dropped() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# Otherwise, the ASCONF Chunk is discarded since it must be either a stale packet or from an attacker.
    let mut plain = established();
    let two = AsconfAction::Add(ip(theirs(2)));
    for (dropped, serial) in (1..).zip([99, 101, 100_u32.wrapping_sub(1 << 31)]) {
        plain.send_signed(&[&asconf(serial, ip(theirs(1)), &[two])]);
        assert!(plain.take().is_empty(), "serial {serial}");
        assert_eq!(plain.assoc().stats().dropped_asconfs, dropped);
    }
    ask(&mut plain, 100, &[two]);
    ask(&mut plain, 101, &[AsconfAction::Delete(ip(theirs(2)))]);
    // The answer to 100 is forgotten with the answer to 101.
    plain.send_signed(&[&asconf(100, ip(theirs(1)), &[two])]);
    assert!(plain.take().is_empty());
    assert_eq!(remotes(&plain).len(), 1);
}

#[test]
fn bundled_requests_are_answered_in_order_and_all_remembered() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1.1
    //= type=test
    //# If bundled with other ASCONF-ACK Chunks, the chunks MUST appear in sequential order with respect to their Sequence Number.
    let mut plain = established();
    let one = ip(theirs(1));
    let first = asconf(100, one, &[AsconfAction::Add(ip(theirs(2)))]);
    let second = asconf(101, one, &[AsconfAction::Add(ip(theirs(3)))]);
    for _ in 0..2 {
        plain.send_signed(&[&first, &second]);
        let sent = plain.take();
        assert_eq!(acks(&sent), [(100, vec![(1, 0)]), (101, vec![(1, 0)])]);
    }
    assert_eq!(remotes(&plain).len(), 3);
}

#[test]
fn serials_wrap() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-3
    //= type=test
    //# That is, the next ASCONF Sequence Number an ASCONF chunk MUST use after transmitting an ASCONF Sequence Number = 2**32 - 1 is 0.
    let mut plain = Plain::new(EndpointConfig::default(), Offer::default());
    plain.next_tsn = manyway_wire::Tsn(u32::MAX);
    plain.exchange_init();
    let cookie = plain.cookie.clone();
    plain.send(&[&manyway_wire::CookieEcho { cookie: &cookie }]);
    plain.find();
    plain.take();
    let two = ip(theirs(2));
    assert_eq!(ask(&mut plain, u32::MAX, &[AsconfAction::Add(two)]), [0]);
    assert_eq!(ask(&mut plain, 0, &[AsconfAction::Delete(two)]), [0]);
}

#[test]
fn a_peer_with_one_address_may_change_it_from_the_new_one() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3.2
    //= type=test
    //# The receiver MUST reply to the source address of the packet in this case, which is the new address that was added by the ASCONF (since the old address is no longer part of the association after processing).
    let mut plain = established();
    let (old, new) = (theirs(1), theirs(2));
    let path = FourTuple {
        local: ours(1),
        remote: new,
    };
    let actions = [AsconfAction::Add(ip(new)), AsconfAction::Delete(ip(old))];
    let packet = plain.signed(&Signing::default(), &[], &[&asconf(100, ip(old), &actions)]);
    plain.deliver(path, packet);
    let sent = plain.take();
    assert_eq!(acks(&sent), [(100, vec![(1, 0), (2, 0)])]);
    assert!(
        sent.iter().all(|s| s.path == path),
        "nothing goes to the old one"
    );
    plain
        .command(|_, a| a.send(manyway_proto::Message::new(0, vec![1; 100])))
        .unwrap();
    assert!(
        !kinds(&plain.take()).contains(&ChunkType::DATA),
        "not verified yet"
    );
    answer_heartbeats(&mut plain, &sent);
    let data = plain.take();
    assert!(kinds(&data).contains(&ChunkType::DATA));
    assert_eq!(remotes(&plain), [ip(new)]);
    assert_eq!(plain.assoc().peer_addresses(), [new]);
}

#[test]
fn a_preferred_address_becomes_the_primary() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.4
    //= type=test
    //# The request to set an address as the primary path is an option the receiver SHOULD perform.
    let mut plain = established();
    let two = ip(theirs(2));
    assert_eq!(ask(&mut plain, 100, &[AsconfAction::Add(two)]), [0]);
    assert_eq!(ask(&mut plain, 101, &[AsconfAction::SetPrimary(two)]), [0]);
    plain.take();
    plain
        .command(|_, a| a.send(manyway_proto::Message::new(0, vec![1; 100])))
        .unwrap();
    let sent = plain.take();
    assert_eq!(ip(sent[0].path.remote), two);
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.4
    //= type=test
    //# If a request arrives that asks the receiver to set an address as primary that does not exist, the receiver SHOULD NOT honor the request, leaving its existing primary address unchanged.
    assert_eq!(
        ask(&mut plain, 102, &[AsconfAction::SetPrimary(ip(theirs(9)))]),
        [5]
    );
    let primary = plain.assoc().paths().find(|p| p.primary).unwrap();
    assert_eq!(primary.four_tuple.remote.ip(), two);
}

#[test]
fn answers_that_do_not_share_a_packet_are_all_given_and_kept() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.2
    //= type=test
    //# E7) While processing the ASCONF Chunks in the SCTP packet, if the response packet will exceed the PMTU of the return path, the receiver MUST stop adding additional ASCONF-ACKs into the response packet but MUST continue to process all of the ASCONF Chunks, saving ASCONF-ACK Chunk responses in its cached copy.
    let mut plain = established();
    let mtu = plain.assoc().paths().next().unwrap().mtu;
    let one = ip(theirs(1));
    // Each refusal copies the request, and is larger.
    let deletes = vec![AsconfAction::Delete(one); 35];
    let requests = [asconf(100, one, &deletes), asconf(101, one, &deletes)];
    for _ in 0..2 {
        plain.send_signed(&[&requests[0], &requests[1]]);
        let sent = plain.take();
        assert!(sent.iter().all(|seen| seen.bytes.len() <= mtu));
        let in_each = |seen| acks(std::slice::from_ref(seen)).len();
        assert_eq!(sent.iter().map(in_each).max(), Some(1));
        let serials: Vec<_> = acks(&sent).into_iter().map(|(serial, _)| serial).collect();
        assert_eq!(serials, [100, 101]);
    }
}

#[test]
fn what_comes_from_an_address_that_was_not_added_aborts_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //= type=test
    //# It MAY drop the data silently or it MAY consider it part of the association, but it MUST NOT respond with an ABORT.
    let mut plain = established();
    let path = FourTuple {
        local: ours(1),
        remote: theirs(9),
    };
    let data = plain.data();
    plain.deliver(path, plain.packet(&[&data]));
    assert!(!kinds(&plain.wait(MS * 500)).contains(&ChunkType::ABORT));
    assert!(plain.assoc().is_established());
}
