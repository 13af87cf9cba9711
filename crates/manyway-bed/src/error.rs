//! Why a test network could not be built.

use std::io;
use std::path::PathBuf;

use manyway_net::link::LinkError;
use manyway_net::namespace::NamespaceError;
use manyway_net::tun::TunError;

/// Why a [`Bed`](crate::Bed) could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BedError {
    /// There are no paths, or too many.
    #[error("a test network has one to {most} paths, not {asked}; change BedConfig::paths")]
    PathCount {
        /// How many were asked for.
        asked: usize,
        /// How many there can be.
        most: usize,
    },
    /// A namespace could not be made or entered.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A TUN device could not be made.
    #[error(transparent)]
    Tun(#[from] TunError),
    /// An address, route or rule was refused.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A capture file could not be made.
    #[error("cannot create the capture {}: {source}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A router could not be started.
    #[error("cannot start a router: {source}")]
    Relay {
        /// What the system said.
        source: io::Error,
    },
}
