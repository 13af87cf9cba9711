//! What kinds of NAT there are, and what they report.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What a mapping or a filter depends on besides the inside address and port (RFC 4787 sections 4.1
/// and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dependence {
    /// Nothing else: one public port per inside port; anyone may send to it.
    EndpointIndependent,
    /// The outside address.
    AddressDependent,
    /// The outside address and port.
    AddressAndPortDependent,
}

/// How public ports are chosen (RFC 4787 section 4.2). A port is never shared by two mappings of a
/// protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortAllocation {
    /// Any free port.
    Random,
    /// The inside port if it is free, else the next free one.
    Preserving,
    /// The port after the last one given.
    Sequential,
}

/// The protocol of a packet: each has ports of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP. Its state machine is not followed; mappings end by time.
    Tcp,
    /// ICMP echo, whose identifier plays the port.
    IcmpEcho,
}

/// The properties of a NAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// What decides whether an existing mapping is used again.
    pub mapping: Dependence,
    /// Who may send to a mapping: those to whom it has been used, as far as this tells them apart.
    pub filtering: Dependence,
    /// How public ports are chosen.
    pub allocation: PortAllocation,
    /// Public ports to choose from.
    pub ports: RangeInclusive<u16>,
    /// A mapping without a packet for this long is gone.
    pub timeout: Duration,
    /// Whether packets from outside keep a mapping alive too (those from inside always do).
    pub inbound_refresh: bool,
    /// Most mappings at a time.
    pub max_mappings: usize,
    /// Most outside addresses remembered by the filter of one mapping.
    pub max_peers: usize,
}

impl NatConfig {
    /// The hostile kind, as in carrier networks: everything depends on address and port, ports are
    /// random.
    pub fn symmetric() -> Self {
        Self {
            mapping: Dependence::AddressAndPortDependent,
            filtering: Dependence::AddressAndPortDependent,
            allocation: PortAllocation::Random,
            ports: 1024..=65535,
            timeout: Duration::from_secs(30),
            inbound_refresh: true,
            max_mappings: 4096,
            max_peers: 256,
        }
    }

    /// The kind RFC 4787 asks for: endpoint-independent mapping, address-dependent filtering.
    pub fn well_behaved() -> Self {
        Self {
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressDependent,
            allocation: PortAllocation::Preserving,
            timeout: Duration::from_secs(300),
            ..Self::symmetric()
        }
    }
}

impl Default for NatConfig {
    fn default() -> Self {
        Self::symmetric()
    }
}

/// Why a NAT dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NatDrop {
    /// From outside to an address that is not the NAT's (any more).
    NotMyAddress,
    /// From outside to a port without a mapping.
    NoMapping,
    /// From outside to a mapping that has not been used towards this sender.
    Filtered,
    /// No room for another mapping.
    TableFull,
    /// No public port is free.
    PortsExhausted,
    /// From inside to the NAT's own public address: there is no hairpin.
    Hairpin,
}

/// What a NAT has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatCounters {
    /// Packets translated on their way out.
    pub outbound: u64,
    /// Packets translated on their way in.
    pub inbound: u64,
    /// Mappings made.
    pub mappings_created: u64,
    /// Packets dropped for [`NatDrop::NotMyAddress`].
    pub not_my_address: u64,
    /// Packets dropped for [`NatDrop::NoMapping`].
    pub no_mapping: u64,
    /// Packets dropped for [`NatDrop::Filtered`].
    pub filtered: u64,
    /// Packets dropped for [`NatDrop::TableFull`].
    pub table_full: u64,
    /// Packets dropped for [`NatDrop::PortsExhausted`].
    pub ports_exhausted: u64,
    /// Packets dropped for [`NatDrop::Hairpin`].
    pub hairpin: u64,
}

impl NatCounters {
    /// All packets dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        self.not_my_address
            + self.no_mapping
            + self.filtered
            + self.table_full
            + self.ports_exhausted
            + self.hairpin
    }
}
