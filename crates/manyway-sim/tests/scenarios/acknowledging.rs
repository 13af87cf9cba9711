//! What acknowledgements do to whole associations.

use std::time::Duration;

use manyway_proto::{EndpointConfig, Extension};
use manyway_sim::{LinkConfig, Loss, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// Time to carry 4 MB over a fast path and a slow one with 1 % of losses, from a send buffer that
/// is far smaller than what the two paths hold.
fn time_with(extensions: impl Fn(&mut EndpointConfig), seed: u64) -> Duration {
    let mut config = EndpointConfig::default();
    config.transport.send_buffer = 96 << 10;
    extensions(&mut config);
    let paths = [link(40, 10 * MS), link(10, 60 * MS)];
    let lossy = |link| LinkConfig {
        loss: Loss::Bernoulli(0.01),
        ..link
    };
    let paths = paths.map(|link| ScenePath::direct(lossy(link)));
    let scene = Scene::with_engines(&paths, config.clone(), config, seed);
    let mut pair = Pair::establish(scene);
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 4_000_000, 60 * SECOND);
    assert!(
        report.complete && report.corrupt == 0,
        "seed {seed}: {report:?}"
    );
    pair.check();
    report.elapsed
}

#[test]
fn acknowledging_for_good_frees_a_small_send_buffer_sooner() {
    let without = |config: &mut EndpointConfig| {
        let offered = config.transport.extensions;
        config.transport.extensions = offered.without(Extension::NrSack);
    };
    let seeds = 1..=5;
    let sum = |f: &dyn Fn(u64) -> Duration| seeds.clone().map(f).sum::<Duration>();
    let with = sum(&|seed| time_with(|_| (), seed));
    let plain = sum(&|seed| time_with(without, seed));
    assert!(with < plain * 9 / 10, "{with:?} instead of {plain:?}");
}
