//! The network, and this side of it.
//!
//! This side is the bed's client, with 10.1.0.2 and 10.2.0.2. The peer is its server, with
//! 192.0.2.2 and 198.51.100.2: foreign stacks do not choose their source address, and there the
//! route does it for them. Who opens the association is another question. With IPv6 both have the
//! addresses 2001:db8:… that [`manyway_bed`] gives them.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use manyway::{Association, Carrier, Endpoint, EndpointConfig, Listener, UDP_PORT};
use manyway_bed::{Bed, BedConfig, LinkConfig, Rate, ScenePath};
use manyway_net::namespace::{NamespaceOptions, Privileges, privileges};

use crate::capture::{self, Crossed};
use crate::peer::{Peer, Stack};
use crate::vm;

/// The SCTP port of whoever listens.
pub(crate) const SCTP_PORT: u16 = 5001;
/// This side's addresses.
pub(crate) const OURS: [&str; 2] = ["10.1.0.2", "10.2.0.2"];
/// The peer's addresses, on the same paths.
pub(crate) const THEIRS: [&str; 2] = ["192.0.2.2", "198.51.100.2"];
/// This side's addresses in IPv6.
const OURS_IPV6: [&str; 2] = ["2001:db8:0:1::2", "2001:db8:0:2::2"];
/// The peer's addresses in IPv6.
const THEIRS_IPV6: [&str; 2] = ["2001:db8:1:1::2", "2001:db8:1:2::2"];
/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One network at a time: the machine's cores are what would be measured otherwise.
static ONE: Mutex<()> = Mutex::new(());

/// One of the two ends of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    We,
    They,
}

/// What the network speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ip {
    V4,
    V6,
}

impl Ip {
    /// This side's addresses, one on each path.
    pub(crate) fn ours(self) -> [&'static str; 2] {
        match self {
            Self::V4 => OURS,
            Self::V6 => OURS_IPV6,
        }
    }

    /// The peer's addresses, on the same paths.
    pub(crate) fn theirs(self) -> [&'static str; 2] {
        match self {
            Self::V4 => THEIRS,
            Self::V6 => THEIRS_IPV6,
        }
    }
}

/// What a test has to do with.
pub(crate) struct World<'a> {
    pub(crate) bed: &'a Bed,
    pub(crate) stack: Stack,
    pub(crate) ip: Ip,
    /// Options of this side.
    pub(crate) config: EndpointConfig,
    /// Options of the peer's stack.
    pub(crate) options: Vec<(&'static str, u32)>,
    /// How many of its addresses the peer has at first.
    pub(crate) bound: usize,
    /// Commands for the peer when its socket is bound.
    pub(crate) prepare: Vec<&'static str>,
}

/// Both ends of an association.
pub(crate) struct Pair {
    pub(crate) peer: Peer,
    pub(crate) ours: Association,
    /// The peer's incoming and outgoing streams.
    pub(crate) streams: String,
    pub(crate) endpoint: Endpoint,
    /// Kept so that the port stays open.
    pub(crate) listener: Option<Listener>,
}

/// Each direction of each path.
fn link() -> LinkConfig {
    LinkConfig::new(Rate::from_mbit(100), Duration::from_millis(5))
}

/// Runs `test` against usrsctp on this side of a new network, and looks at what crossed it.
pub(crate) fn run(test: impl AsyncFnOnce(World<'_>) + Send) -> Crossed {
    run_over(Ip::V4, test)
}

/// As [`run`], with other addresses.
pub(crate) fn run_over(ip: Ip, test: impl AsyncFnOnce(World<'_>) + Send) -> Crossed {
    run_on(ScenePath::direct(link()), ip, Stack::Usrsctp, test)
}

/// As [`run`], behind hostile NATs.
pub(crate) fn run_behind_nats(test: impl AsyncFnOnce(World<'_>) + Send) -> Crossed {
    run_on(ScenePath::behind_nat(link()), Ip::V4, Stack::Usrsctp, test)
}

/// As [`run`], against the Linux kernel.
pub(crate) fn run_against_linux(test: impl AsyncFnOnce(World<'_>) + Send) -> Crossed {
    run_on(ScenePath::direct(link()), Ip::V4, Stack::Linux, test)
}

fn run_on(
    path: ScenePath,
    ip: Ip,
    stack: Stack,
    test: impl AsyncFnOnce(World<'_>) + Send,
) -> Crossed {
    if privileges() != Privileges::Root {
        println!("skipped: needs root to make network namespaces");
        return Crossed::Unknown;
    }
    let machine = || (stack == Stack::Linux).then(vm::directory)?.err();
    let missing = stack.program().err().or_else(capture::missing);
    if let Some(missing) = missing.or_else(machine) {
        println!("skipped: there is no {missing}");
        return Crossed::Unknown;
    }
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let captures = tempfile::tempdir().unwrap();
    let bed = Bed::build(&BedConfig {
        paths: vec![path.clone(), path],
        seed: 1,
        captures: Some(captures.path().to_owned()),
        namespaces: NamespaceOptions::default(),
        ipv6: ip != Ip::V4 || stack == Stack::Linux,
    })
    .unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        enter(&bed, stack, ip, test);
        drop(bed);
        let files = ["c1.pcap", "c2.pcap"].map(|name| captures.path().join(name));
        capture::check(&files)
    }));
    drop(one);
    outcome.unwrap_or_else(|panic| {
        println!("what crossed the network is in {:?}", captures.keep());
        resume_unwind(panic)
    })
}

fn enter(bed: &Bed, stack: Stack, ip: Ip, test: impl AsyncFnOnce(World<'_>) + Send) {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut config = EndpointConfig::default();
        config.udp_port = UDP_PORT;
        config.addresses = addresses(&ip.ours());
        let world = World {
            bed,
            stack,
            ip,
            config,
            options: Vec::new(),
            bound: 2,
            prepare: Vec::new(),
        };
        runtime.block_on(test(world));
    };
    bed.client().enter(work).unwrap();
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The peer's UDP address on the first path.
pub(crate) fn their_udp() -> [SocketAddr; 1] {
    [SocketAddr::new(THEIRS[0].parse().unwrap(), UDP_PORT)]
}

/// Gives `what` [`PATIENCE`] to happen.
pub(crate) async fn soon<T>(name: &str, what: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, what).await {
        Ok(done) => done,
        Err(_) => panic!("in vain: {name}"),
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(name: &str, condition: impl Fn() -> bool) {
    soon(name, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

impl World<'_> {
    /// From now on without UDP.
    pub(crate) fn make_raw(&mut self) {
        self.config.carrier = Carrier::Raw;
        self.config.udp_port = 0;
    }

    /// From now on with these addresses of this side.
    pub(crate) fn use_ip(&mut self, ip: Ip) {
        self.ip = ip;
        self.config.addresses = addresses(&ip.ours());
    }

    /// The UDP port that the peer's stack has; 0 if there is none.
    pub(crate) fn their_port(&self) -> u16 {
        match self.config.carrier {
            Carrier::Raw => 0,
            _ => UDP_PORT,
        }
    }

    /// The peer's addresses, on the same paths as [`OURS`].
    pub(crate) fn theirs(&self) -> [&'static str; 2] {
        match self.stack {
            Stack::Usrsctp => self.ip.theirs(),
            Stack::Linux => vm::addresses(self.ip),
        }
    }

    /// This side's endpoint.
    pub(crate) async fn endpoint(&self) -> Endpoint {
        Endpoint::bind(self.config.clone()).await.unwrap()
    }

    /// A peer with its stack running and its addresses bound.
    pub(crate) async fn peer(&self) -> Peer {
        let program = Stack::Usrsctp.program().unwrap();
        let mut peer = Peer::start(self.bed.server(), Command::new(program));
        peer.command(&format!("start {}", self.their_port())).await;
        for (name, value) in &self.options {
            peer.command(&format!("option {name} {value}")).await;
        }
        let addresses = self.ip.theirs()[..self.bound].join(" ");
        peer.command(&format!("bind {SCTP_PORT} {addresses}")).await;
        for command in &self.prepare {
            peer.command(command).await;
        }
        peer
    }

    /// A new association between this side and a new peer.
    pub(crate) async fn associate(&self, initiator: Side) -> Pair {
        let peer = self.peer().await;
        let first = self.ip.theirs()[0].parse().unwrap();
        let remotes = [SocketAddr::new(first, self.their_port())];
        self.associate_with(peer, &remotes, initiator).await
    }

    /// A new association between this side and a peer whose UDP address is known.
    pub(crate) async fn associate_with(
        &self,
        mut peer: Peer,
        remotes: &[SocketAddr],
        initiator: Side,
    ) -> Pair {
        let endpoint = self.endpoint().await;
        let (ours, listener) = match initiator {
            Side::We => {
                peer.command("listen").await;
                let connecting = endpoint.connect(remotes, SCTP_PORT);
                (soon("connect", connecting).await.unwrap(), None)
            }
            Side::They => {
                let mut listener = endpoint.listen(SCTP_PORT).unwrap();
                peer.connect(self.config.udp_port, &self.ip.ours()[..1])
                    .await;
                let ours = soon("accept", listener.accept()).await.unwrap();
                (ours, Some(listener))
            }
        };
        let streams = peer.event("up").await;
        Pair {
            peer,
            ours,
            streams,
            endpoint,
            listener,
        }
    }
}
