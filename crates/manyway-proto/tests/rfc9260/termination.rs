//! The end of an association.

use manyway_proto::{AssocState, CloseReason};
use manyway_wire::{Chunk, ChunkType, Shutdown, ShutdownComplete};

use crate::pair::{Pair, kinds};

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# While in the SHUTDOWN-SENT state, the SHUTDOWN chunk sender MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk
#[test]
fn data_during_shutdown_are_answered_with_shutdown() {
    let mut pair = Pair::established();
    let id = pair.ids[1].unwrap();
    let now = pair.now;
    pair.ends[1].association_mut(now, id).unwrap().shutdown(now);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::SHUTDOWN));
    assert_eq!(pair.state(1), AssocState::ShutdownSent);
    let data = pair.data(0, 0);
    let answers = pair.inject(&[&data]);
    let acked = answers.iter().find_map(|seen| {
        seen.with(ChunkType::SHUTDOWN, |chunk, _| match chunk {
            Chunk::Shutdown(shutdown) => shutdown.cumulative_tsn_ack,
            _ => unreachable!(),
        })
    });
    assert_eq!(acked, Some(data.tsn));
}

#[test]
fn a_shutdown_is_acknowledged_and_completed() {
    let mut pair = Pair::established();
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    assert!(kinds(&pair.inject(&[&shutdown])).contains(&ChunkType::SHUTDOWN_ACK));
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    pair.inject(&[&ShutdownComplete {
        reflected_tag: false,
    }]);
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
}
