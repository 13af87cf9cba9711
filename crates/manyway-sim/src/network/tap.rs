//! Looking at packets and meddling with them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::Ecn;

use super::{InterfaceId, Packet};
use crate::{Instant, PcapWriter, inet};

/// A datagram that a host is about to send, as a [`Network::set_hook`](super::Network::set_hook)
/// hook sees it.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
    /// The time.
    pub now: Instant,
    /// The interface it leaves by.
    pub from: InterfaceId,
    /// How many datagrams left by this interface before.
    pub index: u64,
    /// Source, as the host wrote it.
    pub source: SocketAddr,
    /// Destination, as the host wrote it.
    pub destination: SocketAddr,
    /// The datagram.
    pub payload: &'a Bytes,
    /// What the IP header says of congestion.
    pub ecn: Option<Ecn>,
}

/// What a hook does to a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Lets it go.
    Pass,
    /// Drops it.
    Drop,
    /// Sends it twice.
    Duplicate,
    /// Flips the bits of `mask` in the byte at `offset` (modulo the length).
    Corrupt {
        /// Which byte.
        offset: usize,
        /// Which of its bits.
        mask: u8,
    },
    /// Sends another payload instead.
    Replace(Bytes),
    /// Changes what the IP header says of congestion.
    Mark(Option<Ecn>),
    /// Holds it back, so that later ones overtake it.
    Delay(Duration),
}

pub(super) type Hook = Box<dyn FnMut(&Sent<'_>) -> Verdict>;

pub(super) fn corrupt(payload: &Bytes, offset: usize, mask: u8) -> Bytes {
    let mut bytes = payload.to_vec();
    if !bytes.is_empty() {
        let offset = offset % bytes.len();
        bytes[offset] ^= mask;
    }
    bytes.into()
}

/// A capture of what one host sends and receives.
pub(super) struct Capture(Option<PcapWriter<Box<dyn Write>>>);

impl Capture {
    pub(super) fn new(writer: PcapWriter<Box<dyn Write>>) -> Self {
        Self(Some(writer))
    }

    pub(super) fn record(&mut self, now: Instant, packet: &Packet) {
        let Some(writer) = &mut self.0 else { return };
        let Some(raw) = inet::udp_packet(packet.source, packet.destination, 0, &packet.payload)
        else {
            return;
        };
        if let Err(error) = writer.write(now, &raw) {
            tracing::warn!(%error, "a capture ends early");
            self.0 = None;
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(Err(error)) = self.0.as_mut().map(PcapWriter::flush) {
            tracing::warn!(%error, "a capture is incomplete");
        }
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Capture").field(&self.0.is_some()).finish()
    }
}

/// FNV-1a over everything delivered: equal runs have equal hashes.
#[derive(Debug)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn record(&mut self, now: Instant, to: InterfaceId, packet: &Packet) {
        (now.as_nanos(), to, packet.source, packet.destination).hash(self);
        self.write(&packet.payload);
    }
}

impl Hasher for Trace {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
