//! Messages that their sender gives up on (RFC 3758, RFC 7496).

use manyway_bed::Loss;

use crate::capture::chunk;
use crate::network::{self, Pair, Side, soon};
use crate::transfer::{contents, exchange};

/// The peer sends 300 messages of 3000 bytes, of which those that get lost are given up, and then
/// a last one that may not be. What arrives before the last one, in its order, by its number.
async fn receive_with_losses(pair: &mut Pair, order: char, policy: &str) -> Vec<u64> {
    const LAST: u64 = 5_000;
    pair.peer
        .begin(&format!("send 1 {order} 3000 300 1000 0 {policy}"));
    pair.peer.begin(&format!("send 1 o 3000 1 {LAST}"));
    let mut arrived = Vec::new();
    loop {
        let message = soon("a message", pair.ours.recv()).await.unwrap().unwrap();
        assert_eq!(message.stream.0, 1);
        if message.payload == contents(LAST, 3000) {
            return arrived;
        }
        let seed = (1000..1300).find(|&seed| message.payload == contents(seed, 3000));
        arrived.push(seed.expect("whole messages only") - 1000);
    }
}

fn gives_up(initiator: Side, policy: &'static str) {
    let crossed = network::run(async move |world| {
        let mut pair = world.associate(initiator).await;
        world.bed.path(0).set_loss(Loss::Bernoulli(0.05));
        let arrived = receive_with_losses(&mut pair, 'o', policy).await;
        assert!((50..300).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.is_sorted(), "{arrived:?}");
        pair.peer.event("given-up 1").await;
        world.bed.path(0).set_loss(Loss::None);
        exchange(&mut pair, 20, 5000).await;
    });
    crossed.had(&[chunk::FORWARD_TSN]);
}

#[test]
fn messages_that_the_peer_never_sends_again_are_skipped() {
    gives_up(Side::We, "rtx 0");
    gives_up(Side::They, "rtx 0");
}

#[test]
fn messages_that_the_peer_gives_up_in_time_are_skipped() {
    gives_up(Side::They, "ttl 30");
}

#[test]
fn unordered_messages_that_the_peer_gives_up_are_skipped() {
    let crossed = network::run(async |world| {
        let mut pair = world.associate(Side::We).await;
        world.bed.path(0).set_loss(Loss::Bernoulli(0.05));
        receive_with_losses(&mut pair, 'u', "rtx 0").await;
        world.bed.path(0).set_loss(Loss::None);
        exchange(&mut pair, 20, 5000).await;
    });
    crossed.had(&[chunk::FORWARD_TSN]);
}

/// Without loss nothing is given up, whatever might have been.
#[test]
fn messages_that_may_be_given_up_arrive_when_nothing_is_lost() {
    let crossed = network::run(async |world| {
        let mut pair = world.associate(Side::They).await;
        let arrived = receive_with_losses(&mut pair, 'o', "rtx 0").await;
        assert_eq!(arrived, (0..300).collect::<Vec<_>>());
    });
    crossed.had_no(&[chunk::FORWARD_TSN]);
}
