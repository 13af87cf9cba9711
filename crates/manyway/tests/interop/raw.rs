//! SCTP over IP itself, without UDP.

use std::net::SocketAddr;

use manyway::{AssocState, ConnectError};
use manyway_bed::Loss;

use crate::network::{self, Ip, Pair, SCTP_PORT, Side, World, soon};
use crate::transfer::{exchange, send};

const BOTH: [Side; 2] = [Side::We, Side::They];

async fn associate(world: &mut World<'_>, initiator: Side) -> Pair {
    world.make_raw();
    let pair = world.associate(initiator).await;
    let tuple = pair.ours.paths()[0].four_tuple;
    assert!(tuple.is_raw(), "{tuple:?}");
    pair
}

#[test]
fn messages_of_many_sizes_pass_over_ip_itself() {
    for ip in [Ip::V4, Ip::V6] {
        for initiator in BOTH {
            network::run_over(ip, async move |mut world| {
                let mut pair = associate(&mut world, initiator).await;
                for size in [1, 4, 1204, 1473, 20_000, 65_536] {
                    exchange(&mut pair, 5, size).await;
                }
                soon("shutdown", pair.ours.shutdown()).await.unwrap();
                pair.peer.event("closed").await;
            });
        }
    }
}

#[test]
fn loss_is_made_good_over_ip_itself() {
    network::run(async |mut world| {
        let mut pair = associate(&mut world, Side::They).await;
        world.bed.path(0).set_loss(Loss::Bernoulli(0.01));
        exchange(&mut pair, 300, 3000).await;
    });
}

#[test]
fn aborts_pass_over_ip_itself() {
    network::run(async |mut world| {
        let Pair { mut peer, ours, .. } = associate(&mut world, Side::We).await;
        send(&ours, 1, 100).await;
        ours.abort(b"enough");
        peer.event("lost").await;
        assert_eq!(ours.state(), AssocState::Closed);
    });
}

/// Without a raw socket the kernel says that it does not know the protocol.
#[test]
fn a_host_without_sctp_refuses() {
    network::run(async |mut world| {
        // Something has to be captured.
        let pair = associate(&mut world, Side::We).await;
        drop(pair.peer);
        let remote = SocketAddr::new(Ip::V4.theirs()[0].parse().unwrap(), 0);
        let refused = soon("refusal", pair.endpoint.connect(&[remote], SCTP_PORT)).await;
        assert!(matches!(refused, Err(ConnectError::Refused)), "{refused:?}");
    });
}
