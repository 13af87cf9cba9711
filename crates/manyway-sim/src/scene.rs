//! Ready-made networks of one client, one server, and several paths between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use manyway_proto::{AssocId, Connect, Endpoint, EndpointConfig, Event, Port};

use crate::nat::NatConfig;
use crate::network::{Action, Direction, HostId, InterfaceConfig, InterfaceId, NatId, Network};
use crate::station::Station;
use crate::{Instant, LinkConfig, Rate};

/// The UDP port of both hosts (RFC 6951).
pub const UDP_PORT: u16 = 9899;
/// The SCTP port the server listens on.
pub const SCTP_PORT: Port = Port(5001);

/// The documentation networks of RFC 5737, one for each path's public side.
const PUBLIC_NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];

/// One path of a [`Scene`].
#[derive(Clone, Debug)]
pub struct ScenePath {
    /// From the client towards the server.
    pub up: LinkConfig,
    /// From the server towards the client.
    pub down: LinkConfig,
    /// The NAT in front of the client, if any.
    pub nat: Option<NatConfig>,
}

impl ScenePath {
    /// The same link in both directions, without NAT.
    pub fn direct(link: LinkConfig) -> Self {
        Self {
            up: link,
            down: link,
            nat: None,
        }
    }

    /// The same link in both directions, behind a hostile NAT ([`NatConfig::symmetric`]).
    pub fn behind_nat(link: LinkConfig) -> Self {
        Self {
            nat: Some(NatConfig::symmetric()),
            ..Self::direct(link)
        }
    }
}

/// The parts of one path.
#[derive(Clone, Copy, Debug)]
pub struct ScenePathIds {
    /// The client's interface, which has the path's links.
    pub client: InterfaceId,
    /// The server's interface, whose links are ideal.
    pub server: InterfaceId,
    /// The NAT in front of the client.
    pub nat: Option<NatId>,
}

/// A client and a server with as many interfaces as there are paths.
///
/// The client's interface on path *i* (from 1) is 10.*i*.0.2; the server's are 192.0.2.2,
/// 198.51.100.2, 203.0.113.2, and the NATs' public addresses end in .1 in the same networks. Every
/// interface of the client reaches every one of the server's; the links are the client's.
#[derive(Debug)]
pub struct Scene {
    /// The network.
    pub network: Network<Station>,
    /// The client.
    pub client: HostId,
    /// The server, which listens on [`SCTP_PORT`].
    pub server: HostId,
    /// The paths.
    pub paths: Vec<ScenePathIds>,
}

impl Scene {
    /// Builds a network; everything random in it, the engines included, follows from `seed`.
    ///
    /// # Panics
    /// Unless there are one to three paths.
    pub fn new(paths: &[ScenePath], seed: u64) -> Self {
        Self::with_engines(
            paths,
            EndpointConfig::default(),
            EndpointConfig::default(),
            seed,
        )
    }

    /// As [`Scene::new`], with options for the two engines.
    ///
    /// # Panics
    /// Unless there are one to three paths.
    pub fn with_engines(
        paths: &[ScenePath],
        client: EndpointConfig,
        server: EndpointConfig,
        seed: u64,
    ) -> Self {
        assert!(
            (1..=PUBLIC_NETWORKS.len()).contains(&paths.len()),
            "one to three paths"
        );
        let engine_seed = |which: u8| {
            let mut bytes = [which; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            bytes
        };
        let mut endpoint = Endpoint::new(server, engine_seed(2));
        endpoint
            .listen(SCTP_PORT)
            .expect("a new endpoint can listen");
        let mut network = Network::new(seed);
        let client = Station::new(Endpoint::new(client, engine_seed(1)));
        let client = network.add_host(client, UDP_PORT);
        let server = network.add_host(Station::new(endpoint), UDP_PORT);
        let mut scene = Self {
            network,
            client,
            server,
            paths: Vec::new(),
        };
        for path in paths {
            scene.add_path(path);
        }
        scene
    }

    /// Two paths of these links, each behind a hostile NAT.
    pub fn two_nat(links: [LinkConfig; 2], seed: u64) -> Self {
        Self::new(&links.map(ScenePath::behind_nat), seed)
    }

    /// The reference scene: two hostile NATs, 50 and 20 Mbit/s, 10 ms each way, 100 ms of queue.
    pub fn reference(seed: u64) -> Self {
        let delay = Duration::from_millis(10);
        Self::two_nat(
            [50, 20].map(|mbit| LinkConfig::new(Rate::from_mbit(mbit), delay)),
            seed,
        )
    }

    fn add_path(&mut self, path: &ScenePath) {
        let index = self.paths.len();
        let [a, b, c] = PUBLIC_NETWORKS[index];
        let network = &mut self.network;
        let public = IpAddr::V4(Ipv4Addr::new(a, b, c, 1));
        let nat = path
            .nat
            .clone()
            .map(|config| network.add_nat(config, public));
        let address = IpAddr::V4(Ipv4Addr::new(10, index as u8 + 1, 0, 2));
        let client = InterfaceConfig {
            address,
            up: path.up,
            down: path.down,
            nat,
        };
        let client = network.add_interface(self.client, client);
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, 2));
        let server = network.add_interface(self.server, InterfaceConfig::public(address));
        self.paths.push(ScenePathIds {
            client,
            server,
            nat,
        });
    }

    /// Begins to connect the client, by all its addresses, to all addresses of the server.
    ///
    /// # Panics
    /// If the engine refuses.
    pub fn connect(&mut self) -> AssocId {
        let now = self.network.now();
        let locals = self.network.addresses(self.client);
        let remotes = self.network.addresses(self.server);
        let request = Connect {
            locals,
            remotes,
            port: SCTP_PORT,
        };
        self.network
            .with_node(self.client, |station| {
                station.endpoint.connect(now, request)
            })
            .expect("a valid request on a fresh engine is accepted")
    }

    /// Connects and waits at most `most` for both ends to be established; their names for the
    /// association.
    pub fn establish(&mut self, most: Duration) -> Option<(AssocId, AssocId)> {
        let assoc = self.connect();
        let before = self.network.node(self.server).incoming().count();
        let (client, server) = (self.client, self.server);
        let connected = self.network.run_to(most, |network| {
            let up = network
                .node(client)
                .first_event(assoc, |e| *e == Event::Connected)
                .is_some();
            up && network.node(server).incoming().count() > before
        });
        let peer = self.network.node(server).incoming().nth(before)?;
        connected.then_some((assoc, peer))
    }

    /// Cuts a path in both directions, silently.
    pub fn cut(&mut self, path: usize) {
        self.network
            .apply(Action::Cut(self.paths[path].client, Direction::Both));
    }

    /// Makes a path whole again.
    pub fn restore(&mut self, path: usize) {
        self.network
            .apply(Action::Restore(self.paths[path].client, Direction::Both));
    }

    /// Makes a path's NAT forget its mappings; nothing happens without a NAT.
    pub fn rebind(&mut self, path: usize) {
        if let Some(nat) = self.paths[path].nat {
            self.network.apply(Action::Rebind(nat));
        }
    }

    /// Gives a path's NAT another public address; nothing happens without a NAT.
    pub fn renumber(&mut self, path: usize, public: IpAddr) {
        if let Some(nat) = self.paths[path].nat {
            self.network.apply(Action::Renumber(nat, public));
        }
    }

    /// Sends `bytes` bytes from the client to the server and waits for them, at most for `most`.
    pub fn upload(
        &mut self,
        (assoc, peer): (AssocId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        self.transfer((self.client, assoc), (self.server, peer), bytes, most)
    }

    /// Sends `bytes` bytes from the server to the client and waits for them, at most for `most`.
    pub fn download(
        &mut self,
        (assoc, peer): (AssocId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        self.transfer((self.server, peer), (self.client, assoc), bytes, most)
    }

    fn transfer(
        &mut self,
        (sender, outgoing): (HostId, AssocId),
        (receiver, incoming): (HostId, AssocId),
        bytes: u64,
        most: Duration,
    ) -> TransferReport {
        let start = self.network.now();
        let before = self.link_bytes();
        let had = self.network.with_node(receiver, |station| {
            let received = station.received_mut(incoming);
            received.restart_gap(start);
            received.clone()
        });
        let message = self.message_size(sender, outgoing);
        self.network
            .with_node(sender, |s| s.send_bulk(outgoing, Some(bytes), message));
        let complete = self.network.run_to(most, |network| {
            network.node(receiver).received(incoming).bytes >= had.bytes + bytes
        });
        let received = self.network.node(receiver).received(incoming);
        let after = self.link_bytes();
        let end = if complete {
            received.last.unwrap_or(start)
        } else {
            self.network.now()
        };
        TransferReport {
            start,
            elapsed: end - start,
            bytes: received.bytes - had.bytes,
            complete,
            corrupt: received.corrupt - had.corrupt,
            longest_gap: received
                .longest_gap
                .max(end - received.last.unwrap_or(start).max(start)),
            path_bytes: before
                .iter()
                .zip(after)
                .map(|(b, a)| (a.0 - b.0, a.1 - b.1))
                .collect(),
        }
    }

    fn message_size(&self, host: HostId, assoc: AssocId) -> usize {
        let station = self.network.node(host);
        station
            .endpoint
            .association(assoc)
            .map_or(1200, |assoc| assoc.max_message_payload())
    }

    fn link_bytes(&self) -> Vec<(u64, u64)> {
        let delivered = |path: &ScenePathIds| {
            let (up, down) = (
                self.network.uplink(path.client),
                self.network.downlink(path.client),
            );
            (
                up.counters().delivered_bytes,
                down.counters().delivered_bytes,
            )
        };
        self.paths.iter().map(delivered).collect()
    }
}

/// The addresses and UDP port of the server on a path of a [`Scene`].
impl Scene {
    /// The server's address and port on path `path`.
    pub fn server_address(&self, path: usize) -> SocketAddr {
        self.network.addresses(self.server)[path]
    }
}

/// How a transfer went.
#[derive(Clone, Debug, PartialEq)]
pub struct TransferReport {
    /// When it began.
    pub start: Instant,
    /// How long it took: to the last byte if it was completed, else until it was given up.
    pub elapsed: Duration,
    /// Bytes of user data that the receiver's application read.
    pub bytes: u64,
    /// Whether that was everything.
    pub complete: bool,
    /// Messages that were not what was sent next.
    pub corrupt: u64,
    /// Longest time without a message at the receiver's application, from the start on.
    pub longest_gap: Duration,
    /// Bytes that came through each path's links, headers included: towards the server and towards
    /// the client.
    pub path_bytes: Vec<(u64, u64)>,
}

impl TransferReport {
    /// User data per time, in bits per second.
    pub fn goodput(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.elapsed.as_secs_f64().max(1e-9)
    }
}
