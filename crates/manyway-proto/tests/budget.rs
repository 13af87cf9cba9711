//! Bounds of a whole endpoint, at their edges.

#[path = "../benches/common/mod.rs"]
mod common;

use common::Ends;
use manyway_proto::{AssocId, EndpointConfig};

const BUDGET: usize = 1 << 20;

fn config() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.receive_budget = BUDGET;
    config
}

/// Nobody reads what eight clients send without end.
fn flooded() -> (Ends, Vec<(AssocId, AssocId)>) {
    let mut ends = Ends::new(&config(), 1);
    let pairs: Vec<_> = (0..8).map(|_| ends.connect(1)).collect();
    for _ in 0..200 {
        for (client, _) in &pairs {
            ends.push(*client, 1200, 50);
        }
    }
    (ends, pairs)
}

#[test]
fn received_data_of_all_associations_stay_within_the_budget() {
    let (mut ends, pairs) = flooded();
    let stats = ends.end(1).stats();
    assert_eq!(stats.memory_shortages, 1, "{stats:?}");
    let held: usize = pairs.iter().map(|(_, server)| ends.read(*server)).sum();
    assert!((BUDGET / 3..BUDGET).contains(&held), "{held} bytes");
}

#[test]
fn everything_arrives_once_the_application_reads() {
    let (mut ends, pairs) = flooded();
    let mut read = 0;
    for _ in 0..20_000 {
        read += pairs
            .iter()
            .map(|(_, server)| ends.read(*server))
            .sum::<usize>();
        ends.pass_time(None);
        let left = |(client, _): &(AssocId, AssocId)| {
            let assoc = ends.end(0).association(*client);
            assoc.map_or(0, |a| a.send_backlog())
        };
        if pairs.iter().map(left).sum::<usize>() == 0 {
            break;
        }
    }
    let sent: u64 = pairs
        .iter()
        .filter_map(|(client, _)| ends.end(0).association(*client))
        .map(|a| a.stats().messages_sent)
        .sum();
    assert_eq!(read as u64, sent * 1200);
}

#[test]
fn a_newcomer_gets_its_share_while_memory_is_short() {
    let (mut ends, _) = flooded();
    let (client, server) = ends.connect(1);
    for _ in 0..20 {
        ends.push(client, 1200, 10);
    }
    let read = ends.read(server);
    assert!(read > 0 && read <= BUDGET / 4 / 9 + 1200, "{read} bytes");
}

#[test]
fn inits_beyond_the_limit_are_dropped_and_counted() {
    let mut limited = EndpointConfig::default();
    limited.max_init_acks_per_second = 3;
    let mut ends = Ends::new(&limited, 1);
    let taken = (0..5).filter(|_| ends.try_connect()).count();
    assert_eq!(taken, 3);
    let stats = ends.end(1).stats();
    assert_eq!((stats.inits_answered, stats.inits_unanswered), (3, 2));
}

#[test]
fn associations_beyond_the_limit_are_refused_and_counted() {
    let mut limited = EndpointConfig::default();
    limited.max_associations = 3;
    let mut ends = Ends::new(&limited, 1);
    assert_eq!((0..3).filter(|_| ends.try_connect()).count(), 3);
    let stats = ends.end(1).stats();
    assert_eq!(
        (stats.associations_accepted, stats.associations_refused),
        (3, 0)
    );
}
