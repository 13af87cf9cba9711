//! The engine in the reference scene: two hostile NATs, 50 and 20 Mbit/s, 20 ms of round trip.

use std::time::Duration;

use manyway_sim::Scene;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_upload_through_two_nats_arrives_whole() {
    let mut scene = Scene::reference(1);
    let pair = scene.establish(SECOND).unwrap();
    let report = scene.upload(pair, 10_000_000, 10 * SECOND);
    assert!(report.complete, "{report:?}");
    assert_eq!((report.bytes, report.corrupt), (10_000_000, 0));
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed| {
        let mut scene = Scene::reference(seed);
        let pair = scene.establish(SECOND).unwrap();
        let report = scene.upload(pair, 1_000_000, 10 * SECOND);
        (scene.network.trace_hash(), report)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
}
