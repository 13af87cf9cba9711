//! What is in flight is bounded by buffers and windows, not by the engine's numbers.

#[path = "../benches/common/mod.rs"]
mod common;

use common::Ends;
use manyway_proto::{AssocId, AssocStats, EndpointConfig, ErrorDetection};

const GIGABYTE: usize = 1 << 30;
/// What UDP over IPv4 carries: few packets for so many bytes.
const PACKET: usize = 65_507;
const STREAMS: u16 = 16;

/// A pair of ends with windows of a gigabyte.
fn wide_open() -> (Ends, (AssocId, AssocId)) {
    let mut config = EndpointConfig::default();
    config.receive_budget = 8 * GIGABYTE;
    let transport = &mut config.transport;
    transport.send_buffer = 2 * GIGABYTE;
    transport.receive_buffer = 3 * GIGABYTE;
    transport.base_packet_size = PACKET;
    transport.max_packet_size = PACKET;
    // Checksums of gigabytes take time.
    transport.error_detection = ErrorDetection::Dtls;
    let mut ends = Ends::new(&config, 1);
    let pair = ends.connect(1);
    for _ in 0..20 {
        if ends.window(pair.0) > GIGABYTE as u64 + (64 << 20) {
            break;
        }
        ends.round(pair, 65_000, STREAMS);
    }
    for _ in 0..10 {
        ends.pass_time(Some(pair.1));
    }
    assert_eq!(ends.outstanding(pair.0), 0);
    (ends, pair)
}

fn stats(ends: &Ends, end: usize, id: AssocId) -> AssocStats {
    ends.end(end).association(id).expect("it is open").stats()
}

#[test]
fn a_gigabyte_is_in_flight_and_a_loss_costs_one_retransmission() {
    let (mut ends, pair) = wide_open();
    a_gigabyte_goes_in_more_chunks_than_sixteen_bits_count(&mut ends, pair);
    a_loss_before_more_chunks_than_gap_blocks_can_name(&mut ends, pair);
}

fn a_gigabyte_goes_in_more_chunks_than_sixteen_bits_count(
    ends: &mut Ends,
    pair: (AssocId, AssocId),
) {
    let (sent, read) = (
        stats(ends, 0, pair.0).messages_sent,
        stats(ends, 1, pair.1).messages_received,
    );
    let count = GIGABYTE / 8000 + 1;
    ends.flood(pair, 8000, STREAMS, count, 0);
    assert!(ends.outstanding(pair.0) >= GIGABYTE as u64);
    assert!(count > 2 * usize::from(u16::MAX));
    // One SACK for all.
    ends.pass_time(Some(pair.1));
    assert_eq!(ends.outstanding(pair.0), 0);
    let (client, server) = (stats(ends, 0, pair.0), stats(ends, 1, pair.1));
    assert_eq!(client.messages_sent - sent, count as u64);
    assert_eq!(server.messages_received - read, count as u64);
    assert_eq!((client.retransmitted_bytes, client.timeouts), (0, 0));
}

/// Gap blocks reach 65,535 TSNs beyond the cumulative one and no further.
fn a_loss_before_more_chunks_than_gap_blocks_can_name(ends: &mut Ends, pair: (AssocId, AssocId)) {
    let before = stats(ends, 1, pair.1);
    const COUNT: usize = 200_000;
    ends.flood(pair, 100, STREAMS, COUNT, 1);
    assert!(ends.outstanding(pair.0) > COUNT as u64 * 100);
    for _ in 0..500 {
        ends.pass_time(Some(pair.1));
    }
    assert_eq!(ends.outstanding(pair.0), 0);
    let (client, server) = (stats(ends, 0, pair.0), stats(ends, 1, pair.1));
    let read = server.messages_received - before.messages_received;
    assert_eq!(read, COUNT as u64);
    assert_eq!(client.timeouts, 0, "{client:?}");
    assert!(
        client.retransmitted_bytes <= 2 * PACKET as u64,
        "{client:?}"
    );
}
