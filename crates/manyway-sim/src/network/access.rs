//! Looking into a network and reaching into it.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::tap::Capture;
use super::{
    Direction, HostId, Interface, InterfaceId, NatId, Network, NetworkCounters, Node, Packet, Sent,
    Verdict,
};
use crate::nat::Nat;
use crate::{Link, PcapWriter};

/// Looking in and reaching in.
impl<N: Node> Network<N> {
    /// A host's node.
    pub fn node(&self, host: HostId) -> &N {
        &self.hosts[host.0].node
    }

    /// Gives `f` a host's node, then sends what that made it want to send.
    pub fn with_node<R>(&mut self, host: HostId, f: impl FnOnce(&mut N) -> R) -> R {
        let result = f(&mut self.hosts[host.0].node);
        self.drain(host);
        result
    }

    /// The addresses and port of a host's interfaces that are up.
    pub fn addresses(&self, host: HostId) -> Vec<SocketAddr> {
        let host = &self.hosts[host.0];
        let up = host.interfaces.iter().filter(|interface| interface.is_up);
        up.map(|interface| SocketAddr::new(interface.address, host.port))
            .collect()
    }

    /// The interfaces of a host.
    pub fn interfaces(&self, host: HostId) -> impl Iterator<Item = InterfaceId> + use<N> {
        (0..self.hosts[host.0].interfaces.len()).map(move |index| InterfaceId { host, index })
    }

    /// The link from an interface to the core.
    pub fn uplink(&self, id: InterfaceId) -> &Link {
        &self.interface(id).up
    }

    /// The link from the core to an interface.
    pub fn downlink(&self, id: InterfaceId) -> &Link {
        &self.interface(id).down
    }

    /// Does something to an interface's links.
    pub fn each_link(
        &mut self,
        id: InterfaceId,
        direction: Direction,
        mut f: impl FnMut(&mut Link),
    ) {
        let interface = self.interface_mut(id);
        if direction.includes(Direction::Up) {
            f(&mut interface.up);
        }
        if direction.includes(Direction::Down) {
            f(&mut interface.down);
        }
    }

    /// A NAT.
    pub fn nat(&self, id: NatId) -> &Nat {
        &self.nats[id.0]
    }

    /// A NAT, to be changed.
    pub fn nat_mut(&mut self, id: NatId) -> &mut Nat {
        &mut self.nats[id.0]
    }

    /// Gives an interface another address and tells the host.
    pub fn set_address(&mut self, id: InterfaceId, address: IpAddr) {
        let interface = self.interface_mut(id);
        let (nat, old) = (
            interface.nat,
            std::mem::replace(&mut interface.address, address),
        );
        if self.routes.get(&(nat, old)) == Some(&id) {
            self.routes.remove(&(nat, old));
        }
        self.routes.insert((nat, address), id);
        self.tell_addresses(id.host);
    }

    /// Makes an interface appear or vanish and tells the host.
    pub fn set_up(&mut self, id: InterfaceId, up: bool) {
        self.interface_mut(id).is_up = up;
        self.tell_addresses(id.host);
    }

    /// Puts a datagram into the core, as if somebody with this source address had sent it. It may
    /// be forged.
    pub fn inject(&mut self, source: SocketAddr, destination: SocketAddr, payload: Bytes) {
        self.route(Packet {
            source,
            destination,
            payload,
            may_fragment: false,
            ecn: None,
        });
    }

    /// Shows every datagram that a host sends to `hook`, which decides what becomes of it.
    pub fn set_hook(&mut self, hook: impl FnMut(&Sent<'_>) -> Verdict + 'static) {
        self.hook = Some(Box::new(hook));
    }

    /// Whether hosts are told when their uplink could not carry a packet (ICMP), at first not.
    pub fn set_icmp(&mut self, on: bool) {
        self.icmp = on;
    }

    /// Removes the hook.
    pub fn clear_hook(&mut self) {
        self.hook = None;
    }

    /// Writes what a host sends and receives from now on to `writer`, as a pcap file.
    ///
    /// # Errors
    /// Those of the writer; later ones end the capture with a warning in the log.
    pub fn capture(&mut self, host: HostId, writer: impl Write + 'static) -> io::Result<()> {
        let writer: Box<dyn Write> = Box::new(writer);
        self.hosts[host.0].capture = Some(Capture::new(PcapWriter::new(writer)?));
        Ok(())
    }

    /// Hands what captures hold on to their files.
    pub fn flush_captures(&mut self) {
        self.hosts
            .iter_mut()
            .filter_map(|host| host.capture.as_mut())
            .for_each(Capture::flush);
    }

    /// A hash over all datagrams delivered so far, their times and addresses.
    pub fn trace_hash(&self) -> u64 {
        std::hash::Hasher::finish(&self.trace)
    }

    /// What the network has done so far.
    pub fn counters(&self) -> NetworkCounters {
        self.counters
    }

    pub(super) fn interface(&self, id: InterfaceId) -> &Interface {
        &self.hosts[id.host.0].interfaces[id.index]
    }

    pub(super) fn interface_mut(&mut self, id: InterfaceId) -> &mut Interface {
        &mut self.hosts[id.host.0].interfaces[id.index]
    }

    fn tell_addresses(&mut self, host: HostId) {
        let (now, locals) = (self.now, self.addresses(host));
        self.with_node(host, |node| node.set_local_addresses(now, &locals));
    }
}
