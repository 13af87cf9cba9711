//! Arbitrary packets at a listening endpoint and at one that opens an association, in all states
//! of set-up, with the real packets of the handshake among them, whole or altered.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{
    AssocId, Connect, Endpoint, EndpointConfig, FourTuple, Instant, Message, Port,
};
use manyway_wire::{CommonHeader, VerificationTag, crc32c};

use super::chunks::{Seen, packet};
use super::input::Input;

const OPERATIONS: usize = 200;
const STUCK: usize = 2_000;

struct Handshake {
    now: Instant,
    ends: [Endpoint; 2],
    id: AssocId,
    /// Packets that were sent, by end; the last ones.
    sent: [Vec<Bytes>; 2],
}

fn address(end: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, end as u8 + 1], 9899))
}

fn repair_checksum(packet: &mut [u8]) {
    if packet.len() >= 12 {
        packet[8..12].fill(0);
        let sum = crc32c(&[packet]);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
    }
}

impl Handshake {
    fn begin() -> Self {
        let mut ends = [3, 4].map(|seed| Endpoint::new(EndpointConfig::default(), [seed; 32]));
        ends[1].listen(Port(80)).expect("a fresh endpoint listens");
        let connect = Connect {
            locals: vec![address(0)],
            remotes: vec![address(1)],
            port: Port(80),
        };
        let id = ends[0]
            .connect(Instant::ZERO, connect)
            .expect("a fresh endpoint connects");
        Self {
            now: Instant::ZERO,
            ends,
            id,
            sent: [vec![], vec![]],
        }
    }

    /// The listener opens towards the port from which the client opens, if it has not yet.
    fn collide(&mut self) {
        let client = self.ends[0].association(self.id);
        let Some(port) = client.map(|assoc| assoc.local_port()) else {
            return;
        };
        let connect = Connect {
            locals: vec![address(1)],
            remotes: vec![address(0)],
            port,
        };
        // It may exist.
        let _ = self.ends[1].connect_from(self.now, Port(80), connect);
    }

    /// Takes what both ends want to send, without delivering it.
    fn collect(&mut self) {
        let mut buf = Vec::new();
        for end in 0..2 {
            for round in 0.. {
                assert!(round < STUCK, "the engine never stops sending");
                let Some(transmit) = self.ends[end].poll_transmit(self.now, 1, &mut buf) else {
                    break;
                };
                self.sent[end].push(Bytes::copy_from_slice(&buf[..transmit.size]));
                if self.sent[end].len() > 8 {
                    self.sent[end].remove(0);
                }
            }
            while self.ends[end].poll_event().is_some() {}
            for assoc in self.ends[end].associations() {
                if let Err(broken) = assoc.check_invariants() {
                    panic!("{broken}");
                }
            }
            assert!(
                self.ends[end].associations().count() <= OPERATIONS,
                "associations are bounded"
            );
        }
    }

    fn deliver(&mut self, to: usize, from: SocketAddr, bytes: Bytes) {
        let path = FourTuple {
            local: address(to),
            remote: from,
        };
        self.ends[to].handle_datagram(self.now, path, bytes);
    }

    /// A packet that the other end sent, as it was or altered.
    fn relay(&mut self, to: usize, input: &mut Input<'_>, alter: bool) {
        let sent = &self.sent[1 - to];
        let back = usize::from(input.u8()) % 4;
        let Some(bytes) = sent
            .len()
            .checked_sub(1 + back)
            .and_then(|at| sent.get(at))
            .cloned()
        else {
            return;
        };
        let mut bytes = bytes.to_vec();
        if alter {
            for _ in 0..=input.u8() % 4 {
                let at = usize::from(input.u16()) % bytes.len();
                bytes[at] = input.u8();
            }
            if input.u8() & 7 == 0 {
                bytes.truncate(usize::from(input.u16()) % (bytes.len() + 1));
            }
            repair_checksum(&mut bytes);
        }
        let from = if input.u8() < 250 {
            address(1 - to)
        } else {
            SocketAddr::from(([10, 9, 9, 9], 77))
        };
        self.deliver(to, from, bytes.into());
    }

    /// A packet of arbitrary chunks with plausible ports and tag.
    fn forge(&mut self, to: usize, input: &mut Input<'_>) {
        let tag_at = |bytes: &Bytes, at: usize| {
            let tag = bytes.get(at..at + 4).and_then(|b| b.try_into().ok());
            tag.map_or(0, u32::from_be_bytes)
        };
        let last = |end: usize| self.sent[end].last();
        let tag = match input.u8() % 4 {
            0 => 0,
            1 => last(1 - to).map_or(0, |b| tag_at(b, 4)),
            2 => last(to).map_or(0, |b| tag_at(b, 16)),
            _ => input.u32(),
        };
        let client = last(0)
            .and_then(|b| b.first_chunk::<2>())
            .map_or(1, |b| u16::from_be_bytes(*b));
        let (source, destination) = if to == 1 { (client, 80) } else { (80, client) };
        let header = CommonHeader {
            source_port: Port(source),
            destination_port: Port(destination),
            verification_tag: VerificationTag(tag),
        };
        let bytes = packet(input, header, &Seen::default(), None);
        self.deliver(to, address(1 - to), bytes);
    }
}

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut shake = Handshake::begin();
    shake.collect();
    for _ in 0..OPERATIONS {
        if input.is_empty() {
            break;
        }
        let op = input.u8();
        let to = usize::from(op & 1);
        match op / 2 % 8 {
            0 | 1 => shake.relay(to, &mut input, false),
            2 | 3 => shake.relay(to, &mut input, true),
            4 | 5 => shake.forge(to, &mut input),
            6 => {
                shake.now += Duration::from_millis(u64::from(input.u8()) * 40);
                for end in 0..2 {
                    shake.ends[end].handle_timeout(shake.now);
                }
            }
            _ if to == 1 => shake.collide(),
            _ => {
                let (now, id) = (shake.now, shake.id);
                if let Some(assoc) = shake.ends[0].association_mut(now, id) {
                    let _ = assoc.send(Message::new(0, vec![1; 1 + usize::from(input.u8()) * 20]));
                    if input.u8() == 1 {
                        assoc.shutdown(now);
                    }
                }
            }
        }
        shake.collect();
    }
}
