//! Writing captures that tcpdump, tshark and Wireshark read.

use std::io::{self, Write};

use crate::Instant;

/// Writes IP packets as a pcap file: nanosecond times, link type RAW (the packet begins with the IP
/// header).
#[derive(Debug)]
pub struct PcapWriter<W> {
    inner: W,
}

/// `LINKTYPE_RAW`: the packet begins with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u32 = 101;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const SNAPLEN: u32 = 262_144;

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut inner: W) -> io::Result<Self> {
        let mut header = [0; 24];
        header[0..4].copy_from_slice(&MAGIC_NANOSECONDS.to_le_bytes());
        header[4..6].copy_from_slice(&2u16.to_le_bytes());
        header[6..8].copy_from_slice(&4u16.to_le_bytes());
        header[16..20].copy_from_slice(&SNAPLEN.to_le_bytes());
        header[20..24].copy_from_slice(&LINKTYPE_RAW.to_le_bytes());
        inner.write_all(&header)?;
        Ok(Self { inner })
    }

    /// Appends an IP packet seen at `at`.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, at: Instant, packet: &[u8]) -> io::Result<()> {
        let nanos = at.as_nanos();
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let mut header = [0; 16];
        header[0..4].copy_from_slice(&((nanos / 1_000_000_000) as u32).to_le_bytes());
        header[4..8].copy_from_slice(&((nanos % 1_000_000_000) as u32).to_le_bytes());
        header[8..12].copy_from_slice(&length.to_le_bytes());
        header[12..16].copy_from_slice(&length.to_le_bytes());
        self.inner.write_all(&header)?;
        self.inner.write_all(packet)
    }

    /// Hands what is buffered on to the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
