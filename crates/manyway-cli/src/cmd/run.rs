//! `manyway run`

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use manyway_broker::{Broker, BrokerConfig, Prefix};
use manyway_intercept::{Program, SpawnError, Supervisor};

use crate::cmd::block_on;
use crate::cmd::signals::{Child, EndSignals};
use crate::failure::Failure;

/// How long flows may take to deliver what the program sent before it ended.
const DELIVERY: Duration = Duration::from_secs(60);

/// Run a program with its connections over every path
///
/// Connections to hosts that run Manyway use every path at once; others are plain TCP on the program's own socket.
/// When the program listens, peers reach it by Manyway and everybody else by TCP, as before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long a host may take to answer before its connection is plain TCP, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    head_start: u64,
    /// Connect directly to these addresses, as 10.0.0.0/8; loopback and link-local ones always are
    #[arg(long, value_name = "CIDR")]
    direct: Vec<Prefix>,
    /// Use only these local addresses, separated by commas [default: all, as they come and go]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    addresses: Vec<IpAddr>,
    /// Do not let peers reach the ports that the program listens on
    #[arg(long)]
    no_server: bool,
    /// The UDP port of Manyway, here and at peers
    #[arg(long, value_name = "PORT", default_value_t = manyway::UDP_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    udp_port: u16,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    let config = BrokerConfig {
        udp_port: args.udp_port,
        addresses: args.addresses,
        head_start: Duration::from_millis(args.head_start),
        direct: args.direct,
        serve: !args.no_server,
        ..BrokerConfig::default()
    };
    let broker = start(config)?;
    block_on(supervise(broker, args.program))
}

/// Starts a broker in this process.
pub(crate) fn start(config: BrokerConfig) -> Result<Broker, Failure> {
    Broker::start(config).map_err(|error| {
        Failure::new(error.to_string())
            .with_hint("set MANYWAY_RUNTIME_DIR to a directory that only you can write to")
    })
}

async fn supervise(mut broker: Broker, program: Vec<OsString>) -> Result<ExitCode, Failure> {
    let mut signals = EndSignals::new()
        .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
    let supervisor = broker
        .supervise(Program::new(program))
        .map_err(|error| refused(&error))?;
    let child = Child::new(supervisor.child_pid());
    let mut end = tokio::task::spawn_blocking(move || Supervisor::wait(supervisor));
    let status = loop {
        tokio::select! {
            status = &mut end => break status,
            signal = signals.next() => child.pass_on(signal),
        }
    };
    // The program may be gone before its last bytes are: a kernel would deliver them, and so does this.
    broker.request_stop(DELIVERY);
    tokio::select! {
        () = broker.stopped() => {}
        _ = signals.next() => {}
    }
    let status = status
        .map_err(|error| Failure::new(error.to_string()))?
        .map_err(|error| Failure::new(format!("cannot follow the program: {error}")))?;
    Ok(exit_code(status))
}

fn refused(error: &SpawnError) -> Failure {
    let text = error.to_string();
    // The message names the way out after the last semicolon.
    let failure = match text.rsplit_once("; ") {
        Some((message, hint)) => Failure::new(message).with_hint(hint),
        None => Failure::new(text),
    };
    failure.with_status(error.exit_code())
}

/// The program's status, as a shell tells it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1)
        .into()
}
