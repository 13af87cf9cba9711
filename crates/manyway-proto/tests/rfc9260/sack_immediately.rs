//! When acknowledgements are sent, and the I bit: RFC 7053.

use std::time::Duration;

use manyway_proto::{Message, SendOptions};
use manyway_wire::{ChecksumPolicy, Chunk, ChunkType, Data, DataFlags, Packet};

use crate::pair::{MS, Pair, Seen, acknowledged, kinds};

/// The I bits of all DATA chunks, in order.
fn i_bits(packets: &[Seen]) -> Vec<bool> {
    let mut bits = Vec::new();
    for seen in packets {
        let packet = Packet::decode(&seen.bytes, ChecksumPolicy::Verify).unwrap();
        for raw in packet.chunks().flatten() {
            if let Ok(Chunk::Data(data)) = Chunk::decode(&raw) {
                bits.push(data.flags.immediate);
            }
        }
    }
    bits
}

fn asking(data: Data<'_>) -> Data<'_> {
    let flags = DataFlags {
        immediate: true,
        ..data.flags
    };
    Data { flags, ..data }
}

/// An association whose first chunk, which is acknowledged at once, has come and gone.
fn under_way(mut pair: Pair) -> Pair {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-5.1
    //= type=test
    //# After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a SACK chunk to acknowledge the DATA chunk.
    let first = pair.data(0, 0);
    assert_eq!(kinds(&pair.inject(&[&first])), [ChunkType::NR_SACK]);
    pair
}

//= https://www.rfc-editor.org/rfc/rfc7053#section-5.2
//= type=test
//# Upon receipt of an SCTP packet containing a DATA chunk with the I bit set, the receiver SHOULD NOT delay the sending of the corresponding SACK chunk, i.e., the receiver SHOULD immediately respond with the corresponding SACK chunk.
#[test]
fn a_chunk_that_asks_is_acknowledged_at_once_and_another_is_not() {
    let mut pair = under_way(Pair::established());
    assert!(pair.inject(&[&pair.data(1, 1)]).is_empty());
    let mut pair = under_way(Pair::established());
    let answers = pair.inject(&[&asking(pair.data(1, 1)), &pair.data(2, 2)]);
    assert_eq!(
        acknowledged(&answers).map(|a| a.cumulative),
        Some(pair.next_tsn[0].add(2))
    );
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# an acknowledgement SHOULD be generated for at least every second packet (not every second DATA chunk) received and SHOULD be generated within 200 ms of the arrival of any unacknowledged DATA chunk
#[test]
fn every_second_packet_is_acknowledged_and_a_lone_one_within_the_delay() {
    let mut pair = under_way(Pair::established());
    assert!(
        pair.inject(&[&pair.data(1, 1), &pair.data(2, 2)])
            .is_empty()
    );
    let answers = pair.inject(&[&pair.data(3, 3)]);
    assert_eq!(kinds(&answers), [ChunkType::NR_SACK]);
    let start = pair.now;
    assert!(pair.inject(&[&pair.data(4, 4)]).is_empty());
    pair.next_timeout(1);
    assert_eq!(kinds(&pair.take(1)), [ChunkType::NR_SACK]);
    assert!(pair.now - start <= 200 * MS);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# An implementation MUST NOT allow the maximum delay (protocol parameter 'SACK.Delay') to be configured to be more than 500 ms.
#[test]
fn no_configuration_delays_acknowledgements_beyond_500_ms() {
    let slow = |config: &mut manyway_proto::EndpointConfig| {
        config.transport.sack_delay = Duration::from_secs(3);
        config.transport.sack_frequency = 1000;
        // Nothing else makes a packet leave before.
        config.transport.rto_min = Duration::from_secs(5);
    };
    let mut pair = under_way(Pair::with(slow).establish());
    let start = pair.now;
    assert!(pair.inject(&[&pair.data(1, 1)]).is_empty());
    pair.next_timeout(1);
    assert_eq!(kinds(&pair.take(1)), [ChunkType::NR_SACK]);
    assert_eq!(pair.now - start, 500 * MS);
}

//= https://www.rfc-editor.org/rfc/rfc7053#section-5.1
//= type=test
//# Whenever the sender of a DATA chunk can benefit from the corresponding SACK chunk being sent back without delay, the sender MAY set the I bit in the DATA chunk header.
#[test]
fn only_the_last_chunk_asks_unless_the_user_does() {
    let mut pair = Pair::established();
    pair.command(1, |assoc| {
        for number in 0..4 {
            let options = SendOptions::default().with_immediate(number == 1);
            assoc
                .send_with(Message::new(0, vec![7; 1000]), options)
                .unwrap();
        }
    });
    assert_eq!(i_bits(&pair.take(1)), [false, true, false, true]);
}

//= https://www.rfc-editor.org/rfc/rfc7053#section-5.1
//= type=test
//# The sender is in the SHUTDOWN-PENDING state.
#[test]
fn the_last_retransmission_before_a_shutdown_asks() {
    let mut pair = Pair::established();
    let now = pair.now;
    pair.command(1, |assoc| {
        for _ in 0..3 {
            assoc.send(Message::new(0, vec![7; 1000])).unwrap();
        }
        assoc.shutdown(now);
    });
    assert_eq!(i_bits(&pair.take(1)), [false, false, true]);
    let lost = pair.assoc(1).stats().retransmitted_bytes;
    let mut again = Vec::new();
    while pair.assoc(1).stats().retransmitted_bytes < lost + 3000 {
        pair.next_timeout(1);
        again.extend(i_bits(&pair.take(1)));
    }
    assert_eq!(again.last(), Some(&true));
}
