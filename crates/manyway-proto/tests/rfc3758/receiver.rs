//! FORWARD-TSN chunks that arrive (RFC 3758, section 3.6), and their negotiation (section 3.3).

use manyway_proto::{AssocState, EndpointConfig, Extension};
use manyway_wire::{
    Chunk, ChunkType, Data, DataFlags, ForwardTsn, Parameter, SkippedStreams, Ssn, StreamId, Tsn,
};

use crate::pair::{Pair, Seen, acknowledged, causes_of, kinds};

fn without_partial_reliability() -> EndpointConfig {
    let mut config = EndpointConfig::default();
    let extensions = config.transport.extensions;
    config.transport.extensions = extensions.without(Extension::PartialReliability);
    config
}

fn forward<'a>(to: Tsn, skipped: &'a [(StreamId, Ssn)]) -> ForwardTsn<'a> {
    ForwardTsn {
        new_cumulative_tsn: to,
        skipped: SkippedStreams::new(skipped),
    }
}

/// Cumulative point, number of gap blocks, and duplicates of the last SACK.
fn last_sack(answers: &[Seen]) -> Option<(Tsn, usize, Vec<Tsn>)> {
    let last = answers.iter().rev();
    let mut found = last.map(|seen| acknowledged(std::slice::from_ref(seen)));
    let acked = found.find_map(|acked| acked)?;
    let gaps = acked.gaps.len() + acked.non_renegable.len();
    Some((acked.cumulative, gaps, acked.duplicates))
}

fn received(pair: &mut Pair) -> usize {
    let (now, id) = (pair.now, pair.ids[1].unwrap());
    let assoc = pair.ends[1].association_mut(now, id).unwrap();
    std::iter::from_fn(|| assoc.recv()).count()
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# When a FORWARD TSN chunk arrives, the data receiver MUST first update its cumulative TSN point to the value carried in the FORWARD TSN chunk, and then MUST further advance its cumulative TSN point locally if possible
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# Any such stranded data SHOULD be made immediately available to the upper layer application.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.2
//= type=test
//# Upon the reception of this value, the data receiver MUST consider any missing TSNs earlier than or equal to this value as received, and stop reporting them as gaps in any subsequent SACKs.
#[test]
fn what_waits_for_skipped_messages_is_delivered_at_once() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    // Messages 0, 2 and 5 do not arrive; 0 and 2 are given up.
    for number in [1, 3, 4, 6] {
        let data = pair.data(number, number as u16);
        pair.inject(&[&data]);
    }
    assert_eq!(received(&mut pair), 0);
    let answers = pair.inject(&[&forward(first.add(2), &[(StreamId(0), Ssn(2))])]);
    assert_eq!(received(&mut pair), 3);
    assert_eq!(last_sack(&answers), Some((first.add(4), 1, vec![])));
    let last = pair.data(5, 5);
    pair.inject(&[&last]);
    assert_eq!(received(&mut pair), 2);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# if the "New Cumulative TSN" value carried in the arrived FORWARD TSN chunk is found to be behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# The receiver SHOULD send a SACK to its peer (the sender of the FORWARD TSN) since such a duplicate may indicate the previous SACK was lost in the network.
#[test]
fn an_old_forward_tsn_is_answered_and_changes_nothing() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let (zero, two) = (pair.data(0, 0), pair.data(2, 2));
    pair.inject(&[&zero, &two]);
    for behind in [0, 1, 1000] {
        let skipped = [(StreamId(0), Ssn(1))];
        let answers = pair.inject(&[&forward(first.sub(behind), &skipped)]);
        assert_eq!(last_sack(&answers), Some((first, 1, vec![])));
    }
    assert_eq!(received(&mut pair), 1, "message 2 waits for message 1");
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# the receiver will drop the chunk and report it as a duplicate in the next outbound SACK chunk
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# Any time a FORWARD TSN chunk arrives, for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been received
#[test]
fn a_skipped_chunk_that_arrives_after_all_is_a_duplicate() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let answers = pair.inject(&[&forward(first.add(1), &[(StreamId(0), Ssn(1))])]);
    assert_eq!(last_sack(&answers), Some((first.add(1), 0, vec![])));
    let late = pair.data(1, 1);
    let answers = pair.inject(&[&late]);
    assert_eq!(
        last_sack(&answers),
        Some((first.add(1), 0, vec![first.add(1)]))
    );
    assert_eq!(received(&mut pair), 0);
    let next = pair.data(2, 2);
    pair.inject(&[&next]);
    assert_eq!(received(&mut pair), 1);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# The receiver MUST remove any partially reassembled message, which is still missing one or more TSNs earlier than or equal to the new cumulative TSN point.
#[test]
fn a_message_begun_and_given_up_leaves_the_buffer() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let begun = manyway_wire::Data {
        flags: DataFlags {
            begin: true,
            ..DataFlags::default()
        },
        ..pair.data(0, 0)
    };
    pair.inject(&[&begun]);
    pair.inject(&[&forward(first.add(1), &[(StreamId(0), Ssn(0))])]);
    let next = pair.data(2, 1);
    pair.inject(&[&next]);
    assert_eq!(received(&mut pair), 1);
    let id = pair.ids[1].unwrap();
    pair.ends[1]
        .association(id)
        .unwrap()
        .check_invariants()
        .unwrap();
}

#[test]
fn a_forward_tsn_cannot_open_streams_or_skip_the_absurd() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let streams: Vec<_> = (0..300).map(|n| (StreamId(u16::MAX - n), Ssn(0))).collect();
    pair.inject(&[&forward(first, &streams)]);
    assert_eq!(pair.state(1), AssocState::Established);
    // More messages than chunks: the number is from before, and stream 0 still begins with 0.
    pair.inject(&[&forward(first.add(1), &[(StreamId(0), Ssn(9))])]);
    let answers = pair.inject(&[&forward(first.add(1 << 30), &[])]);
    assert_eq!(last_sack(&answers).unwrap().0, first.add(1));
    let next = pair.data(2, 0);
    pair.inject(&[&next]);
    assert_eq!(received(&mut pair), 1);
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.1
//= type=test
//# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.3.2
//= type=test
//# It MUST instead act as if it does NOT support the FORWARD TSN chunk, returning an ERROR to the peer upon receipt of any FORWARD TSN.
#[test]
fn without_negotiation_a_forward_tsn_is_an_unknown_chunk() {
    for end in [0, 1] {
        let mut configs = <[EndpointConfig; 2]>::default();
        configs[end] = without_partial_reliability();
        let mut pair = Pair::with_configs(configs).establish();
        let first = pair.next_tsn[0];
        let data = pair.data(0, 0);
        let answers = pair.inject(&[&forward(first.add(5), &[]), &data]);
        assert_eq!(causes_of(&answers, ChunkType::ERROR), [6]);
        assert!(kinds(&answers).contains(&ChunkType::ERROR));
        assert_eq!(received(&mut pair), 1);
        assert_eq!(pair.state(1), AssocState::Established);
    }
}

#[test]
fn the_handshake_announces_the_chunk_and_the_parameter() {
    let mut pair = Pair::new();
    pair.connect();
    for (end, kind) in [(0, ChunkType::INIT), (1, ChunkType::INIT_ACK)] {
        let mut sent = pair.take(end);
        let (parameter, listed) = sent[0]
            .with(kind, |chunk, _| {
                let parameters = match chunk {
                    Chunk::Init(init) => init.parameters,
                    Chunk::InitAck(ack) => ack.parameters,
                    _ => unreachable!(),
                };
                let all = || parameters.iter().flatten();
                let parameter = all().any(|p| matches!(p, Parameter::ForwardTsnSupported));
                let listed = all().any(|p| {
                    matches!(p, Parameter::SupportedExtensions(kinds)
                        if kinds.contains(&ChunkType::FORWARD_TSN.0))
                });
                (parameter, listed)
            })
            .unwrap();
        assert!(parameter && listed, "{kind:?}");
        pair.deliver(1 - end, sent.remove(0).bytes);
    }
}

/// The first fragment of a message that will not be completed.
fn begun(pair: &Pair, ahead: u32, number: u16) -> Data<'static> {
    Data {
        flags: DataFlags {
            begin: true,
            ..DataFlags::default()
        },
        ..pair.data(ahead, number)
    }
}

fn assert_sound(pair: &Pair) {
    assert_eq!(pair.state(1), AssocState::Established);
    pair.assoc(1).check_invariants().unwrap();
}

//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# data receiver MUST treat this FORWARD TSN as out-of-date and MUST NOT update its Cumulative TSN.
//= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
//= type=test
//# the receiver MUST use the stream sequence information to examine all of the listed stream reordering queues, and immediately make available for delivery stream sequence numbers earlier than or equal to the stream sequence number listed inside the FORWARD TSN
#[test]
fn the_rest_of_a_message_that_was_sent_in_part_is_given_up() {
    // As Linux does it: no TSN is used for what was never sent. The messages after it come before
    // the FORWARD-TSN, after it, or around it; it may also be lost, and is not repeated then.
    for told in [&[0][..], &[1], &[2], &[0, 1, 2], &[0, 0], &[]] {
        let mut pair = Pair::established();
        let first = pair.next_tsn[0];
        let forward = forward(first, &[(StreamId(0), Ssn(0))]);
        let part = begun(&pair, 0, 0);
        pair.inject(&[&part]);
        for step in 0..=2 {
            let repeats = told.iter().filter(|at| **at == step);
            for _ in repeats {
                let answers = pair.inject(&[&forward]);
                let cumulative = first.add(step);
                assert_eq!(last_sack(&answers), Some((cumulative, 0, vec![])));
            }
            if step < 2 {
                let next = pair.data(1 + step, 1 + step as u16);
                pair.inject(&[&next]);
            }
        }
        assert_sound(&pair);
        assert_eq!(received(&mut pair), 2, "told {told:?}");
        let stats = pair.assoc(1).stats();
        assert_eq!((stats.given_up_bytes, stats.skipped_tsns), (5, 0));
    }
}

#[test]
fn a_forward_tsn_of_what_has_arrived_gives_up_nothing_else() {
    let mut pair = Pair::established();
    let first = pair.next_tsn[0];
    let (part, later) = (begun(&pair, 0, 0), pair.data(3, 1));
    pair.inject(&[&part, &later]);
    for (number, behind) in [
        (1, 0),
        (7, 0),
        (u16::MAX, 0),
        (0, 1),
        (0, 1000),
        (0, 1 << 30),
    ] {
        pair.inject(&[&forward(first.sub(behind), &[(StreamId(0), Ssn(number))])]);
    }
    assert_eq!(received(&mut pair), 0);
    let rest = |end| manyway_wire::DataFlags {
        end,
        ..DataFlags::default()
    };
    let middle = Data {
        flags: rest(false),
        ..pair.data(1, 0)
    };
    let end = Data {
        flags: rest(true),
        ..pair.data(2, 0)
    };
    pair.inject(&[&middle, &end]);
    assert_eq!(received(&mut pair), 2);
    assert_sound(&pair);
}
