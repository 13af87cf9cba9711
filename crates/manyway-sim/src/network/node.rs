//! What the network moves datagrams between.

use std::net::SocketAddr;

use bytes::Bytes;
use manyway_proto::{Ecn, Endpoint, FourTuple, Transmit};

use crate::Instant;

/// A sans-IO protocol engine, with or without an application on top.
///
/// After each input the network calls [`Node::poll_transmit`] until it returns `None`, then
/// [`Node::run_application`], then [`Node::poll_transmit`] again, then [`Node::poll_timeout`].
pub trait Node {
    /// A datagram has arrived at `path.local` from `path.remote`.
    fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes);

    /// As [`Node::handle_datagram`], with what the IP header said of congestion.
    fn handle_marked_datagram(
        &mut self,
        now: Instant,
        path: FourTuple,
        _mark: Option<Ecn>,
        datagram: Bytes,
    ) {
        self.handle_datagram(now, path, datagram);
    }

    /// The next datagrams to be sent, in `buf`, which the callee clears first.
    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit>;

    /// When [`Node::handle_timeout`] wants to be called.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// The time of [`Node::poll_timeout`] has come.
    fn handle_timeout(&mut self, now: Instant);

    /// A link could not carry a datagram sent on `path`: its MTU, and the datagram's beginning.
    fn handle_packet_too_big(
        &mut self,
        _now: Instant,
        _path: FourTuple,
        _quoted: &[u8],
        _mtu: usize,
    ) {
    }

    /// The host's addresses have changed.
    fn set_local_addresses(&mut self, now: Instant, locals: &[SocketAddr]);

    /// Lets the application above the engine react.
    fn run_application(&mut self, _now: Instant) {}
}

impl Node for Endpoint {
    fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes) {
        self.handle_datagram(now, path, datagram);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.poll_transmit(now, max_datagrams, buf)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_packet_too_big(&mut self, now: Instant, path: FourTuple, quoted: &[u8], mtu: usize) {
        self.handle_packet_too_big(now, path, quoted, mtu);
    }

    fn set_local_addresses(&mut self, now: Instant, locals: &[SocketAddr]) {
        self.set_local_addresses(now, locals);
    }
}
