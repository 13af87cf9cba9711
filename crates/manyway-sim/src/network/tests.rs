use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use manyway_proto::{FourTuple, Transmit};

use super::*;
use crate::nat::NatConfig;
use crate::{Instant, Loss, Rate};

const MS: Duration = Duration::from_millis(1);

/// Sends a numbered datagram every millisecond to `target`, answers nothing, and remembers what
/// comes.
#[derive(Debug, Default)]
struct Ticker {
    target: Option<FourTuple>,
    due: Option<Instant>,
    number: u32,
    outbox: VecDeque<(FourTuple, Vec<u8>)>,
    inbox: Vec<(Instant, FourTuple, Bytes)>,
    locals: Vec<SocketAddr>,
}

impl Node for Ticker {
    fn handle_datagram(&mut self, now: Instant, path: FourTuple, datagram: Bytes) {
        self.inbox.push((now, path, datagram));
    }

    fn poll_transmit(&mut self, _: Instant, _: usize, buf: &mut Vec<u8>) -> Option<Transmit> {
        let (path, payload) = self.outbox.pop_front()?;
        buf.clear();
        buf.extend_from_slice(&payload);
        Some(Transmit {
            path,
            size: buf.len(),
            segment_size: None,
            may_fragment: false,
            ecn: None,
            assoc: None,
            path_id: None,
        })
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.due
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(target) = self.target {
            self.outbox
                .push_back((target, self.number.to_be_bytes().repeat(100)));
            self.number += 1;
            self.due = Some(now + MS);
        }
    }

    fn set_local_addresses(&mut self, _: Instant, locals: &[SocketAddr]) {
        self.locals = locals.to_vec();
    }
}

struct World {
    net: Network<Ticker>,
    client: InterfaceId,
    server: InterfaceId,
    nat: NatId,
}

/// A client behind a NAT that ticks towards a server.
fn world(link: LinkConfig, seed: u64) -> World {
    let mut net = Network::new(seed);
    let (local, remote) = (
        "10.1.0.2:9899".parse().unwrap(),
        "192.0.2.2:9899".parse().unwrap(),
    );
    let target = Some(FourTuple { local, remote });
    let client = Ticker {
        target,
        due: Some(Instant::ZERO + MS),
        ..Ticker::default()
    };
    let client = net.add_host(client, 9899);
    let server = net.add_host(Ticker::default(), 9899);
    let nat = net.add_nat(NatConfig::symmetric(), "192.0.2.1".parse().unwrap());
    let config = InterfaceConfig {
        address: local.ip(),
        up: link,
        down: link,
        nat: Some(nat),
    };
    let client = net.add_interface(client, config);
    let server = net.add_interface(server, InterfaceConfig::public(remote.ip()));
    net.with_node(client.host, |_| ()); // arms the timer
    World {
        net,
        client,
        server,
        nat,
    }
}

impl World {
    fn inbox(&self) -> &[(Instant, FourTuple, Bytes)] {
        &self.net.node(self.server.host).inbox
    }

    fn numbers(&self) -> Vec<u32> {
        let number = |bytes: &Bytes| u32::from_be_bytes(bytes[..4].try_into().unwrap());
        self.inbox()
            .iter()
            .map(|(_, _, bytes)| number(bytes))
            .collect()
    }
}

#[test]
fn datagrams_cross_links_and_nat_in_due_time_and_answers_return() {
    let mut world = world(LinkConfig::new(Rate::from_mbit(10), 10 * MS), 1);
    world.net.run_for(50 * MS);
    let (at, path, _) = world.inbox()[0].clone();
    // 400 bytes and 28 of headers take 342.4 µs at 10 Mbit/s.
    assert_eq!(at, Instant::ZERO + 11 * MS + Duration::from_nanos(342_400));
    assert_eq!(path.local, "192.0.2.2:9899".parse().unwrap());
    assert_eq!(path.remote.ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
    assert_ne!(path.remote.port(), 9899);

    world.net.with_node(world.server.host, |node| {
        node.outbox.push_back((path, vec![7; 9]));
    });
    world.net.run_for(50 * MS);
    let answer = &world.net.node(world.client.host).inbox[0];
    assert_eq!(answer.1.local, "10.1.0.2:9899".parse().unwrap());
    assert_eq!(answer.1.remote, path.local);
}

#[test]
fn strangers_do_not_get_through_the_nat_and_forgers_of_the_peer_do() {
    let mut world = world(LinkConfig::default(), 1);
    world.net.run_for(5 * MS);
    let public = world.inbox()[0].1.remote;
    let payload = Bytes::from_static(b"forged");
    world
        .net
        .inject("203.0.113.9:9899".parse().unwrap(), public, payload.clone());
    world
        .net
        .inject("192.0.2.2:9899".parse().unwrap(), public, payload);
    world.net.run_for(MS);
    assert_eq!(world.net.node(world.client.host).inbox.len(), 1);
    assert_eq!(world.net.nat(world.nat).counters().filtered, 1);
}

#[test]
fn scripted_actions_happen_on_time() {
    let mut world = world(LinkConfig::default(), 1);
    let t = |ms: u32| Instant::ZERO + ms * MS + MS / 2;
    let (client, nat) = (world.client, world.nat);
    world
        .net
        .schedule(t(10), Action::Cut(client, Direction::Up));
    world
        .net
        .schedule(t(20), Action::Restore(client, Direction::Both));
    world.net.schedule(t(30), Action::Rebind(nat));
    world.net.schedule_with(t(40), move |net| {
        net.nat_mut(nat).renumber("192.0.2.9".parse().unwrap());
    });
    world.net.run_until(t(50));
    let expected: Vec<u32> = (0..10).chain(20..50).collect();
    assert_eq!(world.numbers(), expected);
    let remotes: Vec<SocketAddr> = world
        .inbox()
        .iter()
        .map(|(_, path, _)| path.remote)
        .collect();
    assert_eq!(remotes[0], remotes[19]);
    assert_eq!(remotes[0].ip(), remotes[20].ip());
    assert_ne!(remotes[0].port(), remotes[20].port());
    assert_eq!(remotes[30].ip(), "192.0.2.9".parse::<IpAddr>().unwrap());
    assert_eq!(world.net.uplink(client).counters().dropped_cut, 10);
}

#[test]
fn a_move_changes_the_route_and_tells_the_host() {
    let mut world = world(LinkConfig::default(), 1);
    world.net.run_for(5 * MS);
    world.net.apply(Action::SetAddress(
        world.client,
        "10.7.0.2".parse().unwrap(),
    ));
    assert_eq!(
        world.net.node(world.client.host).locals,
        ["10.7.0.2:9899".parse::<SocketAddr>().unwrap()]
    );
    world.net.run_for(5 * MS);
    assert_eq!(world.net.counters().no_interface, 5); // it still sends from the old address
    world.net.apply(Action::SetUp(world.client, false));
    assert!(world.net.node(world.client.host).locals.is_empty());
}

#[test]
fn hooks_drop_duplicate_corrupt_and_reorder_the_packet_they_choose() {
    let mut world = world(LinkConfig::default(), 1);
    let client = world.client;
    world
        .net
        .set_hook(move |sent| match (sent.from == client, sent.index) {
            (true, 1) => Verdict::Drop,
            (true, 2) => Verdict::Duplicate,
            (true, 3) => Verdict::Corrupt {
                offset: 3,
                mask: 0x80,
            },
            (true, 4) => Verdict::Delay(MS + MS / 2),
            _ => Verdict::Pass,
        });
    world.net.run_for(7 * MS);
    assert_eq!(world.numbers(), [0, 2, 2, 3 | 0x80, 5, 4, 6]);
    assert_eq!(world.net.counters().hooked, 1);
}

#[test]
fn equal_seeds_give_equal_traces_and_different_seeds_do_not() {
    let run = |seed| {
        let link = LinkConfig {
            loss: Loss::Bernoulli(0.2),
            jitter: MS,
            ..LinkConfig::default()
        };
        let mut world = world(link, seed);
        world.net.run_for(500 * MS);
        (world.net.trace_hash(), world.inbox().len())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0);
    assert!((350..450).contains(&run(3).1));
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn captures_are_what_tshark_expects() {
    let mut world = world(LinkConfig::default(), 1);
    let shared = Shared::default();
    world
        .net
        .capture(world.client.host, shared.clone())
        .unwrap();
    world.net.run_for(5 * MS);
    world.net.flush_captures();
    let path = std::env::temp_dir().join(format!("manyway-sim-{}.pcap", std::process::id()));
    std::fs::write(&path, &*shared.0.borrow()).unwrap();
    let tshark = std::process::Command::new("tshark")
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "udp.check_checksum:TRUE",
            "-T",
            "fields",
        ])
        .args([
            "-e",
            "ip.checksum.status",
            "-e",
            "udp.checksum.status",
            "-e",
            "udp.length",
            "-r",
        ])
        .arg(&path)
        .output();
    std::fs::remove_file(&path).unwrap();
    let Ok(output) = tshark else {
        println!("skipped: tshark is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>(), ["1\t1\t408"; 5], "{text}");
}
