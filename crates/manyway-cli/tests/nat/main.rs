//! Real programs through the kernel's own NATs: a client with two links, each behind a router of its own that
//! masquerades with a new random port for every destination, and a server with two addresses.
//!
//! The hosts are network namespaces made with iproute2 and nftables. Needs root; skips itself without.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are no tests to the linter"
)]

mod dissect;
mod net;
mod running;

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::dissect::{assert_well_formed, ports_of};
use crate::net::Net;

const MIB: u64 = 1 << 20;

/// The client's interfaces.
const INTERFACES: [&str; 2] = ["c1", "c2"];

/// The public addresses of the routers behind them.
const PUBLIC: [&str; 2] = ["192.0.2.1", "198.51.100.1"];

#[test]
fn a_download_crosses_two_nats_on_both_paths_in_well_formed_packets() {
    let Some(net) = Net::build() else { return };
    net.random_file(16 * MIB);
    let capture = net.capture();
    let _server = net.web_server();
    let curl = net.download(&[]);
    let paths = net.await_paths("data on both paths", both_have_received(100_000));
    curl.wait_for_success();
    net.assert_copied();

    let packets = net.dissect(capture);
    assert_well_formed(&packets, 5_000);
    for (interface, public) in INTERFACES.into_iter().zip(PUBLIC) {
        let ports = ports_of(&packets, public);
        assert!(!ports.is_empty(), "nothing came from {public}");
        let local = of_interface(&paths, interface)["local"].as_str().unwrap();
        let (_, port) = local.rsplit_once(':').unwrap();
        assert!(
            !ports.contains(port),
            "{public} did not rewrite port {port}: {ports:?}"
        );
        let bytes: u64 = packets
            .iter()
            .filter(|packet| packet.destination == public)
            .map(|packet| packet.length)
            .sum();
        assert!(bytes > MIB, "{bytes} bytes to {public}");
    }
}

#[test]
fn a_download_survives_nats_that_both_forget_their_mappings() {
    let Some(net) = Net::build() else { return };
    net.random_file(24 * MIB);
    let capture = net.capture();
    let _server = net.web_server();
    let curl = net.download(&["--limit-rate", "4M"]);
    net.await_paths("data on both paths", both_have_received(MIB));
    for router in ["nat1", "nat2"] {
        net.run(router, "conntrack", &["-F"]);
    }
    curl.wait_for_success();
    net.assert_copied();

    let packets = net.dissect(capture);
    assert_well_formed(&packets, 5_000);
    for public in PUBLIC {
        let ports = ports_of(&packets, public);
        assert!(ports.len() >= 2, "{public} kept its mapping: {ports:?}");
    }
}

#[test]
fn a_download_survives_a_path_that_swallows_packets_and_uses_it_again() {
    let Some(net) = Net::build() else { return };
    net.random_file(48 * MIB);
    let _server = net.web_server();
    let curl = net.download(&["--limit-rate", "4M"]);
    net.await_paths("data on both paths", both_have_received(MIB));
    net.nft("nat1", SWALLOW);
    let swallowed = Instant::now();
    let before = received(of_interface(&net.paths(), "c2"));
    net.await_paths("the other path to carry on", |paths| {
        received(of_interface(paths, "c2")) > before + 2 * MIB
    });
    sleep(Duration::from_secs(3).saturating_sub(swallowed.elapsed()));
    let before = received(of_interface(&net.paths(), "c1"));
    net.run("nat1", "nft", &["delete", "table", "ip", "hole"]);
    net.await_paths("the path to be used again", |paths| {
        received(of_interface(paths, "c1")) > before + 500_000
    });
    curl.wait_for_success();
    net.assert_copied();
}

/// A path that loses everything and says nothing.
const SWALLOW: &str = "
table ip hole {
  chain forward {
    type filter hook forward priority -10; policy drop;
  }
}
";

fn received(path: &Value) -> u64 {
    path["bytes_received"].as_u64().unwrap_or(0)
}

/// Whether the paths at both of the client's interfaces have carried more than so many bytes.
fn both_have_received(bytes: u64) -> impl Fn(&[Value]) -> bool {
    move |paths| {
        INTERFACES
            .iter()
            .all(|name| received(of_interface(paths, name)) > bytes)
    }
}

fn of_interface<'a>(paths: &'a [Value], name: &str) -> &'a Value {
    paths
        .iter()
        .find(|path| path["interface"] == name)
        .unwrap_or(&Value::Null)
}
