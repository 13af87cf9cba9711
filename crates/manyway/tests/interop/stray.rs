//! Packets of associations that one side has forgotten (RFC 9260, section 8.4).

use manyway::CloseReason;

use crate::network::{self, Pair, Side, soon};
use crate::transfer::{send, their_send};

/// usrsctp answers with an ABORT that reflects our own tag.
#[test]
fn a_peer_that_started_anew_ends_the_old_association() {
    network::run(async |world| {
        let Pair { peer, ours, .. } = world.associate(Side::We).await;
        drop(peer);
        let _anew = world.peer().await;
        send(&ours, 1, 100).await;
        let reason = soon("end", ours.closed()).await;
        assert!(
            matches!(reason, CloseReason::PeerAbort { .. }),
            "{reason:?}"
        );
    });
}

#[test]
fn a_peer_learns_that_we_started_anew() {
    network::run(async |world| {
        let Pair {
            mut peer,
            ours,
            endpoint,
            ..
        } = world.associate(Side::We).await;
        // The end is not told: nothing gets out.
        world.bed.path(0).set_cut(true, true);
        endpoint.close();
        assert_eq!(soon("end", ours.closed()).await, CloseReason::LocalAbort);
        drop((ours, endpoint));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.bed.path(0).restore();
        let _anew = world.endpoint().await;
        peer.command(&their_send(1, 100)).await;
        peer.event("lost").await;
    });
}
