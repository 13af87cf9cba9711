//! Results.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use manyway::Association;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::latency::Latency;
use crate::format;

/// What one end of a test saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct EndReport {
    /// Bytes of payload that arrived here; 0 at the sender.
    pub(super) bytes: u64,
    /// From the first to the last byte that arrived here, in seconds.
    pub(super) seconds: f64,
    /// CPU time of this process during the test, in seconds.
    pub(super) cpu_seconds: f64,
    /// Bytes that this end sent again.
    pub(super) retransmitted_bytes: u64,
    /// Longest time in which nothing arrived here, between the first and the last byte, in seconds.
    #[serde(default)]
    pub(super) longest_gap_seconds: f64,
    /// Messages of a thin flow that this end sent.
    #[serde(default)]
    pub(super) messages_sent: u64,
    /// How long they took there and back.
    #[serde(default)]
    pub(super) latency: Option<Latency>,
}

/// One path, as the client saw it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PathReport {
    name: String,
    local: SocketAddr,
    remote: SocketAddr,
    bytes_sent: u64,
    bytes_received: u64,
    retransmitted_bytes: u64,
    lost_packets: u64,
    rtt_us: Option<u64>,
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// The server sent.
    reverse: bool,
    /// Payload that arrived, in megabits per second, from the first to the last byte.
    goodput_mbps: f64,
    /// Bytes of payload that arrived.
    bytes: u64,
    /// From the first to the last byte that arrived, in seconds.
    seconds: f64,
    /// CPU time of both ends for a gigabyte (10⁹ bytes) of payload; `null` when nothing arrived.
    cpu_seconds_per_gb: Option<f64>,
    /// The client's part of it.
    cpu_seconds_per_gb_client: Option<f64>,
    /// The server's part of it.
    cpu_seconds_per_gb_server: Option<f64>,
    /// Bytes that the sender sent again.
    retransmitted_bytes: u64,
    /// Longest time in which nothing arrived, between the first and the last byte, in seconds.
    longest_gap_seconds: f64,
    /// Messages sent of a thin flow; 0 for bulk.
    messages_sent: u64,
    /// How long messages of a thin flow took there and back; `null` for bulk.
    latency: Option<Latency>,
    /// The scheduler of the client's end.
    scheduler: &'static str,
    /// Every path the client had at the end.
    paths: Vec<PathReport>,
}

impl Outcome {
    /// Puts together what both ends saw.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a test moves less than 2⁵³ bytes"
    )]
    pub(super) fn new(
        reverse: bool,
        client: &EndReport,
        server: &EndReport,
        scheduler: &'static str,
        paths: Vec<PathReport>,
    ) -> Self {
        let (sender, receiver) = if reverse {
            (server, client)
        } else {
            (client, server)
        };
        let bytes = receiver.bytes;
        let per_gb = |cpu: f64| (bytes > 0).then(|| cpu / (bytes as f64 / 1e9));
        Self {
            reverse,
            goodput_mbps: if receiver.seconds > 0.0 {
                bytes as f64 * 8.0 / receiver.seconds / 1e6
            } else {
                0.0
            },
            bytes,
            seconds: receiver.seconds,
            cpu_seconds_per_gb: per_gb(client.cpu_seconds + server.cpu_seconds),
            cpu_seconds_per_gb_client: per_gb(client.cpu_seconds),
            cpu_seconds_per_gb_server: per_gb(server.cpu_seconds),
            retransmitted_bytes: sender.retransmitted_bytes,
            longest_gap_seconds: receiver.longest_gap_seconds,
            messages_sent: sender.messages_sent,
            latency: sender.latency.clone(),
            scheduler,
            paths,
        }
    }

    /// The result for people.
    pub(super) fn render(&self) -> String {
        let cpu = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
        };
        let mut text = format!(
            "{:.1} Mbit/s  {} in {:.2} s  {} sent again\nCPU {} s/GB (client {}, server {})\n",
            self.goodput_mbps,
            format::bytes(self.bytes),
            self.seconds,
            format::bytes(self.retransmitted_bytes),
            cpu(self.cpu_seconds_per_gb),
            cpu(self.cpu_seconds_per_gb_client),
            cpu(self.cpu_seconds_per_gb_server),
        );
        if let Some(latency) = &self.latency {
            text.push_str(&format!("{latency}\n"));
        }
        for path in &self.paths {
            text.push_str(&format!(
                "{}  {} → {}  sent {}  received {}  rtt {}\n",
                path.name,
                path.local,
                path.remote,
                format::bytes(path.bytes_sent),
                format::bytes(path.bytes_received),
                path.rtt_us
                    .map_or_else(|| "-".to_owned(), format::microseconds),
            ));
        }
        text
    }
}

/// The paths of an association, with the names of their interfaces.
pub(super) fn paths(association: &Association, names: &HashMap<IpAddr, String>) -> Vec<PathReport> {
    let path = |path: &manyway::PathInfo| PathReport {
        name: path_name(path, names),
        local: path.four_tuple.local,
        remote: path.four_tuple.remote,
        bytes_sent: path.bytes_sent,
        bytes_received: path.bytes_received,
        retransmitted_bytes: path.retransmitted_bytes,
        lost_packets: path.lost_packets,
        rtt_us: path
            .srtt
            .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
    };
    association.paths().iter().map(path).collect()
}

/// The interface a path starts at, or its number.
pub(super) fn path_name(path: &manyway::PathInfo, names: &HashMap<IpAddr, String>) -> String {
    names
        .get(&path.four_tuple.local.ip().to_canonical())
        .cloned()
        .unwrap_or_else(|| format!("path {}", path.id))
}

/// The interfaces of this host by their addresses; empty when the system does not say.
pub(super) fn interface_names() -> HashMap<IpAddr, String> {
    let addresses = manyway_net::interfaces::addresses().unwrap_or_default();
    addresses
        .into_iter()
        .map(|one| (one.address, one.interface))
        .collect()
}

/// CPU time of this process so far.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodput_is_what_arrived_over_the_time_it_took() {
        let receiver = EndReport {
            bytes: 1_000_000,
            seconds: 2.0,
            cpu_seconds: 0.5,
            ..EndReport::default()
        };
        let sender = EndReport {
            cpu_seconds: 0.25,
            retransmitted_bytes: 7,
            ..EndReport::default()
        };
        for reverse in [false, true] {
            let (client, server) = if reverse {
                (&receiver, &sender)
            } else {
                (&sender, &receiver)
            };
            let outcome = Outcome::new(reverse, client, server, "lowest-rtt", Vec::new());
            assert!((outcome.goodput_mbps - 4.0).abs() < 1e-9);
            assert!((outcome.cpu_seconds_per_gb.unwrap() - 750.0).abs() < 1e-9);
            assert_eq!(outcome.retransmitted_bytes, 7);
        }
    }

    #[test]
    fn a_test_in_which_nothing_arrived_divides_by_nothing() {
        let nothing = EndReport::default();
        let outcome = Outcome::new(false, &nothing, &nothing, "lowest-rtt", Vec::new());
        assert_eq!(outcome.cpu_seconds_per_gb, None);
        assert!(
            serde_json::to_string(&outcome)
                .unwrap()
                .contains("\"goodput_mbps\":0.0")
        );
    }
}
