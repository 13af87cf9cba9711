//! What goes beyond RFC 9260 over UDP, with the Linux kernel: parts of the one test of `linux`.

use manyway::Carrier;

use crate::auth::{demand, share};
use crate::linux::{associate, reset, transfers};
use crate::network::{Ip, Side, World};
use crate::peer::Peer;
use crate::transfer::exchange;

const BOTH: [Side; 2] = [Side::We, Side::They];

/// IPv6, and both families without UDP.
pub(crate) async fn carriers(world: &mut World<'_>, mut peer: Peer) -> Peer {
    let before = world.config.clone();
    for (ip, carrier) in [
        (Ip::V6, Carrier::Udp),
        (Ip::V4, Carrier::Raw),
        (Ip::V6, Carrier::Raw),
    ] {
        world.config = before.clone();
        if carrier == Carrier::Raw {
            world.make_raw();
        }
        world.use_ip(ip);
        for initiator in BOTH {
            peer = transfers(world, peer, initiator).await;
        }
    }
    world.config = before;
    world.use_ip(Ip::V4);
    peer
}

/// Data and acknowledgements, by a shared key and with either hash function.
pub(crate) async fn authentication(world: &mut World<'_>, mut peer: Peer) -> Peer {
    let before = world.config.clone();
    for hmacs in ["auth-hmac 3 1", "auth-hmac 1"] {
        for initiator in BOTH {
            demand(world);
            share(world, "open-sesame");
            world
                .prepare
                .extend([hmacs, "key 7 open-sesame", "use-key 7"]);
            let mut pair = associate(world, peer, initiator).await;
            exchange(&mut pair, 20, 5000).await;
            peer = reset(pair).await;
            world.prepare.clear();
            world.config = before.clone();
        }
    }
    peer
}
