//! Decodes a packet, walks everything inside it, and checks that what was decoded encodes to
//! bytes that decode to the same.

use manyway_wire::{
    AsconfRequest, AsconfRequests, Authentication, Causes, ChecksumPolicy, Chunk, Element,
    EncodeChunk, Packet, PacketWriter, ParameterType, Parameters, RawChunk, ReconfigParameters,
    walk,
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
    if let Some(authentication) = packet.authentication() {
        check_authentication(bytes, &packet, &authentication);
    }
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

/// The HMAC covers what the packet holds from its AUTH chunk on, with zeros for the HMAC; what a
/// writer of the same chunks computes its HMAC of is what a reader of its packet does.
fn check_authentication(bytes: &[u8], packet: &Packet<'_>, found: &Authentication<'_>) {
    let mut zeroed = bytes.to_vec();
    assert_eq!(zeroed[found.hmac_range()], *found.auth().hmac);
    zeroed[found.hmac_range()].fill(0);
    let covered: Vec<u8> = found.pieces().flatten().copied().collect();
    assert_eq!(covered, zeroed[found.range()]);
    assert_eq!(found.range().end, bytes.len());

    let mut again = Vec::new();
    let mut writer = PacketWriter::new(&mut again, &packet.header(), usize::from(u16::MAX));
    let auth = found.auth();
    let mut fit = writer.push_auth(auth.key_id, auth.hmac_id, auth.hmac.len());
    for raw in found.chunks().flatten() {
        fit &= writer.push(&raw);
    }
    if !fit {
        return;
    }
    let covered = writer
        .authenticated()
        .expect("its HMAC is missing")
        .to_vec();
    assert!(writer.fill_hmac(auth.hmac));
    writer.finish(true);
    let again = Packet::decode(&again, ChecksumPolicy::Verify).expect("our own packet decodes");
    let again = again.authentication().expect("it has an AUTH chunk");
    assert_eq!(again.auth(), auth);
    assert!(again.pieces().flatten().eq(&covered));
}

fn lost_its_address(request: &AsconfRequest) -> bool {
    let known = [
        ParameterType::ADD_IP_ADDRESS,
        ParameterType::DELETE_IP_ADDRESS,
        ParameterType::SET_PRIMARY_ADDRESS,
    ];
    request.action.address().is_none() && known.contains(&request.action.kind())
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
        // A known request about an address of an unknown type does not keep that address.
        Element::Request(request) if lost_its_address(&request) => {}
        Element::Request(request) => {
            request.encode(&mut wire);
            assert!(AsconfRequests::from_bytes(&wire).iter().eq([Ok(request)]));
        }
        Element::Response(_) => {}
        Element::Reconfig(parameter) => {
            parameter.encode(&mut wire);
            assert!(
                ReconfigParameters::from_bytes(&wire)
                    .iter()
                    .eq([Ok(parameter)])
            );
        }
        Element::Malformed(error) => assert!(!error.to_string().is_empty()),
    }
}
