//! Real programs under the supervisor, compared with what they see without it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::print_stdout, reason = "skipped tests say so")]

mod accepting;
mod common;
mod direct;
mod failures;
mod lifetime;
mod names;
mod programs;
mod readiness;
