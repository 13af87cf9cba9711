//! Kernel TCP with CUBIC and `manyway perf`, one after the other, over the same lossy link:
//! `tcp_under_loss PATH_OF_MANYWAY [SECONDS] [RUNS]`. Prints both and their ratio.
//!
//! One path of 40 ms of round trip that loses 1 % of the packets in both directions, at 50 and at
//! 100 Mbit/s. iperf3 is needed. Both sides see the same losses only on average: take several runs.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::process::{Command, Stdio};
use std::time::Duration;

use manyway_bed::{Bed, BedConfig, Rate};
use manyway_net::namespace::{Privileges, become_root_in_user_namespace, privileges};
use manyway_sim::{LinkConfig, Loss, ScenePath};

type Failure = Box<dyn std::error::Error>;

/// The server's address on the only path (see [`BedConfig::paths`]).
const SERVER: &str = "192.0.2.2";

fn main() -> Result<(), Failure> {
    match privileges() {
        Privileges::Root => {}
        Privileges::UserNamespaces => become_root_in_user_namespace()?,
        Privileges::None { reason } => return Err(reason.into()),
    }
    let mut arguments = std::env::args().skip(1);
    let manyway = arguments
        .next()
        .ok_or("usage: tcp_under_loss PATH_OF_MANYWAY [SECONDS] [RUNS]")?;
    let seconds = arguments.next().unwrap_or_else(|| "20".into());
    let runs: u64 = arguments.next().map_or(Ok(3), |n| n.parse())?;
    for mbit in [50, 100] {
        let (mut tcp, mut own) = (Vec::new(), Vec::new());
        for run in 1..=runs {
            tcp.push(with_tcp(&bed(mbit, run)?, &seconds)?);
            own.push(with_manyway(&bed(mbit, run)?, &manyway, &seconds)?);
        }
        let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len() as f64 / 1e6;
        let (tcp_mean, own_mean) = (mean(&tcp), mean(&own));
        println!(
            "{mbit} Mbit/s: TCP CUBIC {tcp_mean:.2}, manyway {own_mean:.2} Mbit/s, ratio {:.2}",
            own_mean / tcp_mean
        );
        println!("  each run, bit/s: TCP {tcp:.0?}, manyway {own:.0?}");
    }
    Ok(())
}

fn bed(mbit: u64, seed: u64) -> Result<Bed, Failure> {
    let mut link = LinkConfig::new(Rate::from_mbit(mbit), Duration::from_millis(20));
    link.loss = Loss::Bernoulli(0.01);
    let config = BedConfig {
        paths: vec![ScenePath::direct(link)],
        seed,
        ..BedConfig::default()
    };
    Ok(Bed::build(&config)?)
}

/// Goodput in bit/s as the receiver saw it.
fn with_tcp(bed: &Bed, seconds: &str) -> Result<f64, Failure> {
    let client = ["-c", SERVER, "-C", "cubic", "-t", seconds, "--json"];
    let report = run(bed, "iperf3", &["-s", "-1"], &client)?;
    figure(&report, &["end", "sum_received", "bits_per_second"])
}

fn with_manyway(bed: &Bed, program: &str, seconds: &str) -> Result<f64, Failure> {
    let client = ["perf", "-c", SERVER, "-t", seconds, "--json"];
    let report = run(bed, program, &["perf", "-s"], &client)?;
    Ok(figure(&report, &["goodput_mbps"])? * 1e6)
}

/// What the client prints, with a server that runs meanwhile.
fn run(bed: &Bed, program: &str, server: &[&str], client: &[&str]) -> Result<String, Failure> {
    let command = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdout(Stdio::piped());
        command
    };
    let mut server = bed.server().spawn(command(server))?;
    std::thread::sleep(Duration::from_millis(500)); // its time to listen
    let output = bed.client().spawn(command(client))?.wait_with_output()?;
    server.kill()?;
    server.wait()?;
    Ok(String::from_utf8(output.stdout)?)
}

/// A number in a JSON document: the first one behind these keys, in this order.
fn figure(report: &str, keys: &[&str]) -> Result<f64, Failure> {
    let mut rest = report;
    for key in keys {
        let quoted = format!("\"{key}\":");
        let at = rest
            .find(&quoted)
            .ok_or_else(|| format!("no {key} in {report}"))?;
        rest = &rest[at + quoted.len()..];
    }
    let number = rest.trim_start();
    let end = number.find([',', '}', '\n']).unwrap_or(number.len());
    Ok(number[..end].trim().parse()?)
}
