//! Options of an endpoint.

use std::net::IpAddr;

use manyway_proto::TransportConfig;

/// Options of an [`crate::Endpoint`]. The default suits a client.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// The UDP port on every local address. 0, the default, lets the system choose one for each;
    /// servers use [`crate::UDP_PORT`].
    pub udp_port: u16,
    /// Local addresses to use. Empty, the default, means all usable addresses of the host, and
    /// follows their changes while the endpoint lives.
    pub addresses: Vec<IpAddr>,
    /// Options of the associations.
    pub transport: TransportConfig,
}
