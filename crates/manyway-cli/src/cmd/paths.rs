//! `manyway paths`

use std::process::ExitCode;

use manyway_api::{FlowId, FlowView, PathView};
use serde::Serialize;

use crate::cmd::listing::{ListArgs, Output, list};
use crate::failure::Failure;
use crate::format;
use crate::printer::Printer;
use crate::table::{Align, Table};

/// List every path of every flow
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this flow's, named as `manyway flows` lists it
    flow: Option<FlowId>,
    #[command(flatten)]
    list: ListArgs,
}

/// A path with the flow it belongs to.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    flow: FlowId,
    program: &'a str,
    pid: Option<u32>,
    #[serde(flatten)]
    path: &'a PathView,
}

/// Runs the command.
pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    list(&args.list, printer, |flows, output| {
        let entries = entries(flows, args.flow)?;
        match output {
            Output::Json { pretty } => printer.json(&entries, pretty),
            Output::Table if entries.is_empty() => {
                printer.say("no flows");
                Ok(true)
            }
            Output::Table => printer.data(&table(&entries).render()),
        }
    })
}

fn entries(flows: &[FlowView], only: Option<FlowId>) -> Result<Vec<Entry<'_>>, Failure> {
    let chosen: Vec<&FlowView> = flows
        .iter()
        .filter(|flow| only.is_none_or(|id| id.matches(flow.broker_pid, flow.id.number)))
        .collect();
    match only {
        Some(id) if chosen.is_empty() => Err(Failure::new(format!("there is no flow {id}"))
            .with_hint("`manyway flows` lists them all")),
        _ => Ok(chosen.into_iter().flat_map(entries_of).collect()),
    }
}

fn entries_of(flow: &FlowView) -> impl Iterator<Item = Entry<'_>> {
    let FlowView {
        id,
        program,
        pid,
        paths,
        ..
    } = flow;
    paths.iter().map(|path| Entry {
        flow: *id,
        program,
        pid: *pid,
        path,
    })
}

fn table(entries: &[Entry<'_>]) -> Table {
    let mut table = Table::new(&[
        ("FLOW", Align::Right),
        ("PROGRAM", Align::Left),
        ("PATH", Align::Right),
        ("NAME", Align::Left),
        ("LOCAL", Align::Left),
        ("REMOTE", Align::Left),
        ("STATE", Align::Left),
        ("USE", Align::Left),
        ("RTT", Align::Right),
        ("LOSS", Align::Right),
        ("CWND", Align::Right),
        ("IN FLIGHT", Align::Right),
        ("SENT", Align::Right),
        ("RECEIVED", Align::Right),
        ("RATE OUT", Align::Right),
        ("RATE IN", Align::Right),
    ]);
    for entry in entries {
        table.row(row(entry));
    }
    table
}

fn row(entry: &Entry<'_>) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let path = entry.path;
    vec![
        entry.flow.to_string(),
        format::name(entry.program),
        path.id.to_string(),
        format::name(&path.name),
        path.local.to_string(),
        path.remote.to_string(),
        path.state.to_string(),
        usage(path),
        or_dash(path.rtt_us.map(format::microseconds)),
        or_dash(path.loss.map(format::percent)),
        or_dash(path.cwnd.map(format::bytes)),
        format::bytes(path.in_flight),
        format::bytes(path.bytes_sent),
        format::bytes(path.bytes_received),
        format::rate(path.rate_sent_bps),
        format::rate(path.rate_received_bps),
    ]
}

/// What the path is used for, in one word.
fn usage(path: &PathView) -> String {
    if path.primary {
        "primary".to_owned()
    } else {
        path.wish.to_string()
    }
}
