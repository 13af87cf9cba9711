//! Loss, reordering, duplication and corruption.

use manyway_sim::network::{Action, Direction, Verdict};
use manyway_sim::{Loss, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

#[test]
fn loss_on_one_path_costs_little_more_than_that_path() {
    for (percent, least) in [(1.0, 0.55), (5.0, 0.5), (30.0, 0.3)] {
        for seed in [61, 62] {
            let paths = [50, 50].map(|mbit| ScenePath::behind_nat(link(mbit, 10 * MS)));
            let mut pair = Pair::establish(Scene::new(&paths, seed));
            let lossy = pair.scene.paths[1].client;
            pair.scene.network.apply(Action::SetLoss(
                lossy,
                Direction::Both,
                Loss::Bernoulli(percent / 100.0),
            ));
            let ids = pair.ids();
            let report = pair.scene.upload(ids, 15_000_000, 60 * SECOND);
            assert!(
                report.complete && report.corrupt == 0,
                "{percent} %, seed {seed}: {report:?}"
            );
            let share = report.goodput() / (100e6 * 1444.0 / 1500.0);
            assert!(
                share >= least * 0.9,
                "{percent} %, seed {seed}: {share:.3} of both paths\n{}",
                pair.describe()
            );
            pair.check();
        }
    }
}

#[test]
fn a_single_path_with_heavy_loss_still_delivers_everything() {
    for seed in [63, 64, 65] {
        let mut pair = Pair::establish(crate::support::one_path(seed));
        let lossy = pair.scene.paths[0].client;
        pair.scene.network.apply(Action::SetLoss(
            lossy,
            Direction::Both,
            Loss::Bernoulli(0.3),
        ));
        let ids = pair.ids();
        let report = pair.scene.download(ids, 300_000, 120 * SECOND);
        assert!(
            report.complete && report.corrupt == 0,
            "seed {seed}: {report:?}\n{}",
            pair.describe()
        );
    }
}

#[test]
fn bursts_of_loss_do_not_end_a_flow() {
    let burst = Loss::GilbertElliott {
        to_bad: 0.01,
        to_good: 0.1,
        good: 0.0,
        bad: 0.9,
    };
    let mut pair = Pair::reference(66);
    for path in 0..2 {
        let interface = pair.scene.paths[path].client;
        pair.scene
            .network
            .apply(Action::SetLoss(interface, Direction::Both, burst));
    }
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 3_000_000, 120 * SECOND);
    assert!(
        report.complete && report.corrupt == 0,
        "{report:?}\n{}",
        pair.describe()
    );
}

fn with_hook(seed: u64, mut hook: impl FnMut(u32) -> Verdict + 'static) -> Pair {
    let mut pair = Pair::reference(seed);
    let mut dice = seed as u32;
    pair.scene.network.set_hook(move |_| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        hook(dice >> 8)
    });
    pair
}

#[test]
fn duplicated_packets_change_nothing() {
    let mut pair = with_hook(67, |dice| {
        if dice % 4 == 0 {
            Verdict::Duplicate
        } else {
            Verdict::Pass
        }
    });
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 5_000_000, 30 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{report:?}");
    assert_eq!(report.bytes, 5_000_000);
}

#[test]
fn reordered_packets_arrive_in_order() {
    let mut pair = with_hook(68, |dice| match dice % 20 {
        0 => Verdict::Delay(8 * MS),
        1 => Verdict::Delay(40 * MS),
        _ => Verdict::Pass,
    });
    let ids = pair.ids();
    let report = pair.scene.download(ids, 5_000_000, 60 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{report:?}");
}

#[test]
fn corrupted_packets_are_as_good_as_lost() {
    let mut pair = with_hook(69, |dice| match dice % 50 {
        0 => Verdict::Corrupt {
            offset: (dice / 50) as usize,
            mask: 1 << (dice % 8),
        },
        _ => Verdict::Pass,
    });
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 5_000_000, 60 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{report:?}");
    assert!(pair.end_of(pair.client).is_none() && pair.end_of(pair.server).is_none());
}
