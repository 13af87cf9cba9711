//! `manyway perf`
use crate::failure::Failure;
use crate::printer::Printer;
use std::process::ExitCode;
/// Measure what the paths to another host carry together
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_args: Args, _printer: &Printer) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
