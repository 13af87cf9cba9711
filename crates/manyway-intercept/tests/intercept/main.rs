//! Real programs under the supervisor, compared with what they see without it.

mod common;
mod direct;
mod failures;
mod lifetime;
mod names;
mod programs;
mod readiness;
