//! The two hosts, and an association between them whose server echoes.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use manyway::{
    Association, Carrier, ConnectError, Endpoint, EndpointConfig, Message, PathState, UDP_PORT,
};
use manyway_bed::{Bed, BedConfig, LinkConfig, Rate, ScenePath};
use manyway_net::namespace::{Namespace, Privileges, privileges};

pub(crate) const PORT: u16 = 7;
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One network at a time.
pub(crate) static ONE: Mutex<()> = Mutex::new(());

/// Addresses of client and server, one on each path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) client: [&'static str; 2],
    pub(crate) server: [&'static str; 2],
}

pub(crate) const V4: Addresses = Addresses {
    client: ["10.1.0.2", "10.2.0.2"],
    server: ["192.0.2.2", "198.51.100.2"],
};
pub(crate) const V6: Addresses = Addresses {
    client: ["2001:db8:0:1::2", "2001:db8:0:2::2"],
    server: ["2001:db8:1:1::2", "2001:db8:1:2::2"],
};
/// IPv6 on the first path, IPv4 on the second.
pub(crate) const MIXED: Addresses = Addresses {
    client: [V6.client[0], V4.client[1]],
    server: [V6.server[0], V4.server[1]],
};

pub(crate) fn config(addresses: &[&str], carrier: Carrier) -> EndpointConfig {
    let mut config = EndpointConfig::default();
    config.addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
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

/// Whether there can be namespaces; says so if not.
pub(crate) fn is_root() -> bool {
    let root = privileges() == Privileges::Root;
    if !root {
        println!("skipped: needs root to make network namespaces");
    }
    root
}

/// Runs `test` on the client's side of an association over two paths whose peer echoes.
pub(crate) fn with_echo(
    addresses: Addresses,
    carrier: Carrier,
    test: impl AsyncFnOnce(&Bed, &Association) + Send,
) {
    let link = LinkConfig::new(Rate::from_mbit(100), Duration::from_millis(5));
    let network = BedConfig {
        paths: vec![ScenePath::direct(link); 2],
        ipv6: true,
        ..BedConfig::default()
    };
    if is_root() {
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let bed = Bed::build(&network).unwrap();
        let hosts = [bed.client(), bed.server()];
        let configs = [addresses.client, addresses.server].map(|own| config(&own, carrier));
        between(hosts, configs, async |_, peer| test(&bed, peer).await);
    }
}

/// Runs `test` on the first host, on an endpoint and its association with the second host, which
/// echoes what it receives.
pub(crate) fn between(
    [client, server]: [&Namespace; 2],
    [own, theirs]: [EndpointConfig; 2],
    test: impl AsyncFnOnce(&Endpoint, &Association) + Send,
) {
    let port = if own.carrier == Carrier::Raw {
        0
    } else {
        UDP_PORT
    };
    let addresses = theirs.addresses.iter();
    let remotes: Vec<_> = addresses.map(|ip| SocketAddr::new(*ip, port)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| in_namespace(server, async || serve(theirs).await));
        in_namespace(client, async || {
            let endpoint = Endpoint::bind(own).await.unwrap();
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
            test(&endpoint, &peer).await;
            peer.shutdown().await.unwrap();
        });
    });
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "in vain: {what}");
}

pub(crate) async fn both_paths_work(peer: &Association) {
    let active = || {
        let paths = peer.paths();
        let active = paths.iter().filter(|p| p.state == PathState::Active);
        active.count() == 2
    };
    until("two active paths", active).await;
}

/// Sends messages of many sizes and checks what comes back.
pub(crate) async fn exchange(peer: &Association, rounds: usize) {
    for round in 0..rounds {
        let length = [1, 100, 1452, 1473, 5000, 65_536][round % 6];
        let sent = Message::new(0, vec![round as u8; length]);
        peer.send(sent.clone()).await.unwrap();
        let back = tokio::time::timeout(PATIENCE, peer.recv()).await.unwrap();
        assert_eq!(back.unwrap().unwrap().payload, sent.payload);
    }
}
