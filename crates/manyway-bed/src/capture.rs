//! Captures of what crosses the TUN devices.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use manyway_sim::{Instant, PcapWriter};

use crate::BedError;

/// A capture of one TUN device, or none.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    writer: Option<PcapWriter<BufWriter<File>>>,
    /// The bed's epoch, as time since 1970.
    epoch: Duration,
}

impl Capture {
    /// A capture in `directory` named after the interface.
    pub(crate) fn create(directory: &Path, interface: &str) -> Result<Self, BedError> {
        let path = directory.join(format!("{interface}.pcap"));
        let writer = File::create(&path)
            .and_then(|file| PcapWriter::new(BufWriter::new(file)))
            .map_err(|source| BedError::Capture { path, source })?;
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            writer: Some(writer),
            epoch,
        })
    }

    /// Appends a packet; an error ends the capture with a warning.
    pub(crate) fn record(&mut self, now: Instant, packet: &[u8]) {
        let Some(writer) = &mut self.writer else {
            return;
        };
        if let Err(error) = writer.write(now + self.epoch, packet) {
            tracing::warn!(%error, "a capture ends early");
            self.writer = None;
        }
    }

    /// Hands what is buffered on to the file.
    pub(crate) fn flush(&mut self) {
        if let Some(Err(error)) = self.writer.as_mut().map(PcapWriter::flush) {
            tracing::warn!(%error, "a capture ends early");
            self.writer = None;
        }
    }
}
