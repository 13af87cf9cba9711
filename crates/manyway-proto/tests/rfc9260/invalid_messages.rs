//! Packets and chunks that cannot be meant as they came.

use manyway_proto::{AssocState, CloseReason};
use manyway_wire::{
    Cause, ChunkType, CommonHeader, CookieAck, EncodeChunk, ShutdownAck, ShutdownComplete,
    VerificationTag,
};

use crate::pair::{Pair, causes_of, packet, raw};

//= https://www.rfc-editor.org/rfc/rfc9260#section-8.5
//= type=test
//# When receiving an SCTP packet, the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag
#[test]
fn packets_with_another_tag_do_not_reach_the_association() {
    let mut pair = Pair::established();
    let header = CommonHeader {
        verification_tag: VerificationTag(pair.headers[0].verification_tag.0 ^ 1),
        ..pair.headers[0]
    };
    let data = pair.data(0, 0);
    pair.deliver(1, packet(header, &[&data]));
    let id = pair.ids[1].unwrap();
    assert_eq!(
        pair.ends[1].association(id).unwrap().stats().bytes_received,
        0
    );
    assert_eq!(pair.state(1), AssocState::Established);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-5.2.5
//= type=test
//# At any state other than COOKIE-ECHOED, an endpoint SHOULD silently discard a received COOKIE ACK chunk
#[test]
fn chunks_that_do_not_fit_the_state_change_nothing() {
    let mut pair = Pair::established();
    let complete = ShutdownComplete {
        reflected_tag: false,
    };
    let chunks: [&dyn EncodeChunk; 3] = [&CookieAck, &ShutdownAck, &complete];
    for chunk in chunks {
        pair.inject(&[chunk]);
        assert_eq!(pair.state(1), AssocState::Established);
    }
    assert_eq!(pair.end_of(1), None);
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it SHOULD send an ABORT chunk with a "No User Data" error cause
#[test]
fn data_without_user_data_aborts() {
    no_user_data_aborts(&mut Pair::established(), ChunkType::DATA, 12);
}

/// A chunk of `kind` without a byte of user data, with `header` bytes before them, ends the
/// association.
pub(crate) fn no_user_data_aborts(pair: &mut Pair, kind: ChunkType, header: usize) {
    let tsn = pair.next_tsn[0];
    let mut value = vec![0; header];
    value[..4].copy_from_slice(&tsn.0.to_be_bytes());
    let answers = pair.inject(&[&raw(kind.0, 3, &value)]);
    assert_eq!(
        causes_of(&answers, ChunkType::ABORT),
        [Cause::NoUserData(tsn).code()]
    );
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.8
//= type=test
//# The default procedure for handling invalid SCTP packets is to silently discard them.
#[test]
fn packets_with_a_wrong_checksum_or_cut_short_change_nothing() {
    let mut pair = Pair::established();
    let data = pair.data(0, 0);
    let right = packet(pair.headers[0], &[&data]);
    for at in 8..12 {
        let mut wrong = right.to_vec();
        wrong[at] ^= 1;
        pair.deliver(1, wrong.into());
    }
    for len in 0..right.len() {
        pair.deliver(1, right.slice(..len));
    }
    assert!(pair.take(1).is_empty());
    assert_eq!(pair.assoc(1).stats().bytes_received, 0);
    pair.deliver(1, right);
    assert!(pair.assoc(1).stats().bytes_received > 0);
}

#[test]
fn chunks_that_are_too_long_or_too_short_end_their_packet() {
    for length in [0_u16, 3, 4, 400] {
        let mut pair = Pair::established();
        let mut heartbeat = raw(4, 0, &[0, 1, 0, 8, 1, 2, 3, 4]);
        heartbeat.0[2..4].copy_from_slice(&length.to_be_bytes());
        let answers = pair.inject(&[&heartbeat]);
        assert!(answers.is_empty(), "length {length}");
        assert_eq!(pair.state(1), AssocState::Established);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
//= type=test
//# If an endpoint is in the COOKIE-WAIT or COOKIE-ECHOED state and receives a SHUTDOWN chunk from its peer, it SHOULD silently discard the SHUTDOWN chunk.
#[test]
fn chunks_of_later_states_are_discarded_during_set_up() {
    for echoed in [false, true] {
        let mut pair = Pair::new();
        pair.connect();
        let init = pair.take(0).remove(0);
        pair.deliver(1, init.bytes);
        let ack = pair.take(1).remove(0);
        if echoed {
            pair.deliver(0, ack.bytes);
            pair.take(0);
        }
        let state = pair.state(0);
        let header = ack.header;
        let (sack, data) = (pair.sack(pair.next_tsn[0]), pair.data(0, 0));
        let shutdown = manyway_wire::Shutdown {
            cumulative_tsn_ack: pair.next_tsn[0].sub(1),
        };
        let heartbeat = manyway_wire::Heartbeat { info: b"here" };
        let complete = ShutdownComplete {
            reflected_tag: false,
        };
        let chunks: [&dyn EncodeChunk; 5] = [&shutdown, &sack, &data, &heartbeat, &complete];
        for chunk in chunks {
            pair.deliver(0, packet(header, &[chunk]));
            assert!(pair.take(0).is_empty());
            assert_eq!(pair.state(0), state);
        }
        if !echoed {
            pair.deliver(0, packet(header, &[&CookieAck]));
            assert_eq!(pair.state(0), state);
        }
        // SHUTDOWN-ACK is answered as out of the blue.
        pair.deliver(0, packet(header, &[&ShutdownAck]));
        let answers = pair.take(0);
        let complete = answers[0].with(ChunkType::SHUTDOWN_COMPLETE, |_, flags| flags);
        assert_eq!(complete, Some(1));
        assert_eq!(pair.state(0), state);
        assert_eq!(pair.end_of(0), None::<CloseReason>);
    }
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-1.3
//= type=test
//# All transport addresses used by an SCTP endpoint MUST use the same port number but can use multiple IP addresses.
#[test]
fn packets_with_the_right_tag_and_other_ports_do_not_reach_the_association() {
    let mut pair = Pair::established();
    let right = pair.headers[0];
    let other = manyway_wire::Port(4242);
    let data = pair.data(0, 0);
    for header in [
        CommonHeader {
            source_port: other,
            ..right
        },
        CommonHeader {
            destination_port: other,
            ..right
        },
    ] {
        pair.deliver(1, packet(header, &[&data]));
        assert_eq!(pair.assoc(1).stats().bytes_received, 0);
    }
    assert_eq!(pair.ends[1].stats().stray_packets, 2);
}
