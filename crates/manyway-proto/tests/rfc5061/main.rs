//! What RFC 5061 demands of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answering;
mod asking;
mod failover;
mod negotiation;
#[path = "../plain/mod.rs"]
mod plain;
mod renumbering;

use std::net::{IpAddr, SocketAddr};

use manyway_proto::{ChunkType, FourTuple};
use manyway_wire::{
    Asconf, AsconfAck, AsconfAction, AsconfOutcome, AsconfRequest, AsconfRequests, AsconfResponse,
    AsconfResponses, AsconfSerial, Chunk, Heartbeat, HeartbeatAck,
};

use plain::{Plain, Seen};

/// A request of the peer as an encoded ASCONF chunk.
fn asconf(serial: u32, address: IpAddr, actions: &[AsconfAction]) -> plain::Raw {
    let requests: Vec<_> = (1..)
        .zip(actions)
        .map(|(correlation_id, action)| AsconfRequest {
            correlation_id,
            action: *action,
        })
        .collect();
    let mut bytes = Vec::new();
    use manyway_wire::EncodeChunk;
    Asconf {
        serial: AsconfSerial(serial),
        address,
        requests: AsconfRequests::new(&requests),
    }
    .encode(&mut bytes);
    plain::Raw(bytes)
}

fn ip(address: SocketAddr) -> IpAddr {
    address.ip()
}

/// The ASCONF-ACKs in these packets: serial, and correlation id with error code (0: success) of
/// each response.
fn acks(all: &[Seen]) -> Vec<(u32, Vec<(u32, u16)>)> {
    let mut found = Vec::new();
    for seen in all {
        for raw in seen.packet().chunks().flatten() {
            if let Ok(Chunk::AsconfAck(ack)) = Chunk::decode(&raw) {
                let codes = ack.responses.iter().map(Result::unwrap).map(|r| {
                    let code = match r.outcome {
                        AsconfOutcome::Success => 0,
                        AsconfOutcome::Error(code) => code,
                    };
                    (r.correlation_id, code)
                });
                found.push((ack.serial.0, codes.collect()));
            }
        }
    }
    found
}

/// A request that the endpoint sent.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    serial: u32,
    correlation_id: u32,
    address: IpAddr,
    action: AsconfAction,
    path: FourTuple,
}

/// The requests in these packets; each chunk is authenticated.
fn asked(plain: &Plain, all: &[Seen]) -> Vec<Asked> {
    let mut found = Vec::new();
    for seen in all {
        seen.with(ChunkType::ASCONF, |chunk| {
            let Chunk::Asconf(asconf) = chunk else {
                unreachable!()
            };
            assert!(plain.authenticated(seen).contains(&ChunkType::ASCONF));
            for request in asconf.requests.iter().map(Result::unwrap) {
                found.push(Asked {
                    serial: asconf.serial.0,
                    correlation_id: request.correlation_id,
                    address: asconf.address,
                    action: request.action,
                    path: seen.path,
                });
            }
        });
    }
    found
}

/// Answers a request of the endpoint: `code` 0 is success.
fn answer(plain: &mut Plain, asked: &Asked, code: u16) {
    answer_each(plain, asked, &[(asked.correlation_id, code)]);
}

/// Answers the chunk of a request: correlation ids and codes.
fn answer_each(plain: &mut Plain, asked: &Asked, codes: &[(u32, u16)]) {
    let responses: Vec<_> = codes
        .iter()
        .map(|(correlation_id, code)| AsconfResponse {
            correlation_id: *correlation_id,
            outcome: match code {
                0 => AsconfOutcome::Success,
                code => AsconfOutcome::Error(*code),
            },
        })
        .collect();
    let ack = AsconfAck {
        serial: AsconfSerial(asked.serial),
        responses: AsconfResponses::new(&responses),
    };
    let packet = plain.signed(&plain::Signing::default(), &[], &[&ack]);
    plain.deliver(asked.path, packet);
}

/// Answers the heartbeats in these packets; the pairs that they went to.
fn answer_heartbeats(plain: &mut Plain, all: &[Seen]) -> Vec<FourTuple> {
    let mut probed = Vec::new();
    for seen in all {
        let info = seen.with(ChunkType::HEARTBEAT, |chunk| match chunk {
            Chunk::Heartbeat(Heartbeat { info }) => info.to_vec(),
            _ => unreachable!(),
        });
        if let Some(info) = info {
            let packet = plain.packet(&[&HeartbeatAck { info: &info }]);
            plain.deliver(seen.path, packet);
            probed.push(seen.path);
        }
    }
    probed
}
