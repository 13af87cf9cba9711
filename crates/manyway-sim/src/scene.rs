//! Ready-made networks of one client, one server, and several paths between them.

mod transfer;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use manyway_proto::{AssocId, Connect, Endpoint, EndpointConfig, Event, Port};

use crate::nat::NatConfig;
use crate::network::{Action, Direction, HostId, InterfaceConfig, InterfaceId, NatId, Network};
use crate::station::Station;
use crate::{LinkConfig, Rate};

pub use transfer::TransferReport;

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

    /// The server's address and port on path `path`.
    pub fn server_address(&self, path: usize) -> SocketAddr {
        self.network.addresses(self.server)[path]
    }
}
