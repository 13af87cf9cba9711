//! `manyway perf`

mod client;
mod latency;
mod protocol;
mod report;
mod server;
mod thin;
mod transfer;
mod tuning;

use std::net::IpAddr;
use std::process::ExitCode;

use manyway::{BindError, Carrier, Endpoint, EndpointConfig};

use crate::cmd::block_on;
use crate::failure::Failure;
use crate::printer::Printer;
use tuning::Tuning;

/// Measure what the paths to another host carry together
///
/// One transfer on the transport alone, of bulk data or (with --messages) of a thin flow, without broker and program. Start `manyway perf -s` on one host and
/// `manyway perf -c HOST` on the other. Ctrl-C ends the test with a result.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("side").required(true).args(["server", "client"])))]
pub(crate) struct Args {
    /// Serve tests, one at a time, until interrupted
    #[arg(short, long, conflicts_with_all = ["time", "reverse", "json"])]
    server: bool,
    /// Test against this host, or these addresses of one host, separated by commas
    #[arg(short, long, value_name = "HOST", value_delimiter = ',')]
    client: Vec<String>,
    /// The SCTP port of the server
    #[arg(short, long, default_value_t = 5201, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The UDP port of the server
    #[arg(long, value_name = "PORT", default_value_t = manyway::UDP_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    udp_port: u16,
    /// Send SCTP over IP itself instead of UDP, on both hosts; needs CAP_NET_RAW
    #[arg(long, conflicts_with = "udp_port")]
    raw_ip: bool,
    /// How long to send, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time: u32,
    /// Use only these local addresses, separated by commas [default: all, as they come and go]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    bind: Vec<IpAddr>,
    /// The server sends
    #[arg(short = 'R', long)]
    reverse: bool,
    #[command(flatten)]
    tuning: Tuning,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: Args, printer: &Printer) -> Result<ExitCode, Failure> {
    block_on(async {
        if args.server {
            server::run(&args, printer).await
        } else {
            client::run(&args, printer).await
        }
    })
}

async fn bind(args: &Args, udp_port: u16) -> Result<Endpoint, Failure> {
    let mut config = EndpointConfig::default();
    config.udp_port = udp_port;
    config.addresses.clone_from(&args.bind);
    args.tuning.apply(&mut config.transport);
    if args.raw_ip {
        config.carrier = Carrier::Raw;
    }
    Endpoint::bind(config).await.map_err(|error| {
        let hint = match error {
            BindError::Raw(_) => "run it as root, or without --raw-ip on both hosts",
            _ => "choose another port with --udp-port, on both hosts",
        };
        Failure::new(error.to_string()).with_hint(hint)
    })
}
