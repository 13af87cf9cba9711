//! The end of an association.

use manyway_proto::{AssocState, CloseReason, Message};
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

/// The server after each step of its end, with the packet of the step not delivered.
fn ending(state: AssocState) -> Pair {
    let mut pair = Pair::established();
    let now = pair.now;
    let shutdown = Shutdown {
        cumulative_tsn_ack: pair.next_tsn[1].sub(1),
    };
    let send = |pair: &mut Pair| {
        pair.command(1, |assoc| assoc.send(Message::new(0, "news")).unwrap());
    };
    match state {
        AssocState::ShutdownPending => {
            send(&mut pair);
            pair.command(1, |assoc| assoc.shutdown(now));
        }
        AssocState::ShutdownSent => pair.command(1, |assoc| assoc.shutdown(now)),
        AssocState::ShutdownReceived => {
            send(&mut pair);
            pair.inject(&[&shutdown]);
        }
        AssocState::ShutdownAckSent => drop(pair.inject(&[&shutdown])),
        _ => {}
    }
    pair.take(1);
    assert_eq!(pair.state(1), state);
    pair
}

const STATES: [AssocState; 5] = [
    AssocState::Established,
    AssocState::ShutdownPending,
    AssocState::ShutdownSent,
    AssocState::ShutdownReceived,
    AssocState::ShutdownAckSent,
];

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.1
//= type=test
//# After checking the Verification Tag, the receiving endpoint MUST remove the association from its record and SHOULD report the termination to its upper layer.
#[test]
fn an_abort_ends_every_state_at_either_side() {
    for state in STATES {
        let mut pair = ending(state);
        let now = pair.now;
        pair.command(1, |assoc| assoc.abort(now, "enough".into()));
        assert_eq!(kinds(&pair.take(1)), [ChunkType::ABORT], "{state}");
        assert_eq!(pair.end_of(1), Some(CloseReason::LocalAbort));

        let mut pair = ending(state);
        let causes = manyway_wire::CauseList::new();
        let abort = manyway_wire::Abort {
            reflected_tag: false,
            causes: causes.as_causes(),
        };
        assert!(pair.inject(&[&abort]).is_empty(), "{state}: never answered");
        assert!(matches!(
            pair.end_of(1),
            Some(CloseReason::PeerAbort { .. })
        ));
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# Upon receipt of the SHUTDOWN primitive from its upper layer, the endpoint enters the SHUTDOWN-PENDING state and remains there until all outstanding data has been acknowledged by its peer. The endpoint accepts no new data from its upper layer
#[test]
fn what_was_sent_is_acknowledged_before_shutdown_and_nothing_new_is_taken() {
    for state in &STATES[1..] {
        let mut pair = ending(*state);
        let refused = pair.command(1, |assoc| assoc.send(Message::new(0, "too late")));
        assert!(refused.is_err(), "{state}");
    }
    for (state, next) in [
        (AssocState::ShutdownPending, ChunkType::SHUTDOWN),
        (AssocState::ShutdownReceived, ChunkType::SHUTDOWN_ACK),
    ] {
        let mut pair = ending(state);
        let sack = pair.sack(pair.next_tsn[1].sub(1));
        assert_eq!(kinds(&pair.inject(&[&sack])), [next], "{state}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# If the timer expires, the endpoint MUST resend the SHUTDOWN ACK chunk.
#[test]
fn an_unanswered_shutdown_ack_is_repeated_until_the_peer_is_taken_to_be_gone() {
    let mut pair = ending(AssocState::ShutdownAckSent);
    let mut repeated = 0;
    while pair.ends[1].poll_timeout().is_some() {
        pair.next_timeout(1);
        let sent = kinds(&pair.take(1));
        repeated += u32::from(sent.contains(&ChunkType::SHUTDOWN_ACK));
    }
    assert!(repeated > 3, "{repeated}");
    assert_eq!(pair.end_of(1), Some(CloseReason::Graceful));
}
