//! The path schedulers, alone and exchanged while data flow.

use std::time::Duration;

use manyway_proto::SchedulerKind;
use manyway_sim::{Loss, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, Side, link};

const ALL: [&str; 9] = [
    "lowest-rtt",
    "round-robin",
    "weighted:2,1",
    "redundant:50",
    "ecf",
    "blest",
    "primary",
    "overflow",
    "deadline:60",
];

/// Two paths behind NATs: 20 Mbit/s with 20 ms of round trip, 10 Mbit/s with 60 ms.
fn unequal(seed: u64, loss: f64) -> Pair {
    let paths = [(20, 10), (10, 30)].map(|(mbit, ms)| {
        let mut link = link(mbit, ms * MS);
        link.loss = match loss > 0.0 {
            true => Loss::Bernoulli(loss),
            false => Loss::None,
        };
        ScenePath::behind_nat(link)
    });
    Pair::establish(Scene::new(&paths, seed))
}

fn set(pair: &mut Pair, side: Side, scheduler: &str) {
    let kind: SchedulerKind = scheduler.parse().expect("it is one of ours");
    pair.command(side, |_, assoc| assoc.set_scheduler(kind.build()));
}

/// Shares of the bytes that each path carried from the client.
fn shares(path_bytes: &[(u64, u64)]) -> Vec<f64> {
    let sum: u64 = path_bytes.iter().map(|b| b.0).sum();
    path_bytes.iter().map(|b| b.0 as f64 / sum as f64).collect()
}

#[test]
fn each_scheduler_delivers_everything_over_lossy_paths() {
    for (seed, name) in (31..).zip(ALL) {
        let mut pair = unequal(seed, 0.01);
        let client = pair.client;
        set(&mut pair, client, name);
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 4_000_000, 60 * SECOND);
        assert!(report.complete && report.corrupt == 0, "{name}: {report:?}");
        pair.check();
    }
}

#[test]
fn a_scheduler_that_changes_twenty_times_a_second_neither_loses_nor_stalls() {
    for seed in 41..44 {
        let mut pair = unequal(seed, 0.0);
        let client = pair.client.0;
        let id = pair.client.1;
        let start = pair.scene.network.now();
        for turn in 0..200_usize {
            // A stride that is prime to their number: each follows each other one.
            let name = ALL[turn * (turn / ALL.len() + 1) % ALL.len()];
            let kind: SchedulerKind = name.parse().expect("it is one of ours");
            let at = start + 50 * MS * turn as u32;
            pair.scene.network.schedule_with(at, move |network| {
                let now = network.now();
                network.with_node(client, |station| {
                    if let Some(assoc) = station.endpoint.association_mut(now, id) {
                        assoc.set_scheduler(kind.build());
                    }
                });
            });
        }
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 15_000_000, 30 * SECOND);
        assert!(report.complete && report.corrupt == 0, "{report:?}");
        assert!(report.longest_gap < 150 * MS, "{report:?}");
        pair.check();
    }
}

#[test]
fn primary_leaves_the_second_path_alone_until_the_first_is_cut() {
    let mut pair = unequal(51, 0.0);
    let (client, ids) = (pair.client, pair.ids());
    set(&mut pair, client, "primary");
    let report = pair.scene.upload(ids, 5_000_000, 10 * SECOND);
    assert!(shares(&report.path_bytes)[1] < 0.01, "{report:?}");
    assert!(
        report.goodput() > 0.9 * 20e6 * 1444.0 / 1500.0,
        "{report:?}"
    );
    pair.scene.cut(0);
    let report = pair.scene.upload(ids, 2_000_000, 10 * SECOND);
    assert!(report.complete && report.longest_gap < SECOND, "{report:?}");
    pair.check();
}

#[test]
fn overflow_uses_the_second_path_just_for_what_the_first_cannot_carry() {
    let mut pair = unequal(52, 0.0);
    let client = pair.client;
    set(&mut pair, client, "overflow");
    // 8 Mbit/s fit the first path.
    pair.send_thinly(client, 1000, MS, 2000);
    pair.run(3 * SECOND);
    let second = pair.path_over(client, 1);
    let beside = pair.path(client, second).bytes_sent;
    assert!(beside < 20_000, "{beside} bytes\n{}", pair.describe());
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 8_000_000, 10 * SECOND);
    assert!(report.goodput() > 25e6, "{report:?}");
}

#[test]
fn weighted_paths_carry_their_shares_whatever_they_could_carry() {
    for (weights, share) in [
        ("weighted:3,1", 0.75),
        ("weighted:1,1", 0.5),
        ("weighted:1,4", 0.2),
    ] {
        let mut pair = unequal(53, 0.0);
        let (client, ids) = (pair.client, pair.ids());
        set(&mut pair, client, weights);
        let report = pair.scene.upload(ids, 6_000_000, 20 * SECOND);
        let first = shares(&report.path_bytes)[0];
        assert!(
            (first - share).abs() < 0.03,
            "{weights}: {first}, {report:?}"
        );
    }
}

/// Sends 200 bytes every 20 ms and says after what time each message was there.
fn thin_latencies(pair: &mut Pair, count: u32) -> Vec<Duration> {
    let (client, server) = (pair.client, pair.server);
    let every = 20 * MS;
    let start = pair.scene.network.now();
    pair.send_thinly(client, 200, every, count);
    let mut latencies = Vec::new();
    while (latencies.len() as u32) < count {
        pair.scene.network.run_for(MS);
        let now = pair.scene.network.now();
        assert!(
            now - start < every * count + 10 * SECOND,
            "{}",
            pair.describe()
        );
        while (latencies.len() as u64) < pair.received(server).messages {
            let sent = start + every * latencies.len() as u32;
            latencies.push(now - sent);
        }
    }
    pair.check();
    latencies.sort();
    latencies
}

#[test]
fn redundant_messages_are_as_quick_at_5_percent_loss_as_without_and_keep_the_budget() {
    let percentile_99 = |loss: f64, scheduler: &str| {
        let paths = [10, 11].map(|ms| {
            let mut link = link(20, ms * MS);
            link.loss = match loss > 0.0 {
                true => Loss::Bernoulli(loss),
                false => Loss::None,
            };
            ScenePath::behind_nat(link)
        });
        let mut pair = Pair::establish(Scene::new(&paths, 61));
        let client = pair.client;
        set(&mut pair, client, scheduler);
        let latencies = thin_latencies(&mut pair, 3000);
        let copied: u64 = pair.paths(client).iter().map(|p| p.copied_bytes).sum();
        (latencies[2969], copied)
    };
    let (clean, _) = percentile_99(0.0, "redundant");
    let (lossy, copied) = percentile_99(0.05, "redundant");
    assert!(lossy <= clean * 11 / 10, "{lossy:?} after {clean:?}");
    assert!(
        (500_000..=600_000).contains(&copied),
        "{copied} bytes copied"
    );
    let (_, half) = percentile_99(0.05, "redundant:50");
    assert!((250_000..=301_000).contains(&half), "{half} bytes copied");
    let (alone, none) = percentile_99(0.05, "lowest-rtt");
    assert!(
        alone > clean * 3 / 2 && none == 0,
        "{alone:?}, {none} bytes copied"
    );
}

#[test]
fn copies_of_bulk_data_keep_their_budget_and_leave_no_trace() {
    let mut pair = unequal(62, 0.02);
    let (client, ids) = (pair.client, pair.ids());
    set(&mut pair, client, "redundant:20");
    let report = pair.scene.upload(ids, 4_000_000, 30 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{report:?}");
    let copied: u64 = pair.paths(client).iter().map(|p| p.copied_bytes).sum();
    assert!(copied > 0 && copied <= 800_000, "{copied} bytes copied");
    pair.check();
}
