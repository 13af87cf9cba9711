//! Both ends open at once, and ends that come back without their memory.

use manyway_proto::{CloseReason, Connect, Endpoint, EndpointConfig, Event, Message, Port};
use manyway_sim::network::HostId;
use manyway_sim::scene::SCTP_PORT;
use manyway_sim::{Loss, Scene, ScenePath};

use crate::support::{MS, SECOND, link, one_path};

const PORTS: [Port; 2] = [Port(5000), Port(6000)];

fn connect_from(
    scene: &mut Scene,
    from: HostId,
    to: HostId,
    ports: [Port; 2],
) -> manyway_proto::AssocId {
    let now = scene.network.now();
    let request = Connect {
        locals: scene.network.addresses(from),
        remotes: scene.network.addresses(to),
        port: ports[1],
    };
    scene
        .network
        .with_node(from, |s| s.endpoint.connect_from(now, ports[0], request))
        .expect("the ports are free")
}

#[test]
fn both_ends_open_at_once_over_lossy_links() {
    for seed in 0..20 {
        let mut lossy = link(10, 20 * MS);
        lossy.loss = Loss::Bernoulli(0.2);
        lossy.jitter = 15 * MS;
        let mut scene = Scene::new(&[ScenePath::direct(lossy)], 400 + seed);
        let (client, server) = (scene.client, scene.server);
        let ids = [
            connect_from(&mut scene, client, server, PORTS),
            connect_from(&mut scene, server, client, [PORTS[1], PORTS[0]]),
        ];
        for (host, id) in [(client, ids[0]), (server, ids[1])] {
            scene.network.with_node(host, |s| {
                let assoc = s.endpoint.association_mut(manyway_sim::Instant::ZERO, id);
                assoc
                    .expect("it was just opened")
                    .send(Message::new(0, vec![1; 100]))
                    .unwrap();
            });
        }
        let done = scene.network.run_to(60 * SECOND, |network| {
            let got = |host, id| network.node(host).received(id).messages == 1;
            got(client, ids[0]) && got(server, ids[1])
        });
        assert!(done, "seed {seed}");
        for host in [client, server] {
            let count = scene.network.node(host).endpoint.associations().count();
            assert_eq!(count, 1, "seed {seed}");
        }
    }
}

#[test]
fn a_client_that_lost_its_memory_takes_its_association_over() {
    let mut scene = one_path(430);
    let (client, server) = (scene.client, scene.server);
    let first = connect_from(&mut scene, client, server, [PORTS[0], SCTP_PORT]);
    scene.network.run_for(SECOND);
    let old = scene
        .network
        .node(server)
        .incoming()
        .next()
        .expect("it came in");
    scene.network.with_node(client, |s| {
        assert!(
            s.endpoint
                .association(first)
                .is_some_and(|a| a.is_established())
        );
        s.endpoint = Endpoint::new(EndpointConfig::default(), [99; 32]);
    });
    let again = connect_from(&mut scene, client, server, [PORTS[0], SCTP_PORT]);
    scene.network.run_for(SECOND);
    let node = scene.network.node(server);
    let closed = Event::Closed {
        reason: CloseReason::Restarted,
    };
    assert!(node.first_event(old, |e| *e == closed).is_some());
    assert_eq!(node.incoming().count(), 2, "a new association came in");
    let node = scene.network.node(client);
    assert!(
        node.endpoint
            .association(again)
            .is_some_and(|a| a.is_established())
    );
}
