//! `manyway expose`

use std::net::IpAddr;
use std::process::ExitCode;

use manyway_broker::BrokerConfig;

use crate::cmd::block_on;
use crate::cmd::run::start;
use crate::cmd::signals::EndSignals;
use crate::failure::Failure;
use crate::printer::Printer;

/// Let peers reach a server that runs already
///
/// The server is reached on loopback. Runs until interrupted, which ends the flows it carries.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The TCP port that the server listens on
    #[arg(required = true, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    ports: Vec<u16>,
    /// Use only these local addresses, separated by commas [default: all, as they come and go]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    addresses: Vec<IpAddr>,
    /// The UDP port of Manyway
    #[arg(long, value_name = "PORT", default_value_t = manyway::UDP_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    udp_port: u16,
}

/// Runs the command.
pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let config = BrokerConfig {
        udp_port: args.udp_port,
        addresses: args.addresses.clone(),
        ..BrokerConfig::default()
    };
    let mut broker = start(config)?;
    for port in &args.ports {
        broker.expose(*port).map_err(|error| {
            Failure::new(error.to_string())
                .with_hint("one process can serve several ports: `manyway expose 80 443`")
        })?;
        printer.say(format_args!(
            "peers reach port {port} on UDP port {}",
            args.udp_port
        ));
    }
    block_on(async {
        let mut signals = EndSignals::new()
            .map_err(|error| Failure::new(format!("cannot handle signals: {error}")))?;
        tokio::select! {
            _ = signals.next() => Ok(ExitCode::SUCCESS),
            () = broker.stopped() => Err(Failure::new("the broker has stopped")),
        }
    })
}
