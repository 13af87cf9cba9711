use manyway_wire::{GapBlock, GapBlocks, Ssn};
use proptest::prelude::*;

use super::*;

fn chunk(number: u64) -> SentChunk {
    SentChunk {
        stream: StreamId(0),
        place: Place::Plain(Ssn(0)),
        ppid: Ppid(0),
        flags: DataFlags::default(),
        payload: Bytes::from_static(&[0; 10]),
        membership: Membership::default(),
        transmissions: 1,
        moved: false,
        sent_at: Instant::ZERO,
        ecn_capable: false,
        fate: Fate::InFlight(Shot {
            path: PathId::new(1),
            number,
        }),
    }
}

fn outstanding(count: u32) -> Outstanding {
    let mut out = Outstanding::new(Tsn(u32::MAX - 1));
    for number in 0..u64::from(count) {
        out.push(chunk(number));
    }
    out
}

fn blocks(gaps: &[(u16, u16)]) -> Vec<GapBlock> {
    let blocks = gaps.iter().map(|&(start, end)| GapBlock { start, end });
    blocks.collect()
}

/// What a SACK, or an NR-SACK with the second list, newly acknowledges.
fn nr_ack(
    out: &mut Outstanding,
    cum: u32,
    gaps: &[(u16, u16)],
    settled: &[(u16, u16)],
) -> Result<Vec<u64>, BadAck> {
    let (gaps, settled) = (blocks(gaps), blocks(settled));
    let claims = Claims {
        renegable: GapBlocks::new(&gaps),
        non_renegable: GapBlocks::new(&settled),
        limit: 10,
        tells_gaps: true,
    };
    let mut acked = Vec::new();
    out.acknowledge(Tsn(cum), &claims, |index, _| acked.push(index), |_, _| ())
        .map(|_| acked)
}

fn ack(out: &mut Outstanding, cum: u32, gaps: &[(u16, u16)]) -> Result<Vec<u64>, BadAck> {
    nr_ack(out, cum, gaps, &[])
}

#[test]
fn each_chunk_is_acknowledged_once_across_the_wrap() {
    let mut out = outstanding(6);
    assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 3)]), Ok(vec![1, 2]));
    assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 4)]), Ok(vec![3]));
    assert_eq!(ack(&mut out, 1, &[]), Ok(vec![0]));
    assert_eq!(out.unacked(), 20);
    assert_eq!(out.next_tsn(), Tsn(4));
}

#[test]
fn acknowledging_what_was_never_sent_is_an_error() {
    assert_eq!(ack(&mut outstanding(2), 1, &[]), Err(BadAck::NeverSent));
    assert_eq!(
        ack(&mut outstanding(2), u32::MAX - 2, &[(2, 3)]),
        Err(BadAck::NeverSent)
    );
}

#[test]
fn old_and_malformed_acknowledgements_change_nothing() {
    let mut out = outstanding(4);
    assert_eq!(ack(&mut out, u32::MAX - 2, &[(0, 1)]), Ok(vec![]));
    assert_eq!(ack(&mut out, u32::MAX, &[]), Ok(vec![0, 1]));
    assert_eq!(ack(&mut out, u32::MAX - 1, &[(2, 3)]), Ok(vec![]));
    assert_eq!(ack(&mut out, u32::MAX, &[(0, 1), (2, 1)]), Ok(vec![]));
}

#[test]
fn a_lost_chunk_that_is_acknowledged_after_all_is_not_sent_again() {
    let mut out = outstanding(2);
    assert!(out.mark_lost(0));
    assert!(!out.mark_lost(0));
    assert_eq!(out.first_lost(), Some(0));
    assert_eq!(ack(&mut out, u32::MAX - 1, &[]), Ok(vec![0]));
    assert!(!out.has_lost());
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2.1
//= type=test
//# If the SACK chunk is missing a TSN that was previously acknowledged via a Gap Ack Block (e.g., the data receiver reneged on the data), then consider the corresponding DATA that might be possibly missing
#[test]
fn what_the_peer_took_back_is_lost_and_what_it_still_claims_is_not() {
    let mut out = outstanding(6);
    let before = u32::MAX - 2;
    assert_eq!(
        ack(&mut out, before, &[(2, 3), (5, 6)]),
        Ok(vec![1, 2, 4, 5])
    );
    // An older SACK proves nothing.
    assert_eq!(ack(&mut out, before, &[(2, 2)]), Ok(vec![]));
    assert_eq!(out.unacked(), 20);
    // The second TSN is the first that the peer lacks now.
    assert_eq!(ack(&mut out, before + 1, &[(4, 5)]), Ok(vec![0]));
    assert_eq!(out.first_lost(), Some(1));
    assert_eq!(out.unacked(), 30);
    assert_eq!(out.get(4).map(|c| c.fate), Some(Fate::Acked));
    assert_eq!(ack(&mut out, before + 1, &[(2, 2)]), Ok(vec![2]));
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-3.3.8
//= type=test
//# Since the SHUTDOWN chunk does not contain Gap Ack Blocks, the receiver of the SHUTDOWN chunk MUST NOT interpret the lack of a Gap Ack Block as a renege.
#[test]
fn a_shutdown_takes_nothing_back() {
    let mut out = outstanding(4);
    assert_eq!(ack(&mut out, u32::MAX - 2, &[(2, 3)]), Ok(vec![1, 2]));
    let outcome = out.acknowledge(Tsn(u32::MAX - 1), &Claims::NONE, |_, _| (), |_, _| ());
    assert_eq!(outcome.map(|o| o.withdrawn), Ok(0));
    assert!(!out.has_lost());
}

#[test]
fn settled_chunks_give_their_bytes_back_at_once_and_are_acknowledged_once() {
    let mut out = outstanding(5);
    let before = u32::MAX - 2;
    assert_eq!(
        nr_ack(&mut out, before, &[(2, 2)], &[(4, 5)]),
        Ok(vec![3, 4, 1])
    );
    assert_eq!((out.buffered(), out.unacked()), (30, 20));
    // From renegable to settled, and again, and the other way round.
    assert_eq!(nr_ack(&mut out, before, &[], &[(2, 2), (4, 5)]), Ok(vec![]));
    assert_eq!(nr_ack(&mut out, before, &[(4, 5)], &[(2, 2)]), Ok(vec![]));
    assert_eq!((out.buffered(), out.unacked()), (20, 20));
    assert_eq!(ack(&mut out, 2, &[]), Ok(vec![0, 2]));
    assert_eq!((out.buffered(), out.unacked()), (0, 0));
    assert!(out.is_empty());
}

#[test]
fn what_is_settled_cannot_be_taken_back() {
    let mut out = outstanding(5);
    let before = u32::MAX - 2;
    assert_eq!(
        nr_ack(&mut out, before, &[(4, 4)], &[(2, 3)]),
        Ok(vec![1, 2, 3])
    );
    // A plain SACK that no longer speaks of it is merely shorter.
    assert_eq!(ack(&mut out, before, &[]), Ok(vec![]));
    assert_eq!(
        ack(&mut out, before + 1, &[]),
        Err(BadAck::SettledWithdrawn)
    );
}

#[test]
fn a_lost_chunk_that_is_settled_is_not_sent_again() {
    let mut out = outstanding(3);
    assert!(out.mark_lost(1));
    assert_eq!(nr_ack(&mut out, u32::MAX - 2, &[], &[(2, 2)]), Ok(vec![1]));
    assert!(!out.has_lost());
    assert!(!out.mark_lost(1));
}

#[test]
fn claims_of_what_was_never_sent_are_errors_in_both_lists() {
    for (gaps, settled) in [(&[(2, 6)][..], &[][..]), (&[], &[(2, 6)])] {
        let answer = nr_ack(&mut outstanding(5), u32::MAX - 2, gaps, settled);
        assert_eq!(answer, Err(BadAck::NeverSent));
    }
}

#[test]
fn out_of_order_and_overlapping_blocks_are_taken_as_a_set() {
    let mut out = outstanding(8);
    let acked = ack(&mut out, u32::MAX - 2, &[(7, 8), (3, 5), (2, 4), (3, 5)]);
    assert_eq!(acked, Ok(vec![6, 7, 2, 3, 4, 1]));
}

#[test]
fn blocks_beyond_the_limit_and_blocks_that_cannot_be_are_ignored_and_counted() {
    let mut out = outstanding(40);
    // Offset 1 would have been acknowledged cumulatively.
    let mut list = vec![(0, 1), (1, 1), (3, 2)];
    list.extend((0..8).map(|n| (2 + 2 * n, 2 + 2 * n)));
    let gaps = blocks(&list);
    let claims = Claims {
        renegable: GapBlocks::new(&gaps),
        non_renegable: GapBlocks::EMPTY,
        limit: 10,
        tells_gaps: true,
    };
    let outcome = out.acknowledge(Tsn(u32::MAX - 2), &claims, |_, _| (), |_, _| ());
    assert_eq!(outcome.map(|o| o.ignored_blocks), Ok(4));
    assert_eq!(out.unacked(), 400 - 70);
}

/// What a peer may do to the chunks, and what the sender does.
#[derive(Clone, Debug)]
enum Step {
    Push,
    Lose(u64),
    Resend,
    Ack {
        advance: u32,
        gaps: Vec<(u16, u16)>,
        settled: Vec<(u16, u16)>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let list = || prop::collection::vec((0..12_u16, 0..12_u16), 0..4);
    prop_oneof![
        4 => Just(Step::Push),
        2 => (0..12_u64).prop_map(Step::Lose),
        1 => Just(Step::Resend),
        4 => (0..4_u32, list(), list())
            .prop_map(|(advance, gaps, settled)| Step::Ack { advance, gaps, settled }),
    ]
}

proptest! {
    /// Each chunk is acknowledged once, unless it was taken back in between, and the books
    /// balance whatever the peer claims.
    #[test]
    fn the_books_balance_whatever_is_claimed(steps in prop::collection::vec(step(), 1..120)) {
        let mut out = outstanding(6);
        let shot = Shot { path: PathId::new(1), number: 0 };
        let mut acked = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Push => out.push(chunk(0)),
                Step::Lose(ahead) => {
                    out.mark_lost(out.base + ahead);
                }
                Step::Resend => {
                    if let Some(index) = out.first_lost() {
                        out.mark_resent(index, shot, Instant::ZERO);
                    }
                }
                Step::Ack { advance, gaps, settled } => {
                    let (gaps, settled) = (blocks(&gaps), blocks(&settled));
                    let claims = Claims {
                        renegable: GapBlocks::new(&gaps),
                        non_renegable: GapBlocks::new(&settled),
                        limit: 6,
                        tells_gaps: true,
                    };
                    let cumulative = out.cumulative().add(advance);
                    let mut twice = false;
                    let on_acked = |index, _: &SentChunk| twice |= !acked.insert(index);
                    let answer = out.acknowledge(cumulative, &claims, on_acked, |_, _| ());
                    prop_assert!(!twice);
                    match answer {
                        Ok(outcome) if outcome.withdrawn > 0 => {
                            acked.retain(|i| out.get(*i).is_none_or(|c| {
                                matches!(c.fate, Fate::Acked | Fate::Settled)
                            }));
                        }
                        Ok(_) => {}
                        // The association is over.
                        Err(_) => return Ok(()),
                    }
                }
            }
            prop_assert_eq!(out.check(), Ok(()));
            prop_assert!(!out.acked.contains(out.base), "the first chunk is never acknowledged");
        }
    }
}
