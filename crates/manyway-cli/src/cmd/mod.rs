//! The subcommands, one file each.

pub(crate) mod demo;
pub(crate) mod expose;
pub(crate) mod flows;
mod listing;
pub(crate) mod paths;
pub(crate) mod perf;
pub(crate) mod run;
pub(crate) mod set;
mod signals;

use std::future::Future;

use crate::failure::Failure;

/// Runs a future to its end on this thread.
fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?
        .block_on(future)
}
