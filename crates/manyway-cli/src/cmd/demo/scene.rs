//! The demo from start to end.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, ExitCode};
use std::time::{Duration, Instant};

use manyway_bed::{Bed, BedConfig, Rate};

use super::faults::Faults;
use super::programs::{self, Ordinary, Places};
use super::report::{Report, ceiling};
use super::screen::Screen;
use super::watch::{Flows, Growth};
use super::{Args, payload};
use crate::cmd::signals::EndSignals;
use crate::failure::Failure;
use crate::printer::Printer;

/// The web server's port.
const PORT: u16 = 8080;
/// Half of the round-trip time of each path.
const DELAY: Duration = Duration::from_millis(10);
/// How often the download is looked at.
const TICK: Duration = Duration::from_millis(5);
/// The server's time to listen.
const START: Duration = Duration::from_secs(15);
/// A download without progress for so long has failed.
const STALL: Duration = Duration::from_secs(30);

/// Everything that lives while the demo runs; dropping it takes all of it away.
struct Scene {
    client: Child,
    server: Child,
    bed: Bed,
    places: Places,
    _work: tempfile::TempDir,
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in [&mut self.client, &mut self.server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Plays the demo.
pub(super) async fn play(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let mut signals = EndSignals::new()
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    let demo = download(args, printer);
    tokio::select! {
        result = demo => result,
        // Dropping the demo cleans up.
        signal = signals.next() => {
            let number = u8::try_from(signal.as_raw()).unwrap_or(0);
            Err(Failure::new("interrupted; everything has been taken away").with_status(128 + number))
        }
    }
}

async fn download(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let size = args.size.0;
    let work = tempfile::Builder::new()
        .prefix("manyway-demo-")
        .tempdir()
        .map_err(failed("make a directory"))?;
    let places = Places {
        work: work.path().to_owned(),
        www: work.path().join("www"),
    };
    for directory in [&places.www, &places.runtime()] {
        fs::create_dir(directory).map_err(failed("make a directory"))?;
    }
    restrict(&places)?;
    let expected_digest =
        payload::create(&places.file(), size).map_err(failed("write the file to serve"))?;
    let mut screen = Screen::new();
    let mut scene = start(args, places, work, &mut screen).await?;
    let mut growth = Growth::of(scene.places.downloaded());
    let mut flows = Flows::new(scene.places.runtime());
    let expected = Duration::from_secs_f64(size as f64 * 8.0 / 1e6 / ceiling(&args.rates));
    let mut faults = if args.no_faults {
        Faults::none()
    } else {
        Faults::new(size, expected)
    };
    let status = watch(
        &mut scene,
        &mut growth,
        &mut flows,
        &mut faults,
        &mut screen,
        size,
    )
    .await?;
    let took = growth.last() - growth.first.unwrap_or_else(|| growth.last());
    let digest =
        payload::digest(&scene.places.downloaded()).map_err(failed("read the download"))?;
    let ok = digest == Some(expected_digest);
    let report = Report::new(growth.bytes, ok, took, &args.rates, faults.outcome);
    let report = report.with_paths(flows.client.as_ref());
    if !status.success() || !ok {
        let log = fs::read_to_string(scene.places.work.join("client.log")).unwrap_or_default();
        let said = log.lines().last().unwrap_or("it said nothing").to_owned();
        return Err(Failure::new(format!(
            "the download failed ({status}): {said}"
        )));
    }
    if args.json {
        printer.json(&report, false)?;
    } else {
        printer.data(&report.render())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Control sockets live in a directory that only this user can enter.
fn restrict(places: &Places) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(places.runtime(), fs::Permissions::from_mode(0o700))
        .map_err(failed("make a directory"))
}

async fn start(
    args: &Args,
    places: Places,
    work: tempfile::TempDir,
    screen: &mut Screen,
) -> Result<Scene, Failure> {
    let rates: Vec<_> = args
        .rates
        .iter()
        .map(|mbit| (Rate::from_mbit(*mbit), DELAY))
        .collect();
    let bed = Bed::build(&BedConfig::behind_nats(&rates))
        .map_err(|error| Failure::new(error.to_string()))?;
    let [first, second] = [&args.rates[0], &args.rates[1]];
    screen.event(&format!(
        "network: client c1, c2 ─ two NATs with random ports ─ server s1, s2; {first} and {second} Mbit/s, 20 ms"
    ));
    let server_at = SocketAddr::new(IpAddr::V4(bed.path(0).server_address()), PORT);
    let Ordinary { name, command } =
        programs::server(&places, PORT).map_err(failed("prepare the server"))?;
    screen.event(&format!("server: manyway run -- {name}"));
    let mut server = bed
        .server()
        .spawn(command)
        .map_err(|error| Failure::new(error.to_string()))?;
    if let Err(failure) = wait_until_it_listens(&bed, &mut server, server_at, &places).await {
        let _ = server.kill();
        let _ = server.wait();
        return Err(failure);
    }
    let Ordinary { name, command } =
        programs::client(&places, server_at).map_err(failed("prepare the client"))?;
    screen.event(&format!(
        "client: manyway run -- {name} http://{server_at}/file"
    ));
    let client = bed
        .client()
        .spawn(command)
        .map_err(|error| Failure::new(error.to_string()))?;
    Ok(Scene {
        client,
        server,
        bed,
        places,
        _work: work,
    })
}

async fn wait_until_it_listens(
    bed: &Bed,
    server: &mut Child,
    at: SocketAddr,
    places: &Places,
) -> Result<(), Failure> {
    let begin = Instant::now();
    loop {
        let open = bed
            .server()
            .enter(|| TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok());
        if open.map_err(|error| Failure::new(error.to_string()))? {
            return Ok(());
        }
        let ended = server
            .try_wait()
            .map_err(failed("wait for the server"))?
            .is_some();
        if ended || begin.elapsed() > START {
            let log = fs::read_to_string(places.work.join("server.log")).unwrap_or_default();
            let said = log.lines().last().unwrap_or("it said nothing").to_owned();
            return Err(Failure::new(format!(
                "the web server does not serve: {said}"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn watch(
    scene: &mut Scene,
    growth: &mut Growth,
    flows: &mut Flows,
    faults: &mut Faults,
    screen: &mut Screen,
    size: u64,
) -> Result<std::process::ExitStatus, Failure> {
    let runtime = scene.places.runtime();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        growth.sample();
        if let Some(event) = faults.advance(&scene.bed, growth, flows, &runtime).await? {
            screen.event(&event);
        }
        if screen.is_due() {
            if !faults.is_measuring() {
                flows.refresh().await;
            }
            screen.draw(growth, size, flows.client.as_ref());
        }
        if let Some(status) = scene
            .client
            .try_wait()
            .map_err(failed("wait for the client"))?
        {
            growth.sample();
            screen.draw(growth, size, flows.client.as_ref());
            return Ok(status);
        }
        if growth.last().elapsed() > STALL {
            return Err(Failure::new(format!(
                "the download stands still after {} bytes",
                growth.bytes
            )));
        }
    }
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::new(format!("cannot {what}: {error}"))
}
