//! One scenario of the engine, for a profiler that counts instructions; what it prints is for
//! `cargo xtask bench engine`.
#![expect(clippy::print_stdout, reason = "a program that is read by another one")]

mod common;

use std::collections::VecDeque;

use common::{Ends, Tally};
use manyway_proto::EndpointConfig;

const MESSAGE: usize = 1200;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let scenario = args.next().unwrap_or_default();
    let size = args.next().and_then(|arg| arg.parse().ok());
    match scenario.as_str() {
        "bulk" => bulk(1),
        "two-paths" => bulk(2),
        "small" => small(),
        "handshake" => handshake(size.unwrap_or(200)),
        "inits" => inits(size.unwrap_or(1_000_000)),
        "crowd" => crowd(size.unwrap_or(100_000)),
        name if name.starts_with("in-flight") => in_flight(size.unwrap_or(1 << 30)),
        // Run as one of all benchmarks: it says nothing by itself.
        _ => {}
    }
}

fn print(ends: &Ends) {
    let t = ends.tallies;
    let doors: [(&str, Tally); 6] = [
        ("send_data", t.send_data),
        ("receive_data", t.receive_data),
        ("send_sack", t.send_sack),
        ("receive_sack", t.receive_sack),
        ("submit", t.submit),
        ("fetch", t.fetch),
    ];
    for (door, tally) in doors {
        println!("{door} {} {}", tally.count, tally.allocations);
    }
}

fn run(ends: &mut Ends, pair: (manyway_proto::AssocId, manyway_proto::AssocId), size: usize) {
    for _ in 0..100 {
        ends.round(pair, size, 1);
    }
    ends.count();
    for _ in 0..20 {
        ends.round(pair, size, 1);
    }
    print(ends);
}

fn bulk(networks: usize) {
    let mut ends = Ends::new(&EndpointConfig::default(), networks);
    let pair = ends.connect(networks);
    run(&mut ends, pair, MESSAGE);
}

fn small() {
    let mut config = EndpointConfig::default();
    config.transport.send_buffer = 1 << 18;
    let mut ends = Ends::new(&config, 1);
    let pair = ends.connect(1);
    run(&mut ends, pair, 100);
}

fn handshake(count: usize) {
    let mut ends = Ends::new(&EndpointConfig::default(), 1);
    ends.connect(1);
    ends.count();
    for _ in 0..count {
        ends.connect(1);
    }
    print(&ends);
}

/// As many INITs from ever new addresses, of which each is answered; what they leave.
fn inits(count: usize) {
    let mut flood = common::InitFlood::new();
    flood.send(10_000);
    let memory = allocation_counter::measure(|| flood.send(count));
    println!("left {} 0", memory.bytes_current);
    println!("receive_data {count} {}", memory.count_total);
}

/// Many that are silent, and one that is busy.
fn crowd(count: usize) {
    let mut config = EndpointConfig::default();
    config.max_associations = count + 1;
    let mut busy = None;
    let mut ends = Ends::new(&config, 1);
    let memory = allocation_counter::measure(|| {
        for _ in 0..count {
            ends.connect(1);
        }
        busy = Some(ends.connect(1));
    });
    // Both ends are in this process.
    let each = memory.bytes_current / (2 * (count as i64 + 1));
    println!("memory {each} 0");
    run(&mut ends, busy.expect("the last one is there"), MESSAGE);
}

/// One association with very much on its way, in chunks of 1,200 bytes, seven to a packet. What
/// opens the window goes in chunks that fill a packet, to save time.
fn in_flight(bytes: usize) {
    const PACKET: usize = 8972;
    const STREAMS: u16 = 64;
    let mut config = EndpointConfig::default();
    config.receive_budget = 16 * bytes;
    let transport = &mut config.transport;
    transport.send_buffer = bytes + (4 << 20);
    transport.receive_buffer = 2 * bytes + (4 << 20);
    transport.outbound_streams = STREAMS;
    transport.base_packet_size = PACKET;
    transport.max_packet_size = PACKET;
    let mut ends = Ends::new(&config, 1);
    let pair = ends.connect(1);
    let mut before = 0;
    for _ in 0..40 {
        let window = ends.window(pair.0);
        if window > 2 * bytes as u64 || window == before {
            break;
        }
        before = window;
        ends.round(pair, 8900, STREAMS);
    }
    let mut answers = VecDeque::new();
    let limit = bytes as u64;
    let fill = bytes / MESSAGE + 1000;
    ends.pipeline(pair, (MESSAGE, STREAMS, fill), limit, &mut answers);
    // For `callgrind_control --instr=on`: until then a run costs a tenth.
    if std::env::var_os("MANYWAY_BENCH_PAUSE").is_some() {
        std::thread::sleep(std::time::Duration::from_secs(5));
    }
    ends.count();
    ends.pipeline(pair, (MESSAGE, STREAMS, 70_000), limit, &mut answers);
    println!("outstanding {} 0", ends.outstanding(pair.0));
    print(&ends);
}
