//! User data: streams and their order.

use manyway_proto::CloseReason;
use manyway_wire::ChunkType;

use crate::pair::{Pair, kinds};

#[test]
fn a_stream_sequence_number_used_twice_aborts() {
    let mut pair = Pair::established();
    let (first, second) = (pair.data(0, 0), pair.data(1, 0));
    let answers = pair.inject(&[&first, &second]);
    assert!(kinds(&answers).contains(&ChunkType::ABORT));
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}
