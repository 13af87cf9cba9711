//! Arbitrary chunks survive a packet, and arbitrary bytes harm nobody.

mod extensions;

use core::net::IpAddr;

use extensions::{Extension, extension};
use manyway_wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A chunk that owns what it refers to.
#[derive(Clone, Debug)]
enum Owned {
    Data(u32, u16, u16, u32, u8, Vec<u8>),
    Init(bool, u32, u32, Vec<Vec<u8>>),
    Sack(u32, u32, u8, Vec<(u16, u16)>, Vec<u32>),
    Heartbeat(bool, Vec<u8>),
    Abort(bool, Vec<u8>, u16),
    Error(u32, Vec<u8>),
    CookieEcho(Vec<u8>),
    Tsn(u8, u32),
    Bare(u8, bool),
    Asconf(u32, IpAddr, Vec<(u32, u8, IpAddr)>),
    AsconfAck(u32, Vec<(u32, Option<u16>)>),
    ForwardTsn(u32, Vec<(u16, u16)>),
    Extension(Extension),
}

fn owned() -> impl Strategy<Value = Owned> {
    prop_oneof![2 => standard(), 1 => extension().prop_map(Owned::Extension)]
}

/// A chunk of RFC 9260, or one of ASCONF, ASCONF-ACK and FORWARD-TSN.
fn standard() -> impl Strategy<Value = Owned> {
    let bytes = || vec(any::<u8>(), 1..60);
    prop_oneof![
        (
            any::<u32>(),
            any::<u16>(),
            any::<u16>(),
            any::<u32>(),
            0..16u8,
            bytes()
        )
            .prop_map(|(t, s, n, p, f, b)| Owned::Data(t, s, n, p, f, b)),
        (
            any::<bool>(),
            1..=u32::MAX,
            any::<u32>(),
            vec(bytes(), 0..4)
        )
            .prop_map(|(ack, tag, n, p)| Owned::Init(ack, tag, n, p)),
        (
            any::<u32>(),
            any::<u32>(),
            any::<u8>(),
            vec(any::<(u16, u16)>(), 0..9),
            vec(any::<u32>(), 0..9)
        )
            .prop_map(|(t, w, f, g, d)| Owned::Sack(t, w, f, g, d)),
        (any::<bool>(), bytes()).prop_map(|(ack, b)| Owned::Heartbeat(ack, b)),
        (any::<bool>(), bytes(), any::<u16>()).prop_map(|(t, b, s)| Owned::Abort(t, b, s)),
        (any::<u32>(), bytes()).prop_map(|(t, b)| Owned::Error(t, b)),
        bytes().prop_map(Owned::CookieEcho),
        (0..3u8, any::<u32>()).prop_map(|(k, t)| Owned::Tsn(k, t)),
        (0..3u8, any::<bool>()).prop_map(|(k, t)| Owned::Bare(k, t)),
        (
            any::<u32>(),
            any::<IpAddr>(),
            vec((any::<u32>(), 0..3u8, any::<IpAddr>()), 0..5)
        )
            .prop_map(|(s, a, r)| Owned::Asconf(s, a, r)),
        (any::<u32>(), vec(any::<(u32, Option<u16>)>(), 0..5))
            .prop_map(|(s, r)| Owned::AsconfAck(s, r)),
        (any::<u32>(), vec(any::<(u16, u16)>(), 0..9)).prop_map(|(t, s)| Owned::ForwardTsn(t, s)),
    ]
}

impl Owned {
    /// Shows `use_chunk` the chunk, which borrows from `self` and from the stack.
    fn with<R>(&self, use_chunk: impl FnOnce(Chunk<'_>) -> R) -> R {
        match self {
            Self::Data(tsn, stream, ssn, ppid, flags, payload) => use_chunk(Chunk::Data(Data {
                tsn: Tsn(*tsn),
                stream: StreamId(*stream),
                ssn: Ssn(*ssn),
                ppid: Ppid(*ppid),
                flags: DataFlags::from_bits(*flags),
                payload,
            })),
            Self::Init(ack, tag, number, cookies) => {
                with_init(*ack, *tag, *number, cookies, use_chunk)
            }
            Self::Sack(tsn, a_rwnd, flags, gaps, duplicates) => {
                let gaps: Vec<_> = gaps
                    .iter()
                    .map(|&(start, end)| GapBlock { start, end })
                    .collect();
                let duplicates: Vec<_> = duplicates.iter().copied().map(Tsn).collect();
                use_chunk(Chunk::Sack(Sack {
                    cumulative_tsn_ack: Tsn(*tsn),
                    a_rwnd: *a_rwnd,
                    flags: *flags,
                    gaps: GapBlocks::new(&gaps),
                    duplicates: DuplicateTsns::new(&duplicates),
                }))
            }
            Self::Heartbeat(false, info) => use_chunk(Chunk::Heartbeat(Heartbeat { info })),
            Self::Heartbeat(true, info) => use_chunk(Chunk::HeartbeatAck(HeartbeatAck { info })),
            Self::Abort(reflected_tag, reason, stream) => {
                let mut list = CauseList::new();
                list.push(&Cause::UserInitiatedAbort(reason));
                list.push(&Cause::InvalidStreamId(StreamId(*stream)));
                let causes = list.as_causes();
                use_chunk(Chunk::Abort(Abort {
                    reflected_tag: *reflected_tag,
                    causes,
                }))
            }
            Self::Error(tsn, chunk) => {
                let mut list = CauseList::new();
                list.push(&Cause::NoUserData(Tsn(*tsn)));
                list.push(&Cause::UnrecognizedChunk(chunk));
                use_chunk(Chunk::Error(ErrorChunk {
                    causes: list.as_causes(),
                }))
            }
            Self::CookieEcho(cookie) => use_chunk(Chunk::CookieEcho(CookieEcho { cookie })),
            Self::Tsn(0, tsn) => use_chunk(Chunk::Shutdown(Shutdown {
                cumulative_tsn_ack: Tsn(*tsn),
            })),
            Self::Tsn(1, tsn) => use_chunk(Chunk::Ecne(Ecne {
                lowest_tsn: Tsn(*tsn),
            })),
            Self::Tsn(_, tsn) => use_chunk(Chunk::Cwr(Cwr {
                lowest_tsn: Tsn(*tsn),
            })),
            Self::Bare(0, _) => use_chunk(Chunk::ShutdownAck(ShutdownAck)),
            Self::Bare(1, _) => use_chunk(Chunk::CookieAck(CookieAck)),
            Self::Bare(_, reflected_tag) => use_chunk(Chunk::ShutdownComplete(ShutdownComplete {
                reflected_tag: *reflected_tag,
            })),
            Self::Asconf(serial, address, requests) => {
                let requests: Vec<_> = requests.iter().map(request).collect();
                use_chunk(Chunk::Asconf(Asconf {
                    serial: AsconfSerial(*serial),
                    address: *address,
                    requests: AsconfRequests::new(&requests),
                }))
            }
            Self::AsconfAck(serial, responses) => {
                let responses: Vec<_> = responses.iter().map(response).collect();
                use_chunk(Chunk::AsconfAck(AsconfAck {
                    serial: AsconfSerial(*serial),
                    responses: AsconfResponses::new(&responses),
                }))
            }
            Self::ForwardTsn(tsn, skipped) => {
                let skipped: Vec<_> = skipped
                    .iter()
                    .map(|&(s, n)| (StreamId(s), Ssn(n)))
                    .collect();
                use_chunk(Chunk::ForwardTsn(ForwardTsn {
                    new_cumulative_tsn: Tsn(*tsn),
                    skipped: SkippedStreams::new(&skipped),
                }))
            }
            Self::Extension(extension) => extension.with(use_chunk),
        }
    }
}

fn with_init<R>(
    ack: bool,
    tag: u32,
    number: u32,
    cookies: &[Vec<u8>],
    use_chunk: impl FnOnce(Chunk<'_>) -> R,
) -> R {
    let mut list = ParameterList::new();
    for cookie in cookies {
        list.push(&Parameter::StateCookie(cookie));
        list.push(&Parameter::AdaptationIndication(number));
        list.push(&Parameter::Random(cookie));
    }
    let (initiate_tag, parameters) = (VerificationTag(tag), list.as_parameters());
    let (a_rwnd, initial_tsn) = (number, Tsn(number.rotate_left(7)));
    let (outbound_streams, inbound_streams) = (number as u16, (number >> 16) as u16);
    use_chunk(if ack {
        Chunk::InitAck(InitAck {
            initiate_tag,
            a_rwnd,
            outbound_streams,
            inbound_streams,
            initial_tsn,
            parameters,
        })
    } else {
        Chunk::Init(Init {
            initiate_tag,
            a_rwnd,
            outbound_streams,
            inbound_streams,
            initial_tsn,
            parameters,
        })
    })
}

fn request(&(correlation_id, action, address): &(u32, u8, IpAddr)) -> AsconfRequest {
    let action = match action {
        0 => AsconfAction::Add(address),
        1 => AsconfAction::Delete(address),
        _ => AsconfAction::SetPrimary(address),
    };
    AsconfRequest {
        correlation_id,
        action,
    }
}

fn response(&(correlation_id, error): &(u32, Option<u16>)) -> AsconfResponse {
    let outcome = error.map_or(AsconfOutcome::Success, AsconfOutcome::Error);
    AsconfResponse {
        correlation_id,
        outcome,
    }
}

/// Encodes `chunk` alone, decodes the result and expects the same chunk.
fn assert_stable(chunk: &Chunk<'_>) {
    let mut wire = Vec::new();
    chunk.encode(&mut wire);
    assert_eq!(wire.len(), chunk.encoded_len(), "{chunk:?}");
    let raw = RawChunk::from_wire(&wire).expect("an encoded chunk is well formed");
    assert_eq!(Chunk::decode(&raw).as_ref(), Ok(chunk));
}

const ADDRESS_REQUESTS: [ParameterType; 3] = [
    ParameterType::ADD_IP_ADDRESS,
    ParameterType::DELETE_IP_ADDRESS,
    ParameterType::SET_PRIMARY_ADDRESS,
];

fn walk_everything(packet: &Packet<'_>) {
    walk(packet, &mut |element| match element {
        Element::Chunk(chunk) => assert_stable(&chunk),
        Element::Parameter(parameter) => {
            let mut wire = Vec::new();
            parameter.encode(&mut wire);
            assert!(Parameters::from_bytes(&wire).iter().eq([Ok(parameter)]));
        }
        Element::Cause(cause) => {
            let mut wire = Vec::new();
            cause.encode(&mut wire);
            assert!(Causes::from_bytes(&wire).iter().eq([Ok(cause)]));
            assert!(!cause.to_string().contains(|c: char| c.is_control()));
        }
        Element::Request(request) => {
            let mut wire = Vec::new();
            request.encode(&mut wire);
            // The address of a type that nobody knows is not part of the value.
            let whole = request.action.address().is_some()
                || !ADDRESS_REQUESTS.contains(&request.action.kind());
            let again = AsconfRequests::from_bytes(&wire);
            assert!(!whole || again.iter().eq([Ok(request)]));
        }
        Element::Response(_) => (),
        Element::Reconfig(parameter) => {
            let mut wire = Vec::new();
            parameter.encode(&mut wire);
            assert!(
                ReconfigParameters::from_bytes(&wire)
                    .iter()
                    .eq([Ok(parameter)])
            );
        }
        Element::Malformed(error) => assert!(!error.to_string().is_empty()),
    });
}

const HEADER: CommonHeader = CommonHeader {
    source_port: Port(1),
    destination_port: Port(65_535),
    verification_tag: VerificationTag(7),
};

/// A packet around `chunks`, whatever they are.
fn packet_of(chunks: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketWriter::new(&mut packet, &HEADER, 1500).finish(false);
    packet.extend_from_slice(chunks);
    packet
}

proptest! {
    #[test]
    fn chunks_survive_a_packet(chunks in vec(owned(), 0..8)) {
        let mut buf = Vec::new();
        let mut writer = PacketWriter::new(&mut buf, &HEADER, 9000);
        for chunk in &chunks {
            prop_assert!(chunk.with(|chunk| writer.push(&chunk)));
        }
        prop_assert_eq!(writer.finish(true) % 4, 0);
        let packet = Packet::decode(&buf, ChecksumPolicy::Verify).unwrap();
        prop_assert_eq!(packet.header(), HEADER);
        let raws: Vec<_> = packet.chunks().map(Result::unwrap).collect();
        prop_assert_eq!(raws.len(), chunks.len());
        for (raw, chunk) in raws.iter().zip(&chunks) {
            let decoded = Chunk::decode(raw).unwrap();
            chunk.with(|chunk| assert_eq!(decoded, chunk));
            let mut again = Vec::new();
            decoded.encode(&mut again);
            prop_assert_eq!(again, raw.wire_bytes());
        }
        walk(&packet, &mut |element| {
            assert!(!matches!(element, Element::Malformed(_)), "{element:?}");
        });
        walk_everything(&packet);
    }

    #[test]
    fn a_cut_packet_is_never_misread_as_whole(chunks in vec(owned(), 1..5), cut in any::<prop::sample::Index>()) {
        let mut buf = Vec::new();
        let mut writer = PacketWriter::new(&mut buf, &HEADER, 9000);
        for chunk in &chunks {
            prop_assert!(chunk.with(|chunk| writer.push(&chunk)));
        }
        writer.finish(true);
        buf.truncate(cut.index(buf.len()));
        if let Ok(packet) = Packet::decode(&buf, ChecksumPolicy::Ignore) {
            walk_everything(&packet);
        }
        prop_assert!(Packet::decode(&buf, ChecksumPolicy::Verify).is_err());
    }

    #[test]
    fn a_damaged_packet_panics_nowhere(
        chunks in vec(owned(), 1..5),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut buf = Vec::new();
        let mut writer = PacketWriter::new(&mut buf, &HEADER, 9000);
        for chunk in &chunks {
            prop_assert!(chunk.with(|chunk| writer.push(&chunk)));
        }
        writer.finish(false);
        for (at, byte) in damage {
            let at = at.index(buf.len());
            buf[at] = byte;
        }
        if let Ok(packet) = Packet::decode(&buf, ChecksumPolicy::Ignore) {
            walk_everything(&packet);
        }
    }

    #[test]
    fn an_authenticated_packet_covers_the_same_bytes_at_both_ends(
        before in vec(owned(), 0..3),
        after in vec(owned(), 0..4),
        hmac in vec(any::<u8>(), 0..70),
    ) {
        let is_auth = |chunk: &Owned| chunk.with(|chunk| matches!(chunk, Chunk::Auth(_)));
        prop_assume!(!before.iter().any(is_auth));
        let mut buf = Vec::new();
        let mut writer = PacketWriter::new(&mut buf, &HEADER, 9000);
        for chunk in &before {
            prop_assert!(chunk.with(|chunk| writer.push(&chunk)));
        }
        prop_assert!(writer.push_auth(KeyId(1), HmacId::SHA256, hmac.len()));
        for chunk in &after {
            prop_assert!(chunk.with(|chunk| writer.push(&chunk)));
        }
        let covered = writer.authenticated().unwrap().to_vec();
        prop_assert!(writer.fill_hmac(&hmac));
        writer.finish(true);
        let packet = Packet::decode(&buf, ChecksumPolicy::Verify).unwrap();
        let found = packet.authentication().unwrap();
        prop_assert_eq!(found.auth().hmac, &hmac);
        prop_assert_eq!(found.pieces().collect::<Vec<_>>().concat(), covered);
        prop_assert_eq!(&buf[found.hmac_range()], &hmac);
        prop_assert_eq!(found.range().end, buf.len());
        prop_assert_eq!(found.chunks().count(), after.len());
    }

    #[test]
    fn arbitrary_bytes_panic_nowhere(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Packet::decode(&bytes, ChecksumPolicy::Verify);
        let packet = packet_of(&bytes);
        walk_everything(&Packet::decode(&packet, ChecksumPolicy::Ignore).unwrap());
    }

    #[test]
    fn arbitrary_values_of_every_chunk_type_panic_nowhere(
        kind in any::<u8>(),
        flags in any::<u8>(),
        mut value in vec(prop_oneof![Just(0u8), 0..16u8, any::<u8>()], 0..100),
    ) {
        let length = (4 + value.len() as u16).to_be_bytes();
        let mut chunk = vec![kind, flags, length[0], length[1]];
        chunk.append(&mut value);
        let packet = packet_of(&chunk);
        walk_everything(&Packet::decode(&packet, ChecksumPolicy::Ignore).unwrap());
    }
}
