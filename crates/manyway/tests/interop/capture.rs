//! An independent opinion on what crossed the network: tshark's.

use std::path::Path;
use std::process::Command;

/// Checks that every SCTP packet of a capture has the right checksum and none is malformed. How
/// many there are.
pub(crate) fn check(capture: &Path) -> usize {
    let packets = dissect(capture);
    let mut good = 0;
    for packet in packets.lines() {
        let fields: Vec<&str> = packet.split('\t').collect();
        let [number, checksum, malformed] = fields[..] else {
            panic!("tshark said {packet:?}");
        };
        let name = capture.display();
        assert_eq!(malformed, "", "{name}, packet {number} is malformed");
        assert_eq!(checksum, "1", "{name}, packet {number}: checksum status");
        good += 1;
    }
    good
}

/// What is missing to look at captures.
pub(crate) fn missing() -> Option<&'static str> {
    let version = Command::new("tshark").arg("--version").output();
    match version {
        Ok(output) if output.status.success() => None,
        _ => Some("tshark"),
    }
}

/// One line per SCTP packet: its number, 1 if the checksum is right, what is malformed.
fn dissect(capture: &Path) -> String {
    let output = Command::new("tshark")
        .args(["-n", "-o", "sctp.checksum:CRC 32c"])
        // What ICMP quotes is cut short.
        .args(["-d", "udp.port==9899,sctp", "-Y", "sctp && !icmp"])
        .args(["-T", "fields"])
        .args(
            ["frame.number", "sctp.checksum.status", "_ws.malformed"]
                .map(|f| ["-e", f])
                .as_flattened(),
        )
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
