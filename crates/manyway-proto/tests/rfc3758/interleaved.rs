//! Partial reliability of interleaved messages: I-FORWARD-TSN (RFC 8260, section 2.3.1).

use manyway_proto::{
    AssocState, EndpointConfig, Extension, Extensions, Message, StreamId, StreamSchedulerKind,
};
use manyway_wire::{
    Chunk, ChunkType, ForwardTsn, Fragment, IData, IForwardTsn, Mid, Ppid, SkippedMessage,
    SkippedMessages, SkippedStreams,
};

use crate::pair::{MS, Pair, causes_of, kinds};
use crate::sender::{ONCE, check, is_drained, numbered, options, pass, received, run, send};

fn interleaving(extensions: Extensions) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.transport.extensions = extensions;
    config
}

fn established() -> Pair {
    let configs = [Extensions::ALL; 2].map(interleaving);
    Pair::with_configs(configs).establish()
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
//= type=test
//# When the SCTP extension defined in [RFC3758] is used in combination with the user message interleaving extension, the new I-FORWARD-TSN chunk MUST be used instead of the FORWARD-TSN chunk.
//= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
//= type=test
//# The FORWARD-TSN chunk MUST be used in combination with the DATA chunk and MUST NOT be used in combination with the I-DATA chunk.
#[test]
fn interleaved_messages_are_given_up_by_their_numbers() {
    for lost in [&[0, 1][..], &[2, 3], &[0, 3], &[4, 5]] {
        let mut pair = established();
        let (now, id) = (pair.now, pair.ids[0].unwrap());
        let client = pair.ends[0].association_mut(now, id).unwrap();
        client.set_stream_scheduler(StreamSchedulerKind::RoundRobin.build());
        assert!(client.can_abandon_sent());
        // Two messages of four chunks each, in turn; then a small one on each stream.
        for (stream, number, len) in [(0, 0, 5000), (1, 1, 5000), (0, 2, 100), (1, 3, 100)] {
            let message = Message {
                unordered: stream == 1,
                ..numbered(stream, number, len)
            };
            send(&mut pair, message, options(ONCE, number.into())).unwrap();
        }
        let sent = pair.take(0);
        assert!(sent.len() >= 8);
        assert!(!kinds(&sent).contains(&ChunkType::DATA));
        for (at, seen) in sent.into_iter().enumerate() {
            if !lost.contains(&at) {
                pair.deliver(1, seen.bytes);
            }
        }
        let mut told = Vec::new();
        for _ in 0..2000 {
            for end in [0, 1] {
                for seen in pair.take(end) {
                    assert!(!seen.kinds().contains(&ChunkType::FORWARD_TSN));
                    told.extend(seen.with(ChunkType::I_FORWARD_TSN, |chunk, _| match chunk {
                        Chunk::IForwardTsn(f) => f.skipped.iter().collect::<Vec<_>>(),
                        _ => unreachable!(),
                    }));
                    pair.deliver(1 - end, seen.bytes);
                }
            }
            pass(&mut pair, MS);
        }
        check(&pair);
        let skipped = |stream| SkippedMessage {
            stream: StreamId(stream),
            unordered: stream == 1,
            mid: Mid(0),
        };
        let told: Vec<_> = told.into_iter().flatten().collect();
        assert!(
            told.contains(&skipped(0)) && told.contains(&skipped(1)),
            "{told:?}"
        );
        let mut all = received(&mut pair);
        all.sort_unstable();
        assert_eq!(all, [2, 3], "{lost:?} were lost");
        assert!(is_drained(&pair));
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
//= type=test
//# If I-FORWARD-TSN support has been negotiated for an association, the reception of a FORWARD-TSN chunk is a violation of the above rules and therefore the receiver of the FORWARD-TSN chunk MUST abort the association by sending an ABORT chunk.
#[test]
fn a_forward_tsn_among_interleaved_messages_aborts() {
    let mut pair = established();
    let forward = ForwardTsn {
        new_cumulative_tsn: pair.next_tsn[0],
        skipped: SkippedStreams::new(&[]),
    };
    let answers = pair.inject(&[&forward]);
    assert_eq!(causes_of(&answers, ChunkType::ABORT), [13]);
    assert_eq!(pair.state(1), AssocState::Closed);
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
//= type=test
//# The partial reliability extension is negotiated and can be used in combination with user message interleaving only if both endpoints indicated their support of user message interleaving and the I-FORWARD-TSN chunk.
#[test]
fn with_a_peer_that_interleaves_but_does_not_skip_messages_are_reliable() {
    let without = Extensions::ALL.without(Extension::PartialReliability);
    for extensions in [[Extensions::ALL, without], [without, Extensions::ALL]] {
        let mut pair = Pair::with_configs(extensions.map(interleaving)).establish();
        for end in [0, 1] {
            let assoc = pair.ends[end].association(pair.ids[end].unwrap()).unwrap();
            assert!(!assoc.can_abandon_sent());
        }
        send(&mut pair, numbered(0, 0, 100), options(ONCE, 0)).unwrap();
        pair.take(0);
        run(&mut pair, 3000 * MS);
        assert_eq!(received(&mut pair), [0]);
    }
}

//= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
//= type=test
//# The I-FORWARD-TSN chunk MUST be used in combination with the I-DATA chunk and MUST NOT be used in combination with the DATA chunk.
#[test]
fn the_rest_of_an_interleaved_message_that_was_sent_in_part_is_given_up() {
    for unordered in [false, true] {
        let mut pair = established();
        let first = pair.next_tsn[0];
        let chunk = |ahead, mid, end| IData {
            tsn: first.add(ahead),
            stream: StreamId(0),
            mid: Mid(mid),
            fragment: Fragment::First(Ppid(0)),
            unordered,
            end,
            immediate: false,
            payload: b"hello",
        };
        let skipped = [SkippedMessage {
            stream: StreamId(0),
            unordered,
            mid: Mid(0),
        }];
        let forward = IForwardTsn {
            new_cumulative_tsn: first,
            skipped: SkippedMessages::new(&skipped),
        };
        pair.inject(&[&chunk(0, 0, false)]);
        pair.inject(&[&chunk(1, 1, true)]);
        pair.inject(&[&forward]);
        pair.inject(&[&forward]);
        pair.inject(&[&chunk(2, 2, true)]);
        assert_eq!(pair.state(1), AssocState::Established);
        assert_eq!(received(&mut pair).len(), 2);
        assert_eq!(pair.assoc(1).stats().given_up_bytes, 5);
        check(&pair);
    }
}
