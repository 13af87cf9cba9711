//! What RFC 4895 demands of an endpoint, packet by packet.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cookie;
mod keys;
mod offer;
mod packets;
#[path = "../plain/mod.rs"]
mod plain;

use manyway_proto::{AuthSecret, ChunkType, EndpointConfig, KeyId};

/// A configuration that takes `chunks` only authenticated.
fn demanding(chunks: &[ChunkType]) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.transport.auth.chunks = chunks.to_vec();
    config
}

/// A configuration with key 7 as the only one.
fn with_key(mut config: EndpointConfig, secret: &[u8]) -> EndpointConfig {
    config.transport.auth.keys = vec![(KeyId(7), AuthSecret::new(secret))];
    config.transport.auth.active_key = KeyId(7);
    config
}
