//! Decodes a packet, walks everything inside it, and checks that what was decoded encodes to
//! bytes that decode to the same.

use manyway_wire::{
    AsconfRequests, Causes, ChecksumPolicy, Chunk, Element, EncodeChunk, Packet, PacketWriter,
    Parameters, RawChunk, walk,
};

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let _ = Packet::decode(bytes, ChecksumPolicy::Verify);
    let Ok(packet) = Packet::decode(bytes, ChecksumPolicy::Ignore) else {
        return;
    };
    let mut again = Vec::new();
    let mut writer = PacketWriter::new(&mut again, &packet.header(), usize::from(u16::MAX));
    let mut fit = true;
    walk(&packet, &mut |element| {
        if let Element::Chunk(chunk) = element {
            fit &= writer.push(&chunk);
        }
        check(element);
    });
    writer.finish(true);
    if fit {
        let again = Packet::decode(&again, ChecksumPolicy::Verify).expect("our own packet decodes");
        let before = packet
            .chunks()
            .flatten()
            .flat_map(|raw| Chunk::decode(&raw));
        let after = again.chunks().flatten().flat_map(|raw| Chunk::decode(&raw));
        assert!(
            before.eq(after),
            "a packet changed when it was decoded and encoded"
        );
    }
}

fn check(element: Element<'_>) {
    let mut wire = Vec::new();
    match element {
        Element::Chunk(chunk) => {
            chunk.encode(&mut wire);
            assert_eq!(wire.len(), chunk.encoded_len());
            let raw = RawChunk::from_wire(&wire).expect("an encoded chunk is well formed");
            assert_eq!(Chunk::decode(&raw), Ok(chunk));
        }
        Element::Parameter(parameter) => {
            parameter.encode(&mut wire);
            assert!(Parameters::from_bytes(&wire).iter().eq([Ok(parameter)]));
        }
        Element::Cause(cause) => {
            cause.encode(&mut wire);
            assert!(Causes::from_bytes(&wire).iter().eq([Ok(cause)]));
            assert!(!cause.to_string().chars().any(char::is_control));
        }
        Element::Request(request) => {
            request.encode(&mut wire);
            assert!(AsconfRequests::from_bytes(&wire).iter().eq([Ok(request)]));
        }
        Element::Response(_) => {}
        Element::Malformed(error) => assert!(!error.to_string().is_empty()),
    }
}
