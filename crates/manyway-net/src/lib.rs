//! The operating system below Manyway: UDP sockets, addresses, namespaces, TUN devices.
//!
//! | module | concern |
//! |---|---|
//! | [`udp`] | asynchronous UDP sockets with GSO, GRO, source pinning and ICMP errors |
//! | [`raw`] | raw IP sockets for SCTP without UDP |
//! | [`interfaces`] | addresses, routes, and news of their changes |
//! | [`namespace`] | network namespaces that live as long as their handle |
//! | [`link`] | links, addresses, routes and rules, set up through netlink |
//! | [`tun`] | TUN devices |
//!
//! Everything here is specific to Linux. Functions that look at or change the network act on the
//! network namespace of the *calling thread*.

pub mod interfaces;
pub mod link;
pub mod namespace;
mod netlink;
pub mod raw;
mod registration;
pub mod tun;
pub mod udp;
