//! Uploads 50 MB in the reference scene and prints how it went: `reference [SEED]`.
#![expect(clippy::print_stdout, reason = "the report is what it is for")]

use std::time::Duration;

use manyway_sim::Scene;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(1), |seed| seed.parse())?;
    let mut scene = Scene::reference(seed);
    let pair = scene
        .establish(Duration::from_secs(5))
        .ok_or("no association within 5 s")?;
    println!("established after {:?}", scene.network.now());
    let report = scene.upload(pair, 50_000_000, Duration::from_secs(120));
    println!("{report:#?}\n{:.2} Mbit/s", report.goodput() / 1e6);
    for path in &scene.paths {
        println!("up {:#?}", scene.network.uplink(path.client).counters());
    }
    Ok(())
}
