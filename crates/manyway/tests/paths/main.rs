//! Two endpoints in namespaces of their own: what carries their packets, which families their
//! paths are of, what the routers between them say. Needs root; skips itself without.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

mod ecn;
mod mtu;
mod world;

use std::net::IpAddr;

use manyway::{BindError, Carrier, Endpoint, EndpointConfig, Message};
use manyway_net::namespace::{Privileges, privileges};

use world::{
    Addresses, MIXED, PATIENCE, PORT, V4, V6, both_paths_work, config, exchange, with_echo,
};

/// Both paths come up, and each carries on alone while the other is cut.
fn paths_work_and_replace_each_other(addresses: Addresses, carrier: Carrier) {
    with_echo(addresses, carrier, async |bed, peer| {
        both_paths_work(peer).await;
        let mut locals: Vec<IpAddr> = Vec::new();
        for path in peer.paths() {
            assert_eq!(path.four_tuple.is_raw(), carrier == Carrier::Raw);
            locals.push(path.four_tuple.local.ip());
        }
        for text in addresses.client {
            assert!(locals.contains(&text.parse().unwrap()), "{locals:?}");
        }
        exchange(peer, 12).await;
        for cut in [0, 1] {
            bed.path(cut).cut();
            exchange(peer, 12).await;
            bed.path(cut).restore();
            both_paths_work(peer).await;
        }
    });
}

#[test]
fn ipv6_paths_work_and_replace_each_other() {
    paths_work_and_replace_each_other(V6, Carrier::Udp);
}

#[test]
fn an_ipv6_and_an_ipv4_path_work_in_one_association() {
    paths_work_and_replace_each_other(MIXED, Carrier::Udp);
}

#[test]
fn paths_over_ip_itself_work_and_replace_each_other() {
    paths_work_and_replace_each_other(V4, Carrier::Raw);
    paths_work_and_replace_each_other(V6, Carrier::Raw);
}

#[test]
fn ipv6_and_ipv4_themselves_carry_one_association() {
    paths_work_and_replace_each_other(MIXED, Carrier::Raw);
}

#[test]
fn bulk_passes_over_ip_itself() {
    with_echo(V4, Carrier::Raw, async |_, peer| {
        const COUNT: usize = 200;
        let send = async {
            for _ in 0..COUNT {
                peer.send(Message::new(0, vec![7; 65_536])).await.unwrap();
            }
        };
        let receive = async {
            for _ in 0..COUNT {
                let message = tokio::time::timeout(PATIENCE, peer.recv()).await.unwrap();
                assert_eq!(message.unwrap().unwrap().payload.len(), 65_536);
            }
        };
        tokio::join!(send, receive);
    });
}

/// Endpoints on one address do not answer each other's packets.
#[test]
fn two_endpoints_share_an_address_without_udp() {
    with_echo(V4, Carrier::Raw, async |_, peer| {
        let neighbour = Endpoint::bind(config(&V4.client, Carrier::Raw))
            .await
            .unwrap();
        let _listener = neighbour.listen(PORT + 1).unwrap();
        exchange(peer, 24).await;
        assert_eq!(neighbour.stats().stray_packets, 0);
        neighbour.close();
    });
}

#[tokio::test]
async fn a_lack_of_privilege_is_said_clearly() {
    if privileges() == Privileges::Root {
        println!("skipped: root has the privilege");
        return;
    }
    let mut config = EndpointConfig::default();
    config.addresses = vec!["127.0.0.1".parse().unwrap()];
    config.carrier = Carrier::Raw;
    let refused = Endpoint::bind(config).await.map(drop).unwrap_err();
    assert!(matches!(refused, BindError::Raw(_)), "{refused:?}");
    assert!(refused.to_string().contains("CAP_NET_RAW"), "{refused}");
}
