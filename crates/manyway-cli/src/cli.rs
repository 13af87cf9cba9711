//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use crate::cmd;

const EXIT_STATUS: &str = "\
Exit status:
  0        success
  1        failure; a line `error: ...` on stderr says what, a line `hint: ...` what to do
  2        wrong usage
  125      `run`: the program could not be intercepted
  126, 127 `run`: the program could not be executed, was not found
  128+N    `run`: the program was ended by signal N
  other    `run`: the program's own status

Environment:
  MANYWAY_RUNTIME_DIR  the only directory for control sockets (default: $XDG_RUNTIME_DIR/manyway,
                       /run/manyway for root, else /tmp/manyway-UID)
  MANYWAY_LOG          what to log, as `info` or `manyway_broker=debug`; overrides -v
  NO_COLOR             no colours";

/// One connection, many ways.
///
/// Gives programs, unmodified, connections that use every network path at once, survive the loss of a path, and can
/// be steered from outside while they run.
#[derive(Debug, Parser)]
#[command(name = "manyway", version, after_long_help = EXIT_STATUS, max_term_width = 100)]
pub(crate) struct Cli {
    /// Say more on stderr; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show an unmodified download over two paths, with failures
    Demo(cmd::demo::Args),
    /// Run a program with its connections over every path
    Run(cmd::run::Args),
    /// Let peers reach a server that runs already
    Expose(cmd::expose::Args),
    /// List every flow of every program
    Flows(cmd::flows::Args),
    /// List every path of every flow
    Paths(cmd::paths::Args),
    /// Change a running flow
    Set(cmd::set::Args),
    /// Measure what the paths to another host carry together
    Perf(cmd::perf::Args),
    /// The demo's web server where none is installed
    #[command(hide = true)]
    PlainServer {
        /// What to serve
        file: PathBuf,
        /// On which port
        port: u16,
    },
    /// The demo's web client where none is installed
    #[command(hide = true)]
    PlainClient {
        /// Where to download from
        server: SocketAddr,
        /// Where to write it
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
