//! The end that asks for a test.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use manyway::{Association, PathId};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::protocol::Word;
use super::report::{EndReport, Outcome, interface_names, path_name, paths};
use super::transfer::{CpuClock, broken, complete, next, receive, send};
use super::{Args, bind, thin};
use crate::cmd::signals::EndSignals;
use crate::failure::Failure;
use crate::format;
use crate::printer::Printer;

/// The server's time to answer.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the server may take to send its report, after everything has arrived.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs one test and prints its result.
pub(super) async fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let mut signals = EndSignals::new()
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    let udp_port = if args.raw_ip { 0 } else { args.udp_port };
    let remotes = resolve(&args.client, udp_port).await?;
    let endpoint = bind(args, 0).await?;
    let connect = endpoint.connect(&remotes, args.port);
    let association = tokio::select! {
        connected = tokio::time::timeout(CONNECT, connect) => match connected {
            Ok(connected) => connected.map_err(|error| not_connected(args, &error))?,
            Err(_elapsed) => return Err(not_connected(args, &"no answer")),
        },
        _ = signals.next() => return Ok(ExitCode::FAILURE),
    };
    let stop = Notify::new();
    let interrupted_twice = async {
        signals.next().await;
        stop.notify_one();
        printer.say("ending the test; once more gives up");
        signals.next().await;
    };
    let outcome = tokio::select! {
        outcome = test(&association, args, stop.notified()) => outcome?,
        () = watch(&association, printer) => return Err(Failure::new("the test was cut off")),
        () = interrupted_twice => return Err(Failure::new("given up").with_status(130)),
    };
    // The result is there; the server learns of the end, and should it not, that is its affair.
    let _ = tokio::time::timeout(Duration::from_secs(1), association.shutdown()).await;
    if args.json {
        printer.json(&outcome, true)?;
    } else {
        printer.data(&outcome.render())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn not_connected(args: &Args, error: &dyn std::fmt::Display) -> Failure {
    let hint = match args.raw_ip {
        true => {
            "is `manyway perf -s --raw-ip` running there, and does IP protocol 132 get through?"
                .to_owned()
        }
        false => format!(
            "is `manyway perf -s` running there, and does UDP port {} get through?",
            args.udp_port
        ),
    };
    Failure::new(format!(
        "cannot connect to {}: {error}",
        args.client.join(",")
    ))
    .with_hint(hint)
}

async fn resolve(hosts: &[String], port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let mut remotes = Vec::new();
    for host in hosts {
        let found = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|error| {
                Failure::new(format!("cannot find {host}: {error}"))
                    .with_hint("name a host or its addresses, without a port")
            })?;
        for remote in found {
            if !remotes.contains(&remote) {
                remotes.push(remote);
            }
        }
    }
    Ok(remotes)
}

/// One test, which ends early when `stop` is ready.
async fn test(
    association: &Association,
    args: &Args,
    stop: impl Future<Output = ()>,
) -> Result<Outcome, Failure> {
    let cpu = CpuClock::start();
    let start = args.tuning.start(args.reverse, args.time);
    let time = Duration::from_secs(args.time.into());
    association
        .send(Word::Start(start).into_message())
        .await
        .map_err(broken)?;
    let report = if args.reverse {
        receive(association, stop).await?
    } else if let Some(messages) = args.tuning.messages() {
        thin::send(association, messages, time, stop).await?
    } else {
        send(association, time, stop).await?;
        EndReport::default()
    };
    let report = complete(report, association, &cpu);
    let word = tokio::time::timeout(REPORT_TIMEOUT, next(association))
        .await
        .map_err(|_elapsed| Failure::new("the server sent no report"))??;
    let Word::Report(server) = word else {
        return Err(Failure::new(
            "the other end speaks another version of the test",
        ));
    };
    let paths = paths(association, &interface_names());
    let scheduler = association.scheduler();
    Ok(Outcome::new(
        args.reverse,
        &report,
        &server,
        scheduler,
        paths,
    ))
}

/// Says every second what each path carries; for ever.
async fn watch(association: &Association, printer: &Printer) {
    let names = interface_names();
    let begun = Instant::now();
    let mut progress = Progress::default();
    progress.line(association, &names, Duration::ZERO);
    let mut before = begun;
    loop {
        tokio::time::sleep_until(before + Duration::from_secs(1)).await;
        let now = Instant::now();
        let line = progress.line(association, &names, now - before);
        printer.say(format_args!("{:>4} s{line}", (now - begun).as_secs()));
        before = now;
    }
}

/// Counters of paths at the last look.
#[derive(Debug, Default)]
struct Progress(BTreeMap<PathId, u64>);

impl Progress {
    fn line(
        &mut self,
        association: &Association,
        names: &HashMap<IpAddr, String>,
        elapsed: Duration,
    ) -> String {
        let mut line = String::new();
        for path in association.paths() {
            let bytes = path.bytes_sent + path.bytes_received;
            let before = self.0.insert(path.id, bytes).unwrap_or(bytes);
            let rate = bits_per_second(bytes.saturating_sub(before), elapsed);
            line.push_str(&format!(
                "  {} {}",
                path_name(&path, names),
                format::rate(rate)
            ));
        }
        line
    }
}

fn bits_per_second(bytes: u64, elapsed: Duration) -> u64 {
    let rate = u128::from(bytes) * 8_000_000_000 / elapsed.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}
