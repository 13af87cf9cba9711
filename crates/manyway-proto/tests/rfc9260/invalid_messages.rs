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
    let mut pair = Pair::established();
    let tsn = pair.next_tsn[0];
    let empty = raw(0, 3, &[&tsn.0.to_be_bytes()[..], &[0; 8]].concat());
    let answers = pair.inject(&[&empty]);
    assert_eq!(
        causes_of(&answers, ChunkType::ABORT),
        [Cause::NoUserData(tsn).code()]
    );
    assert!(matches!(
        pair.end_of(1),
        Some(CloseReason::ProtocolViolation(_))
    ));
}
