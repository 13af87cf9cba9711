//! Tests of error causes.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Every kind of cause beside its bytes and its line.
fn known() -> Vec<(Cause<'static>, Vec<u8>, &'static str)> {
    const MISSING: FixedList<'static, ParameterType> =
        FixedList::new(&[ParameterType::STATE_COOKIE, ParameterType::IPV4_ADDRESS]);
    let tlv: &[u8] = &[0, 5, 0, 8, 192, 0, 2, 1];
    let with = |code: u8| [&[0, code, 0, 12][..], tlv].concat();
    vec![
        (
            Cause::InvalidStreamId(StreamId(9)),
            vec![0, 1, 0, 8, 0, 9, 0, 0],
            "invalid stream identifier (1): stream 9",
        ),
        (
            Cause::MissingParameters(MISSING),
            vec![0, 2, 0, 12, 0, 0, 0, 2, 0, 7, 0, 5],
            "missing mandatory parameter (2): parameter type 0x0007, parameter type 0x0005",
        ),
        (
            Cause::StaleCookie { measure_us: 256 },
            vec![0, 3, 0, 8, 0, 0, 1, 0],
            "stale cookie (3): expired 256 µs ago",
        ),
        (
            Cause::OutOfResource,
            vec![0, 4, 0, 4],
            "out of resource (4)",
        ),
        (
            Cause::UnresolvableAddress(tlv),
            with(5),
            "unresolvable address (5)",
        ),
        (
            Cause::UnrecognizedChunk(&[0x40, 3, 0, 4]),
            vec![0, 6, 0, 8, 0x40, 3, 0, 4],
            "unrecognized chunk type (6): I-DATA",
        ),
        (
            Cause::InvalidMandatoryParameter,
            vec![0, 7, 0, 4],
            "invalid mandatory parameter (7)",
        ),
        (
            Cause::UnrecognizedParameters(tlv),
            with(8),
            "unrecognized parameters (8)",
        ),
        (
            Cause::NoUserData(Tsn(7)),
            vec![0, 9, 0, 8, 0, 0, 0, 7],
            "no user data (9): TSN 7",
        ),
        (
            Cause::CookieWhileShuttingDown,
            vec![0, 10, 0, 4],
            "cookie received while shutting down (10)",
        ),
        (
            Cause::RestartWithNewAddresses(tlv),
            with(11),
            "restart with new addresses (11)",
        ),
        (
            Cause::UserInitiatedAbort(b"by\x1b!"),
            vec![0, 12, 0, 8, b'b', b'y', 0x1b, b'!'],
            r#"user-initiated abort (12): "by\x1b!""#,
        ),
        (
            Cause::ProtocolViolation(b""),
            vec![0, 13, 0, 4],
            "protocol violation (13)",
        ),
        (
            Cause::DeleteLastAddress(tlv),
            with(0xa0),
            "request to delete the last address (160)",
        ),
        (
            Cause::ResourceShortage(tlv),
            with(0xa1),
            "operation refused due to resource shortage (161)",
        ),
        (
            Cause::DeleteSource(tlv),
            with(0xa2),
            "request to delete the source address (162)",
        ),
        (
            Cause::UnsupportedHmacId(HmacId(2)),
            vec![1, 5, 0, 6, 0, 2, 0, 0],
            "unsupported HMAC identifier (261): 2",
        ),
        (
            Cause::IllegalAsconfAck,
            vec![0, 0xa3, 0, 4],
            "illegal ASCONF-ACK (163)",
        ),
        (
            Cause::RequestRefused(tlv),
            with(0xa4),
            "request refused: no authorization (164)",
        ),
        (
            Cause::Unknown {
                code: 0x1234,
                value: &[1],
            },
            vec![0x12, 0x34, 0, 5, 1, 0, 0, 0],
            "unknown error cause (4660)",
        ),
    ]
}

#[test]
fn every_cause_decodes_encodes_and_reads_well() {
    for (cause, wire, line) in known() {
        let mut out = Vec::new();
        cause.encode(&mut out);
        assert_eq!(out, wire, "{cause:?}");
        assert_eq!(
            Causes::from_bytes(&wire).iter().collect::<Vec<_>>(),
            [Ok(cause)]
        );
        assert_eq!(cause.to_string(), line);
    }
}

#[test]
fn a_list_keeps_order_and_leaves_the_last_padding_out() {
    let mut list = CauseList::new();
    let mut wire = Vec::new();
    for (cause, bytes, _) in known() {
        list.push(&cause);
        wire.extend_from_slice(&bytes);
    }
    assert_eq!(list.as_causes().as_bytes(), &wire[..wire.len() - 3]);
    assert!(
        list.as_causes()
            .iter()
            .eq(known().into_iter().map(|(cause, ..)| Ok(cause)))
    );
}

#[test]
fn malformed_causes_are_errors_and_end_the_walk() {
    for wire in [
        &[0, 1, 0][..],
        &[0, 1, 0, 0][..],
        &[0, 12, 0, 9, 1][..],
        &[0, 1, 0, 6, 0, 9][..],
        &[0, 2, 0, 7, 0, 0, 0][..],
        &[0, 2, 0, 10, 0, 0, 0, 2, 0, 7][..],
        &[0, 2, 0, 9, 0, 0, 0, 0, 7][..],
        &[0, 2, 0, 10, 0xff, 0xff, 0xff, 0xff, 0, 7][..],
        &[0, 3, 0, 4][..],
        &[0, 4, 0, 5, 0, 0, 0, 0, 0, 4, 0, 4][..],
        &[0, 9, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[0, 0xa3, 0, 8, 0, 0, 0, 0][..],
    ] {
        let items: Vec<_> = Causes::from_bytes(wire).iter().collect();
        assert!(matches!(items[..], [Err(_)]), "{wire:?} gave {items:?}");
    }
}

#[test]
fn a_long_text_is_cut_for_display() {
    let line = Cause::ProtocolViolation(&[b'x'; 4000]).to_string();
    assert!(line.ends_with("xx…\""));
    assert!(line.len() < 120, "{line}");
}
