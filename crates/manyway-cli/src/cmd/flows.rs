//! `manyway flows`

use std::process::ExitCode;

use manyway_api::FlowView;

use crate::cmd::listing::{ListArgs, Output, list};
use crate::failure::Failure;
use crate::format;
use crate::printer::Printer;
use crate::table::{Align, Table};

/// List every flow of every program
///
/// A flow is named by a number, such as 12, or where brokers of several programs use the same number by broker and
/// number, such as 4711.12, which is always understood.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    list: ListArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    list(&args.list, printer, |flows, output| match output {
        Output::Json { pretty } => printer.json(&flows, pretty),
        Output::Table if flows.is_empty() => {
            printer.say("no flows");
            Ok(true)
        }
        Output::Table => printer.data(&table(flows).render()),
    })
}

fn table(flows: &[FlowView]) -> Table {
    let mut table = Table::new(&[
        ("FLOW", Align::Right),
        ("PROGRAM", Align::Left),
        ("PID", Align::Right),
        ("ROLE", Align::Left),
        ("DESTINATION", Align::Left),
        ("TRANSPORT", Align::Left),
        ("STATE", Align::Left),
        ("AGE", Align::Right),
        ("PATHS", Align::Right),
        ("PRIMARY", Align::Left),
        ("SENT", Align::Right),
        ("RECEIVED", Align::Right),
        ("RATE OUT", Align::Right),
        ("RATE IN", Align::Right),
    ]);
    for flow in flows {
        table.row(row(flow));
    }
    table
}

fn row(flow: &FlowView) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let primary = flow.paths.iter().find(|path| path.primary);
    vec![
        flow.id.to_string(),
        or_dash(Some(format::name(&flow.program)).filter(|name| !name.is_empty())),
        or_dash(flow.pid.map(|pid| pid.to_string())),
        flow.role.to_string(),
        or_dash(flow.destination.map(|address| address.to_string())),
        format::name(&flow.transport),
        flow.state.to_string(),
        format::age(flow.opened_seconds),
        flow.paths.len().to_string(),
        or_dash(primary.map(|path| format::name(&path.name))),
        format::bytes(flow.bytes_sent),
        format::bytes(flow.bytes_received),
        format::rate(flow.paths.iter().map(|path| path.rate_sent_bps).sum()),
        format::rate(flow.paths.iter().map(|path| path.rate_received_bps).sum()),
    ]
}
