//! RE-CONFIG chunks made and read.

use manyway_proto::{AssocStats, Association, Event, Instant, Message};
use manyway_wire::{
    ChecksumPolicy, Chunk, EncodeChunk, NextTsns, Packet, Reconfig, ReconfigParameter,
    ReconfigParameterList, ReconfigResult, ReconfigSerial, StreamId, StreamIds, Tsn,
};

use crate::pair::{Pair, Raw, Seen};

pub(crate) fn ids(streams: &[u16]) -> Vec<StreamId> {
    streams.iter().map(|&s| StreamId(s)).collect()
}

/// A chunk with these parameters.
pub(crate) fn chunk(parameters: &[ReconfigParameter<'_>]) -> Raw {
    let mut list = ReconfigParameterList::new();
    parameters.iter().for_each(|p| list.push(p));
    let mut bytes = Vec::new();
    let parameters = list.as_parameters();
    Reconfig { parameters }.encode(&mut bytes);
    Raw(bytes)
}

/// A parameter, owned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Param {
    Out {
        request: u32,
        response: u32,
        last: Tsn,
        streams: Vec<StreamId>,
    },
    In {
        request: u32,
        streams: Vec<StreamId>,
    },
    All(u32),
    AddOut(u32, u16),
    AddIn(u32, u16),
    Answer(u32, ReconfigResult, Option<NextTsns>),
}

impl Param {
    pub(crate) fn number(&self) -> u32 {
        match self {
            Self::Out { request, .. } | Self::In { request, .. } => *request,
            Self::All(n) | Self::AddOut(n, _) | Self::AddIn(n, _) | Self::Answer(n, ..) => *n,
        }
    }

    fn of(parameter: ReconfigParameter<'_>) -> Self {
        match parameter {
            ReconfigParameter::OutgoingSsnReset {
                request,
                response,
                last_tsn,
                streams,
            } => Self::Out {
                request: request.0,
                response: response.0,
                last: last_tsn,
                streams: streams.iter().collect(),
            },
            ReconfigParameter::IncomingSsnReset { request, streams } => Self::In {
                request: request.0,
                streams: streams.iter().collect(),
            },
            ReconfigParameter::SsnTsnReset { request } => Self::All(request.0),
            ReconfigParameter::AddOutgoingStreams { request, count } => {
                Self::AddOut(request.0, count)
            }
            ReconfigParameter::AddIncomingStreams { request, count } => {
                Self::AddIn(request.0, count)
            }
            ReconfigParameter::Response {
                response,
                result,
                next_tsns,
            } => Self::Answer(response.0, result, next_tsns),
            ReconfigParameter::Unknown(_) => unreachable!(),
        }
    }
}

/// The RE-CONFIG chunks in these packets.
pub(crate) fn chunks(seen: &[Seen]) -> Vec<Vec<Param>> {
    let mut all = Vec::new();
    for seen in seen {
        let packet = Packet::decode(&seen.bytes, ChecksumPolicy::Verify).unwrap();
        for raw in packet.chunks().map(Result::unwrap) {
            if let Chunk::Reconfig(chunk) = Chunk::decode(&raw).unwrap() {
                assert!(chunk.is_allowed_combination());
                let parameters = chunk.parameters.iter();
                all.push(parameters.map(|p| Param::of(p.unwrap())).collect());
            }
        }
    }
    all
}

/// The only parameter of the only RE-CONFIG chunk.
pub(crate) fn only(seen: &[Seen]) -> Param {
    let mut all: Vec<_> = chunks(seen).into_iter().flatten().collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub(crate) fn result(seen: &[Seen]) -> ReconfigResult {
    match only(seen) {
        Param::Answer(_, result, None) => result,
        other => panic!("no plain answer: {other:?}"),
    }
}

pub(crate) fn out_reset(request: u32, last: Tsn, streams: &[StreamId]) -> ReconfigParameter<'_> {
    ReconfigParameter::OutgoingSsnReset {
        request: ReconfigSerial(request),
        response: ReconfigSerial(0),
        last_tsn: last,
        streams: StreamIds::new(streams),
    }
}

pub(crate) fn in_reset(request: u32, streams: &[StreamId]) -> ReconfigParameter<'_> {
    ReconfigParameter::IncomingSsnReset {
        request: ReconfigSerial(request),
        streams: StreamIds::new(streams),
    }
}

pub(crate) fn tsn_reset(request: u32) -> ReconfigParameter<'static> {
    let request = ReconfigSerial(request);
    ReconfigParameter::SsnTsnReset { request }
}

pub(crate) fn add_out(request: u32, count: u16) -> ReconfigParameter<'static> {
    let request = ReconfigSerial(request);
    ReconfigParameter::AddOutgoingStreams { request, count }
}

pub(crate) fn add_in(request: u32, count: u16) -> ReconfigParameter<'static> {
    let request = ReconfigSerial(request);
    ReconfigParameter::AddIncomingStreams { request, count }
}

pub(crate) fn answer(number: u32, result: ReconfigResult) -> ReconfigParameter<'static> {
    ReconfigParameter::Response {
        response: ReconfigSerial(number),
        result,
        next_tsns: None,
    }
}

pub(crate) fn assoc(pair: &mut Pair, end: usize) -> &mut Association {
    let (now, id) = (pair.now, pair.ids[end].unwrap());
    pair.ends[end].association_mut(now, id).unwrap()
}

pub(crate) fn command<R>(
    pair: &mut Pair,
    end: usize,
    f: impl FnOnce(Instant, &mut Association) -> R,
) -> R {
    let now = pair.now;
    f(now, assoc(pair, end))
}

pub(crate) fn send(pair: &mut Pair, end: usize, stream: u16, text: &'static str) {
    assoc(pair, end).send(Message::new(stream, text)).unwrap();
}

pub(crate) fn stats(pair: &mut Pair, end: usize) -> AssocStats {
    assoc(pair, end).stats()
}

pub(crate) fn read(pair: &mut Pair, end: usize) -> Vec<String> {
    let assoc = assoc(pair, end);
    let all = std::iter::from_fn(|| assoc.recv());
    all.map(|m| String::from_utf8(m.payload.to_vec()).unwrap())
        .collect()
}

/// What happened, readability aside.
pub(crate) fn events(pair: &mut Pair, end: usize) -> Vec<Event> {
    let all = std::iter::from_fn(|| pair.ends[end].poll_event());
    all.map(|(_, event)| event)
        .filter(|event| !matches!(event, Event::Readable | Event::Writable))
        .collect()
}

/// Lets the next deadline of an end pass.
pub(crate) fn expire(pair: &mut Pair, end: usize) {
    let at = pair.ends[end].poll_timeout().unwrap();
    pair.now = pair.now.max(at);
    let now = pair.now;
    pair.ends[end].handle_timeout(now);
}

/// Delivers everything, both ways, and lets the application of `reader` read.
pub(crate) fn settle_reading(pair: &mut Pair, reader: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..4 {
        pair.settle();
        all.extend(read(pair, reader));
    }
    all
}
