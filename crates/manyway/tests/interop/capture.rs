//! An independent opinion on what crossed the network: tshark's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::network::{Ip, Side};

/// What tshark calls the severity "error".
const ERROR: &str = "8388608";

/// Types of chunks.
pub(crate) mod chunk {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const SACK: u8 = 3;
    pub(crate) const ECNE: u8 = 12;
    pub(crate) const CWR: u8 = 13;
    pub(crate) const AUTH: u8 = 15;
    pub(crate) const NR_SACK: u8 = 16;
    pub(crate) const I_DATA: u8 = 64;
    pub(crate) const ASCONF_ACK: u8 = 128;
    pub(crate) const RE_CONFIG: u8 = 130;
    pub(crate) const FORWARD_TSN: u8 = 192;
    pub(crate) const ASCONF: u8 = 193;
    pub(crate) const I_FORWARD_TSN: u8 = 194;
}

/// Types of parameters.
pub(crate) mod parameter {
    pub(crate) const OUTGOING_RESET: u16 = 13;
    pub(crate) const INCOMING_RESET: u16 = 14;
    pub(crate) const TSN_RESET: u16 = 15;
    pub(crate) const RECONFIG_RESPONSE: u16 = 16;
    pub(crate) const ADD_OUTGOING: u16 = 17;
    pub(crate) const ADD_INCOMING: u16 = 18;
    pub(crate) const ADD_ADDRESS: u16 = 0xc001;
    pub(crate) const DELETE_ADDRESS: u16 = 0xc002;
    pub(crate) const SET_PRIMARY: u16 = 0xc004;
}

/// A fragment of a message.
#[derive(Clone, Copy, Debug)]
struct Fragment {
    tsn: u32,
    stream: u16,
    /// Stream sequence number or message identifier.
    message: u32,
    last: bool,
}

/// An SCTP packet.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// When it crossed, since 1970.
    at: Duration,
    sender: Side,
    chunks: Vec<u8>,
    parameters: Vec<u16>,
    /// The identifiers of the shared keys that authenticate it.
    keys: Vec<u16>,
    fragments: Vec<Fragment>,
}

/// What crossed the network.
#[derive(Clone, Debug)]
pub(crate) enum Crossed {
    /// The test could not run.
    Unknown,
    /// The packets of both paths, as they followed each other.
    Packets(Vec<Packet>),
}

impl Crossed {
    /// What crossed in a stretch of time.
    pub(crate) fn between(&self, begin: SystemTime, end: SystemTime) -> Self {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap();
        let stretch = since(begin)..since(end);
        self.filter(|packet| stretch.contains(&packet.at))
    }

    /// What one side sent.
    pub(crate) fn from(&self, side: Side) -> Self {
        self.filter(|packet| packet.sender == side)
    }

    fn filter(&self, keep: impl Fn(&Packet) -> bool) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::Packets(all) => {
                Self::Packets(all.iter().filter(|packet| keep(packet)).cloned().collect())
            }
        }
    }

    /// Checks that there were chunks of all these types.
    pub(crate) fn had(&self, kinds: &[u8]) -> &Self {
        self.check("chunks", kinds, true, |packet| &packet.chunks)
    }

    /// Checks that there were no chunks of these types.
    pub(crate) fn had_no(&self, kinds: &[u8]) -> &Self {
        self.check("chunks", kinds, false, |packet| &packet.chunks)
    }

    /// Checks that there were parameters of all these types.
    pub(crate) fn had_parameters(&self, kinds: &[u16]) -> &Self {
        self.check("parameters", kinds, true, |packet| &packet.parameters)
    }

    /// Checks that something was authenticated by each of these shared keys.
    pub(crate) fn had_keys(&self, keys: &[u16]) -> &Self {
        self.check("keys", keys, true, |packet| &packet.keys)
    }

    fn check<T: Copy + Ord + std::fmt::Debug>(
        &self,
        name: &str,
        wanted: &[T],
        present: bool,
        of: impl Fn(&Packet) -> &Vec<T>,
    ) -> &Self {
        if let Self::Packets(all) = self {
            let there: BTreeSet<T> = all.iter().flat_map(|packet| of(packet).clone()).collect();
            for one in wanted {
                let so = there.contains(one) == present;
                assert!(
                    so,
                    "{name} crossed: {there:?}, wanted {present}: {wanted:?}"
                );
            }
        }
        self
    }

    /// Checks that messages were interleaved: a fragment was followed by one of another stream
    /// before its message was complete.
    pub(crate) fn interleaved(&self) -> &Self {
        if let Self::Packets(all) = self {
            let mut fragments: Vec<Fragment> =
                all.iter().flat_map(|p| p.fragments.clone()).collect();
            fragments.sort_by_key(|fragment| fragment.tsn);
            let mut pairs = fragments.windows(2);
            assert!(
                pairs.any(|pair| !pair[0].last && pair[0].stream != pair[1].stream),
                "no message was interleaved with another"
            );
        }
        self
    }

    /// Checks that the messages of a stream were numbered from 0 again.
    pub(crate) fn began_again(&self, stream: u16) -> &Self {
        if let Self::Packets(all) = self {
            let fragments = all.iter().flat_map(|packet| &packet.fragments);
            let numbers = fragments.filter(|fragment| fragment.stream == stream);
            let numbers: Vec<u32> = numbers.map(|fragment| fragment.message).collect();
            assert!(
                numbers.windows(2).any(|two| two[0] > 0 && two[1] == 0),
                "stream {stream} never began again: {numbers:?}"
            );
        }
        self
    }
}

/// Checks that captures have SCTP packets, that every one of these has the right checksum, and that
/// none is malformed or an error to tshark's experts.
pub(crate) fn check(captures: &[PathBuf]) -> Crossed {
    let mut packets = Vec::new();
    for capture in captures {
        for packet in dissect(capture).lines() {
            let fields: Vec<&str> = packet.split('\t').collect();
            let [number, checksum, malformed, severities, rest @ ..] = &fields[..] else {
                panic!("tshark said {packet:?}");
            };
            let which = format!("{}, packet {number}", capture.display());
            assert_eq!(*malformed, "", "{which} is malformed");
            assert_eq!(*checksum, "1", "{which}: checksum status");
            assert!(!severities.contains(ERROR), "{which} has errors");
            packets.push(read(rest));
        }
    }
    assert!(!packets.is_empty(), "nothing was captured");
    packets.sort_by_key(|packet| packet.at);
    Crossed::Packets(packets)
}

/// The fields of a packet from its time on, as [`dissect`] asks for them.
fn read(fields: &[&str]) -> Packet {
    let [
        time,
        source,
        source6,
        chunks,
        parameters,
        keys,
        tsns,
        streams,
        ssns,
        mids,
        ends,
    ] = fields
    else {
        panic!("tshark said {fields:?}");
    };
    let ours = [Ip::V4, Ip::V6].map(Ip::ours).concat();
    let from_us = ours.contains(source) || ours.contains(source6);
    let messages = list(ssns).into_iter().chain(list(mids));
    let starts = list(tsns).into_iter().zip(list(streams));
    let data = starts.zip(messages).zip(list(ends));
    Packet {
        at: Duration::from_secs_f64(time.parse().unwrap()),
        sender: if from_us { Side::We } else { Side::They },
        chunks: list(chunks),
        parameters: list(parameters),
        keys: list(keys),
        fragments: data
            .map(|(((tsn, stream), message), end): (_, u8)| Fragment {
                tsn,
                stream,
                message,
                last: end != 0,
            })
            .collect(),
    }
}

/// Numbers with commas between them, hexadecimal ones too.
fn list<T: FromStr + TryFrom<u32>>(text: &str) -> Vec<T> {
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16)
            .unwrap()
            .try_into()
            .ok()
            .unwrap(),
        None => word.parse().ok().unwrap(),
    };
    text.split(',')
        .filter(|word| !word.is_empty())
        .map(number)
        .collect()
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
/// severities of what the experts say, and what [`read`] takes.
fn dissect(capture: &Path) -> String {
    const FIELDS: [&str; 15] = [
        "frame.number",
        "sctp.checksum.status",
        "_ws.malformed",
        "_ws.expert.severity",
        "frame.time_epoch",
        "ip.src",
        "ipv6.src",
        "sctp.chunk_type",
        "sctp.parameter_type",
        "sctp.shared_key_id",
        "sctp.data_tsn_raw",
        "sctp.data_sid",
        "sctp.data_ssn",
        "sctp.data_mid",
        "sctp.data_e_bit",
    ];
    let output = Command::new("tshark")
        .args(["-n", "-o", "sctp.checksum:CRC 32c"])
        // What ICMP quotes is cut short.
        .args(["-d", "udp.port==9899,sctp", "-Y"])
        .arg("sctp && !icmp && !icmpv6")
        .args(["-T", "fields"])
        .args(FIELDS.iter().flat_map(|field| ["-e", field]))
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
