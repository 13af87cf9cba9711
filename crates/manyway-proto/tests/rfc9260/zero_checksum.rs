//! Packets without a checksum: RFC 9653.

use bytes::Bytes;
use manyway_proto::{AssocState, EndpointConfig, ErrorDetection, Extension, FourTuple, Message};
use manyway_wire::{Chunk, ChunkType, EDMID_SCTP_OVER_DTLS, Heartbeat, Parameter, VerificationTag};

use crate::pair::{Pair, Seen, address, kinds, no_header, packet, raw};

fn over_dtls(config: &mut EndpointConfig) {
    config.transport.error_detection = ErrorDetection::Dtls;
}

/// One end over DTLS, the other not.
fn mixed(dtls: usize) -> Pair {
    let mut configs = [EndpointConfig::default(), EndpointConfig::default()];
    over_dtls(&mut configs[dtls]);
    Pair::with_configs(configs)
}

fn has_zero_checksum(seen: &Seen) -> bool {
    seen.bytes[8..12] == [0; 4]
}

fn without_checksum(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[8..12].fill(0);
    bytes.into()
}

fn with_wrong_checksum(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[9] ^= 1;
    bytes.into()
}

/// What INIT or INIT-ACK says of zero checksums.
fn announced(seen: &Seen) -> Vec<u32> {
    let read = |chunk: Chunk<'_>, _| {
        let parameters = match chunk {
            Chunk::Init(init) => init.parameters,
            Chunk::InitAck(ack) => ack.parameters,
            _ => unreachable!(),
        };
        let methods = parameters.iter().flatten().filter_map(|p| match p {
            Parameter::ZeroChecksumAcceptable(method) => Some(method),
            _ => None,
        });
        methods.collect()
    };
    let init = seen.with(ChunkType::INIT, read);
    init.or_else(|| seen.with(ChunkType::INIT_ACK, read))
        .unwrap()
}

/// All packets of a handshake and of one message each way.
fn conversation(pair: &mut Pair) -> Vec<Seen> {
    let mut all = Vec::new();
    pair.connect();
    for round in 0..6 {
        if round == 3 {
            pair.ids[1] = pair.ends[1].associations().next().map(|a| a.id());
            for end in 0..2 {
                pair.command(end, |assoc| assoc.send(Message::new(0, "hello")).unwrap());
            }
        }
        let packets = [0, 1].map(|end| pair.take(end));
        for (end, list) in packets.into_iter().enumerate() {
            for seen in list {
                pair.deliver(1 - end, seen.bytes.clone());
                all.push(seen);
            }
        }
    }
    assert!(kinds(&all).contains(&ChunkType::DATA));
    assert!((0..2).all(|end| pair.state(end) == AssocState::Established));
    assert!((0..2).all(|end| pair.assoc(end).stats().bytes_received == 5));
    all
}

//= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
//= type=test
//# If none of the above restrictions apply, an endpoint SHOULD use zero as the checksum when sending an SCTP packet.
//= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
//= type=test
//# When an endpoint sends a packet containing a COOKIE ECHO chunk, it MUST include a correct CRC32c checksum in the packet containing the COOKIE ECHO chunk.
#[test]
fn both_ends_over_dtls_leave_the_checksum_out_after_the_handshake() {
    let mut pair = Pair::with(over_dtls);
    for seen in conversation(&mut pair) {
        let checked = [ChunkType::INIT, ChunkType::INIT_ACK, ChunkType::COOKIE_ECHO];
        let must = seen.kinds().iter().any(|kind| checked.contains(kind));
        assert_eq!(has_zero_checksum(&seen), !must, "{:?}", seen.kinds());
        if checked[..2].contains(&seen.kinds()[0]) {
            assert_eq!(announced(&seen), [EDMID_SCTP_OVER_DTLS]);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
//= type=test
//# If an endpoint has not received an INIT or INIT ACK chunk containing a Zero Checksum Acceptable Chunk Parameter indicating an alternate error detection method it supports from its peer during the association setup, it MUST use a correct CRC32c checksum.
#[test]
fn nothing_is_left_out_unless_both_ends_are_over_dtls() {
    let plain = Pair::new();
    let refused = Pair::with(|config| {
        over_dtls(config);
        let offered = config.transport.extensions;
        config.transport.extensions = offered.without(Extension::ZeroChecksum);
    });
    for (mut pair, silent) in [
        (plain, true),
        (refused, true),
        (mixed(0), false),
        (mixed(1), false),
    ] {
        let all = conversation(&mut pair);
        assert!(all.iter().all(|seen| !has_zero_checksum(seen)));
        let said = |seen: &&Seen| {
            let opens = matches!(seen.kinds()[0], ChunkType::INIT | ChunkType::INIT_ACK);
            opens && !announced(seen).is_empty()
        };
        assert_eq!(all.iter().filter(said).count(), usize::from(!silent));
    }
}

//= https://www.rfc-editor.org/rfc/rfc9653#section-5.3
//= type=test
//# in addition to SCTP packets containing the correct CRC32c checksum value it MUST accept SCTP packets that have an incorrect checksum value of zero
//= https://www.rfc-editor.org/rfc/rfc9653#section-5.3
//= type=test
//# Otherwise, the endpoint MUST drop all SCTP packets with an incorrect CRC32c checksum.
#[test]
fn who_announced_it_takes_correct_checksums_and_zero_and_nobody_takes_others() {
    for (mut pair, accepts) in [(mixed(1), true), (mixed(0), false), (Pair::new(), false)] {
        pair = pair.establish();
        let bytes = packet(pair.headers[0], &[&pair.data(0, 0)]);
        pair.deliver(1, with_wrong_checksum(&bytes));
        assert_eq!(pair.assoc(1).stats().bytes_received, 0);
        pair.deliver(1, without_checksum(&bytes));
        let stats = pair.assoc(1).stats();
        assert_eq!(stats.bytes_received > 0, accepts);
        let refused = if accepts { 1 } else { 2 };
        assert_eq!(
            (stats.bad_checksums, stats.dropped_packets),
            (refused, refused)
        );
        pair.deliver(1, packet(pair.headers[0], &[&pair.data(1, 1)]));
        assert!(pair.assoc(1).stats().bytes_received > stats.bytes_received);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
//= type=test
//# responds to an "Out of the Blue" (OOTB) SCTP packet, it MUST include a correct CRC32c checksum in the response packet.
#[test]
fn packets_out_of_the_blue_are_checked_and_answered_with_a_checksum() {
    let mut pair = Pair::with(over_dtls);
    let header = manyway_wire::CommonHeader {
        verification_tag: VerificationTag(0x0303_0303),
        ..no_header()
    };
    let bytes = packet(header, &[&Heartbeat { info: b"anybody" }]);
    pair.deliver(1, without_checksum(&bytes));
    assert!(pair.take(1).is_empty());
    assert_eq!(pair.ends[1].stats().malformed_packets, 1);
    pair.deliver(1, bytes);
    let answers = pair.take(1);
    assert_eq!(kinds(&answers), [ChunkType::ABORT]);
    assert!(!has_zero_checksum(&answers[0]));
}

//= https://www.rfc-editor.org/rfc/rfc9653#section-5.2
//= type=test
//# When an endpoint supports the dynamic address reconfiguration specified in [RFC5061] and sends a packet containing an ASCONF chunk, it MUST include a correct CRC32c checksum in the packet containing the ASCONF chunk.
#[test]
fn packets_with_asconf_have_a_checksum() {
    let mut pair = Pair::with(over_dtls).establish();
    let now = pair.now;
    let mut local = address(0);
    local.set_port(9900);
    pair.command(0, |assoc| assoc.add_path(now, local, None))
        .unwrap();
    let asconf = |seen: &Seen| seen.kinds().contains(&ChunkType::ASCONF);
    let packets = pair.take(0);
    assert!(packets.iter().any(asconf));
    assert!(
        packets
            .iter()
            .all(|seen| has_zero_checksum(seen) != asconf(seen))
    );
}

#[test]
fn another_method_than_dtls_is_not_believed_and_a_candidate_path_needs_no_checksum() {
    let mut pair = Pair::with(over_dtls);
    let method = |id: u32| [&[0x80, 1, 0, 8][..], &id.to_be_bytes()].concat();
    let fixed = [0, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
    let init = raw(1, 0, &[&fixed[..], &method(2)].concat());
    pair.deliver(1, packet(no_header(), &[&init]));
    assert_eq!(announced(&pair.take(1)[0]), [EDMID_SCTP_OVER_DTLS]);

    let mut pair = Pair::with(over_dtls).establish();
    let bytes = without_checksum(&packet(pair.headers[0], &[&pair.data(0, 0)]));
    let mut remote = address(0);
    remote.set_port(1234);
    let path = FourTuple {
        local: address(1),
        remote,
    };
    pair.ends[1].handle_datagram(pair.now, path, bytes);
    assert_eq!(pair.assoc(1).stats().bytes_received, 5);
}
