//! Building a test network.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use manyway_net::link;
use manyway_net::namespace::{Namespace, NamespaceOptions};
use manyway_sim::{LinkConfig, Rate, ScenePath};

use crate::BedError;
use crate::capture::Capture;
use crate::hosts;
use crate::path::BedPath;
use crate::reap;
use crate::relay::{Port, Relay};

/// The documentation networks of RFC 5737, one for each path's public side.
const PUBLIC_NETWORKS: [[u8; 3]; 3] = [[192, 0, 2], [198, 51, 100], [203, 0, 113]];

/// What a test network looks like.
#[derive(Clone, Debug)]
pub struct BedConfig {
    /// The paths, one to three. Path *i* (from 1) joins the client's `c`*i* 10.*i*.0.2 to the
    /// server's `s`*i* (192.0.2.2, 198.51.100.2, 203.0.113.2); its NAT, if it has one, has the
    /// address ending in .1 in the server's network.
    pub paths: Vec<ScenePath>,
    /// All loss, jitter and port choices follow from it (and from when packets come).
    pub seed: u64,
    /// Where to write captures of every interface, as `c1.pcap` and so on. They are complete when
    /// the bed is dropped.
    pub captures: Option<PathBuf>,
    /// What client and server have of their own besides their networks.
    pub namespaces: NamespaceOptions,
    /// Gives both ends of every path IPv6 addresses too: 2001:db8:0:*i*::2 to the client and
    /// 2001:db8:1:*i*::2 to the server. No NAT translates them.
    pub ipv6: bool,
}

impl BedConfig {
    /// Paths with the same rate and one-way delay up and down, 100 ms of queue, each behind a
    /// hostile NAT: random ports, address- and port-dependent mapping and filtering.
    pub fn behind_nats(paths: &[(Rate, Duration)]) -> Self {
        let path = |&(rate, delay): &_| ScenePath::behind_nat(LinkConfig::new(rate, delay));
        Self {
            paths: paths.iter().map(path).collect(),
            seed: 1,
            captures: None,
            namespaces: NamespaceOptions::default(),
            ipv6: false,
        }
    }
}

impl Default for BedConfig {
    /// Two paths behind hostile NATs, of 50 and 20 Mbit/s, each with 10 ms of delay one way and
    /// 100 ms of queue.
    fn default() -> Self {
        let delay = Duration::from_millis(10);
        Self::behind_nats(&[(Rate::from_mbit(50), delay), (Rate::from_mbit(20), delay)])
    }
}

/// A test network that runs until it is dropped. Every program inside is killed then, also those
/// that others there have started.
///
/// Every server address is reachable over every path: what arrives at the server's end of a path
/// is delivered whatever server address it is for, and answers go to the NAT they came from.
///
/// The interfaces' own queues hold 500 packets. Hosts that send more between two turns of a router
/// lose them there; the paths' counters do not see those.
#[derive(Debug)]
pub struct Bed {
    // Routers go first, so that nothing reads devices whose namespace is being taken down.
    relays: Vec<Relay>,
    paths: Vec<BedPath>,
    client: Namespace,
    server: Namespace,
    ipv6: bool,
}

impl Bed {
    /// Builds the network and starts its routers.
    ///
    /// # Errors
    /// See [`BedError`]; most often the privilege to make namespaces or TUN devices is missing,
    /// and the message says how to get it. Nothing is left behind then.
    pub fn build(config: &BedConfig) -> Result<Self, BedError> {
        let (asked, most) = (config.paths.len(), PUBLIC_NETWORKS.len());
        if asked == 0 || asked > most {
            return Err(BedError::PathCount { asked, most });
        }
        let client = Namespace::with_options(config.namespaces)?;
        let server = Namespace::with_options(config.namespaces)?;
        let mut bed = Self {
            relays: Vec::new(),
            paths: Vec::new(),
            client,
            server,
            ipv6: config.ipv6,
        };
        for (index, path) in config.paths.iter().enumerate() {
            bed.add_path(config, index, path)?;
        }
        Ok(bed)
    }

    /// The client's namespace.
    pub fn client(&self) -> &Namespace {
        &self.client
    }

    /// The server's namespace.
    pub fn server(&self) -> &Namespace {
        &self.server
    }

    /// A handle on a path, counted from 0.
    ///
    /// # Panics
    /// If there is no such path.
    pub fn path(&self, index: usize) -> &BedPath {
        &self.paths[index]
    }

    /// Handles on all paths.
    pub fn paths(&self) -> &[BedPath] {
        &self.paths
    }

    /// Takes the client's interface of a path down, as when a cable is pulled: the client's kernel
    /// and programs notice at once.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Panics
    /// If there is no such path.
    pub fn unplug(&self, path: usize) -> Result<(), BedError> {
        let name = self.paths[path].client_interface();
        self.client.enter(|| link::set_down(&name))??;
        Ok(())
    }

    /// Brings the client's interface of a path up again, with its routes.
    ///
    /// # Errors
    /// What the kernel says; the routes exist already if it was not unplugged.
    ///
    /// # Panics
    /// If there is no such path.
    pub fn plug(&self, path: usize) -> Result<(), BedError> {
        let name = self.paths[path].client_interface();
        self.client
            .enter(|| hosts::plug_client_side(&name, path, self.ipv6))??;
        Ok(())
    }

    fn add_path(
        &mut self,
        config: &BedConfig,
        index: usize,
        path: &ScenePath,
    ) -> Result<(), BedError> {
        let [a, b, c] = PUBLIC_NETWORKS[index];
        let inside = Ipv4Addr::new(10, index as u8 + 1, 0, 2);
        let (outside, public) = (Ipv4Addr::new(a, b, c, 2), Ipv4Addr::new(a, b, c, 1));
        let handle = BedPath::new(path, index, [inside, outside, public], config.seed);
        let capture = |interface: &str| match &config.captures {
            Some(directory) => Capture::create(directory, interface),
            None => Ok(Capture::default()),
        };
        let name = handle.client_interface();
        let capture_client = capture(&name)?;
        let tun = self
            .client
            .enter(|| hosts::add_client_side(&name, inside, index, config.ipv6))??;
        let client = Port {
            tun,
            capture: capture_client,
        };
        let name = handle.server_interface();
        let capture_server = capture(&name)?;
        let private = path.nat.is_none().then_some(inside);
        let v6 = config.ipv6.then_some(index);
        let tun = self
            .server
            .enter(|| hosts::add_server_side(&name, outside, private, v6))??;
        let server = Port {
            tun,
            capture: capture_server,
        };
        self.relays.push(Relay::start(&handle, client, server)?);
        self.paths.push(handle);
        Ok(())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        reap::kill_all_in(&self.client);
        reap::kill_all_in(&self.server);
    }
}
