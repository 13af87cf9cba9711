//! Authenticated chunks (RFC 4895).

use std::time::Duration;

use manyway_proto::{AuthSecret, ChunkType, KeyId};

use crate::capture::chunk;
use crate::network::{self, Side, World};
use crate::transfer::{exchange, send};

const BOTH: [Side; 2] = [Side::We, Side::They];

/// Both sides take data and acknowledgements only if they come authenticated.
pub(crate) fn demand(world: &mut World<'_>) {
    world.config.transport.auth.chunks = vec![ChunkType::DATA, ChunkType::SACK];
    world.prepare = vec!["auth-chunk 0", "auth-chunk 3"];
}

/// This side's shared key 7.
pub(crate) fn share(world: &mut World<'_>, secret: &str) {
    let secret = AuthSecret::new(secret.as_bytes());
    world.config.transport.auth.keys = vec![(KeyId(7), secret)];
    world.config.transport.auth.active_key = KeyId(7);
}

#[test]
fn data_pass_authenticated_by_the_null_key() {
    for initiator in BOTH {
        let crossed = network::run(async move |mut world| {
            demand(&mut world);
            let mut pair = world.associate(initiator).await;
            for size in [1, 1100, 1200, 20_000] {
                exchange(&mut pair, 10, size).await;
            }
        });
        crossed.had(&[chunk::AUTH]);
    }
}

#[test]
fn either_side_alone_may_demand_authentication() {
    for ours in [false, true] {
        let crossed = network::run(async move |mut world| {
            match ours {
                true => world.config.transport.auth.chunks = vec![ChunkType::DATA],
                false => world.prepare = vec!["auth-chunk 0"],
            }
            let mut pair = world.associate(Side::We).await;
            exchange(&mut pair, 20, 5000).await;
        });
        crossed.had(&[chunk::AUTH]);
    }
}

#[test]
fn data_pass_authenticated_by_a_shared_key() {
    for initiator in BOTH {
        let crossed = network::run(async move |mut world| {
            demand(&mut world);
            share(&mut world, "open-sesame");
            world.prepare.extend(["key 7 open-sesame", "use-key 7"]);
            let mut pair = world.associate(initiator).await;
            exchange(&mut pair, 50, 5000).await;
        });
        crossed.had(&[chunk::AUTH]);
    }
}

#[test]
fn nothing_authenticated_by_another_key_is_heard() {
    network::run(async |mut world| {
        demand(&mut world);
        share(&mut world, "open-barley");
        world.prepare.extend(["key 7 open-sesame", "use-key 7"]);
        let mut pair = world.associate(Side::We).await;
        send(&pair.ours, 1, 100).await;
        pair.peer.begin("send 0 o 100 1 1");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!pair.peer.has_said("message"));
        assert!(pair.ours.try_recv().is_none());
    });
}

#[test]
fn authenticated_data_survive_loss() {
    let crossed = network::run(async |mut world| {
        demand(&mut world);
        world
            .bed
            .path(0)
            .set_loss(manyway_bed::Loss::Bernoulli(0.01));
        let mut pair = world.associate(Side::They).await;
        exchange(&mut pair, 300, 5000).await;
    });
    crossed.had(&[chunk::AUTH]);
}
