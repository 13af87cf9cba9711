//! Bulk transfers and how they went.

use std::time::Duration;

use manyway_proto::AssocId;

use super::{Scene, ScenePathIds};
use crate::Instant;
use crate::network::HostId;

impl Scene {
    /// Sends `bytes` bytes from the client to the server and waits for them, at most for `most`.
    pub fn upload(
        &mut self,
        (assoc, peer): (AssocId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        self.transfer((self.client, assoc), (self.server, peer), bytes, most)
    }

    /// Sends `bytes` bytes from the server to the client and waits for them, at most for `most`.
    pub fn download(
        &mut self,
        (assoc, peer): (AssocId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        self.transfer((self.server, peer), (self.client, assoc), bytes, most)
    }

    fn transfer(
        &mut self,
        (sender, outgoing): (HostId, AssocId),
        (receiver, incoming): (HostId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        let start = self.network.now();
        let before = self.link_bytes();
        let had = self.network.with_node(receiver, |station| {
            let received = station.received_mut(incoming);
            received.restart_gap(start);
            received.clone()
        });
        let message = self.message_size(sender, outgoing);
        self.network
            .with_node(sender, |s| s.send_bulk(outgoing, Some(bytes), message));
        let complete = self.network.run_to(most, |network| {
            network.node(receiver).received(incoming).bytes >= had.bytes + bytes
        });
        let received = self.network.node(receiver).received(incoming);
        let after = self.link_bytes();
        let end = if complete {
            received.last.unwrap_or(start)
        } else {
            self.network.now()
        };
        TransferReport {
            start,
            elapsed: end - start,
            bytes: received.bytes - had.bytes,
            complete,
            corrupt: received.corrupt - had.corrupt,
            longest_gap: received
                .longest_gap
                .max(end - received.last.unwrap_or(start).max(start)),
            path_bytes: before
                .iter()
                .zip(after)
                .map(|(b, a)| (a.0 - b.0, a.1 - b.1))
                .collect(),
        }
    }

    fn message_size(&self, host: HostId, assoc: AssocId) -> usize {
        let station = self.network.node(host);
        station
            .endpoint
            .association(assoc)
            .map_or(1200, |assoc| assoc.max_message_payload())
    }

    fn link_bytes(&self) -> Vec<(u64, u64)> {
        let delivered = |path: &ScenePathIds| {
            let (up, down) = (
                self.network.uplink(path.client),
                self.network.downlink(path.client),
            );
            (
                up.counters().delivered_bytes,
                down.counters().delivered_bytes,
            )
        };
        self.paths.iter().map(delivered).collect()
    }
}

/// How a transfer went.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferReport {
    /// When it began.
    pub start: Instant,
    /// How long it took: to the last byte if it was completed, else until it was given up.
    pub elapsed: Duration,
    /// Bytes of user data that the receiver's application read.
    pub bytes: u64,
    /// Whether that was everything.
    pub complete: bool,
    /// Messages that were not what was sent next.
    pub corrupt: u64,
    /// Longest time without a message at the receiver's application, from the start on.
    pub longest_gap: Duration,
    /// Bytes that came through each path's links, headers included: towards the server and towards
    /// the client.
    pub path_bytes: Vec<(u64, u64)>,
}

impl TransferReport {
    /// User data per time, in bits per second.
    pub fn goodput(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.elapsed.as_secs_f64().max(1e-9)
    }
}
