//! What INIT and INIT-ACK say, and what is made of what they say (RFC 9260, sections 3.3.2, 3.3.3
//! and 5.1.2).

use std::net::{IpAddr, SocketAddr};

use manyway_proto::{AssocState, CloseReason, EndpointConfig, Message};
use manyway_wire::{Chunk, ChunkType, CommonHeader, Parameter, VerificationTag};

use crate::pair::{
    Pair, Raw, SERVER_PORT, Seen, address, causes_of, kinds, no_header, packet, raw,
};

const TAG: VerificationTag = VerificationTag(0x0707_0707);
const COOKIE: [u8; 8] = [0, 7, 0, 8, 1, 2, 3, 4];

/// What an INIT or INIT-ACK says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    tag: VerificationTag,
    a_rwnd: u32,
    outbound: u16,
    inbound: u16,
    addresses: Vec<IpAddr>,
    types: Vec<u16>,
    host_name: bool,
    cookie: bool,
}

fn said(seen: &Seen) -> Said {
    let read = |chunk: Chunk<'_>, _| {
        let (tag, a_rwnd, outbound, inbound, parameters) = match chunk {
            Chunk::Init(i) => (
                i.initiate_tag,
                i.a_rwnd,
                i.outbound_streams,
                i.inbound_streams,
                i.parameters,
            ),
            Chunk::InitAck(i) => (
                i.initiate_tag,
                i.a_rwnd,
                i.outbound_streams,
                i.inbound_streams,
                i.parameters,
            ),
            _ => unreachable!(),
        };
        let mut said = Said {
            tag,
            a_rwnd,
            outbound,
            inbound,
            addresses: vec![],
            types: vec![],
            host_name: false,
            cookie: false,
        };
        for parameter in parameters.iter().flatten() {
            match parameter {
                Parameter::Ipv4(ip) => said.addresses.push(ip.into()),
                Parameter::Ipv6(ip) => said.addresses.push(ip.into()),
                Parameter::SupportedAddressTypes(types) => said.types = types.iter().collect(),
                Parameter::HostName(_) => said.host_name = true,
                Parameter::StateCookie(_) => said.cookie = true,
                _ => {}
            }
        }
        said
    };
    let found = seen.with(ChunkType::INIT, read);
    found
        .or_else(|| seen.with(ChunkType::INIT_ACK, read))
        .expect("INIT or INIT-ACK")
}

/// A peer's INIT (type 1) or INIT-ACK (type 2).
fn words(kind: u8, a_rwnd: u32, streams: [u16; 2], parameters: &[u8]) -> Raw {
    let fixed = [
        &TAG.0.to_be_bytes()[..],
        &a_rwnd.to_be_bytes(),
        &streams[0].to_be_bytes(),
        &streams[1].to_be_bytes(),
        &7_u32.to_be_bytes(),
    ];
    raw(kind, 0, &[&fixed.concat(), parameters].concat())
}

fn ipv4(last: u8) -> [u8; 8] {
    [0, 5, 0, 8, 192, 0, 2, last]
}

/// A client that has sent INIT, and the header of the answer.
fn waiting() -> (Pair, CommonHeader) {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    let header = CommonHeader {
        source_port: SERVER_PORT,
        destination_port: init.header.source_port,
        verification_tag: said(&init).tag,
    };
    (pair, header)
}

/// The next packet of one end, and where it goes.
fn sent_to(pair: &mut Pair, end: usize) -> SocketAddr {
    let mut buf = Vec::new();
    let transmit = pair.ends[end].poll_transmit(pair.now, 1, &mut buf);
    transmit.expect("a packet leaves").path.remote
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
//= type=test
//# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
//# The value of 0 MUST NOT be used.
//# The value 0 MUST NOT be used.
//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# The Advertised Receiver Window Credit MUST NOT be smaller than 1500.
//# The value 0 MUST NOT be used.
#[test]
fn whatever_is_configured_a_window_and_a_stream_each_way_are_offered() {
    let mut pair = Pair::with(|config: &mut EndpointConfig| {
        config.transport.receive_buffer = 0;
        config.transport.outbound_streams = 0;
        config.transport.inbound_streams = 0;
    });
    pair.connect();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.bytes.clone());
    let ack = pair.take(1).remove(0);
    for words in [said(&init), said(&ack)] {
        assert_eq!((words.a_rwnd, words.outbound, words.inbound), (1500, 1, 1));
    }
    pair.deliver(0, ack.bytes);
    pair.settle();
    pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
    for end in 0..2 {
        pair.command(end, |assoc| {
            assoc.send(manyway_proto::Message::new(0, "news")).unwrap();
        });
    }
    pair.settle();
    for end in 0..2 {
        assert!(pair.command(end, |assoc| assoc.recv()).is_some());
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# The value of 0 MUST NOT be used, and the value MUST NOT be greater than the MIS value sent in the INIT chunk.
#[test]
fn an_init_ack_asks_for_no_more_streams_than_the_initiator_takes() {
    for (taken, asked) in [(1, 1), (3, 3), (60_000, 16)] {
        let mut pair = Pair::new();
        pair.deliver(
            1,
            packet(no_header(), &[&words(1, 65_536, [9, taken], &[])]),
        );
        assert_eq!(said(&pair.take(1)[0]).outbound, asked);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.2
//= type=test
//# A sender MUST NOT use an IPv4-mapped IPv6 address [RFC4291] but SHOULD instead use an IPv4 Address parameter for an IPv4 address.
//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.4
//= type=test
//# The sender of an INIT chunk or INIT ACK chunk MUST NOT include this parameter.
#[test]
fn addresses_are_named_as_what_they_are_and_never_by_a_host_name() {
    let mut pair = Pair::new();
    let now = pair.now;
    let locals = [
        "10.0.0.2:9899",
        "[::ffff:10.0.0.9]:9899",
        "[2001:db8::2]:9899",
    ];
    let locals = locals.map(|a| a.parse().unwrap());
    pair.ends[1].set_local_addresses(now, &locals);
    pair.connect();
    let init = pair.take(0).remove(0);
    pair.deliver(1, init.bytes.clone());
    let ack = said(&pair.take(1)[0]);
    let expected: [IpAddr; 2] = ["10.0.0.9", "2001:db8::2"].map(|a| a.parse().unwrap());
    assert_eq!(ack.addresses, expected);
    for words in [said(&init), ack] {
        assert!(!words.host_name);
        assert_eq!(words.types, [5, 6]);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.5
//= type=test
//# The value indicating the Host Name Address parameter MUST NOT be used when sending this parameter and MUST be ignored when receiving this parameter.
#[test]
fn a_peer_that_would_take_host_names_gets_addresses() {
    let mut pair = Pair::new();
    let types = [0, 12, 0, 8, 0, 11, 0, 5];
    pair.deliver(1, packet(no_header(), &[&words(1, 65_536, [1, 1], &types)]));
    let ack = said(&pair.take(1)[0]);
    assert!(!ack.host_name && ack.cookie);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2
//= type=test
//# A receiver of an INIT chunk with the OS value set to 0 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
//# A receiver of an INIT chunk with the MIS value set to 0 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
//# A receiver of an INIT chunk with the a_rwnd value set to a value smaller than 1500 MUST discard the packet, SHOULD send a packet in response containing an ABORT chunk and using the Initiate Tag as the Verification Tag, and MUST NOT change the state of any existing association.
//# The receiver of an INIT chunk containing a Host Name Address parameter MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause.
//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.2
//= type=test
//# If there is a Host Name Address parameter present in the received INIT or INIT ACK chunk, the endpoint MUST immediately send an ABORT chunk and MAY include an "Unresolvable Address" error cause to its peer.
#[test]
fn an_init_that_cannot_be_accepted_is_refused_and_changes_nothing() {
    let host_name = [0, 11, 0, 8, b'h', b'o', b's', 0];
    let cases: [(u32, [u16; 2], &[u8], u16); 4] = [
        (65_536, [0, 1], &[], 7),
        (65_536, [1, 0], &[], 7),
        (1499, [1, 1], &[], 7),
        (65_536, [1, 1], &host_name, 5),
    ];
    for (a_rwnd, streams, parameters, cause) in cases {
        let mut pair = Pair::established();
        let id = pair.ids[1].unwrap();
        let header = CommonHeader {
            verification_tag: VerificationTag(0),
            ..pair.headers[0]
        };
        let before = format!("{:?}", pair.ends[1].association(id).unwrap());
        let init = words(1, a_rwnd, streams, parameters);
        pair.deliver(1, packet(header, &[&init]));
        let answers = pair.take(1);
        assert_eq!(causes_of(&answers, ChunkType::ABORT), [cause]);
        assert_eq!(answers[0].header.verification_tag, TAG);
        assert_eq!(answers[0].with(ChunkType::ABORT, |_, flags| flags), Some(0));
        let after = format!("{:?}", pair.ends[1].association(id).unwrap());
        assert_eq!(before, after);
        assert_eq!(pair.ends[1].associations().count(), 1);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the OS value set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk.
//# If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the MIS value set to 0, it MUST destroy the TCB and SHOULD send an ABORT chunk.
//# The receiver of INIT ACK chunks containing a Host Name Address parameter MUST send an ABORT chunk and MAY include an "Unresolvable Address" error cause.
#[test]
fn an_init_ack_that_cannot_be_accepted_ends_the_attempt() {
    let host_name = [&COOKIE[..], &[0, 11, 0, 8, b'h', b'o', b's', 0]].concat();
    let cases: [([u16; 2], &[u8], u16); 3] = [
        ([0, 1], &COOKIE, 7),
        ([1, 0], &COOKIE, 7),
        ([1, 1], &host_name, 5),
    ];
    for (streams, parameters, cause) in cases {
        let (mut pair, header) = waiting();
        let ack = words(2, 65_536, streams, parameters);
        pair.deliver(0, packet(header, &[&ack]));
        let answers = pair.take(0);
        assert_eq!(causes_of(&answers, ChunkType::ABORT), [cause]);
        assert_eq!(answers[0].header.verification_tag, TAG);
        assert_eq!(pair.state(0), AssocState::Closed);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# Implementation Note: An implementation MUST be prepared to receive an INIT ACK chunk that is quite large (more than 1500 bytes) due to the variable size of the State Cookie and the variable address list.
#[test]
fn an_init_ack_of_any_size_is_taken_and_its_cookie_returned_whole() {
    let (mut pair, header) = waiting();
    let cookie: Vec<u8> = (0..4000_u16).map(|n| n as u8).collect();
    let parameter = [&[0, 7, 0x0f, 0xa4][..], &cookie, &ipv4(1), &ipv4(2)].concat();
    let ack = words(2, 65_536, [1, 1], &parameter);
    let mut bytes = Vec::new();
    let mut writer = manyway_wire::PacketWriter::new(&mut bytes, &header, 9000);
    assert!(writer.push(&ack));
    writer.finish(true);
    pair.deliver(0, bytes.into());
    let mut buf = Vec::new();
    let transmit = pair.ends[0].poll_transmit(pair.now, 1, &mut buf).unwrap();
    assert!(transmit.may_fragment);
    assert_eq!((buf[12], &buf[16..4016]), (10, &cookie[..]));
    assert_eq!(pair.state(0), AssocState::CookieEchoed);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.2.1.2
//= type=test
//# If the INIT chunk does not contain any IP Address parameters, the endpoint receiving the INIT chunk MUST use the source address associated with the received IP datagram as its sole destination address for the association.
//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.2
//= type=test
//# If there are no address parameters present in the received INIT or INIT ACK chunk, the endpoint MUST take the source IP address from which the chunk arrives and record it, in combination with the SCTP Source Port Number, as the only destination transport address for this peer.
//# If there are only IPv4/IPv6 addresses present in the received INIT or INIT ACK chunk, the receiver MUST derive and record all the transport addresses from the received chunk AND the source IP address that sent the INIT or INIT ACK chunk.
#[test]
fn the_addresses_of_an_initiator_are_those_it_names_and_the_one_it_wrote_from() {
    let named = [ipv4(7), ipv4(8)].concat();
    for (parameters, also) in [(&[][..], vec![]), (&named, vec![7_u8, 8])] {
        let mut pair = Pair::new();
        pair.deliver(
            1,
            packet(no_header(), &[&words(1, 65_536, [1, 1], parameters)]),
        );
        let answer = pair.take(1).remove(0);
        let cookie = answer.with(ChunkType::INIT_ACK, |chunk, _| match chunk {
            Chunk::InitAck(ack) => ack.parameters.iter().flatten().find_map(|p| match p {
                Parameter::StateCookie(cookie) => Some(cookie.to_vec()),
                _ => None,
            }),
            _ => unreachable!(),
        });
        let header = CommonHeader {
            verification_tag: said(&answer).tag,
            ..no_header()
        };
        let echo = raw(10, 0, &cookie.flatten().unwrap());
        pair.deliver(1, packet(header, &[&echo]));
        let assoc = pair.ends[1].associations().next().unwrap();
        let known: Vec<IpAddr> = assoc.peer_addresses().iter().map(|a| a.ip()).collect();
        let also = also.into_iter().map(|last| IpAddr::from([192, 0, 2, last]));
        let expected: Vec<IpAddr> = std::iter::once(address(0).ip()).chain(also).collect();
        assert_eq!(known, expected);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.3
//= type=test
//# If the INIT ACK chunk does not contain any IP Address parameters, the receiver of the INIT ACK chunk MUST use the source address associated with the received IP datagram as its sole destination address for the association.
#[test]
fn the_addresses_of_a_responder_are_those_it_names_and_the_one_it_wrote_from() {
    let named = [&COOKIE[..], &ipv4(7)].concat();
    for (parameters, also) in [(&COOKIE[..], vec![]), (&named, vec![7_u8])] {
        let (mut pair, header) = waiting();
        let ack = words(2, 65_536, [1, 1], parameters);
        pair.deliver(0, packet(header, &[&ack]));
        let known: Vec<IpAddr> = pair
            .assoc(0)
            .peer_addresses()
            .iter()
            .map(|a| a.ip())
            .collect();
        let also = also.into_iter().map(|last| IpAddr::from([192, 0, 2, last]));
        let expected: Vec<IpAddr> = std::iter::once(address(1).ip()).chain(also).collect();
        assert_eq!(known, expected);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
//= type=test
//# In the INIT chunk, "A" MUST provide its Verification Tag (Tag_A) in the Initiate Tag field.
//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
//= type=test
//# The sender MUST set the Verification Tag of the packet to 0.
//# The endpoint MUST always fill in the Verification Tag field of the outbound packet with the destination endpoint's tag value if it is known.
#[test]
fn each_side_writes_the_tag_that_the_other_gave_it() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    assert_eq!(init.header.verification_tag.0, 0);
    pair.deliver(1, init.bytes.clone());
    let ack = pair.take(1).remove(0);
    assert_eq!(ack.header.verification_tag, said(&init).tag);
    pair.deliver(0, ack.bytes.clone());
    let echo = pair.take(0).remove(0);
    assert_eq!(echo.header.verification_tag, said(&ack).tag);
    pair.deliver(1, echo.bytes);
    for seen in pair.take(1) {
        assert_eq!(seen.header.verification_tag, said(&init).tag);
        pair.deliver(0, seen.bytes);
    }
    for seen in pair.take(0) {
        assert_eq!(seen.header.verification_tag, said(&ack).tag);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
//= type=test
//# An endpoint MUST send the INIT ACK chunk to the IP address from which it received the INIT chunk.
//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.2
//= type=test
//# The packet containing the INIT ACK chunk MUST be sent to the source address of the packet containing the INIT chunk.
#[test]
fn an_init_ack_goes_where_the_init_came_from() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0);
    let elsewhere = "10.9.9.9:4321".parse().unwrap();
    pair.deliver_from(1, elsewhere, init.with_address([10, 0, 0, 1]));
    assert_eq!(sent_to(&mut pair, 1), elsewhere);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# The packet containing the INIT ACK chunk MUST only be sent to an address passed by the upper layer in the request to initialize the association.
//# The packet containing the INIT ACK chunk MUST only be sent to an address reported in the incoming INIT chunk.
#[test]
fn a_crossing_init_is_answered_only_where_the_association_goes() {
    let mut pair = Pair::new();
    pair.connect_both();
    let (init, _) = (pair.take(0).remove(0), pair.take(1));
    let stranger = "10.9.9.9:9899".parse().unwrap();
    pair.deliver_from(1, stranger, init.with_address([10, 0, 0, 1]));
    assert_eq!(pair.state(1), AssocState::CookieWait);
    assert_eq!(sent_to(&mut pair, 1), address(0));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.1
//= type=test
//# The endpoint MUST also generate a State Cookie with the INIT ACK chunk.
//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.2
//= type=test
//# Unless otherwise stated, upon receipt of an unexpected INIT chunk for this association, the endpoint MUST generate an INIT ACK chunk with a State Cookie.
#[test]
fn a_crossing_or_unexpected_init_gets_a_cookie() {
    let mut pair = Pair::new();
    pair.connect_both();
    let (init, _) = (pair.take(0).remove(0), pair.take(1));
    pair.deliver(1, init.bytes);
    assert!(said(&pair.take(1)[0]).cookie);

    let mut pair = Pair::established();
    let header = CommonHeader {
        verification_tag: VerificationTag(0),
        ..pair.headers[0]
    };
    pair.deliver(1, packet(header, &[&words(1, 65_536, [1, 1], &[])]));
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::INIT_ACK]);
    assert!(said(&answers[0]).cookie);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-4
//= type=test
//# If the T1-cookie timer expires, the endpoint MUST retransmit COOKIE ECHO chunk and restart the T1-cookie timer.
#[test]
fn an_unanswered_cookie_echo_is_repeated_and_then_given_up() {
    let mut pair = Pair::new();
    let echo = pair.cookie_echo().bytes;
    let mut repeated = 0;
    while pair.ends[0].poll_timeout().is_some() {
        pair.next_timeout(0);
        for seen in pair.take(0) {
            assert_eq!(seen.bytes, echo);
            repeated += 1;
        }
    }
    assert_eq!(
        repeated,
        EndpointConfig::default()
            .transport
            .max_handshake_retransmits
    );
    assert_eq!(pair.end_of(0), Some(CloseReason::HandshakeTimeout));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.1.1
//= type=test
//# After the association is initialized, the valid outbound stream identifier range for either endpoint is 0 to min(local OS, remote MIS) - 1.
#[test]
fn neither_side_uses_more_streams_than_the_other_takes() {
    let mut configs = [EndpointConfig::default(), EndpointConfig::default()];
    configs[0].transport.inbound_streams = 3;
    configs[1].transport.inbound_streams = 5;
    let mut pair = Pair::with_configs(configs).establish();
    for (end, streams) in [(0, 5), (1, 3)] {
        let send = |pair: &mut Pair, stream| {
            pair.command(end, |assoc| assoc.send(Message::new(stream, "news")))
        };
        assert!(send(&mut pair, streams - 1).is_ok());
        assert!(send(&mut pair, streams).is_err());
    }
}
