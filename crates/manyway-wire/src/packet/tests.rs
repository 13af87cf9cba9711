//! Tests of packets, chunk walk and writer.

use alloc::vec::Vec;

use super::*;
use crate::chunk::{CookieAck, CookieEcho, EncodeChunk, Pad};

/// An NR-SACK packet that tshark shows with a good CRC32c.
pub(crate) const CAPTURED_NR_SACK: [u8; 40] = [
    0x13, 0x89, 0x13, 0x89, 0xde, 0xad, 0xbe, 0xef, 0x8e, 0x80, 0x8a, 0x91, // common header
    0x10, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x64, 0x00, 0x01, 0x00, 0x00, // NR-SACK
    0x00, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x02, 0x00, 0x02,
];

const HEADER: CommonHeader = CommonHeader {
    source_port: Port(5001),
    destination_port: Port(5002),
    verification_tag: VerificationTag(0xdead_beef),
};

fn bytes_of(chunks: &[&dyn EncodeChunk], checksum: bool) -> Vec<u8> {
    let mut buf = Vec::new();
    let mut writer = PacketWriter::new(&mut buf, &HEADER, 1500);
    for chunk in chunks {
        assert!(writer.push(*chunk));
    }
    let len = writer.finish(checksum);
    assert_eq!(len, buf.len());
    buf
}

/// A packet with `chunks` after the common header, not checksummed.
fn unchecked(chunks: &[u8]) -> Vec<u8> {
    [&bytes_of(&[], false), chunks].concat()
}

fn walk(bytes: &[u8]) -> Vec<Result<RawChunk<'_>, DecodeError>> {
    Packet::decode(bytes, ChecksumPolicy::Ignore)
        .unwrap()
        .chunks()
        .collect()
}

#[test]
fn a_captured_packet_decodes_and_encodes() {
    let packet = Packet::decode(&CAPTURED_NR_SACK, ChecksumPolicy::Verify).unwrap();
    assert_eq!(
        packet.header().verification_tag,
        VerificationTag(0xdead_beef)
    );
    let chunks: Vec<_> = packet.chunks().map(Result::unwrap).collect();
    assert_eq!(chunks[0].kind, ChunkType::NR_SACK);
    assert_eq!(chunks.len(), 1);
    let mut buf = Vec::new();
    let mut writer = PacketWriter::new(&mut buf, &packet.header(), 40);
    assert!(writer.push(&chunks[0]));
    assert_eq!(writer.finish(true), 40);
    assert_eq!(buf, CAPTURED_NR_SACK);
}

#[test]
fn any_flipped_bit_is_noticed() {
    for bit in 0..CAPTURED_NR_SACK.len() * 8 {
        let mut damaged = CAPTURED_NR_SACK;
        damaged[bit / 8] ^= 1 << (bit % 8);
        let result = Packet::decode(&damaged, ChecksumPolicy::Verify);
        assert!(
            matches!(result, Err(DecodeError::BadChecksum { .. })),
            "bit {bit}: {result:?}"
        );
        assert!(
            Packet::decode(&damaged, ChecksumPolicy::Ignore).is_ok(),
            "bit {bit}"
        );
    }
}

#[test]
fn a_zero_checksum_needs_a_policy_that_takes_it() {
    let zero = bytes_of(&[&CookieAck], false);
    assert_eq!(zero[8..12], [0; 4]);
    let strict = Packet::decode(&zero, ChecksumPolicy::Verify);
    assert!(matches!(
        strict,
        Err(DecodeError::BadChecksum { found: 0, .. })
    ));
    assert!(Packet::decode(&zero, ChecksumPolicy::VerifyUnlessZero).is_ok());
    let right = bytes_of(&[&CookieAck], true);
    assert!(Packet::decode(&right, ChecksumPolicy::VerifyUnlessZero).is_ok());
    let mut wrong = right;
    wrong[8] ^= 1;
    assert!(Packet::decode(&wrong, ChecksumPolicy::VerifyUnlessZero).is_err());
}

#[test]
fn a_header_cut_short_is_an_error() {
    for len in 0..COMMON_HEADER_LEN {
        let error = DecodeError::Truncated {
            what: "common header",
            need: 12,
            have: len,
        };
        assert_eq!(
            Packet::decode(&CAPTURED_NR_SACK[..len], ChecksumPolicy::Verify),
            Err(error)
        );
    }
}

#[test]
fn port_zero_is_refused() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.1
    //= type=test
    //# The Source Port Number 0 MUST NOT be used.
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.1
    //= type=test
    //# The Destination Port Number 0 MUST NOT be used.
    for (at, what) in [(0, "source port 0"), (2, "destination port 0")] {
        let mut packet = unchecked(&[]);
        packet[at..at + 2].fill(0);
        let error = DecodeError::InvalidValue { what };
        assert_eq!(Packet::decode(&packet, ChecksumPolicy::Ignore), Err(error));
    }
}

#[test]
fn padding_is_skipped_whatever_it_holds_and_may_be_missing_at_the_end() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
    //= type=test
    //# The receiver MUST ignore the padding bytes.
    let packet = unchecked(&[10, 0, 0, 5, 1, 0xff, 0xff, 0xff, 10, 0, 0, 7, 1, 2, 3]);
    let values: Vec<_> = walk(&packet)
        .into_iter()
        .map(|chunk| chunk.unwrap().value)
        .collect();
    assert_eq!(values, [&[1][..], &[1, 2, 3]]);
}

#[test]
fn malformed_chunks_end_the_walk() {
    for (chunks, ok_before) in [
        (&[10][..], 0),
        (&[10, 0, 0][..], 0),
        (&[10, 0, 0, 0][..], 0),
        (&[10, 0, 0, 3, 11, 0, 0, 4][..], 0),
        (&[10, 0, 0, 9, 1, 2, 3, 4][..], 0),
        (&[11, 0, 0, 4, 0, 0, 0, 0, 11, 0, 0, 4][..], 1),
        (&[11, 0, 0, 4, 10, 0, 0xff, 0xff][..], 1),
    ] {
        let packet = unchecked(chunks);
        let items = walk(&packet);
        assert_eq!(items.len(), ok_before + 1, "{chunks:?}");
        assert!(items[ok_before].is_err(), "{chunks:?}");
    }
}

#[test]
fn the_writer_pads_with_zeros_that_no_length_counts() {
    //= https://www.rfc-editor.org/rfc/rfc9260#section-3.2
    //= type=test
    //# If the length of the chunk is not a multiple of 4 bytes, the sender MUST pad the chunk with all zero bytes, and this padding is not included in the Chunk Length field.
    let packet = bytes_of(
        &[
            &CookieEcho { cookie: &[9; 5] },
            &CookieEcho { cookie: &[8] },
        ],
        true,
    );
    let expected = [10, 0, 0, 9, 9, 9, 9, 9, 9, 0, 0, 0, 10, 0, 0, 5, 8, 0, 0, 0];
    assert_eq!(packet[COMMON_HEADER_LEN..], expected);
}

#[test]
fn a_chunk_of_the_remaining_length_fits_and_one_more_byte_does_not() {
    for max_len in 0..64 {
        let mut buf = Vec::new();
        let mut writer = PacketWriter::new(&mut buf, &HEADER, max_len);
        assert!(writer.is_empty());
        let remaining = writer.remaining();
        if remaining >= CHUNK_HEADER_LEN {
            assert!(!writer.push(&Pad {
                len: remaining - CHUNK_HEADER_LEN + 1
            }));
            assert_eq!(writer.len(), COMMON_HEADER_LEN);
            assert!(writer.push(&Pad {
                len: remaining - CHUNK_HEADER_LEN
            }));
            assert!(!writer.is_empty());
            assert!(writer.finish(true) <= max_len);
        } else {
            assert!(!writer.push(&CookieAck));
            assert_eq!(writer.finish(true), COMMON_HEADER_LEN);
        }
    }
}

#[test]
fn a_writer_knows_which_chunks_it_holds() {
    let mut buf = bytes_of(&[&Pad { len: 3 }], true);
    let mut writer = PacketWriter::new(&mut buf, &HEADER, 1500);
    assert!(!writer.contains_any(&[ChunkType::PAD, ChunkType::COOKIE_ACK]));
    assert!(writer.push(&Pad { len: 5 }) && writer.push(&CookieAck));
    assert!(writer.contains_any(&[ChunkType::INIT, ChunkType::COOKIE_ACK]));
    assert!(writer.contains_any(&[ChunkType::PAD]));
    assert!(!writer.contains_any(&[ChunkType::INIT]));
    assert!(!writer.contains_any(&[]));
}

#[test]
fn a_chunk_that_no_length_field_can_count_is_refused() {
    let mut buf = Vec::new();
    let mut writer = PacketWriter::new(&mut buf, &HEADER, usize::MAX);
    assert!(!writer.push(&Pad { len: 65_532 }));
    assert!(!writer.push(&Pad { len: usize::MAX }));
    assert!(writer.push(&Pad { len: 60_000 }));
}

#[test]
fn packets_follow_each_other_in_one_buffer_and_a_dropped_one_leaves_nothing() {
    let mut buf = bytes_of(&[&CookieAck], true);
    let first = buf.clone();
    {
        let mut writer = PacketWriter::new(&mut buf, &HEADER, 1500);
        assert!(writer.push(&CookieAck));
    }
    assert_eq!(buf, first);
    let mut writer = PacketWriter::new(&mut buf, &HEADER, 1500);
    assert!(writer.push(&CookieAck));
    assert_eq!(writer.finish(true), first.len());
    assert_eq!(buf, [&first[..], &first].concat());
}

#[test]
fn the_two_high_bits_say_what_to_do_with_an_unknown_type() {
    use UnrecognizedAction::{Skip, SkipAndReport, Stop, StopAndReport};
    let actions = [0x3f, 0x7f, 0xbf, 0xff].map(|kind| ChunkType(kind).unrecognized_action());
    assert_eq!(actions, [Stop, StopAndReport, Skip, SkipAndReport]);
}
