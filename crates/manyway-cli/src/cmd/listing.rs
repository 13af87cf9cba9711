//! What `flows` and `paths` have in common.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use manyway_api::{Client, FlowView};

use crate::cmd::block_on;
use crate::failure::Failure;
use crate::printer::Printer;

/// Options of a listing.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Print JSON: an array, with --watch one a line
    #[arg(long)]
    json: bool,
    /// Show the list again every so many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    watch: Option<u64>,
}

/// Shows the flows of the host, once or until interrupted.
pub(crate) fn list(
    args: &ListArgs,
    printer: &Printer,
    show: impl Fn(&[FlowView], Output) -> Result<bool, Failure>,
) -> Result<ExitCode, Failure> {
    let output = match (args.json, args.watch) {
        (true, None) => Output::Json { pretty: true },
        (true, Some(_)) => Output::Json { pretty: false },
        (false, _) => Output::Table,
    };
    let Some(interval) = args.watch.map(Duration::from_secs) else {
        let (flows, complete) = fetch(printer)?;
        show(&flows, output)?;
        return Ok(if complete {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    };
    loop {
        let (flows, _) = fetch(printer)?;
        if output == Output::Table && io::stdout().is_terminal() {
            printer.data("\x1b[H\x1b[2J")?;
        }
        if !show(&flows, output)? {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(interval);
    }
}

/// How a list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json {
        /// On several lines.
        pretty: bool,
    },
}

/// The flows, and whether every broker answered.
fn fetch(printer: &Printer) -> Result<(Vec<FlowView>, bool), Failure> {
    // Brokers come and go: the directories are looked up each time.
    let found = block_on(async { Ok(Client::default().flows().await) })?;
    for failure in &found.failures {
        printer.warn(failure);
    }
    Ok((found.flows, found.failures.is_empty()))
}
