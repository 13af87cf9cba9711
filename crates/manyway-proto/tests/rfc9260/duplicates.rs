//! What arrives a second time.

use std::time::Duration;

use manyway_proto::{AssocState, CloseReason};
use manyway_wire::{ChunkType, Shutdown, ShutdownAck, ShutdownComplete};

use crate::pair::{Pair, kinds, packet};

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.4
//= type=test
//# If both Verification Tags in the State Cookie match the Verification Tags of the current association, consider the State Cookie valid
#[test]
fn a_repeated_cookie_is_acknowledged_again_also_when_it_is_stale() {
    for late in [Duration::ZERO, Duration::from_secs(61)] {
        let mut pair = Pair::new();
        pair.connect();
        let init = pair.take(0).remove(0);
        pair.deliver(1, init.bytes);
        let ack = pair.take(1).remove(0);
        pair.deliver(0, ack.bytes);
        let echo = pair.take(0).remove(0).bytes;
        pair.deliver(1, echo.clone());
        assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
        pair.now += late;
        pair.deliver(1, echo);
        assert!(kinds(&pair.take(1)).contains(&ChunkType::COOKIE_ACK));
        assert_eq!(pair.ends[1].associations().count(), 1);
    }
}

#[test]
fn data_that_arrive_twice_are_delivered_once() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    for _ in 0..3 {
        pair.inject(&[&data]);
    }
    let length = data.payload.len() as u64;
    assert_eq!(pair.assoc(1).stats().bytes_received, length);
    let now = pair.now;
    let id = pair.ids[1].unwrap();
    let assoc = pair.ends[1].association_mut(now, id).unwrap();
    assert!(assoc.recv().is_some());
    assert!(assoc.recv().is_none());
}

#[test]
fn a_second_init_ack_is_discarded() {
    let mut pair = Pair::new();
    pair.connect();
    let init = pair.take(0).remove(0).bytes;
    pair.deliver(1, init);
    let init_ack = pair.take(1).remove(0).bytes;
    pair.deliver(0, init_ack.clone());
    let cookie = pair.take(0).remove(0).bytes;
    pair.deliver(0, init_ack.clone());
    assert!(pair.take(0).is_empty());
    pair.deliver(1, cookie);
    pair.settle();
    assert_eq!(pair.state(0), AssocState::Established);
    pair.deliver(0, init_ack);
    assert!(pair.take(0).is_empty());
    assert_eq!(pair.state(0), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# If an endpoint is in the SHUTDOWN-ACK-SENT state and receives a SHUTDOWN ACK, it MUST stop the T2-shutdown timer, send a SHUTDOWN COMPLETE chunk to its peer, and remove all record of the association.
#[test]
fn shutdowns_that_cross_end_on_both_sides() {
    let mut pair = Pair::established();
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    pair.inject(&[&shutdown]);
    assert_eq!(pair.state(1), AssocState::ShutdownAckSent);
    let answers = pair.inject(&[&ShutdownAck]);
    assert_eq!(kinds(&answers), [ChunkType::SHUTDOWN_COMPLETE]);
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# If the timer expires, the endpoint MUST resend the SHUTDOWN ACK chunk.
#[test]
fn repeated_shutdowns_do_not_disturb_the_end() {
    let mut pair = Pair::established();
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    let answers = pair.inject(&[&shutdown]);
    assert!(kinds(&answers).contains(&ChunkType::SHUTDOWN_ACK));
    pair.inject(&[&shutdown]);
    pair.next_timeout(1);
    assert!(kinds(&pair.take(1)).contains(&ChunkType::SHUTDOWN_ACK));
    let complete = ShutdownComplete {
        reflected_tag: false,
    };
    pair.inject(&[&complete]);
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
    let bytes = packet(pair.headers[0], &[&complete]);
    pair.deliver(1, bytes);
    assert!(pair.take(1).is_empty());
}
