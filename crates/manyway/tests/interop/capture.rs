//! An independent opinion on what crossed the network: tshark's.

use std::path::Path;
use std::process::Command;

/// What tshark calls the severity "error".
const ERROR: &str = "8388608";

/// Checks that every SCTP packet of a capture has the right checksum, and that none is malformed
/// or an error to tshark's experts. How many there are.
pub(crate) fn check(capture: &Path) -> usize {
    let packets = dissect(capture);
    let mut good = 0;
    for packet in packets.lines() {
        let fields: Vec<&str> = packet.split('\t').collect();
        let [number, checksum, malformed, severities] = fields[..] else {
            panic!("tshark said {packet:?}");
        };
        let which = format!("{}, packet {number}", capture.display());
        assert_eq!(malformed, "", "{which} is malformed");
        assert_eq!(checksum, "1", "{which}: checksum status");
        assert!(!severities.contains(ERROR), "{which} has errors");
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

/// One line per SCTP packet: its number, 1 if the checksum is right, what is malformed, and the
/// severities of what the experts say.
fn dissect(capture: &Path) -> String {
    let output = Command::new("tshark")
        .args(["-n", "-o", "sctp.checksum:CRC 32c"])
        // What ICMP quotes is cut short.
        .args(["-d", "udp.port==9899,sctp", "-Y", "sctp && !icmp"])
        .args(["-T", "fields"])
        .args(["-e", "frame.number", "-e", "sctp.checksum.status"])
        .args(["-e", "_ws.malformed", "-e", "_ws.expert.severity"])
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
