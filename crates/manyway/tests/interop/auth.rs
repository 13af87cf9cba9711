//! Authenticated chunks (RFC 4895).

use std::time::Duration;

use manyway::{AuthSecret, ChunkType, Event, KeyId};

use crate::capture::chunk;
use crate::network::{self, Pair, Side, World};
use crate::reconfig::wait_for;
use crate::rows::{self, ALL, BOTH, Row};
use crate::transfer::{check_arrival, exchange, receive, send, their_send};

/// Both sides take data and acknowledgements only if they come authenticated.
pub(crate) fn demand(world: &mut World<'_>) {
    world.config.transport.auth.chunks = vec![ChunkType::DATA, ChunkType::SACK];
    world.prepare.extend(["auth-chunk 0", "auth-chunk 3"]);
}

/// This side's shared key 7.
pub(crate) fn share(world: &mut World<'_>, secret: &str) {
    let secret = AuthSecret::new(secret.as_bytes());
    world.config.transport.auth.keys = vec![(KeyId(7), secret)];
    world.config.transport.auth.active_key = KeyId(7);
}

#[test]
fn data_pass_authenticated_by_the_null_key() {
    for &initiator in BOTH {
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
    for &initiator in BOTH {
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

/// Both sides hold the keys 7 and 8, and begin with 7.
fn two_keys(world: &mut World<'_>) {
    demand(world);
    share(world, "open-sesame");
    world.prepare.extend(["key 7 open-sesame", "use-key 7"]);
}

/// Both sides go over from key 7 to key 8 in the middle of what they send, and forget key 7.
async fn change_keys(pair: &mut Pair) {
    const COUNT: u64 = 100;
    let mut events = pair.ours.events();
    let (old, new) = (KeyId(7), KeyId(8));
    let secret = AuthSecret::new(&b"open-barley"[..]);
    pair.ours.set_auth_key(new, secret).unwrap();
    pair.peer.command("key 8 open-barley").await;

    let bulk = their_send(COUNT, 5000);
    for line in [&bulk, "use-key 8", &bulk] {
        pair.peer.begin(line);
    }
    let sending = async {
        send(&pair.ours, COUNT, 5000).await;
        pair.ours.activate_auth_key(new).unwrap();
        send(&pair.ours, COUNT, 5000).await;
    };
    let receiving = async {
        for _ in 0..2 {
            receive(&pair.ours, COUNT, 5000).await;
        }
    };
    let arriving = async {
        for _ in 0..2 {
            check_arrival(&mut pair.peer, COUNT, 5000).await;
        }
    };
    tokio::join!(sending, receiving, arriving);
    for line in [&bulk, "use-key 8", &bulk] {
        pair.peer.done(line).await;
    }
    wait_for(&mut events, &Event::AuthKeyUsed { key: new }).await;
    pair.peer.event("key 8 new").await;

    pair.ours.delete_auth_key(old).unwrap();
    pair.peer.insist("delete-key 7").await;
    exchange(pair, 20, 5000).await;
    assert_eq!(pair.ours.stats().failed_authentications, 0);
}

pub(crate) const ROWS: &[Row] = &[Row {
    name: "keys change while data flow",
    stacks: ALL,
    initiators: BOTH,
    prepare: two_keys,
    play: |_, pair| Box::pin(change_keys(pair)),
    crossed: |crossed| {
        for &side in BOTH {
            crossed.from(side).had_keys(&[7, 8]);
        }
    },
}];

#[test]
fn keys_change_while_data_flow() {
    rows::play_on_usrsctp(ROWS);
}
