//! Time that the engine takes, both ends together.

mod common;

use std::time::Duration;

use common::Ends;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use manyway_proto::{AssocId, EndpointConfig};

/// Rounds until the window is as large as it gets.
const WARM_UP: usize = 100;

fn rounds(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    ends: &mut Ends,
    pair: (AssocId, AssocId),
    size: usize,
) {
    for _ in 0..WARM_UP {
        ends.round(pair, size, 1);
    }
    ends.count();
    for _ in 0..10 {
        ends.round(pair, size, 1);
    }
    let packets = ends.tallies.receive_data.count / 10;
    ends.stop_counting();
    group.throughput(Throughput::Elements(packets.max(1)));
    group.bench_function(name, |bencher| bencher.iter(|| ends.round(pair, size, 1)));
}

fn one_association(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    networks: usize,
    size: usize,
) {
    let mut config = EndpointConfig::default();
    config.transport.send_buffer = if size < 1000 { 1 << 18 } else { 4 << 20 };
    let mut ends = Ends::new(&config, networks);
    let pair = ends.connect(networks);
    rounds(group, name, &mut ends, pair, size);
}

fn crowd(group: &mut BenchmarkGroup<'_, WallTime>, count: usize) {
    let mut ends = Ends::new(&EndpointConfig::default(), 1);
    for _ in 0..count {
        ends.connect(1);
    }
    let pair = ends.connect(1);
    let name = format!("bulk beside {count} idle associations");
    rounds(group, &name, &mut ends, pair, 1200);
}

fn handshakes(group: &mut BenchmarkGroup<'_, WallTime>) {
    let mut ends = Ends::new(&EndpointConfig::default(), 1);
    group.throughput(Throughput::Elements(1));
    group.bench_function("handshake", |bencher| {
        bencher.iter(|| {
            // So that fewer cookies are used while they live than are remembered.
            ends.wait(Duration::from_millis(5));
            let pair = ends.connect(1);
            ends.forget(pair);
        });
    });
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.sample_size(20);
    one_association(&mut group, "bulk on one path", 1, 1200);
    one_association(&mut group, "bulk on two paths", 2, 1200);
    one_association(&mut group, "messages of 100 bytes", 1, 100);
    handshakes(&mut group);
    let count = std::env::var("MANYWAY_BENCH_CROWD").ok();
    crowd(
        &mut group,
        count.map_or(100_000, |n| n.parse().expect("a number")),
    );
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
