//! Goodput under random loss, in virtual time: one path, and a lossy path beside a clean one.
//!
//! ```sh
//! cargo run -p manyway-sim --example under_loss [seeds]
//! ```
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Duration;

use manyway_sim::network::{Action, Direction};
use manyway_sim::scene::TransferReport;
use manyway_sim::{LinkConfig, Loss, Rate, Scene, ScenePath};

const PATIENCE: Duration = Duration::from_secs(300);

/// An upload over these links, the last of which loses `loss` of its packets in both directions.
fn upload(links: &[LinkConfig], loss: f64, bytes: u64, seed: u64) -> Option<TransferReport> {
    let paths: Vec<_> = links.iter().map(|l| ScenePath::direct(*l)).collect();
    let mut scene = Scene::new(&paths, seed);
    let ids = scene.establish(PATIENCE)?;
    scene.network.run_for(Duration::from_secs(1));
    let lossy = scene.paths.last()?.client;
    let model = Loss::Bernoulli(loss);
    scene
        .network
        .apply(Action::SetLoss(lossy, Direction::Both, model));
    let report = scene.upload(ids, bytes, PATIENCE);
    report.complete.then_some(report)
}

/// Least, mean and largest goodput over the seeds, Mbit/s.
fn goodput(links: &[LinkConfig], loss: f64, bytes: u64, seeds: u64) -> String {
    let all: Option<Vec<f64>> = (1..=seeds)
        .map(|seed| upload(links, loss, bytes, seed).map(|r| r.goodput() / 1e6))
        .collect();
    let Some(all) = all else {
        return "a transfer did not end".into();
    };
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let least = all.iter().copied().fold(f64::MAX, f64::min);
    let most = all.iter().copied().fold(0.0, f64::max);
    format!("{mean:6.2} Mbit/s ({least:.2} to {most:.2})")
}

fn main() {
    let seeds = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let seeds = seeds.unwrap_or(4);
    let link = |mbit, ms| LinkConfig::new(Rate::from_mbit(mbit), Duration::from_millis(ms));
    println!("one path, 40 ms of round trip, 1 % loss in both directions");
    for mbit in [50, 100] {
        let figure = goodput(&[link(mbit, 20)], 0.01, 10_000_000, seeds);
        println!("  {mbit:3} Mbit/s        {figure}");
    }
    println!("50 Mbit/s and 20 ms, alone and with another such path that loses packets");
    let alone = goodput(&[link(50, 10)], 0.0, 15_000_000, 1);
    println!("  alone             {alone}");
    for percent in [0.0, 0.1, 1.0, 5.0, 30.0] {
        let links = [link(50, 10); 2];
        let figure = goodput(&links, percent / 100.0, 15_000_000, seeds);
        println!("  {percent:4} % loss       {figure}");
    }
}
