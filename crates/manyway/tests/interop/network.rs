//! The network, and this side of it.
//!
//! This side is the bed's client, with 10.1.0.2 and 10.2.0.2. The peer is its server, with
//! 192.0.2.2 and 198.51.100.2: foreign stacks do not choose their source address, and there the
//! route does it for them. Who opens the association is another question.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use manyway::{Association, Endpoint, EndpointConfig, Listener, UDP_PORT};
use manyway_bed::{Bed, BedConfig, LinkConfig, Rate, ScenePath};
use manyway_net::namespace::{NamespaceOptions, Privileges, privileges};

use crate::capture;
use crate::peer::{Peer, Stack};
use crate::vm;

/// The SCTP port of whoever listens.
pub(crate) const SCTP_PORT: u16 = 5001;
/// This side's addresses.
pub(crate) const OURS: [&str; 2] = ["10.1.0.2", "10.2.0.2"];
/// The peer's addresses, on the same paths.
pub(crate) const THEIRS: [&str; 2] = ["192.0.2.2", "198.51.100.2"];
/// How long a test waits for what has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One network at a time: the machine's cores are what would be measured otherwise.
static ONE: Mutex<()> = Mutex::new(());

/// Who opens the association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initiator {
    We,
    They,
}

/// What a test has to do with.
pub(crate) struct World<'a> {
    pub(crate) bed: &'a Bed,
    /// Options of this side.
    pub(crate) config: EndpointConfig,
    /// Options of the peer.
    pub(crate) options: Vec<(&'static str, u32)>,
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
pub(crate) fn run(test: impl AsyncFnOnce(World<'_>) + Send) {
    run_on(ScenePath::direct(link()), Stack::Usrsctp, test);
}

/// As [`run`], behind hostile NATs.
pub(crate) fn run_behind_nats(test: impl AsyncFnOnce(World<'_>) + Send) {
    run_on(ScenePath::behind_nat(link()), Stack::Usrsctp, test);
}

/// As [`run`], against the Linux kernel.
pub(crate) fn run_against_linux(test: impl AsyncFnOnce(World<'_>) + Send) {
    run_on(ScenePath::direct(link()), Stack::Linux, test);
}

fn run_on(path: ScenePath, stack: Stack, test: impl AsyncFnOnce(World<'_>) + Send) {
    if privileges() != Privileges::Root {
        println!("skipped: needs root to make network namespaces");
        return;
    }
    let machine = || (stack == Stack::Linux).then(vm::directory)?.err();
    let missing = stack.program().err().or_else(capture::missing);
    if let Some(missing) = missing.or_else(machine) {
        println!("skipped: there is no {missing}");
        return;
    }
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let captures = tempfile::tempdir().unwrap();
    let bed = Bed::build(&BedConfig {
        paths: vec![path.clone(), path],
        seed: 1,
        captures: Some(captures.path().to_owned()),
        namespaces: NamespaceOptions::default(),
    })
    .unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        enter(&bed, test);
        drop(bed);
        let packets =
            ["c1.pcap", "c2.pcap"].map(|name| capture::check(&captures.path().join(name)));
        assert!(packets[0] > 0, "nothing was captured");
    }));
    drop(one);
    if let Err(panic) = outcome {
        println!("what crossed the network is in {:?}", captures.keep());
        resume_unwind(panic);
    }
}

fn enter(bed: &Bed, test: impl AsyncFnOnce(World<'_>) + Send) {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut config = EndpointConfig::default();
        config.udp_port = UDP_PORT;
        config.addresses = addresses(&OURS);
        let world = World {
            bed,
            config,
            options: Vec::new(),
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
    /// This side's endpoint.
    pub(crate) async fn endpoint(&self) -> Endpoint {
        Endpoint::bind(self.config.clone()).await.unwrap()
    }

    /// A peer with its stack running and its addresses bound.
    pub(crate) async fn peer(&self) -> Peer {
        let program = Stack::Usrsctp.program().unwrap();
        let mut peer = Peer::start(self.bed.server(), Command::new(program));
        peer.command(&format!("start {UDP_PORT}")).await;
        for (name, value) in &self.options {
            peer.command(&format!("option {name} {value}")).await;
        }
        peer.command(&format!("bind {SCTP_PORT} {}", THEIRS.join(" ")))
            .await;
        peer
    }

    /// A new association between this side and a new peer.
    pub(crate) async fn associate(&self, initiator: Initiator) -> Pair {
        let peer = self.peer().await;
        self.associate_with(peer, &their_udp(), initiator).await
    }

    /// A new association between this side and a peer whose UDP address is known.
    pub(crate) async fn associate_with(
        &self,
        mut peer: Peer,
        remotes: &[SocketAddr],
        initiator: Initiator,
    ) -> Pair {
        let endpoint = self.endpoint().await;
        let (ours, listener) = match initiator {
            Initiator::We => {
                peer.command("listen").await;
                let connecting = endpoint.connect(remotes, SCTP_PORT);
                (soon("connect", connecting).await.unwrap(), None)
            }
            Initiator::They => {
                let mut listener = endpoint.listen(SCTP_PORT).unwrap();
                peer.connect(&OURS[..1]).await;
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
