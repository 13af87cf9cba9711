//! Options of an endpoint.

use std::net::IpAddr;

use manyway_proto::TransportConfig;

/// What carries SCTP packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// UDP (RFC 6951), which passes NATs and needs no privilege.
    #[default]
    Udp,
    /// IP itself, as protocol 132 (RFC 9260). Needs `CAP_NET_RAW`, and works only where no NAT or
    /// firewall on the way wants UDP or TCP. Addresses have port 0 then.
    Raw,
}

/// Options of an [`crate::Endpoint`]. The default suits a client.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// The UDP port on every local address. 0, the default, lets the system choose one for each;
    /// servers use [`crate::UDP_PORT`]. Meaningless with [`Carrier::Raw`].
    pub udp_port: u16,
    /// What carries the packets.
    pub carrier: Carrier,
    /// Local addresses to use. Empty, the default, means all usable addresses of the host, and
    /// follows their changes while the endpoint lives.
    pub addresses: Vec<IpAddr>,
    /// Options of the associations.
    pub transport: TransportConfig,
}
