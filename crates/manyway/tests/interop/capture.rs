//! An independent opinion on what crossed the network: tshark's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What tshark calls the severity "error".
const ERROR: &str = "8388608";

/// Types of chunks.
pub(crate) mod chunk {
    pub(crate) const SACK: u8 = 3;
    pub(crate) const AUTH: u8 = 15;
    pub(crate) const NR_SACK: u8 = 16;
    pub(crate) const FORWARD_TSN: u8 = 192;
    pub(crate) const ASCONF: u8 = 193;
    pub(crate) const ASCONF_ACK: u8 = 128;
}

/// What crossed the network.
#[derive(Debug)]
pub(crate) enum Crossed {
    /// The test could not run.
    Unknown,
    /// How many chunks of each type.
    Chunks(BTreeMap<u8, usize>),
}

impl Crossed {
    /// Checks that there were chunks of all these types.
    pub(crate) fn had(&self, kinds: &[u8]) -> &Self {
        if let Self::Chunks(chunks) = self {
            for kind in kinds {
                assert!(chunks.contains_key(kind), "no chunk {kind}: {chunks:?}");
            }
        }
        self
    }

    /// Checks that there were no chunks of these types.
    pub(crate) fn had_no(&self, kinds: &[u8]) -> &Self {
        if let Self::Chunks(chunks) = self {
            for kind in kinds {
                assert!(!chunks.contains_key(kind), "chunk {kind}: {chunks:?}");
            }
        }
        self
    }
}

/// Checks that captures have SCTP packets, that every one of these has the right checksum, and that
/// none is malformed or an error to tshark's experts.
pub(crate) fn check(captures: &[PathBuf]) -> Crossed {
    let mut chunks = BTreeMap::new();
    for capture in captures {
        for packet in dissect(capture).lines() {
            let fields: Vec<&str> = packet.split('\t').collect();
            let [number, checksum, malformed, severities, kinds] = fields[..] else {
                panic!("tshark said {packet:?}");
            };
            let which = format!("{}, packet {number}", capture.display());
            assert_eq!(malformed, "", "{which} is malformed");
            assert_eq!(checksum, "1", "{which}: checksum status");
            assert!(!severities.contains(ERROR), "{which} has errors");
            for kind in kinds.split(',') {
                *chunks.entry(kind.parse().unwrap()).or_default() += 1;
            }
        }
    }
    assert!(!chunks.is_empty(), "nothing was captured");
    Crossed::Chunks(chunks)
}

/// What is missing to look at captures.
pub(crate) fn missing() -> Option<&'static str> {
    let version = Command::new("tshark").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => None,
        _ => Some("tshark"),
    }
}

/// One line per SCTP packet: its number, 1 if the checksum is right, what is malformed, the
/// severities of what the experts say, and the types of its chunks.
fn dissect(capture: &Path) -> String {
    let output = Command::new("tshark")
        .args(["-n", "-o", "sctp.checksum:CRC 32c"])
        // What ICMP quotes is cut short.
        .args(["-d", "udp.port==9899,sctp", "-Y"])
        .arg("sctp && !icmp && !icmpv6")
        .args(["-T", "fields"])
        .args(["-e", "frame.number", "-e", "sctp.checksum.status"])
        .args(["-e", "_ws.malformed", "-e", "_ws.expert.severity"])
        .args(["-e", "sctp.chunk_type"])
        .arg("-r")
        .arg(capture)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "tshark: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
