//! Congestion that is told by marks instead of losses (RFC 4960, appendix A).

use std::time::Duration;

use manyway_bed::{LinkConfig, Rate};

use crate::capture::chunk;
use crate::network::{Pair, Side, World};
use crate::rows::{BOTH, LINUX, Row};
use crate::transfer::exchange;

/// Both directions of the first path mark what waits behind more than a few packets.
async fn marked(world: &World<'_>, pair: &mut Pair) {
    let mut link = LinkConfig::new(Rate::from_mbit(10), Duration::from_millis(5));
    link.ecn_threshold = Some(15_000);
    world.bed.path(0).set_links(link, link);
    exchange(pair, 100, 20_000).await;
    let stats = pair.ours.stats();
    assert!(stats.congestion_marks > 0, "none of theirs came marked");
    assert!(stats.congestion_reductions > 0, "they echoed no mark");
    let plain = LinkConfig::new(Rate::from_mbit(100), Duration::from_millis(5));
    world.bed.path(0).set_links(plain, plain);
}

// Over UDP usrsctp neither sets nor sees marks.
pub(crate) const ROWS: &[Row] = &[Row {
    name: "ECN",
    stacks: LINUX,
    initiators: BOTH,
    prepare: |world| world.prepare.push("set ecn 1"),
    play: |world, pair| Box::pin(marked(world, pair)),
    crossed: |crossed| {
        for side in [Side::We, Side::They] {
            crossed.from(side).had(&[chunk::ECNE, chunk::CWR]);
        }
    },
}];
