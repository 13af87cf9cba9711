//! The sockets: one per local address, pinned to its interface; servers over UDP have one per
//! family.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use manyway_net::interfaces::{InterfaceAddress, usable_addresses};
use manyway_net::raw::RawSocket;
use manyway_net::udp::{Datagrams, UdpOptions, UdpSocket};

use super::{Held, Progress};
use crate::config::{Carrier, EndpointConfig};
use crate::error::BindError;
use crate::stats::SocketCounters;

/// Batches held back for a full socket; more are dropped, as a full queue would.
const MAX_HELD: usize = 16;

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Raw(RawSocket),
}

#[derive(Debug)]
pub(super) struct Bound {
    socket: Socket,
    pub(super) local: SocketAddr,
    held: VecDeque<Held>,
}

impl Bound {
    fn new(socket: Socket) -> Self {
        let mut bound = Self {
            local: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            socket,
            held: VecDeque::new(),
        };
        bound.local = bound.packets().local_addr();
        bound
    }

    /// What sends and receives, whatever carries the packets.
    pub(super) fn packets(&self) -> &UdpSocket {
        match &self.socket {
            Socket::Udp(socket) => socket,
            Socket::Raw(socket) => socket.packets(),
        }
    }

    /// The local end of a packet that was sent to or from `ip`.
    pub(super) fn local_as(&self, ip: Option<IpAddr>) -> SocketAddr {
        match ip {
            Some(ip) if self.local.ip().is_unspecified() => SocketAddr::new(ip, self.local.port()),
            _ => self.local,
        }
    }

    /// Raw sockets receive for these SCTP ports only.
    fn set_ports(&self, ports: &[u16]) {
        if let Socket::Raw(socket) = &self.socket
            && let Err(error) = socket.set_ports(ports)
        {
            tracing::warn!(local = %self.local, %error, "cannot choose the ports to receive for");
        }
    }

    /// Sends a batch; false if the socket's buffer is full.
    fn try_send(
        &self,
        transmit: &manyway_proto::Transmit,
        contents: &[u8],
        counters: &SocketCounters,
    ) -> bool {
        let wildcard = self.local.ip().is_unspecified();
        let datagrams = Datagrams {
            destination: transmit.path.remote,
            source: wildcard.then(|| transmit.path.local.ip()),
            ecn: transmit.ecn.map(code_point),
            segment_size: transmit.segment_size,
            contents,
        };
        let result = match transmit.may_fragment {
            true => self.packets().try_send_fragmented(&datagrams),
            false => self.packets().try_send(&datagrams),
        };
        match result {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
            // To the engine it is a lost packet; its timers find out.
            Err(error) => {
                tracing::debug!(path = ?transmit.path, %error, "cannot send");
                counters.refused.add_one();
            }
            Ok(()) => {}
        }
        true
    }
}

/// All sockets of an endpoint.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(super) bound: Vec<Bound>,
    /// Addresses behind the wildcard sockets.
    behind_wildcard: Vec<IpAddr>,
    mode: Mode,
    carrier: Carrier,
    /// Sockets for each address, on ports of their own.
    per_address: usize,
    /// The SCTP ports that raw sockets receive for.
    ports: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The addresses that the configuration names.
    Fixed,
    /// One socket per usable address of the host.
    PerAddress,
    /// One socket per family for all addresses of the host, on this port.
    Wildcard(u16),
}

impl Sockets {
    pub(crate) fn bind(config: &EndpointConfig) -> Result<Self, BindError> {
        let raw = config.carrier == Carrier::Raw;
        let udp_port = if raw { 0 } else { config.udp_port };
        let mode = match (config.addresses.is_empty(), udp_port) {
            (false, _) => Mode::Fixed,
            (true, 0) => Mode::PerAddress,
            (true, port) => Mode::Wildcard(port),
        };
        let mut sockets = Self {
            bound: Vec::new(),
            behind_wildcard: Vec::new(),
            mode,
            carrier: config.carrier,
            per_address: match (raw, udp_port) {
                (false, 0) => config.transport.path_manager.ports_per_address().into(),
                _ => 1,
            },
            ports: Vec::new(),
        };
        match mode {
            Mode::Fixed => {
                let interfaces = usable_addresses().unwrap_or_default();
                for ip in &config.addresses {
                    let interface = interfaces.iter().find(|i| i.address == *ip);
                    sockets.add_each(SocketAddr::new(*ip, udp_port), interface)?;
                }
            }
            Mode::PerAddress => {
                for usable in usable_addresses().map_err(BindError::Addresses)? {
                    sockets.add_each(SocketAddr::new(usable.address, 0), Some(&usable))?;
                }
            }
            Mode::Wildcard(port) => {
                sockets.add(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), None)?;
                // A host without IPv6 is no error.
                let v6 = sockets.add(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), None);
                if let Err(error) = v6 {
                    tracing::debug!(%error, "no IPv6 socket");
                }
                sockets.follow_host();
            }
        }
        if sockets.bound.is_empty() && mode == Mode::Fixed {
            return Err(BindError::NoAddress);
        }
        Ok(sockets)
    }

    /// As many sockets as each address gets.
    fn add_each(
        &mut self,
        local: SocketAddr,
        interface: Option<&InterfaceAddress>,
    ) -> Result<(), BindError> {
        (0..self.per_address).try_for_each(|_| self.add(local, interface))
    }

    fn add(
        &mut self,
        local: SocketAddr,
        interface: Option<&InterfaceAddress>,
    ) -> Result<(), BindError> {
        let interface = interface.map(|i| i.interface.clone());
        let socket = match self.carrier {
            Carrier::Raw => Socket::Raw(RawSocket::bind(local.ip(), interface.as_deref())?),
            Carrier::Udp => {
                let mut options = UdpOptions::new(local);
                options.interface = interface;
                Socket::Udp(UdpSocket::bind(&options)?)
            }
        };
        let bound = Bound::new(socket);
        bound.set_ports(&self.ports);
        self.bound.push(bound);
        Ok(())
    }

    /// A socket for peers on this very host, unless one serves them already.
    pub(super) fn add_loopback(&mut self, ip: IpAddr) -> Result<(), BindError> {
        if let Mode::Wildcard(_) = self.mode {
            let family =
                |b: &Bound| b.local.ip().is_unspecified() && b.local.is_ipv4() == ip.is_ipv4();
            if !self.bound.iter().any(family) {
                return Err(BindError::NoAddress);
            }
            if !self.behind_wildcard.contains(&ip) {
                self.behind_wildcard.push(ip);
            }
            return Ok(());
        }
        let family = |b: &Bound| b.local.ip().is_loopback() && b.local.is_ipv4() == ip.is_ipv4();
        if self.bound.iter().any(family) {
            return Ok(());
        }
        self.add(SocketAddr::new(ip, 0), None)
    }

    pub(super) fn is_raw(&self) -> bool {
        self.carrier == Carrier::Raw
    }

    /// The SCTP ports in use, for the filters of raw sockets.
    pub(super) fn set_ports(&mut self, ports: Vec<u16>) {
        self.ports = ports;
        for bound in &self.bound {
            bound.set_ports(&self.ports);
        }
    }

    pub(super) fn follows_host(&self) -> bool {
        self.mode != Mode::Fixed
    }

    /// Compares with the host's addresses; true if something changed.
    pub(super) fn follow_host(&mut self) -> bool {
        if self.mode == Mode::Fixed {
            return false;
        }
        let Ok(usable) = usable_addresses() else {
            return false;
        };
        if let Mode::Wildcard(_) = self.mode {
            let loopback = self
                .behind_wildcard
                .iter()
                .copied()
                .filter(IpAddr::is_loopback);
            let now: Vec<IpAddr> = usable.iter().map(|u| u.address).chain(loopback).collect();
            let changed = now != self.behind_wildcard;
            self.behind_wildcard = now;
            return changed;
        }
        let before = self.bound.len();
        self.bound.retain(|b| {
            b.local.ip().is_loopback() || usable.iter().any(|u| u.address == b.local.ip())
        });
        let mut changed = self.bound.len() != before;
        for address in &usable {
            if self.bound.iter().any(|b| b.local.ip() == address.address) {
                continue;
            }
            match self.add_each(SocketAddr::new(address.address, 0), Some(address)) {
                Ok(()) => changed = true,
                Err(error) => tracing::warn!(%error, "cannot use a new address"),
            }
        }
        changed
    }

    /// What peers can be told and paths can start from.
    pub(crate) fn local_addresses(&self) -> Vec<SocketAddr> {
        let mut all = Vec::new();
        for bound in &self.bound {
            if !bound.local.ip().is_unspecified() {
                all.push(bound.local);
                continue;
            }
            let same = self
                .behind_wildcard
                .iter()
                .filter(|ip| ip.is_ipv4() == bound.local.is_ipv4());
            all.extend(same.map(|ip| SocketAddr::new(*ip, bound.local.port())));
        }
        all
    }

    fn serving(&mut self, local: SocketAddr) -> Option<&mut Bound> {
        let exact = self.bound.iter().position(|b| b.local == local);
        let wildcard = || {
            self.bound.iter().position(|b| {
                b.local.ip().is_unspecified()
                    && b.local.port() == local.port()
                    && b.local.is_ipv4() == local.is_ipv4()
            })
        };
        let at = exact.or_else(wildcard)?;
        self.bound.get_mut(at)
    }

    /// Sends a batch, or holds it back while its socket is full. Other sockets go on.
    pub(super) fn send(
        &mut self,
        transmit: manyway_proto::Transmit,
        contents: &[u8],
        counters: &SocketCounters,
    ) {
        let Some(bound) = self.serving(transmit.path.local) else {
            tracing::debug!(path = ?transmit.path, "the address is gone");
            counters.homeless.add_one();
            return;
        };
        if bound.held.is_empty() && bound.try_send(&transmit, contents, counters) {
            return;
        }
        if bound.held.len() < MAX_HELD {
            bound.held.push_back(Held {
                transmit,
                contents: contents.to_vec(),
            });
        } else {
            counters.dropped.add_one();
        }
    }

    /// Sends what was held back, as far as the sockets take it.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>, counters: &SocketCounters) -> Progress {
        let mut progress = Progress::None;
        for bound in &mut self.bound {
            while let Some(held) = bound.held.front() {
                match bound.packets().poll_send_ready(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "cannot wait for the socket");
                        bound.held.clear();
                        break;
                    }
                    Poll::Pending => break,
                }
                if !bound.try_send(&held.transmit, &held.contents, counters) {
                    break;
                }
                bound.held.pop_front();
                progress = Progress::Some;
            }
        }
        progress
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.bound.iter().all(|b| b.held.is_empty())
    }

    /// The least number of segments that all sockets can send at once.
    pub(super) fn max_segments(&self) -> usize {
        self.bound
            .iter()
            .map(|b| b.packets().max_gso_segments())
            .min()
            .unwrap_or(1)
    }
}

/// A code point as the sockets have it.
fn code_point(ecn: manyway_proto::Ecn) -> manyway_net::udp::Ecn {
    use manyway_net::udp::Ecn;
    match ecn {
        manyway_proto::Ecn::Ect0 => Ecn::Ect0,
        manyway_proto::Ecn::Ect1 => Ecn::Ect1,
        manyway_proto::Ecn::Ce => Ecn::Ce,
    }
}
