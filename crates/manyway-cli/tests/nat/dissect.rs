//! Captures, read by an independent implementation.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use rustix::process::Signal;

use crate::net::Net;
use crate::running::{Running, execute};

impl Net {
    /// Records every packet that the server gets and sends.
    pub(crate) fn capture(&self) -> Running {
        let options = [
            "-i",
            "any",
            "-U",
            "-Z",
            "root",
            "-B",
            "16384",
            "-w",
            "server.pcap",
        ];
        let filter = ["udp", "port", "9899"];
        let capture = self.start(
            "server",
            "tcpdump",
            "tcpdump",
            &[&options[..], &filter].concat(),
        );
        capture.await_log("listening on");
        capture
    }

    /// Ends a capture and has it read by an independent implementation.
    pub(crate) fn dissect(&self, capture: Running) -> Vec<Packet> {
        capture.signal(Signal::INT);
        capture.wait_for_success();
        let mut tshark = Command::new("tshark");
        tshark
            .args(["-n", "-r"])
            .arg(self.path("server.pcap"))
            // Any other spelling is taken without complaint, and nothing is verified.
            .args([
                "-o",
                "sctp.checksum:CRC 32c",
                "-T",
                "fields",
                "-E",
                "separator=|",
            ]);
        for field in FIELDS {
            tshark.args(["-e", field]);
        }
        execute(&mut tshark).lines().map(Packet::parse).collect()
    }
}

/// What tshark tells of each packet.
const FIELDS: [&str; 8] = [
    "ip.src",
    "udp.srcport",
    "ip.dst",
    "udp.length",
    "sctp.checksum.status",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
];

/// The value of `_ws.expert.severity` for an error.
const EXPERT_ERROR: u32 = 0x0080_0000;

/// A packet that the server got or sent.
#[derive(Debug)]
pub(crate) struct Packet {
    source: String,
    port: String,
    pub(crate) destination: String,
    pub(crate) length: u64,
    checksum: String,
    is_malformed: bool,
    is_erroneous: bool,
    remarks: String,
}

impl Packet {
    fn parse(line: &str) -> Self {
        let fields: Vec<_> = line.splitn(FIELDS.len(), '|').map(str::to_owned).collect();
        let [
            source,
            port,
            destination,
            length,
            checksum,
            malformed,
            severities,
            remarks,
        ] = fields.try_into().unwrap();
        Self {
            source,
            port,
            destination,
            length: length.parse().unwrap(),
            checksum,
            is_malformed: !malformed.is_empty(),
            is_erroneous: severities
                .split(',')
                .flat_map(str::parse::<u32>)
                .any(|severity| severity >= EXPERT_ERROR),
            remarks,
        }
    }
}

/// Checks that tshark finds no fault in any packet, and has verified the checksums of at least so many.
#[track_caller]
pub(crate) fn assert_well_formed(packets: &[Packet], at_least: usize) {
    let verified = packets
        .iter()
        .filter(|packet| packet.checksum == "1")
        .count();
    // Each packet carries a checksum here: 0 is a bad one, 2 one that was not verified.
    let faulty: Vec<_> = (1..)
        .zip(packets)
        .filter(|(_, packet)| packet.checksum != "1" || packet.is_malformed || packet.is_erroneous)
        .collect();
    let mut shown = String::new();
    for (number, packet) in faulty.iter().take(20) {
        let _ = writeln!(shown, "{number}: {packet:?}: {}", packet.remarks);
    }
    assert!(
        faulty.is_empty(),
        "tshark finds fault with {} packets:\n{shown}",
        faulty.len()
    );
    assert!(
        verified >= at_least,
        "only {verified} checksums were verified"
    );
}

/// The ports that packets from this address came from.
pub(crate) fn ports_of<'a>(packets: &'a [Packet], source: &str) -> BTreeSet<&'a str> {
    packets
        .iter()
        .filter(|packet| packet.source == source)
        .map(|packet| packet.port.as_str())
        .collect()
}
