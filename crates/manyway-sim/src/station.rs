//! An engine with a small application on top, enough for tests and benchmarks.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, Association, Ecn, Endpoint, Event, FourTuple, Message, Ppid, SendError, StreamId,
    Transmit,
};

use crate::Instant;
use crate::network::Node;

/// The payload protocol identifier of bulk data, whose content [`Station`] checks.
pub const BULK: Ppid = Ppid(0x6d77_626b);

/// Bulk data repeat with this period, a prime so that no segment boundary coincides with it.
const PERIOD: usize = 251;
const LARGEST: usize = 1 << 16;

static PATTERN: LazyLock<Bytes> =
    LazyLock::new(|| (0..LARGEST + PERIOD).map(|i| (i % PERIOD) as u8).collect());

/// What has arrived on an association.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes of user data.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// When the first message was read.
    pub first: Option<Instant>,
    /// When the last message was read.
    pub last: Option<Instant>,
    /// Longest time between two messages, or since [`Received::restart_gap`].
    pub longest_gap: Duration,
    /// Messages of bulk data whose content was not what was sent next.
    pub corrupt: u64,
    gap_from: Option<Instant>,
    bulk_bytes: u64,
}

impl Received {
    /// Measures [`Received::longest_gap`] anew, beginning at `now`.
    pub fn restart_gap(&mut self, now: Instant) {
        self.longest_gap = Duration::ZERO;
        self.gap_from = Some(now);
    }

    fn add(&mut self, now: Instant, message: &Message) {
        self.bytes += message.payload.len() as u64;
        self.messages += 1;
        self.first.get_or_insert(now);
        self.last = Some(now);
        if let Some(from) = self.gap_from.replace(now) {
            self.longest_gap = self.longest_gap.max(now - from);
        }
        if message.ppid == BULK {
            self.corrupt +=
                u64::from(message.payload != pattern(self.bulk_bytes, message.payload.len()));
            self.bulk_bytes += message.payload.len() as u64;
        }
    }
}

/// `len` bytes of the bulk data from `position` on; at most [`LARGEST`].
fn pattern(position: u64, len: usize) -> Bytes {
    let start = (position % PERIOD as u64) as usize;
    PATTERN.slice(start..start + len.min(LARGEST))
}

#[derive(Debug)]
struct Bulk {
    assoc: AssocId,
    position: u64,
    /// Bytes that are still to be sent; `None` goes on for ever.
    left: Option<u64>,
    message_size: usize,
    /// The send buffer is full; [`Event::Writable`] will follow.
    blocked: bool,
}

impl Bulk {
    fn new(assoc: AssocId, left: Option<u64>, message_size: usize) -> Self {
        Self {
            assoc,
            position: 0,
            left,
            message_size,
            blocked: false,
        }
    }

    fn unblock(&mut self) {
        self.blocked = false;
    }

    fn size(&self) -> usize {
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        self.message_size.min(left.unwrap_or(usize::MAX))
    }

    fn message(&self) -> Message {
        let payload = pattern(self.position, self.size());
        Message {
            stream: StreamId(0),
            ppid: BULK,
            unordered: false,
            payload,
        }
    }

    fn advance(&mut self) {
        let size = self.size() as u64;
        self.position += size;
        self.left = self.left.map(|left| left - size);
    }
}

/// An [`Endpoint`] whose application logs events, reads what arrives, and sends bulk data.
#[derive(Debug)]
pub struct Station {
    /// The engine.
    pub endpoint: Endpoint,
    /// Every event so far.
    pub events: Vec<(Instant, AssocId, Event)>,
    /// Whether messages are read as soon as they are there (at first, yes).
    pub reading: bool,
    /// Whether messages read are kept in [`Station::inbox`] (at first, no).
    pub keeping: bool,
    /// Messages kept.
    pub inbox: Vec<(AssocId, Message)>,
    received: Vec<(AssocId, Received)>,
    bulks: Vec<Bulk>,
}

impl Station {
    /// A station without traffic.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            events: Vec::new(),
            reading: true,
            keeping: false,
            inbox: Vec::new(),
            received: Vec::new(),
            bulks: Vec::new(),
        }
    }

    /// Sends `bytes` bytes (`None`: without end) of checkable data in messages of `message_size`
    /// bytes, at most 64 KiB each, as fast as the association takes them. A transfer that runs on
    /// the same association is replaced.
    pub fn send_bulk(&mut self, assoc: AssocId, bytes: Option<u64>, message_size: usize) {
        let message_size = message_size.clamp(1, LARGEST);
        // The receiver checks the pattern over all transfers, so that it goes on where the last one
        // ended.
        match self.bulks.iter_mut().find(|bulk| bulk.assoc == assoc) {
            Some(bulk) => (bulk.left, bulk.message_size) = (bytes, message_size),
            None => self.bulks.push(Bulk::new(assoc, bytes, message_size)),
        }
    }

    /// Stops sending bulk data on an association.
    pub fn stop_bulk(&mut self, assoc: AssocId) {
        self.bulks
            .iter_mut()
            .filter(|bulk| bulk.assoc == assoc)
            .for_each(|b| b.left = Some(0));
    }

    /// What has arrived on an association.
    pub fn received(&self, assoc: AssocId) -> Received {
        let found = self.received.iter().find(|(id, _)| *id == assoc);
        found.map_or_else(Received::default, |(_, received)| received.clone())
    }

    /// What has arrived on an association, to be changed.
    pub fn received_mut(&mut self, assoc: AssocId) -> &mut Received {
        let index = self
            .received
            .iter()
            .position(|(id, _)| *id == assoc)
            .unwrap_or_else(|| {
                self.received.push((assoc, Received::default()));
                self.received.len() - 1
            });
        &mut self.received[index].1
    }

    /// The associations that peers have opened, in order.
    pub fn incoming(&self) -> impl Iterator<Item = AssocId> {
        self.events
            .iter()
            .filter(|(_, _, event)| *event == Event::Incoming)
            .map(|(_, id, _)| *id)
    }

    /// When an event of an association that `wanted` accepts first came.
    pub fn first_event(&self, assoc: AssocId, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
        let mut all = self.events.iter();
        all.find(|(_, id, event)| *id == assoc && wanted(event))
            .map(|(at, _, _)| *at)
    }

    fn read(&mut self, now: Instant, assoc: AssocId) {
        while self
            .endpoint
            .association(assoc)
            .is_some_and(Association::has_message)
            && let Some(message) = self
                .endpoint
                .association_mut(now, assoc)
                .and_then(|a| a.recv())
        {
            self.received_mut(assoc).add(now, &message);
            if self.keeping {
                self.inbox.push((assoc, message));
            }
        }
    }

    fn write(&mut self, now: Instant) {
        for bulk in self
            .bulks
            .iter_mut()
            .filter(|bulk| !bulk.blocked && bulk.left != Some(0))
        {
            let Some(assoc) = self.endpoint.association_mut(now, bulk.assoc) else {
                continue;
            };
            while bulk.left != Some(0) {
                match assoc.send(bulk.message()) {
                    Ok(()) => bulk.advance(),
                    Err(SendError::WouldBlock(_)) => {
                        bulk.blocked = true;
                        break;
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a bulk transfer ends early");
                        bulk.left = Some(0);
                    }
                }
            }
        }
    }
}

impl Node for Station {
    fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes) {
        self.endpoint.handle_datagram(now, path, datagram);
    }

    fn handle_marked_datagram(
        &mut self,
        now: Instant,
        path: FourTuple,
        mark: Option<Ecn>,
        datagram: Bytes,
    ) {
        self.endpoint
            .handle_marked_datagram(now, path, mark, datagram);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        self.endpoint.poll_transmit(now, max_datagrams, buf)
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    fn handle_packet_too_big(&mut self, now: Instant, path: FourTuple, quoted: &[u8], mtu: usize) {
        self.endpoint.handle_packet_too_big(now, path, quoted, mtu);
    }

    fn set_local_addresses(&mut self, now: Instant, locals: &[SocketAddr]) {
        self.endpoint.set_local_addresses(now, locals);
    }

    fn run_application(&mut self, now: Instant) {
        while let Some((assoc, event)) = self.endpoint.poll_event() {
            if event == Event::Writable {
                self.bulks
                    .iter_mut()
                    .filter(|bulk| bulk.assoc == assoc)
                    .for_each(Bulk::unblock);
            }
            self.events.push((now, assoc, event));
            if self.reading {
                self.read(now, assoc);
            }
        }
        if self.reading {
            // What was there before reading was switched on has been announced already.
            for index in 0..self.received.len() {
                self.read(now, self.received[index].0);
            }
        }
        self.write(now);
    }
}
