//! What many peers cost, and what packets cost when all is set up: memory, and allocations.

#[path = "../benches/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::Ends;
use manyway_proto::{Endpoint, EndpointConfig, FourTuple, Instant, Port};
use manyway_wire::{CommonHeader, Init, PacketWriter, ParameterList, Tsn, VerificationTag};

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
    let mut server = Endpoint::new(EndpointConfig::default(), [5; 32]);
    server.listen(Port(80)).expect("a new endpoint listens");
    let local: SocketAddr = ([10, 0, 0, 1], 9899).into();
    let mut buf = Vec::with_capacity(2048);
    let mut number = 0_u32;
    let mut flood = |count: u32, answer: bool| {
        for _ in 0..count {
            number += 1;
            let now = Instant::ZERO + Duration::from_micros(u64::from(number) * 20);
            let [_, b, c, d] = number.to_be_bytes();
            let path = FourTuple {
                local,
                remote: ([10, b, c, d], 9899).into(),
            };
            server.handle_datagram(now, path, init(number));
            if answer {
                assert!(server.poll_transmit(now, 1, &mut buf).is_some());
            }
        }
        server.stats()
    };
    flood(1_000, true);
    let mut stats = None;
    let answered = allocation_counter::measure(|| stats = Some(flood(20_000, true)));
    assert_eq!(answered.bytes_current, 0);
    assert_eq!(stats.map(|s| s.inits_answered), Some(21_000));
    // Nobody takes the answers: a bounded number waits.
    let waiting = allocation_counter::measure(|| stats = Some(flood(20_000, false)));
    assert!(waiting.bytes_current < 256 << 10, "{waiting:?}");
}

fn init(tag: u32) -> Bytes {
    let header = CommonHeader {
        source_port: Port(5000),
        destination_port: Port(80),
        verification_tag: VerificationTag(0),
    };
    let parameters = ParameterList::new();
    let mut bytes = Vec::new();
    let mut writer = PacketWriter::new(&mut bytes, &header, 1200);
    let fits = writer.push(&Init {
        initiate_tag: VerificationTag(tag),
        a_rwnd: 1 << 20,
        outbound_streams: 10,
        inbound_streams: 10,
        initial_tsn: Tsn(1),
        parameters: parameters.as_parameters(),
    });
    assert!(fits);
    writer.finish(true);
    bytes.into()
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
