//! Streams: putting messages together and in order.

mod inbound;
mod reassembly;

pub(crate) use inbound::Inbound;
pub(crate) use reassembly::Fragment;
