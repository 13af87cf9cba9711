//! Logs go to stderr.

use tracing_subscriber::EnvFilter;

use crate::printer::stderr_has_color;

/// Starts to log: warnings, with `-v` what happens to each flow, with `-vv` why.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("MANYWAY_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(stderr_has_color())
        .with_target(verbose > 1)
        .without_time()
        .init();
}
