//! Paths that stop answering: RFC 7829.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    EndpointConfig, Event, FourTuple, Instant, Message, PathError, PathId, PathInfo, PathState,
    PathThresholds,
};
use manyway_wire::ChunkType;

use crate::pair::{MS, Pair, Seen, address};

const FIRST: PathId = PathId::new(1);
const SECOND: PathId = PathId::new(2);

fn second_address() -> SocketAddr {
    let mut local = address(0);
    local.set_port(9900);
    local
}

/// The client has two paths to the server; which of them is lost is up to the test.
struct TwoPaths {
    pair: Pair,
    cut: Vec<PathId>,
    seen: Vec<(PathId, Seen)>,
    /// When, to which end, over which path.
    under_way: VecDeque<(Instant, usize, PathId, Bytes)>,
}

impl TwoPaths {
    fn new(configure: impl Fn(&mut EndpointConfig)) -> Self {
        let mut pair = Pair::with(configure).establish();
        let now = pair.now;
        pair.command(0, |assoc| assoc.add_path(now, second_address(), None))
            .unwrap();
        let mut two = Self {
            pair,
            cut: vec![],
            seen: vec![],
            under_way: VecDeque::new(),
        };
        two.run(100 * MS);
        let states: Vec<_> = two.pair.assoc(0).paths().map(|p| p.state).collect();
        assert_eq!(states, [PathState::Active; 2]);
        two.seen.clear();
        two.events();
        two
    }

    fn path(&self, id: PathId) -> PathInfo {
        self.pair.assoc(0).paths().find(|p| p.id == id).unwrap()
    }

    fn local_of(&self, id: PathId) -> SocketAddr {
        [address(0), second_address()][id.number() as usize - 1]
    }

    fn events(&mut self) -> Vec<Event> {
        let events = std::iter::from_fn(|| self.pair.ends[0].poll_event());
        events.map(|(_, event)| event).collect()
    }

    /// Carries packets, with 10 ms each way, for a while.
    fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        loop {
            for from in 0..2 {
                for (path, seen) in self.transmit(from) {
                    self.under_way
                        .push_back((self.pair.now + 10 * MS, 1 - from, path, seen));
                }
            }
            let due = [0, 1].map(|e| self.pair.ends[e].poll_timeout());
            let arrival = self.under_way.front().map(|(at, ..)| *at);
            let next = due.into_iter().flatten().chain(arrival).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.pair.now = self.pair.now.max(next);
            let now = self.pair.now;
            for end in &mut self.pair.ends {
                end.handle_timeout(now);
            }
            while self.under_way.front().is_some_and(|(at, ..)| *at <= now) {
                let (_, to, path, bytes) = self.under_way.pop_front().unwrap();
                let local = self.local_of(path);
                let tuple = match to {
                    0 => FourTuple {
                        local,
                        remote: address(1),
                    },
                    _ => FourTuple {
                        local: address(1),
                        remote: local,
                    },
                };
                self.pair.ends[to].handle_datagram(now, tuple, bytes);
            }
        }
        self.pair.now = end;
        for endpoint in &mut self.pair.ends {
            endpoint.handle_timeout(end);
        }
    }

    fn transmit(&mut self, from: usize) -> Vec<(PathId, Bytes)> {
        let mut out = Vec::new();
        let mut buf = Vec::new();
        while let Some(t) = self.pair.ends[from].poll_transmit(self.pair.now, 1, &mut buf) {
            let bytes = Bytes::copy_from_slice(&buf[..t.size]);
            let client = if from == 0 {
                t.path.local
            } else {
                t.path.remote
            };
            let path = if client == address(0) { FIRST } else { SECOND };
            if from == 0 {
                let header = crate::pair::no_header();
                self.seen.push((
                    path,
                    Seen {
                        header,
                        bytes: bytes.clone(),
                    },
                ));
            }
            if !self.cut.contains(&path) {
                out.push((path, bytes));
            }
            buf.clear();
        }
        out
    }

    fn send(&mut self, count: usize) {
        self.pair.command(0, |assoc| {
            for _ in 0..count {
                assoc.send(Message::new(0, vec![7; 1000])).unwrap();
            }
        });
    }

    /// Packets of a kind that the client sent on a path.
    fn count(&self, path: PathId, kind: ChunkType) -> usize {
        let on_path = self.seen.iter().filter(|(p, _)| *p == path);
        on_path
            .filter(|(_, seen)| seen.kinds().contains(&kind))
            .count()
    }
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
//= type=test
//# When the value in the destination address error counter exceeds PFMR, the endpoint MUST mark the destination address as in the PF state.
//= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
//= type=test
//# An SCTP-PF sender SHOULD NOT send data to destination addresses in PF state when alternative destination addresses in active state are available.
#[test]
fn a_path_is_suspect_after_as_many_timeouts_as_configured() {
    for limit in [0, 2] {
        let mut two = TwoPaths::new(|c| c.transport.pf_max_retransmits = limit);
        two.cut = vec![FIRST];
        let mut most_while_active = 0;
        for _ in 0..400 {
            two.send(1);
            two.run(5 * MS);
            let path = two.path(FIRST);
            if path.state == PathState::Suspect {
                break;
            }
            most_while_active = most_while_active.max(path.error_count);
        }
        assert_eq!(two.path(FIRST).state, PathState::Suspect);
        assert_eq!(most_while_active, limit);
        assert!(two.events().contains(&Event::PathDown { path: FIRST }));
        two.seen.clear();
        two.send(20);
        two.run(Duration::from_secs(1));
        assert_eq!(two.count(FIRST, ChunkType::DATA), 0);
        assert!(two.count(FIRST, ChunkType::HEARTBEAT) > 0, "it is probed");
        assert_eq!(two.pair.assoc(0).send_backlog(), 0);
    }
}

#[test]
fn from_path_max_retrans_on_there_is_no_suspicion() {
    let mut two = TwoPaths::new(|config| {
        config.transport.pf_max_retransmits = 2;
        config.transport.path_max_retransmits = 2;
    });
    two.cut = vec![FIRST];
    let mut states = vec![];
    for _ in 0..800 {
        two.send(1);
        two.run(5 * MS);
        states.push(two.path(FIRST).state);
    }
    states.dedup();
    assert_eq!(states, [PathState::Active, PathState::Failed]);
    let events = two.events();
    assert!(events.contains(&Event::PathDown { path: FIRST }));
    assert!(events.contains(&Event::PathFailed { path: FIRST }));
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-5
//= type=test
//# When the path error counter on a set primary path exceeds PSMR, the SCTP implementation MUST autonomously select and set a new primary path.
//= https://www.rfc-editor.org/rfc/rfc7829#section-5
//= type=test
//# It MUST be possible to disable the Primary Path Switchover operation and obtain the standard switchback operation of [RFC4960].
#[test]
fn the_primary_is_switched_for_good_if_that_is_asked_for() {
    for switchover in [None, Some(0), Some(1)] {
        let mut two = TwoPaths::new(|config| {
            config.transport.primary_switchover_max_retransmits = switchover;
        });
        let now = two.pair.now;
        two.pair.command(0, |a| a.set_primary(now, FIRST)).unwrap();
        two.run(100 * MS);
        two.events();
        two.cut = vec![FIRST];
        let mut errors_before = 0;
        for _ in 0..60 {
            two.send(1);
            two.run(10 * MS);
            if two.path(FIRST).primary {
                errors_before = two.path(FIRST).error_count;
            }
        }
        two.cut.clear();
        two.run(Duration::from_secs(3));
        assert_eq!(two.path(FIRST).state, PathState::Active, "it is back");
        let switched = two
            .events()
            .contains(&Event::PrimaryChanged { path: SECOND });
        assert_eq!(switched, switchover.is_some());
        assert_eq!(two.path(SECOND).primary, switchover.is_some());
        if let Some(limit) = switchover {
            assert_eq!(errors_before, limit);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-5
//= type=test
//# Implementations MUST reject any other values of PSMR.
#[test]
fn thresholds_can_be_set_per_path_and_a_switchover_before_suspicion_is_refused() {
    let mut two = TwoPaths::new(|_| ());
    let thresholds = PathThresholds {
        potentially_failed: 3,
        failed: 9,
        primary_switchover: Some(3),
    };
    let set = |two: &mut TwoPaths, path, thresholds| {
        two.pair
            .command(0, |assoc| assoc.set_path_thresholds(path, thresholds))
    };
    assert_eq!(set(&mut two, SECOND, thresholds), Ok(()));
    let early = PathThresholds {
        primary_switchover: Some(2),
        ..thresholds
    };
    let refused = set(&mut two, SECOND, early);
    assert_eq!(refused, Err(PathError::InvalidThresholds));
    let unknown = set(&mut two, PathId::new(9), thresholds);
    assert_eq!(unknown, Err(PathError::Unknown));
    let assoc = two.pair.assoc(0);
    assert_eq!(assoc.path_thresholds(SECOND), Some(thresholds));
    assert_eq!(
        assoc.path_thresholds(FIRST),
        Some(PathThresholds::default())
    );
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
//= type=test
//# Acknowledgments for chunks that have been transmitted to multiple destinations (i.e., a chunk that has been retransmitted to a different destination address than the destination address to which the chunk was first transmitted) SHOULD NOT clear the error count for an inactive destination address and SHOULD NOT move a destination address in PF state back to active state, since a sender cannot disambiguate whether the ACK was for the original transmission or the retransmission(s).
#[test]
fn acknowledgements_of_what_was_sent_on_two_paths_prove_neither() {
    let mut two = TwoPaths::new(|_| ());
    let now = two.pair.now;
    two.pair.command(0, |a| a.set_primary(now, FIRST)).unwrap();
    two.run(100 * MS);
    two.cut = vec![FIRST, SECOND];
    let tsn = two.pair.next_tsn[0];
    two.send(1);
    while two.count(SECOND, ChunkType::DATA) == 0 || two.path(SECOND).state == PathState::Active {
        two.run(10 * MS);
    }
    assert!(two.count(FIRST, ChunkType::DATA) > 0);
    two.run(10 * MS);
    let sack = two.pair.sack(tsn);
    let bytes = crate::pair::packet(two.pair.headers[1], &[&sack]);
    two.pair.deliver(0, bytes);
    assert_eq!(two.pair.assoc(0).send_backlog(), 0);
    let states = [FIRST, SECOND].map(|id| two.path(id).state);
    assert_eq!(states, [PathState::Suspect; 2]);
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
//= type=test
//# Acknowledgments for data chunks that have been transmitted to one destination address only MUST clear the error counter for the destination address and MUST transition a destination address in PF state back to active state.
#[test]
fn acknowledgements_of_what_was_sent_on_one_path_revive_it() {
    let mut pair = Pair::established();
    let tsn = pair.next_tsn[1];
    pair.command(1, |assoc| assoc.send(Message::new(0, "late")).unwrap());
    for _ in 0..3 {
        pair.take(1);
        pair.next_timeout(1);
    }
    pair.take(1);
    let path = |pair: &Pair| pair.assoc(1).paths().next().unwrap();
    assert_eq!(path(&pair).state, PathState::Suspect);
    assert!(path(&pair).error_count > 0);
    pair.inject(&[&pair.sack(tsn)]);
    assert_eq!(
        (path(&pair).state, path(&pair).error_count),
        (PathState::Active, 0)
    );
    //= https://www.rfc-editor.org/rfc/rfc7829#section-3.2
    //= type=test
    //# When the sender resumes data transmission on a destination address after a transition of the destination address from PF to active state, it MUST do this following the prescriptions of Section 7.2 of [RFC4960].
    let path = path(&pair);
    assert!(path.cwnd <= 2 * path.mtu as u64, "slow start: {path:?}");
}

//= https://www.rfc-editor.org/rfc/rfc7829#section-4.1
//= type=test
//# When the destination addresses are all in inactive state and data is available for transfer, the sender MUST choose one destination and transmit data to this destination address.
//= https://www.rfc-editor.org/rfc/rfc7829#section-4.1
//= type=test
//# The sender SHOULD choose the destination in inactive state with the lowest error count (fewest consecutive timeouts) for data transmission.
#[test]
fn data_go_to_the_path_with_the_fewest_timeouts_while_none_works() {
    let mut two = TwoPaths::new(|config| config.transport.path_max_retransmits = 1);
    two.cut = vec![FIRST];
    for _ in 0..400 {
        two.send(1);
        two.run(10 * MS);
    }
    two.cut = vec![FIRST, SECOND];
    for _ in 0..200 {
        two.send(1);
        two.run(10 * MS);
        if two.path(SECOND).state == PathState::Failed {
            break;
        }
    }
    let states = [FIRST, SECOND].map(|id| two.path(id).state);
    assert_eq!(states, [PathState::Failed; 2]);
    let errors = [FIRST, SECOND].map(|id| two.path(id).error_count);
    assert!(errors[0] > errors[1], "{errors:?}");
    two.seen.clear();
    two.run(2 * Duration::from_secs(1));
    let data = [FIRST, SECOND].map(|id| two.count(id, ChunkType::DATA));
    assert!(data[1] > 0 && data[0] == 0, "{data:?}");
    //= https://www.rfc-editor.org/rfc/rfc7829#section-4.1
    //= type=test
    //# The sender MUST NOT change the state of the chosen destination address (it remains in inactive state) and MUST NOT clear the error counter of the destination address as a result of choosing the destination address for data transmission.
    for (id, before) in [(FIRST, errors[0]), (SECOND, errors[1])] {
        assert_eq!(two.path(id).state, PathState::Failed);
        assert!(two.path(id).error_count >= before);
    }
}
