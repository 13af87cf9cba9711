//! The manyway command.

mod cli;
mod cmd;
mod failure;
mod format;
mod logging;
mod printer;
mod table;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::printer::Printer;

fn main() -> ExitCode {
    // Wrong usage ends here, with status 2.
    let cli = Cli::parse();
    logging::start(cli.verbose);
    let printer = Printer::new();
    let result = match cli.command {
        Command::Demo(args) => cmd::demo::run(&args, &printer),
        Command::Run(args) => cmd::run::run(args),
        Command::Expose(args) => cmd::expose::run(&args, &printer),
        Command::Flows(args) => cmd::flows::run(&args, &printer),
        Command::Paths(args) => cmd::paths::run(&args, &printer),
        Command::Set(args) => cmd::set::run(&args, &printer),
        Command::Perf(args) => cmd::perf::run(args, &printer),
        Command::PlainServer { file, port } => cmd::demo::programs::plain_server(&file, port),
        Command::PlainClient { server, file } => cmd::demo::programs::plain_client(server, &file),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            printer.failure(&failure);
            failure.code()
        }
    }
}
