//! RANDOM, CHUNKS and HMAC-ALGO (sections 3 and 6.1).

use manyway_proto::{ChunkType, CloseReason, EndpointConfig, Event, Extension, HmacId};
use manyway_wire::{Chunk, Init, Parameter, ParameterList, Tsn};

use crate::plain::{Offer, Plain, TAG, causes_of};

/// The parameters of the endpoint's INIT that are about AUTH.
fn offered(config: EndpointConfig) -> (Vec<Vec<u8>>, Vec<ChunkType>, Vec<HmacId>) {
    let mut plain = Plain::new(config, Offer::default());
    plain.connect(vec![crate::plain::ours(1)]);
    let seen = plain.take().pop().unwrap();
    let found = seen.with(ChunkType::INIT, |chunk| {
        let Chunk::Init(init) = chunk else {
            unreachable!()
        };
        let (mut random, mut chunks, mut hmacs) = (vec![], vec![], vec![]);
        for parameter in init.parameters.iter().map(Result::unwrap) {
            match parameter {
                Parameter::Random(bytes) => random.push(bytes.to_vec()),
                Parameter::Chunks(_) => chunks.extend(parameter.chunk_types().unwrap().iter()),
                Parameter::HmacAlgo(_) => hmacs.extend(parameter.hmac_ids().unwrap().iter()),
                _ => {}
            }
        }
        (random, chunks, hmacs)
    });
    found.unwrap()
}

#[test]
fn one_random_number_of_32_bytes_and_sha_1_are_offered() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //= type=test
    //# An SCTP endpoint willing to receive or send authenticated chunks MUST send one RANDOM parameter in its INIT or INIT-ACK chunk.
    //# The HMAC algorithm based on SHA-1 MUST be supported and included in the HMAC-ALGO parameter.
    let (random, chunks, hmacs) = offered(EndpointConfig::default());
    assert_eq!(random.len(), 1);
    assert_eq!(random[0].len(), 32);
    assert_eq!(chunks, [ChunkType::ASCONF_ACK, ChunkType::ASCONF]);
    assert_eq!(hmacs, [HmacId::SHA256, HmacId::SHA1]);
}

#[test]
fn types_that_are_never_authenticated_are_not_listed() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-3.2
    //= type=test
    //# The chunk types for INIT, INIT-ACK, SHUTDOWN-COMPLETE, and AUTH chunks MUST NOT be listed in the CHUNKS parameter.
    let all: Vec<_> = (0..=u8::MAX).map(ChunkType).collect();
    let (_, chunks, _) = offered(crate::demanding(&all));
    assert_eq!(chunks.len(), 252);
    assert!(chunks.iter().all(|kind| kind.can_require_authentication()));
}

#[test]
fn an_endpoint_without_the_extension_offers_nothing() {
    let mut config = EndpointConfig::default();
    config.transport.extensions = config.transport.extensions.without(Extension::Auth);
    let (random, chunks, hmacs) = offered(config);
    assert!(random.is_empty() && chunks.is_empty() && hmacs.is_empty());
}

/// An INIT with the offer's parameters; the causes of the ABORT that answers it.
fn refusal(parameters: &ParameterList) -> Vec<u16> {
    let mut plain = Plain::new(EndpointConfig::default(), Offer::default());
    plain.send(&[&Init {
        initiate_tag: TAG,
        a_rwnd: 1 << 20,
        outbound_streams: 1,
        inbound_streams: 1,
        initial_tsn: Tsn(1),
        parameters: parameters.as_parameters(),
    }]);
    causes_of(&plain.take(), ChunkType::ABORT)
}

#[test]
fn a_random_number_of_another_length_ends_the_association() {
    //= https://www.rfc-editor.org/rfc/rfc4895#section-6.1
    //= type=test
    //# If the Random Number is not 32 bytes, the association MUST be aborted. The ABORT chunk SHOULD contain the error cause 'Protocol Violation'.
    for len in [0, 31, 33] {
        let mut list = ParameterList::new();
        list.push(&Parameter::Random(&vec![1; len]));
        list.push_hmac_algo(&[HmacId::SHA1]);
        assert_eq!(refusal(&list), [13], "{len} bytes");
        let offer = Offer {
            random: Some(vec![1; len]),
            ..Offer::default()
        };
        let mut plain = Plain::new(EndpointConfig::default(), offer);
        plain.connect(vec![crate::plain::ours(1)]);
        plain.answer_init();
        let ended = |e: &Event| {
            matches!(
                e,
                Event::Closed {
                    reason: CloseReason::ProtocolViolation(_)
                }
            )
        };
        assert!(plain.events().iter().any(ended), "{len} bytes");
    }
}

#[test]
fn a_peer_without_auth_is_a_peer_all_the_same() {
    for offer in [
        Offer::bare(),
        Offer {
            hmacs: vec![HmacId(9)],
            ..Offer::default()
        },
    ] {
        let mut plain = Plain::opened_by_peer(EndpointConfig::default(), offer);
        assert!(plain.assoc().is_established());
        assert_eq!(plain.assoc().active_auth_key(), None);
        assert!(!plain.events().contains(&Event::AuthNotSupported));
    }
}

#[test]
fn who_asked_for_authentication_learns_that_there_is_none() {
    let config = crate::demanding(&[ChunkType::DATA]);
    let mut plain = Plain::opened_by_peer(config, Offer::bare());
    assert!(plain.events().contains(&Event::AuthNotSupported));
    // A peer that strips the offer gains nothing: what was demanded stays demanded.
    let data = plain.data();
    plain.send(&[&data]);
    assert!(plain.take().is_empty());
    assert_eq!(plain.assoc().stats().unauthenticated_chunks, 1);
}
