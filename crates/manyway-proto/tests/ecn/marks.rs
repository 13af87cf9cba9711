//! What a mark makes the receiver say, and what that makes the sender do.

use bytes::Bytes;
use manyway_proto::{AssocStats, Ecn, EndpointConfig, Extension, FourTuple, Message};
use manyway_wire::{Chunk, ChunkType, Cwr, Ecne, EncodeChunk, Sack, Tsn};

use crate::pair::{Pair, Seen, address, kinds, packet};

/// Delivers a packet of the client to the server with a mark, and gives back the answers.
fn inject_marked(pair: &mut Pair, mark: Ecn, chunks: &[&dyn EncodeChunk]) -> Vec<Seen> {
    let bytes: Bytes = packet(pair.headers[0], chunks);
    let path = FourTuple {
        local: address(1),
        remote: address(0),
    };
    let now = pair.now;
    pair.ends[1].handle_marked_datagram(now, path, Some(mark), bytes);
    pair.take(1)
}

/// The TSNs of the chunks of this kind.
fn tsns(seen: &[Seen], kind: ChunkType) -> Vec<Tsn> {
    let all = seen.iter().filter_map(|s| {
        s.with(kind, |chunk, _| match chunk {
            Chunk::Ecne(ecne) => ecne.lowest_tsn,
            Chunk::Cwr(cwr) => cwr.lowest_tsn,
            _ => unreachable!(),
        })
    });
    all.collect()
}

fn stats(pair: &Pair) -> AssocStats {
    let id = pair.ids[1].unwrap();
    pair.ends[1].association(id).unwrap().stats()
}

/// The mark of each packet that the server sends.
fn marks(pair: &mut Pair) -> Vec<Option<Ecn>> {
    let (mut buf, mut all) = (Vec::new(), Vec::new());
    while let Some(transmit) = pair.ends[1].poll_transmit(pair.now, 1, &mut buf) {
        all.push(transmit.ecn);
    }
    all
}

fn send(pair: &mut Pair, count: usize) {
    let (now, id) = (pair.now, pair.ids[1].unwrap());
    let assoc = pair.ends[1].association_mut(now, id).unwrap();
    for _ in 0..count {
        assoc.send(Message::new(0, vec![7; 1000])).unwrap();
    }
}

//= https://www.rfc-editor.org/rfc/rfc4960#appendix-A
//= type=test
//# For SCTP, this same indication is made by including the ECNE chunk. This chunk contains one data element, i.e., the lowest TSN associated with the IP datagram marked with the CE bit
#[test]
fn a_mark_is_echoed_with_every_acknowledgement_until_the_window_was_reduced() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let (one, two) = (pair.data(1, 1), pair.data(0, 0));
    let seen = inject_marked(&mut pair, Ecn::Ce, &[&one, &two]);
    assert_eq!(tsns(&seen, ChunkType::ECNE), [first]);
    let chunks = kinds(&seen);
    let place = |kind| chunks.iter().position(|k| *k == kind);
    let acknowledgement = place(ChunkType::SACK).or_else(|| place(ChunkType::NR_SACK));
    assert!(place(ChunkType::ECNE) < acknowledgement, "{chunks:?}");
    let (three, four) = (pair.data(2, 2), pair.data(3, 3));
    let mut seen = inject_marked(&mut pair, Ecn::Ect0, &[&three]);
    seen.extend(inject_marked(&mut pair, Ecn::Ect0, &[&four]));
    assert_eq!(tsns(&seen, ChunkType::ECNE), [first]);
    let cwr = Cwr { lowest_tsn: first };
    pair.inject(&[&cwr]);
    let seen = pair.inject(&[&pair.data(3, 3)]);
    assert!(!seen.is_empty());
    assert_eq!(tsns(&seen, ChunkType::ECNE), []);
    assert_eq!(stats(&pair).congestion_marks, 1);
}

#[test]
fn packets_without_data_and_without_the_mark_are_not_echoed() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    let heartbeat = manyway_wire::Heartbeat { info: b"hello" };
    let seen = inject_marked(&mut pair, Ecn::Ce, &[&heartbeat]);
    assert_eq!(tsns(&seen, ChunkType::ECNE), []);
    let seen = inject_marked(&mut pair, Ecn::Ect0, &[&data]);
    assert_eq!(tsns(&seen, ChunkType::ECNE), []);
}

//= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
//= type=test
//# TCP should not react to congestion indications more than once every window of data (or more loosely, more than once every round-trip time).
//= https://www.rfc-editor.org/rfc/rfc4960#appendix-A
//= type=test
//# This chunk contains one data element, i.e., the TSN number that was sent in the ECNE chunk.
#[test]
fn the_window_is_reduced_once_per_window_and_the_peer_is_told() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[1];
    send(&mut pair, 5);
    pair.take(1);
    let seen = pair.inject(&[&Ecne {
        lowest_tsn: first.add(1),
    }]);
    assert_eq!(tsns(&seen, ChunkType::CWR), [first.add(1)]);
    // The same again and another of the same window: told, but not reduced.
    pair.inject(&[&Ecne {
        lowest_tsn: first.add(1),
    }]);
    let seen = pair.inject(&[&Ecne {
        lowest_tsn: first.add(3),
    }]);
    assert_eq!(tsns(&seen, ChunkType::CWR), [first.add(3)]);
    assert_eq!(stats(&pair).congestion_reductions, 1);
    let sack = pair.sack(first.add(4));
    pair.inject(&[&sack]);
    send(&mut pair, 2);
    pair.take(1);
    pair.inject(&[&Ecne {
        lowest_tsn: first.add(5),
    }]);
    assert_eq!(stats(&pair).congestion_reductions, 2);
    // Never sent.
    let seen = pair.inject(&[&Ecne {
        lowest_tsn: first.add(50),
    }]);
    assert_eq!(tsns(&seen, ChunkType::CWR), []);
    assert_eq!(stats(&pair).congestion_reductions, 2);
}

//= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.5
//= type=test
//# ECN-capable TCP implementations MUST NOT set either ECT codepoint (ECT(0) or ECT(1)) in the IP header for retransmitted data packets
#[test]
fn new_data_are_marked_and_nothing_else() {
    let mut pair = Pair::established();
    send(&mut pair, 3);
    assert_eq!(marks(&mut pair), [Some(Ecn::Ect0); 3]);
    let heartbeat = manyway_wire::Heartbeat { info: b"hello" };
    let bytes = packet(pair.headers[0], &[&heartbeat]);
    pair.deliver(1, bytes);
    assert_eq!(marks(&mut pair), [None]);
    // The timer lets them go out again.
    while stats(&pair).timeouts == 0 {
        pair.now = pair.now.max(pair.ends[1].poll_timeout().unwrap());
        let now = pair.now;
        pair.ends[1].handle_timeout(now);
        assert!(marks(&mut pair).iter().all(Option::is_none));
    }
    assert!(stats(&pair).retransmitted_bytes > 0);
}

#[test]
fn without_negotiation_nothing_is_marked_and_echoes_mean_nothing() {
    let mut config = EndpointConfig::default();
    let extensions = config.transport.extensions;
    config.transport.extensions = extensions.without(Extension::Ecn);
    let mut pair = Pair::with_configs([EndpointConfig::default(), config]).establish();
    let first = pair.next_tsn[1];
    send(&mut pair, 2);
    assert_eq!(marks(&mut pair), [None; 2]);
    let seen = pair.inject(&[&Ecne { lowest_tsn: first }]);
    assert_eq!(tsns(&seen, ChunkType::CWR), []);
    let data = pair.data(0, 0);
    let seen = inject_marked(&mut pair, Ecn::Ce, &[&data]);
    assert_eq!(tsns(&seen, ChunkType::ECNE), []);
    let counters = stats(&pair);
    assert_eq!(
        (counters.congestion_reductions, counters.congestion_marks),
        (0, 0)
    );
}

//= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.6
//= type=test
//# Therefore, the TCP data sender MUST NOT set either an ECT codepoint or the CWR bit on window probe packets.
#[test]
fn a_probe_of_a_closed_window_is_not_marked() {
    for (a_rwnd, mark) in [(1 << 20, Some(Ecn::Ect0)), (0, None)] {
        let mut pair = Pair::established();
        let first = pair.next_tsn[1];
        send(&mut pair, 1);
        marks(&mut pair);
        let sack = Sack {
            a_rwnd,
            ..pair.sack(first)
        };
        pair.inject(&[&sack]);
        send(&mut pair, 1);
        assert_eq!(marks(&mut pair), [mark]);
    }
}
