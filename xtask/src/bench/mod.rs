//! What the engine costs.

mod build;
mod callgrind;
mod engine;
mod scenario;
mod wall;

use crate::workspace::{Failure, Workspace};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The protocol engine in memory: time, instructions and allocations per packet, bytes per
    /// association
    Engine(engine::Args),
}

/// Measures, and prints a table or JSON.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool, Failure> {
    match &args.what {
        What::Engine(args) => engine::run(workspace, args),
    }
}
