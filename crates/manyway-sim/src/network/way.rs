//! The way of a datagram from host to host.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use manyway_proto::{FourTuple, Transmit};

use super::queue::Happening;
use super::{HostId, InterfaceId, NatId, Network, Node, Packet, Sent, Verdict, tap};
use crate::nat::Protocol;
use crate::{LinkDrop, Outcome};

/// Datagrams a node may hand over in one piece (as with segmentation offload).
const MAX_DATAGRAMS: usize = 10;
/// A node that sends more often than this without an input is stuck.
const STUCK: u32 = 100_000;

impl<N: Node> Network<N> {
    /// Drains a node after an input and notes when it wants to be woken.
    pub(super) fn drain(&mut self, host: HostId) {
        self.transmit(host);
        let now = self.now;
        self.hosts[host.0].node.run_application(now);
        self.transmit(host);
        let timer = self.hosts[host.0].node.poll_timeout();
        let old = std::mem::replace(&mut self.hosts[host.0].timer, timer);
        if old != timer {
            old.map(|due| self.timers.remove(&(due, host)));
            timer.map(|due| self.timers.insert((due, host)));
        }
    }

    /// Sends everything a node has to send.
    fn transmit(&mut self, host: HostId) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for round in 0.. {
            assert!(round < STUCK, "{host:?} never stops sending");
            let node = &mut self.hosts[host.0].node;
            let Some(transmit) = node.poll_transmit(self.now, MAX_DATAGRAMS, &mut buffer) else {
                break;
            };
            self.send(host, &transmit, &buffer);
        }
        self.buffer = buffer;
    }

    fn send(&mut self, host: HostId, transmit: &Transmit, buffer: &[u8]) {
        let FourTuple { local, remote } = transmit.path;
        let data = &buffer[..transmit.size];
        let segment = transmit.segment_size.unwrap_or(transmit.size).max(1);
        for payload in data.chunks(segment) {
            self.counters.sent += 1;
            let Some(from) = self.source_interface(host, local.ip()) else {
                self.counters.no_interface += 1;
                continue;
            };
            let source = SocketAddr::new(self.interface(from).address, local.port());
            let payload = Bytes::copy_from_slice(payload);
            self.meddle(
                from,
                Packet {
                    source,
                    destination: remote,
                    payload,
                    may_fragment: transmit.may_fragment,
                    ecn: transmit.ecn,
                },
            );
        }
    }

    fn source_interface(&self, host: HostId, address: IpAddr) -> Option<InterfaceId> {
        let index = self.hosts[host.0].interfaces.iter().position(|interface| {
            let fits = if address.is_unspecified() {
                interface.address.is_ipv4() == address.is_ipv4()
            } else {
                interface.address == address
            };
            interface.is_up && fits
        })?;
        Some(InterfaceId { host, index })
    }

    fn meddle(&mut self, from: InterfaceId, mut packet: Packet) {
        let now = self.now;
        let interface = self.interface_mut(from);
        let index = interface.sent;
        interface.sent += 1;
        let Packet {
            source,
            destination,
            ref payload,
            ecn,
            ..
        } = packet;
        let sent = Sent {
            now,
            from,
            index,
            source,
            destination,
            payload,
            ecn,
        };
        let verdict = self.hook.as_mut().map_or(Verdict::Pass, |hook| hook(&sent));
        match verdict {
            Verdict::Pass => {}
            Verdict::Drop => {
                self.counters.hooked += 1;
                return;
            }
            Verdict::Duplicate => self.enter_uplink(from, packet.clone()),
            Verdict::Corrupt { offset, mask } => {
                packet.payload = tap::corrupt(&packet.payload, offset, mask);
            }
            Verdict::Replace(payload) => packet.payload = payload,
            Verdict::Mark(ecn) => packet.ecn = ecn,
            Verdict::Delay(time) => {
                self.queue.push(now + time, Happening::Depart(from, packet));
                return;
            }
        }
        self.enter_uplink(from, packet);
    }

    pub(super) fn enter_uplink(&mut self, from: InterfaceId, mut packet: Packet) {
        let now = self.now;
        self.record(from.host, &packet);
        let link = &mut self.interface_mut(from).up;
        let (mtu, delay) = (link.config().mtu, link.config().delay);
        let len = packet.wire_len(mtu);
        match link.enqueue(now, len) {
            Outcome::Deliver { at, mark } => {
                packet.mark(mark);
                self.queue.push(at, Happening::Core(from, packet));
            }
            Outcome::Dropped(LinkDrop::TooBig) if self.icmp => {
                let report = Happening::TooBig(from, packet, mtu);
                self.queue.push(now + delay, report);
            }
            Outcome::Dropped(_) => {}
        }
    }

    pub(super) fn report_too_big(&mut self, from: InterfaceId, packet: &Packet, mtu: usize) {
        let now = self.now;
        let path = FourTuple {
            local: packet.source,
            remote: packet.destination,
        };
        // Routers quote at least so much (RFC 1812, section 4.3.2.3).
        let quoted = &packet.payload[..packet.payload.len().min(64)];
        self.with_node(from.host, |node| {
            node.handle_packet_too_big(now, path, quoted, mtu);
        });
    }

    pub(super) fn leave_uplink(&mut self, from: InterfaceId, mut packet: Packet) {
        let now = self.now;
        let interface = self.interface_mut(from);
        let len = packet.wire_len(interface.up.config().mtu);
        if !interface.up.arrive(len) {
            return;
        }
        if let Some(nat) = interface.nat {
            let nat = &mut self.nats[nat.0];
            match nat.outbound(now, Protocol::Udp, packet.source, packet.destination) {
                Ok(public) => packet.source = public,
                Err(_) => return, // counted by the NAT
            }
        }
        self.route(packet);
    }

    pub(super) fn route(&mut self, mut packet: Packet) {
        let address = packet.destination.ip();
        let nat = self
            .nats
            .iter()
            .position(|nat| nat.public_address() == address)
            .map(NatId);
        if let Some(id) = nat {
            let nat = &mut self.nats[id.0];
            match nat.inbound(self.now, Protocol::Udp, packet.source, packet.destination) {
                Ok(inside) => packet.destination = inside,
                Err(_) => return, // counted by the NAT
            }
        }
        let to = self.routes.get(&(nat, packet.destination.ip())).copied();
        let Some(to) = to.filter(|to| self.interface(*to).is_up) else {
            self.counters.no_route += 1;
            return;
        };
        let now = self.now;
        let link = &mut self.interface_mut(to).down;
        let len = packet.wire_len(link.config().mtu);
        let outcome = link.enqueue(now, len);
        if let Outcome::Deliver { at, mark } = outcome {
            packet.mark(mark);
            self.queue.push(at, Happening::Arrive(to, packet));
        }
    }

    pub(super) fn leave_downlink(&mut self, to: InterfaceId, packet: Packet) {
        let interface = self.interface_mut(to);
        let len = packet.wire_len(interface.down.config().mtu);
        if !interface.down.arrive(len) {
            return;
        }
        if !interface.is_up || interface.address != packet.destination.ip() {
            self.counters.no_route += 1;
            return;
        }
        self.record(to.host, &packet);
        if self.hosts[to.host.0].port != packet.destination.port() {
            self.counters.no_port += 1;
            return;
        }
        self.counters.delivered += 1;
        self.trace.record(self.now, to, &packet);
        let now = self.now;
        let path = FourTuple {
            local: packet.destination,
            remote: packet.source,
        };
        self.with_node(to.host, |node| {
            node.handle_marked_datagram(now, path, packet.ecn, packet.payload);
        });
    }

    fn record(&mut self, host: HostId, packet: &Packet) {
        let now = self.now;
        if let Some(capture) = &mut self.hosts[host.0].capture {
            capture.record(now, packet);
        }
    }
}
