//! Two endpoints in namespaces of their own: what carries their packets, and which families their
//! paths are of. Needs root; skips itself without.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use manyway::{
    Association, BindError, Carrier, ConnectError, Endpoint, EndpointConfig, Message, PathState,
    UDP_PORT,
};
use manyway_bed::{Bed, BedConfig, LinkConfig, Rate, ScenePath};
use manyway_net::namespace::{Namespace, Privileges, privileges};

const PORT: u16 = 7;
const PATIENCE: Duration = Duration::from_secs(30);

/// One network at a time.
static ONE: Mutex<()> = Mutex::new(());

/// Addresses of client and server, one on each path.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    client: [&'static str; 2],
    server: [&'static str; 2],
}

const V4: Addresses = Addresses {
    client: ["10.1.0.2", "10.2.0.2"],
    server: ["192.0.2.2", "198.51.100.2"],
};
const V6: Addresses = Addresses {
    client: ["2001:db8:0:1::2", "2001:db8:0:2::2"],
    server: ["2001:db8:1:1::2", "2001:db8:1:2::2"],
};
/// IPv6 on the first path, IPv4 on the second.
const MIXED: Addresses = Addresses {
    client: [V6.client[0], V4.client[1]],
    server: [V6.server[0], V4.server[1]],
};

fn config(addresses: [&str; 2], carrier: Carrier) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.addresses = addresses.map(|text| text.parse().unwrap()).to_vec();
    config.carrier = carrier;
    config.udp_port = UDP_PORT;
    config.transport.heartbeat_interval = Duration::from_millis(300);
    config.transport.path_max_retransmits = 1;
    config
}

fn in_namespace(namespace: &Namespace, work: impl AsyncFnOnce() + Send) {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(work());
    };
    namespace.enter(run).unwrap();
}

/// Echoes what every association sends, until the first one ends.
async fn serve(config: EndpointConfig) {
    let endpoint = Endpoint::bind(config).await.unwrap();
    let mut listener = endpoint.listen(PORT).unwrap();
    let peer = listener.accept().await.unwrap();
    while let Ok(Some(message)) = peer.recv().await {
        peer.send(message).await.unwrap();
    }
    peer.closed().await;
}

/// Runs `test` on the client's side of an association whose peer echoes.
fn with_echo(
    addresses: Addresses,
    carrier: Carrier,
    test: impl AsyncFnOnce(&Bed, &Association) + Send,
) {
    if privileges() != Privileges::Root {
        println!("skipped: needs root to make network namespaces");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let link = LinkConfig::new(Rate::from_mbit(100), Duration::from_millis(5));
    let bed = Bed::build(&BedConfig {
        paths: vec![ScenePath::direct(link); 2],
        ipv6: true,
        ..BedConfig::default()
    })
    .unwrap();
    let port = if carrier == Carrier::Raw { 0 } else { UDP_PORT };
    let remotes = addresses
        .server
        .map(|text| SocketAddr::new(text.parse::<IpAddr>().unwrap(), port));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_namespace(bed.server(), async || {
                serve(config(addresses.server, carrier)).await;
            });
        });
        in_namespace(bed.client(), async || {
            let endpoint = Endpoint::bind(config(addresses.client, carrier))
                .await
                .unwrap();
            let connected = async {
                loop {
                    match endpoint.connect(&remotes, PORT).await {
                        // The server is not there yet.
                        Err(ConnectError::Refused) => {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        other => break other.unwrap(),
                    }
                }
            };
            let peer = tokio::time::timeout(PATIENCE, connected).await.unwrap();
            test(&bed, &peer).await;
            peer.shutdown().await.unwrap();
        });
    });
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "in vain: {what}");
}

async fn both_paths_work(peer: &Association) {
    let active = || {
        let paths = peer.paths();
        let active = paths.iter().filter(|p| p.state == PathState::Active);
        active.count() == 2
    };
    until("two active paths", active).await;
}

/// Sends messages of many sizes and checks what comes back.
async fn exchange(peer: &Association, rounds: usize) {
    for round in 0..rounds {
        let length = [1, 100, 1452, 1473, 5000, 65_536][round % 6];
        let sent = Message::new(0, vec![round as u8; length]);
        peer.send(sent.clone()).await.unwrap();
        let back = tokio::time::timeout(PATIENCE, peer.recv()).await.unwrap();
        assert_eq!(back.unwrap().unwrap().payload, sent.payload);
    }
}

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
        let neighbour = Endpoint::bind(config(V4.client, Carrier::Raw))
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
