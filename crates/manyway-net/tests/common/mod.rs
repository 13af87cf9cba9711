//! What the tests share.

use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use manyway_net::link::Network;
use manyway_net::namespace::{Namespace, Privileges, privileges};

/// Longer than any step takes on a busy machine; reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Whether this process may make namespaces; says so when it may not.
pub(crate) fn is_root() -> bool {
    let root = privileges() == Privileges::Root;
    if !root {
        writeln!(
            std::io::stderr(),
            "skipped: making network namespaces needs root"
        )
        .expect("stderr is writable");
    }
    root
}

/// Runs a future on a runtime of the calling thread, inside its network namespace.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, future)
            .await
            .expect("the test should not hang")
    })
}

/// Runs an asynchronous test in a new network namespace.
pub(crate) fn in_namespace<T: Send, F: Future<Output = T>>(test: impl FnOnce() -> F + Send) -> T {
    let namespace = Namespace::new().expect("root may create a namespace");
    namespace
        .enter(|| block_on(test()))
        .expect("root may enter its namespace")
}

pub(crate) fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    Ipv4Addr::new(a, b, c, d).into()
}

pub(crate) fn net(a: u8, b: u8, c: u8, d: u8, prefix_len: u8) -> Network {
    Network::new(v4(a, b, c, d), prefix_len)
}
