//! What a broker is told at start.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use manyway::EndpointConfig;

use crate::prefix::{Prefix, is_always_direct};

/// How a broker behaves.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The UDP port that servers listen on and clients ask; 9899 by default (RFC 6951).
    pub udp_port: u16,
    /// The local addresses to use; empty: all that are usable, as they come and go.
    pub addresses: Vec<IpAddr>,
    /// How long a destination may take to answer before the program's own socket connects directly.
    pub head_start: Duration,
    /// Destinations that are always connected to directly, besides loopback, link-local and multicast addresses.
    pub direct: Vec<Prefix>,
    /// Whether programs that listen are also reachable through this broker.
    pub serve: bool,
    /// The directory for the control socket; `None`: the one the CLI looks in.
    pub control_dir: Option<PathBuf>,
    /// The largest number of flows at a time; more are refused.
    pub max_flows: usize,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            udp_port: manyway::UDP_PORT,
            addresses: Vec::new(),
            head_start: Duration::from_millis(300),
            direct: Vec::new(),
            serve: true,
            control_dir: None,
            max_flows: 4096,
        }
    }
}

impl BrokerConfig {
    /// Whether the destination is to be left alone.
    pub(crate) fn is_direct(&self, destination: IpAddr) -> bool {
        is_always_direct(destination)
            || self
                .direct
                .iter()
                .any(|prefix| prefix.contains(destination))
    }

    /// An endpoint on this UDP port; 0: any.
    pub(crate) fn endpoint(&self, udp_port: u16) -> EndpointConfig {
        let mut config = EndpointConfig::default();
        config.udp_port = udp_port;
        config.addresses.clone_from(&self.addresses);
        config
    }
}
