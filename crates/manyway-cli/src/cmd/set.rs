//! `manyway set`

use std::process::ExitCode;

use clap::ArgGroup;
use manyway_api::{Client, FlowId, SetRequest, Wish};

use crate::cmd::block_on;
use crate::failure::Failure;
use crate::printer::Printer;

/// Change a running flow
///
/// No program is touched and no byte is lost. Both ends follow: this one at once, the peer when it has been told.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args(["primary", "backup", "active"])))]
pub(crate) struct Args {
    /// The flow, named as `manyway flows` lists it
    flow: FlowId,
    /// The path that --backup or --active is about: its number, or its interface
    path: Option<String>,
    /// Use this path first: its number, or its interface
    #[arg(long, value_name = "PATH|IFACE")]
    primary: Option<String>,
    /// Use PATH only when no active path works
    #[arg(long, requires = "path", conflicts_with = "active")]
    backup: bool,
    /// Use PATH at any time
    #[arg(long, requires = "path")]
    active: bool,
    /// Print the flow as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args, printer: &Printer) -> Result<ExitCode, Failure> {
    let request = request(args)?;
    let response = block_on(async { Ok(Client::default().set(args.flow, &request).await?) })?;
    if args.json {
        printer.json(&response, true)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(primary) = &request.primary {
        printer.say(format_args!("flow {}: primary is {primary}", args.flow));
    }
    if let (Some(path), Some(wish)) = (&request.path, request.wish) {
        printer.say(format_args!("flow {}: {path} is {wish}", args.flow));
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: &Args) -> Result<SetRequest, Failure> {
    let wish = match (args.backup, args.active) {
        (true, _) => Some(Wish::Backup),
        (_, true) => Some(Wish::Active),
        _ => None,
    };
    if args.path.is_some() && wish.is_none() {
        return Err(Failure::new("a path is named, but not what to do with it")
            .with_hint("add --backup or --active")
            .with_status(2));
    }
    Ok(SetRequest {
        primary: args.primary.clone(),
        path: args.path.clone(),
        wish,
    })
}
