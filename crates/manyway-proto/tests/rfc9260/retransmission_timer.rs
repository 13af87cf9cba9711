//! Timers that send again: T1, T2 and T3.

use std::time::Duration;

use manyway_proto::{CloseReason, Instant, Message, PathState};
use manyway_wire::ChunkType;

use crate::pair::{Pair, kinds};

/// When one end sends chunks of a kind, as long as nothing answers, up to `most` times.
fn sent_at(pair: &mut Pair, end: usize, kind: ChunkType, most: usize) -> Vec<Instant> {
    let mut times = Vec::new();
    if kinds(&pair.take(end)).contains(&kind) {
        times.push(pair.now);
    }
    while times.len() < most && pair.ends[end].poll_timeout().is_some() {
        pair.next_timeout(end);
        if kinds(&pair.take(end)).contains(&kind) {
            times.push(pair.now);
        }
    }
    times
}

fn gaps(times: &[Instant]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-4
//= type=test
//# If the T1-init timer expires, the endpoint MUST retransmit the INIT chunk and restart the T1-init timer.
#[test]
fn an_unanswered_init_is_repeated_with_growing_patience_and_then_given_up() {
    let mut pair = Pair::new();
    pair.connect();
    let gaps = gaps(&sent_at(&mut pair, 0, ChunkType::INIT, 100));
    assert!(gaps.len() >= 3, "{gaps:?}");
    assert!(gaps.windows(2).all(|pair| pair[1] >= pair[0]), "{gaps:?}");
    assert!(gaps[1] >= gaps[0] * 3 / 2, "{gaps:?}");
    assert_eq!(pair.end_of(0), Some(CloseReason::HandshakeTimeout));
}

#[test]
fn the_patience_doubles_with_every_timeout_of_data_up_to_its_limit() {
    let mut pair =
        Pair::with(|config| config.transport.rto_max = Duration::from_secs(2)).establish();
    pair.now += Duration::from_secs(1);
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    let gaps = gaps(&sent_at(&mut pair, 1, ChunkType::DATA, 7));
    for pair in gaps.windows(2) {
        let doubled = (pair[0] * 2).min(Duration::from_secs(2));
        assert!(pair[1] + Duration::from_millis(2) >= doubled, "{gaps:?}");
    }
    assert_eq!(gaps.last(), Some(&Duration::from_secs(2)), "{gaps:?}");
}

#[test]
fn nothing_is_sent_again_once_everything_is_acknowledged() {
    let mut pair = Pair::established();
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    pair.take(1);
    let sack = pair.sack(pair.next_tsn[1].sub(1));
    pair.inject(&[&sack]);
    let later = pair.now + Duration::from_secs(20);
    while pair.ends[1].poll_timeout().is_some_and(|at| at < later) {
        pair.next_timeout(1);
        assert!(!kinds(&pair.take(1)).contains(&ChunkType::DATA));
    }
    assert_eq!(pair.assoc(1).stats().retransmitted_bytes, 0);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# If the timer expires, the endpoint MUST resend the SHUTDOWN chunk with the updated last sequential TSN received from its peer.
#[test]
fn an_unanswered_shutdown_is_repeated_until_the_peer_is_given_up() {
    let mut pair = Pair::established();
    let now = pair.now;
    pair.command(1, |assoc| assoc.shutdown(now));
    let times = sent_at(&mut pair, 1, ChunkType::SHUTDOWN, 1000);
    assert!(times.len() > 3, "{}", times.len());
    assert_eq!(pair.end_of(1), Some(CloseReason::PeerUnreachable));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.3
//= type=test
//# When the value of this counter exceeds the protocol parameter 'Path.Max.Retrans', the endpoint SHOULD mark the corresponding destination address as inactive
#[test]
fn a_path_that_never_answers_fails() {
    let mut pair = Pair::established();
    pair.command(1, |assoc| {
        assoc.send(Message::new(0, "news")).unwrap();
    });
    sent_at(&mut pair, 1, ChunkType::DATA, 8);
    let path = pair.assoc(1).paths().next().unwrap();
    assert_eq!(path.state, PathState::Failed);
}
