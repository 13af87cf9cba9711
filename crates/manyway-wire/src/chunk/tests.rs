//! What the tests of all chunk types share, and tests of [`Chunk`] itself.

use super::*;

/// The one chunk in `wire`, which has no padding.
pub(super) fn raw(wire: &[u8]) -> RawChunk<'_> {
    RawChunk::from_wire(wire).unwrap()
}

/// Decodes `wire`, encodes the result, and compares byte by byte.
#[track_caller]
pub(super) fn assert_round_trip(wire: &[u8]) {
    let chunk = Chunk::decode(&raw(wire)).unwrap();
    assert!(
        !matches!(chunk, Chunk::Unknown(_)),
        "not decoded: {chunk:?}"
    );
    let mut out = Vec::new();
    chunk.encode(&mut out);
    assert_eq!(out, wire);
    assert_eq!(chunk.encoded_len(), wire.len());
}

#[test]
fn an_unknown_chunk_is_kept_whole() {
    let wire = [0xfe, 0x55, 0, 6, 1, 2];
    let chunk = Chunk::decode(&raw(&wire)).unwrap();
    let Chunk::Unknown(unknown) = chunk else {
        panic!("decoded as {chunk:?}")
    };
    assert_eq!(unknown.wire_bytes(), wire);
    let mut out = Vec::new();
    chunk.encode(&mut out);
    assert_eq!(out, wire);
}

#[test]
fn reserved_flags_are_dropped() {
    let chunk = Chunk::decode(&raw(&[11, 0xff, 0, 4])).unwrap();
    let mut out = Vec::new();
    chunk.encode(&mut out);
    assert_eq!(out, [11, 0, 0, 4]);
}

#[test]
fn a_pad_chunk_loses_its_content() {
    let chunk = Chunk::decode(&raw(&[0x84, 0, 0, 8, 1, 2, 3, 4])).unwrap();
    assert_eq!(chunk, Chunk::Pad);
    assert_eq!(chunk.encoded_len(), 4);
}
