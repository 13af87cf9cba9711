//! Queues that mark instead of dropping (RFC 3168; RFC 4960, appendix A).

use manyway_proto::{Ecn, EndpointConfig, Extension};
use manyway_sim::network::Verdict;
use manyway_sim::{LinkConfig, QueueLimit, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// A link of 20 Mbit/s and 40 ms of round trip whose queue, long enough for anything, marks from
/// 30 kB on.
fn marking() -> LinkConfig {
    LinkConfig {
        queue: QueueLimit::from_bytes(10 << 20),
        ecn_threshold: Some(30_000),
        ..link(20, 20 * MS)
    }
}

fn pair(server: EndpointConfig, seed: u64) -> Pair {
    let paths = [ScenePath::direct(marking())];
    Pair::establish(Scene::with_engines(
        &paths,
        EndpointConfig::default(),
        server,
        seed,
    ))
}

fn transfer(pair: &mut Pair, bytes: u64) -> f64 {
    let client = pair.client;
    pair.scene
        .network
        .with_node(client.0, |s| s.send_bulk(client.1, Some(bytes), 1400));
    let took = pair.wait("all has arrived", 60 * SECOND, |pair| {
        pair.received(pair.server).bytes == bytes
    });
    bytes as f64 * 8.0 / took.as_secs_f64() / 1e6
}

#[test]
fn marks_keep_the_queue_short_without_any_loss() {
    let mut pair = pair(EndpointConfig::default(), 95);
    let rate = transfer(&mut pair, 20_000_000);
    let (client, server) = (pair.client, pair.server);
    let counters = pair
        .scene
        .network
        .uplink(pair.scene.paths[0].client)
        .counters();
    assert_eq!(pair.assoc(client).stats().retransmitted_bytes, 0);
    assert_eq!(counters.dropped(), 0);
    assert!(counters.queue_peak < 300_000, "{counters:?}");
    assert!(pair.assoc(server).stats().congestion_marks > 0);
    assert!(pair.assoc(client).stats().congestion_reductions > 2);
    assert!(rate > 16.0, "{rate} Mbit/s");
}

#[test]
fn with_a_peer_that_does_not_know_marks_nothing_is_marked() {
    let mut server = EndpointConfig::default();
    let extensions = server.transport.extensions;
    server.transport.extensions = extensions.without(Extension::Ecn);
    let mut pair = pair(server, 96);
    pair.scene.network.set_hook(|sent| {
        assert_eq!(sent.ecn, None);
        Verdict::Pass
    });
    transfer(&mut pair, 2_000_000);
}

#[test]
fn only_new_data_are_marked() {
    let mut pair = pair(EndpointConfig::default(), 97);
    let server = pair.server.0;
    pair.scene.network.set_hook(move |sent| {
        if sent.from.host == server {
            assert_eq!(sent.ecn, None, "acknowledgements are not");
        }
        Verdict::Pass
    });
    transfer(&mut pair, 2_000_000);
}

#[test]
fn a_network_that_bleaches_marks_does_no_harm() {
    let mut pair = pair(EndpointConfig::default(), 98);
    pair.scene.network.set_hook(|_| Verdict::Mark(None));
    transfer(&mut pair, 2_000_000);
    assert_eq!(pair.assoc(pair.server).stats().congestion_marks, 0);
}

#[test]
fn a_network_that_drops_what_is_marked_is_found_out() {
    let mut pair = pair(EndpointConfig::default(), 99);
    pair.scene.network.set_hook(|sent| match sent.ecn {
        Some(Ecn::Ect0) => Verdict::Drop,
        _ => Verdict::Pass,
    });
    let rate = transfer(&mut pair, 5_000_000);
    assert!(rate > 2.0, "{rate} Mbit/s");
}
