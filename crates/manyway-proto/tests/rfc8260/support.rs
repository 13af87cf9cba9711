//! Associations that interleave, and what they send and receive.

use manyway_proto::{Association, EndpointConfig, Extension, Message, MessagePart};
use manyway_wire::{ChecksumPolicy, Chunk, Fragment, Fsn, IData, Mid, Packet, Ppid, StreamId};

use crate::pair::{Pair, Seen};

pub(crate) fn interleaving() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    let extensions = config.transport.extensions;
    // What arrives is acknowledged by SACK chunks.
    config.transport.extensions = extensions
        .with(Extension::Interleaving)
        .without(Extension::NrSack);
    config
}

/// Both ends interleave.
pub(crate) fn established() -> Pair {
    Pair::with_configs([interleaving(), interleaving()]).establish()
}

pub(crate) fn assoc(pair: &mut Pair, end: usize) -> &mut Association {
    let (now, id) = (pair.now, pair.ids[end].unwrap());
    pair.ends[end].association_mut(now, id).unwrap()
}

pub(crate) fn received(pair: &mut Pair) -> Vec<Message> {
    let assoc = assoc(pair, 1);
    std::iter::from_fn(|| assoc.recv()).collect()
}

pub(crate) fn parts(pair: &mut Pair) -> Vec<MessagePart> {
    let assoc = assoc(pair, 1);
    std::iter::from_fn(|| assoc.recv_part()).collect()
}

/// An I-DATA chunk of the client on stream 0, `ahead` of the next TSN expected.
pub(crate) fn i_data(pair: &Pair, ahead: u32, mid: u32, fsn: u32, end: bool) -> IData<'static> {
    IData {
        tsn: pair.next_tsn[0].add(ahead),
        stream: StreamId(0),
        mid: Mid(mid),
        immediate: false,
        unordered: false,
        fragment: match fsn {
            0 => Fragment::First(Ppid(mid)),
            _ => Fragment::Later(Fsn(fsn)),
        },
        end,
        payload: b"piece",
    }
}

/// What a data chunk says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: u16,
    pub(crate) message: u32,
    pub(crate) fragment: u32,
    pub(crate) begin: bool,
    pub(crate) end: bool,
    pub(crate) immediate: bool,
    pub(crate) interleaved: bool,
    pub(crate) packet: usize,
}

/// All data chunks in the order in which they were sent.
pub(crate) fn data_of(packets: &[Seen]) -> Vec<Place> {
    let mut all = Vec::new();
    for (number, seen) in packets.iter().enumerate() {
        let packet = Packet::decode(&seen.bytes, ChecksumPolicy::Verify).unwrap();
        for raw in packet.chunks() {
            let place = match Chunk::decode(&raw.unwrap()).unwrap() {
                Chunk::Data(data) => Place {
                    stream: data.stream.0,
                    message: u32::from(data.ssn.0),
                    fragment: 0,
                    begin: data.flags.begin,
                    end: data.flags.end,
                    immediate: data.flags.immediate,
                    interleaved: false,
                    packet: number,
                },
                Chunk::IData(data) => Place {
                    stream: data.stream.0,
                    message: data.mid.0,
                    fragment: data.fragment.fsn().0,
                    begin: data.flags().begin,
                    end: data.end,
                    immediate: data.immediate,
                    interleaved: true,
                    packet: number,
                },
                _ => continue,
            };
            all.push(place);
        }
    }
    all
}
