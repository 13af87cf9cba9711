//! Flows and paths as the API shows them.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::FlowId;

/// Which side of the flow the program is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The program connected.
    Client,
    /// The program accepted.
    Server,
}

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowState {
    /// Both ends may send.
    Open,
    /// At least one end has finished sending.
    Closing,
}

/// What the other end of a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// Another broker.
    Manyway,
    /// A program that speaks SCTP by itself.
    Plain,
}

/// How an end wants a path to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// It may carry data at any time.
    Active,
    /// It carries data only when no active path works.
    Backup,
}

/// Whether a path works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PathState {
    /// Not yet known to reach the peer.
    Unconfirmed,
    /// It works.
    Active,
    /// It has lost packets and may be failing: no new data goes there.
    Suspect,
    /// It does not answer.
    Failed,
    /// A state that this version of the client does not know.
    #[serde(other)]
    Other,
}

macro_rules! display_as_in_json {
    ($($kind:ty { $($variant:ident => $text:literal),+ $(,)? })+) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $text),+ })
            }
        }
    )+};
}
display_as_in_json! {
    Role { Client => "client", Server => "server" }
    FlowState { Open => "open", Closing => "closing" }
    PeerKind { Manyway => "manyway", Plain => "plain" }
    Wish { Active => "active", Backup => "backup" }
    PathState {
        Unconfirmed => "unconfirmed",
        Active => "active",
        Suspect => "suspect",
        Failed => "failed",
        Other => "other",
    }
}

/// One flow with its paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowView {
    /// Its name, to be used in requests and commands.
    pub id: FlowId,
    /// The process id of the broker that carries it.
    pub broker_pid: u32,
    /// The file name of the program, empty when not known.
    pub program: String,
    /// The process id of the program, when known.
    pub pid: Option<u32>,
    /// Which side the program is on.
    pub role: Role,
    /// What carries the flow: `sctp`.
    pub transport: String,
    /// Where the flow stands.
    pub state: FlowState,
    /// What the other end is.
    pub peer: PeerKind,
    /// The address that the client's program asked for.
    pub destination: Option<SocketAddr>,
    /// How long ago the flow was opened, in seconds.
    pub opened_seconds: f64,
    /// Bytes of the program sent to the peer so far.
    pub bytes_sent: u64,
    /// Bytes from the peer given to the program so far.
    pub bytes_received: u64,
    /// Whether every packet is sealed.
    pub sealed: bool,
    /// Every path, in order of number.
    pub paths: Vec<PathView>,
}

/// One path of a flow. What the transport does not know is `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathView {
    /// Its number within the flow; never used twice.
    pub id: u64,
    /// The name of the interface it starts at, or `path N`; not unique.
    pub name: String,
    /// The interface it starts at, when one has its local address.
    pub interface: Option<String>,
    /// The local UDP address and port.
    pub local: SocketAddr,
    /// The remote UDP address and port.
    pub remote: SocketAddr,
    /// Whether it works.
    pub state: PathState,
    /// How this end wants it to be used.
    pub wish: Wish,
    /// How the peer wants it to be used, as far as it said so.
    pub peer_wish: Option<Wish>,
    /// Whether it is used first.
    pub primary: bool,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: Option<u64>,
    /// Retransmission timeout in microseconds.
    pub rto_us: Option<u64>,
    /// Congestion window in bytes.
    pub cwnd: Option<u64>,
    /// Bytes sent and not yet acknowledged.
    pub in_flight: u64,
    /// Bytes waiting to be sent on this path.
    pub queue: Option<u64>,
    /// The share of sent packets that were lost, 0 to 1, over the life of the path.
    pub loss: Option<f64>,
    /// Bits per second sent, with headers, over the last sample.
    pub rate_sent_bps: u64,
    /// Bits per second received, with headers, over the last sample.
    pub rate_received_bps: u64,
    /// Bytes sent so far, with headers.
    pub bytes_sent: u64,
    /// Bytes received so far, with headers.
    pub bytes_received: u64,
    /// Bytes of payload sent again.
    pub retransmitted_bytes: u64,
    /// The largest packet that fits, in bytes of the UDP payload.
    pub mtu: u64,
    /// From the command that made this path primary to the first packet on it, in microseconds.
    pub primary_first_packet_us: Option<u64>,
}

/// Every flow of one broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlowList {
    /// The process id of the broker.
    pub broker_pid: u32,
    /// Its flows, in order of number.
    pub flows: Vec<FlowView>,
}

/// Which broker answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// The version of the broker's program.
    pub version: String,
    /// The newest API version it serves.
    pub api: u32,
    /// Its process id.
    pub broker_pid: u32,
    /// The user it runs as.
    pub uid: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_json_and_in_tables() {
        let words = |json: serde_json::Value, shown: String| {
            assert_eq!(json.as_str().unwrap(), shown);
        };
        words(
            serde_json::to_value(Role::Server).unwrap(),
            Role::Server.to_string(),
        );
        words(
            serde_json::to_value(Wish::Backup).unwrap(),
            Wish::Backup.to_string(),
        );
        words(
            serde_json::to_value(FlowState::Closing).unwrap(),
            FlowState::Closing.to_string(),
        );
        for state in [
            PathState::Unconfirmed,
            PathState::Active,
            PathState::Suspect,
            PathState::Failed,
        ] {
            words(serde_json::to_value(state).unwrap(), state.to_string());
        }
    }
}
