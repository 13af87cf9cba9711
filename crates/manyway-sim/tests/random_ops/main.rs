//! Random lists of operations on an association over two paths: whatever happens, everything is
//! delivered once and in order, the books balance, and both sides reach the end.
//!
//! `PROPTEST_CASES=100000 cargo test -p manyway-sim --test random_ops` tries more of each kind.
//! What it finds is kept in `found` as literal tests.

mod checks;
mod found;
mod op;
mod world;

use op::{Op, op};
use proptest::prelude::*;
use world::{Kind, World};

fn run(kind: Kind, seed: u64, ops: &[Op]) {
    let mut world = World::new(kind, seed);
    for op in ops {
        world.apply(*op);
        world.check();
    }
    world.finish();
}

/// Together at least 20,000 cases.
fn config(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let chosen = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig {
        cases: if chosen { default.cases } else { cases },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config(8000))]

    #[test]
    fn paths_behind_nats(seed in 0..1000_u64, ops in prop::collection::vec(op(6), 1..40)) {
        run(Kind::Nats, seed, &ops);
    }
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn authenticated_chunks(seed in 0..1000_u64, ops in prop::collection::vec(op(20), 1..40)) {
        run(Kind::Keys, seed, &ops);
    }

    #[test]
    fn addresses_as_rfc_5061_has_them(
        seed in 0..1000_u64,
        ops in prop::collection::vec(op(20), 1..40),
    ) {
        run(Kind::Plain, seed, &ops);
    }

    #[test]
    fn from_the_first_packet_on(seed in 0..1000_u64, ops in prop::collection::vec(op(6), 1..40)) {
        run(Kind::Opening, seed, &ops);
    }
}
