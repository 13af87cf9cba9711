//! Arbitrary chunks of the extensions, which own what they refer to.

use manyway_wire::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A chunk of an extension.
#[derive(Clone, Debug)]
pub(crate) enum Extension {
    Auth(u16, u16, Vec<u8>),
    NrSack(u32, u8, Vec<(u16, u16)>, Vec<(u16, u16)>, Vec<u32>),
    IData(u32, u16, u32, u8, u32, Vec<u8>),
    IForwardTsn(u32, Vec<(u16, bool, u32)>),
    Reconfig(Vec<(u8, u32, u32, Vec<u16>)>),
    Asconf(u32, Vec<(u16, u32, Vec<u8>)>),
}

pub(crate) fn extension() -> impl Strategy<Value = Extension> {
    use Extension as E;
    let pairs = || vec(any::<(u16, u16)>(), 0..9);
    let request_kind = any::<u16>().prop_filter("an unknown type", |kind| {
        ![0xc001, 0xc002, 0xc004].contains(kind)
    });
    prop_oneof![
        (any::<u16>(), any::<u16>(), vec(any::<u8>(), 0..70))
            .prop_map(|(k, h, b)| E::Auth(k, h, b)),
        (
            any::<u32>(),
            any::<u8>(),
            pairs(),
            pairs(),
            vec(any::<u32>(), 0..9)
        )
            .prop_map(|(t, f, g, n, d)| E::NrSack(t, f, g, n, d)),
        (
            any::<u32>(),
            any::<u16>(),
            any::<u32>(),
            0..16u8,
            any::<u32>(),
            vec(any::<u8>(), 1..60)
        )
            .prop_map(|(t, s, m, f, p, b)| E::IData(t, s, m, f, p, b)),
        (any::<u32>(), vec(any::<(u16, bool, u32)>(), 0..9))
            .prop_map(|(t, s)| E::IForwardTsn(t, s)),
        vec(
            (0..7u8, any::<u32>(), any::<u32>(), vec(any::<u16>(), 0..5)),
            0..4
        )
        .prop_map(E::Reconfig),
        (
            any::<u32>(),
            vec((request_kind, any::<u32>(), vec(any::<u8>(), 0..20)), 0..4)
        )
            .prop_map(|(s, r)| E::Asconf(s, r)),
    ]
}

impl Extension {
    /// Shows `use_chunk` the chunk, which borrows from `self` and from the stack.
    pub(crate) fn with<R>(&self, use_chunk: impl FnOnce(Chunk<'_>) -> R) -> R {
        match self {
            Self::Auth(key, hash, hmac) => use_chunk(Chunk::Auth(Auth {
                key_id: KeyId(*key),
                hmac_id: HmacId(*hash),
                hmac,
            })),
            Self::NrSack(tsn, flags, gaps, non_renegable, duplicates) => {
                let (gaps, non_renegable) = (blocks(gaps), blocks(non_renegable));
                let duplicates: Vec<_> = duplicates.iter().copied().map(Tsn).collect();
                use_chunk(Chunk::NrSack(NrSack {
                    cumulative_tsn_ack: Tsn(*tsn),
                    a_rwnd: tsn.rotate_left(9),
                    flags: *flags,
                    gaps: GapBlocks::new(&gaps),
                    non_renegable: GapBlocks::new(&non_renegable),
                    duplicates: DuplicateTsns::new(&duplicates),
                }))
            }
            Self::IData(tsn, stream, mid, flags, shared, payload) => {
                let flags = DataFlags::from_bits(*flags);
                let chunk = IData {
                    tsn: Tsn(*tsn),
                    stream: StreamId(*stream),
                    mid: Mid(*mid),
                    immediate: flags.immediate,
                    unordered: flags.unordered,
                    fragment: if flags.begin {
                        Fragment::First(Ppid(*shared))
                    } else {
                        Fragment::Later(Fsn(*shared))
                    },
                    end: flags.end,
                    payload,
                };
                assert_eq!(chunk.flags(), flags);
                use_chunk(Chunk::IData(chunk))
            }
            Self::IForwardTsn(tsn, skipped) => {
                let skipped: Vec<_> = skipped.iter().map(skipped_message).collect();
                use_chunk(Chunk::IForwardTsn(IForwardTsn {
                    new_cumulative_tsn: Tsn(*tsn),
                    skipped: SkippedMessages::new(&skipped),
                }))
            }
            Self::Reconfig(parameters) => {
                let mut list = ReconfigParameterList::new();
                for parameter in parameters {
                    push_parameter(&mut list, parameter);
                }
                use_chunk(Chunk::Reconfig(Reconfig {
                    parameters: list.as_parameters(),
                }))
            }
            Self::Asconf(serial, requests) => {
                let mut list = AsconfRequestList::new();
                for (kind, correlation_id, value) in requests {
                    list.push_value(ParameterType(*kind), *correlation_id, value);
                }
                let read = list.as_requests().with_values().map(Result::unwrap);
                let read: Vec<_> = read
                    .map(|(r, v)| (r.action.kind().0, r.correlation_id, v.to_vec()))
                    .collect();
                assert_eq!(&read, requests);
                use_chunk(Chunk::Asconf(Asconf {
                    serial: AsconfSerial(*serial),
                    address: [0; 4].into(),
                    requests: list.as_requests(),
                }))
            }
        }
    }
}

fn blocks(pairs: &[(u16, u16)]) -> Vec<GapBlock> {
    let block = |&(start, end)| GapBlock { start, end };
    pairs.iter().map(block).collect()
}

fn skipped_message(&(stream, unordered, mid): &(u16, bool, u32)) -> SkippedMessage {
    SkippedMessage {
        stream: StreamId(stream),
        unordered,
        mid: Mid(mid),
    }
}

fn push_parameter(
    list: &mut ReconfigParameterList,
    (kind, serial, number, streams): &(u8, u32, u32, Vec<u16>),
) {
    use ReconfigParameter as P;
    let (request, count) = (ReconfigSerial(*serial), *number as u16);
    let streams: Vec<_> = streams.iter().copied().map(StreamId).collect();
    let streams = StreamIds::new(&streams);
    let response = |next_tsns| P::Response {
        response: request,
        result: ReconfigResult(*number),
        next_tsns,
    };
    list.push(&match kind {
        0 => P::OutgoingSsnReset {
            request,
            response: ReconfigSerial(*number),
            last_tsn: Tsn(serial ^ number),
            streams,
        },
        1 => P::IncomingSsnReset { request, streams },
        2 => P::SsnTsnReset { request },
        3 => response(None),
        4 => response(Some(NextTsns {
            sender: Tsn(*serial),
            receiver: Tsn(*number),
        })),
        5 => P::AddOutgoingStreams { request, count },
        _ => P::AddIncomingStreams { request, count },
    });
}
