//! What many peers cost, and what packets cost when all is set up: memory, and allocations.

#[path = "../benches/common/mod.rs"]
mod common;

use common::{Ends, InitFlood};
use manyway_proto::EndpointConfig;

/// What an idle association may cost at one end.
const IDLE_BYTES: i64 = 8 << 10;

#[test]
fn an_idle_association_is_small() {
    const COUNT: i64 = 1_000;
    let mut ends = Ends::new(&EndpointConfig::default(), 1);
    ends.connect(1);
    let info = allocation_counter::measure(|| {
        for _ in 0..COUNT {
            ends.connect(1);
        }
    });
    // Both ends are in this process.
    let each = info.bytes_current / (2 * COUNT);
    assert!(each <= IDLE_BYTES, "{each} bytes");
}

#[test]
fn associations_leave_no_memory_behind() {
    let mut ends = Ends::new(&EndpointConfig::default(), 1);
    let mut open_and_forget = |count| {
        for _ in 0..count {
            let pair = ends.connect(1);
            ends.forget(pair);
        }
    };
    open_and_forget(2_000);
    let info = allocation_counter::measure(|| open_and_forget(2_000));
    // The numbers of used cookies are remembered as long as the cookies live.
    assert!(info.bytes_current < 100_000, "{} bytes", info.bytes_current);
}

/// INITs from ever new addresses: what they leave is in the cookies that went back.
#[test]
fn a_flood_of_inits_leaves_nothing() {
    let mut flood = InitFlood::new();
    flood.send(1_000);
    let answered = allocation_counter::measure(|| flood.send(20_000));
    assert_eq!(answered.bytes_current, 0);
    assert_eq!(flood.answered(), 21_000);
    // Nobody takes the answers: a bounded number waits.
    let waiting = allocation_counter::measure(|| flood.send_unheard(20_000));
    assert!(waiting.bytes_current < 256 << 10, "{waiting:?}");
}

/// Once all buffers have their size, packets with data and acknowledgements allocate nothing.
#[test]
fn packets_allocate_nothing() {
    for networks in [1, 2] {
        let mut ends = Ends::new(&EndpointConfig::default(), networks);
        let pair = ends.connect(networks);
        for _ in 0..60 {
            ends.round(pair, 1200, 1);
        }
        ends.count();
        for _ in 0..4 {
            ends.round(pair, 1200, 1);
        }
        let t = ends.tallies;
        assert!(t.receive_data.count > 10_000, "{t:?}");
        let allocations = [
            t.send_data,
            t.receive_sack,
            t.receive_data,
            t.fetch,
            t.send_sack,
        ]
        .map(|tally| tally.allocations);
        assert_eq!(allocations, [0; 5], "{networks} networks: {t:?}");
        // A queue of messages that runs empty gives its room back and doubles it anew.
        assert!(t.submit.allocations < t.submit.count / 100, "{t:?}");
    }
}
