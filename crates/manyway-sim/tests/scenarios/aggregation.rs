//! Several paths at once: what they carry together.

use manyway_sim::{Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// User data of full packets per byte on the wire: 1,444 of 1,500 (IPv4, UDP, SCTP, DATA headers).
const PAYLOAD_SHARE: f64 = 1444.0 / 1500.0;

#[test]
fn an_upload_and_a_download_through_two_nats_use_nine_tenths_of_both_paths() {
    let ceiling = 70e6 * PAYLOAD_SHARE;
    for seed in 1..=4 {
        let mut pair = Pair::reference(seed);
        let ids = pair.ids();
        let up = pair.scene.upload(ids, 12_000_000, 30 * SECOND);
        let down = pair.scene.download(ids, 12_000_000, 30 * SECOND);
        for (name, report) in [("upload", up), ("download", down)] {
            assert!(
                report.complete && report.corrupt == 0,
                "seed {seed} {name}: {report:?}"
            );
            let share = report.goodput() / ceiling;
            assert!(
                share >= 0.90,
                "seed {seed} {name}: {share:.3} of the ceiling, {report:?}"
            );
        }
        pair.check();
    }
}

#[test]
fn both_paths_carry_data_within_three_round_trips_after_connect() {
    for seed in 0..200 {
        let mut scene = Scene::reference(seed);
        let ids = scene.establish(SECOND).unwrap();
        let client = scene.client;
        scene
            .network
            .with_node(client, |s| s.send_bulk(ids.0, None, 1200));
        scene.network.run_for(60 * MS);
        let carried = scene
            .paths
            .iter()
            .map(|p| scene.network.uplink(p.client).counters().delivered_bytes);
        let carried: Vec<u64> = carried.collect();
        assert!(
            carried.iter().all(|bytes| *bytes > 3_000),
            "seed {seed}: {carried:?} bytes"
        );
    }
}

#[test]
fn a_third_path_to_the_same_server_adds_up() {
    let paths = [20, 20, 20].map(|mbit| ScenePath::behind_nat(link(mbit, 10 * MS)));
    let mut pair = Pair::establish(Scene::new(&paths, 9));
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 12_000_000, 20 * SECOND);
    let share = report.goodput() / (60e6 * PAYLOAD_SHARE);
    assert!(share >= 0.90, "{share:.3} of the ceiling, {report:?}");
}
