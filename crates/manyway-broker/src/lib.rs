//! Flows, listeners, the data path between programs and associations, and the control server.
//!
//! A [`Broker`] is one thread on which a flow's socket, its association and the UDP sockets live together, so that
//! no byte waits for another core. It learns what programs do from a supervisor (`manyway-intercept`), carries their
//! connections on associations (`manyway`), and answers the control API (`manyway-api`).
//!
//! | module | concern |
//! |---|---|
//! | `broker` | the thread and its commands |
//! | `intercepted` | what programs do, and what becomes of it |
//! | `client`, `memory`, `prefix` | connections that programs open: by association or directly |
//! | `server`, `ports`, `holder` | connections that peers open to programs |
//! | `records` | what two brokers say to each other |
//! | `relay` | the data path |
//! | `flow`, `rates` | what is known of each flow |
//! | `control`, `view`, `steer` | the control API |

mod broker;
mod client;
mod config;
mod control;
mod flow;
mod holder;
mod intercepted;
mod memory;
mod ports;
mod prefix;
mod rates;
mod records;
mod relay;
mod server;
mod steer;
mod view;

pub use broker::{Broker, StartError};
pub use config::BrokerConfig;
pub use ports::ServeError;
pub use prefix::{ParsePrefixError, Prefix};
