//! Real programs through `manyway run` at both ends, between two network namespaces with two links.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are no tests to the linter"
)]

mod identity;
mod perf;
mod programs;
mod steering;
mod transparency;
mod world;
