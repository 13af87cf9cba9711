//! ABORT and SHUTDOWN-COMPLETE with the T bit: a host says that it has no association.

use std::net::SocketAddr;

use bytes::Bytes;
use manyway_proto::{AssocState, CloseReason};
use manyway_wire::{
    Abort, CauseList, ChunkType, CommonHeader, EncodeChunk, Heartbeat, ShutdownComplete,
};

use crate::pair::{MS, Pair, address, kinds, packet};

fn elsewhere() -> SocketAddr {
    SocketAddr::from(([10, 9, 9, 9], 7777))
}

/// What a host answers to the packets of `end` if it has no association.
fn reflected(pair: &Pair, end: usize, chunk: &dyn EncodeChunk) -> Bytes {
    let sent = pair.headers[end];
    let header = CommonHeader {
        source_port: sent.destination_port,
        destination_port: sent.source_port,
        verification_tag: sent.verification_tag,
    };
    packet(header, &[chunk])
}

fn abort(pair: &Pair, end: usize) -> Bytes {
    let causes = CauseList::new();
    let chunk = Abort {
        reflected_tag: true,
        causes: causes.as_causes(),
    };
    reflected(pair, end, &chunk)
}

/// A packet of the client's from a new address makes the server try that address.
fn try_elsewhere(pair: &mut Pair) {
    let probe = packet(pair.headers[0], &[&Heartbeat { info: b"hello" }]);
    pair.deliver_from(1, elsewhere(), probe);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::HEARTBEAT));
    assert_eq!(pair.assoc(1).paths().count(), 2);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5.1
//= type=test
//# The receiver of an ABORT chunk MUST accept the packet if the Verification Tag field of the packet matches its own tag and the T bit is not set OR if it is set to its Peer's Tag and the T bit is set in the Chunk Flags.
#[test]
fn a_peer_that_forgot_the_association_ends_it() {
    for tried in [false, true] {
        let mut pair = Pair::established();
        if tried {
            try_elsewhere(&mut pair);
        }
        let word = abort(&pair, 1);
        pair.deliver(1, word);
        assert_eq!(pair.state(1), AssocState::Closed);
        assert!(matches!(
            pair.end_of(1),
            Some(CloseReason::PeerAbort { .. })
        ));
    }
}

#[test]
fn a_host_where_a_candidate_is_tried_costs_the_candidate_only() {
    let mut pair = Pair::established();
    for round in 1..=3 {
        try_elsewhere(&mut pair);
        let word = abort(&pair, 1);
        pair.deliver_from(1, elsewhere(), word);
        assert_eq!(pair.state(1), AssocState::Established);
        assert_eq!(pair.assoc(1).paths().count(), 1);
        assert_eq!(pair.assoc(1).stats().ignored_reflections, round);
    }
    pair.settle();
    pair.assert_one_association_that_works();
}

#[test]
fn nor_does_it_end_a_shutdown() {
    let mut pair = Pair::established();
    let now = pair.now;
    pair.command(0, |a| a.shutdown(now));
    let mut shutdown = pair.take(0);
    // The candidate is there before the SHUTDOWN, which the server answers with SHUTDOWN-ACK.
    try_elsewhere(&mut pair);
    pair.deliver(1, shutdown.remove(0).bytes);
    pair.take(1);
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    let complete = ShutdownComplete {
        reflected_tag: true,
    };
    for word in [abort(&pair, 1), reflected(&pair, 1, &complete)] {
        pair.deliver_from(1, elsewhere(), word);
        assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    }
    let word = reflected(&pair, 1, &complete);
    pair.deliver(1, word);
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
}

#[test]
fn once_the_peer_has_moved_its_word_counts_where_it_is_now() {
    let mut pair = Pair::established();
    pair.now += 1000 * MS;
    let probe = packet(pair.headers[0], &[&Heartbeat { info: b"hello" }]);
    pair.deliver_from(1, elsewhere(), probe);
    // The client answers the challenge from there.
    for seen in pair.take(1) {
        pair.deliver(0, seen.bytes);
    }
    for seen in pair.take(0) {
        pair.deliver_from(1, elsewhere(), seen.bytes);
    }
    let remotes: Vec<_> = pair.assoc(1).paths().map(|p| p.four_tuple.remote).collect();
    assert_eq!(remotes, [elsewhere()]);
    let word = abort(&pair, 1);
    pair.deliver_from(1, address(0), word.clone());
    assert_eq!(pair.state(1), AssocState::Established);
    pair.deliver_from(1, elsewhere(), word);
    assert_eq!(pair.state(1), AssocState::Closed);
}
