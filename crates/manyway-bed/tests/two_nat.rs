//! The reference network with real kernels at both ends. Needs root; skips itself without.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use manyway_bed::{Bed, BedConfig, Loss, Rate};
use manyway_net::namespace::{Namespace, Privileges, privileges};

const PATIENCE: Duration = Duration::from_secs(10);
const SERVERS: [&str; 2] = ["192.0.2.2:9899", "198.51.100.2:9899"];
const CLIENTS: [&str; 2] = ["10.1.0.2:9899", "10.2.0.2:9899"];
const PUBLIC: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 1)];

/// One network at a time: the machine's cores are what would be measured otherwise.
static ONE: Mutex<()> = Mutex::new(());

fn build(config: &BedConfig) -> Option<(Bed, MutexGuard<'static, ()>)> {
    if privileges() != Privileges::Root {
        println!("skipped: needs root");
        return None;
    }
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    Some((Bed::build(config).unwrap(), guard))
}

fn udp(namespace: &Namespace, address: &str) -> UdpSocket {
    let socket = namespace
        .enter(|| UdpSocket::bind(address))
        .unwrap()
        .unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends from `client` to `server` and returns the source that the server saw, which it answers.
fn exchange(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    let mut buffer = [0; 64];
    client
        .send_to(b"question", server.local_addr().unwrap())
        .unwrap();
    let (len, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"question");
    server.send_to(b"answer", from).unwrap();
    let (len, answerer) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(
        (&buffer[..len], answerer),
        (&b"answer"[..], server.local_addr().unwrap())
    );
    from
}

#[test]
fn datagrams_cross_every_pair_of_addresses_with_rewritten_ports_and_in_due_time() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let servers = SERVERS.map(|address| udp(bed.server(), address));
    let clients = CLIENTS.map(|address| udp(bed.client(), address));
    let mut seen = Vec::new();
    for (client, public) in clients.iter().zip(PUBLIC) {
        for server in &servers {
            let start = Instant::now();
            let from = exchange(client, server);
            assert!(start.elapsed() >= Duration::from_millis(20));
            assert_eq!(from.ip(), IpAddr::V4(public));
            assert_ne!(from.port(), 9899);
            assert_eq!(exchange(client, server), from);
            seen.push(from);
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "a mapping per destination: {seen:?}");
    for path in bed.paths() {
        let counters = path.counters();
        assert_eq!((counters.up.packets, counters.down.packets), (4, 4));
        assert_eq!(counters.nat_mappings, 2);
    }
}

#[test]
fn ipv6_crosses_every_path_untranslated_and_returns_after_a_plug_was_pulled() {
    let Some((bed, _one)) = build(&BedConfig {
        ipv6: true,
        ..BedConfig::default()
    }) else {
        return;
    };
    for (index, path) in bed.paths().iter().enumerate() {
        let at = |address: std::net::Ipv6Addr| SocketAddr::new(address.into(), 9899).to_string();
        let server = udp(bed.server(), &at(path.server_ipv6()));
        let inside = at(path.client_ipv6());
        let client = udp(bed.client(), &inside);
        assert_eq!(exchange(&client, &server).to_string(), inside);
        drop(client);
        bed.unplug(index).unwrap();
        bed.plug(index).unwrap();
        let client = udp(bed.client(), &inside);
        assert_eq!(exchange(&client, &server).to_string(), inside);
        let counters = path.counters();
        assert_eq!((counters.up.packets, counters.down.packets), (2, 2));
        assert_eq!(counters.nat_mappings, 0);
    }
}

#[test]
fn strangers_are_filtered() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let (client, server) = (udp(bed.client(), CLIENTS[0]), udp(bed.server(), SERVERS[0]));
    let public = exchange(&client, &server);
    let stranger = udp(bed.server(), "192.0.2.2:9900");
    stranger.send_to(b"let me in", public).unwrap();
    wait_until(|| bed.path(0).counters().nat_dropped == 1);
    assert_eq!(exchange(&client, &server), public);
}

#[test]
fn a_closed_port_is_reported_to_the_client_through_the_nat() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let client = udp(bed.client(), CLIENTS[0]);
    client.connect("192.0.2.2:4").unwrap();
    client.send(b"anybody?").unwrap();
    let error = client.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
}

#[test]
fn ping_crosses_both_paths() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    for (source, target) in [("10.1.0.2", "192.0.2.2"), ("10.2.0.2", "198.51.100.2")] {
        let ping = |program: &str, first: Option<&str>| {
            let mut ping = Command::new(program);
            ping.args(first)
                .args(["-c", "2", "-W", "10", "-I", source, target]);
            ping.stdout(Stdio::null());
            bed.client().spawn(ping)
        };
        match ping("ping", None).or_else(|_| ping("busybox", Some("ping"))) {
            Ok(mut ping) => assert!(ping.wait().unwrap().success(), "{source}"),
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        }
    }
    assert!(
        bed.paths()
            .iter()
            .all(|path| path.counters().nat_mappings == 1)
    );
}

#[test]
fn a_cut_silences_a_path_and_only_that_and_a_restored_one_speaks_again() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let servers = SERVERS.map(|address| udp(bed.server(), address));
    let clients = CLIENTS.map(|address| udp(bed.client(), address));
    exchange(&clients[0], &servers[0]);
    bed.path(0).cut();
    for _ in 0..20 {
        clients[0].send_to(b"lost", SERVERS[0]).unwrap();
    }
    wait_until(|| bed.path(0).counters().up.dropped_cut == 20);
    exchange(&clients[1], &servers[1]);
    servers[0].set_nonblocking(true).unwrap();
    assert_eq!(
        servers[0].recv(&mut [0; 9]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    servers[0].set_nonblocking(false).unwrap();
    bed.path(0).restore();
    exchange(&clients[0], &servers[0]);
}

#[test]
fn an_unplugged_interface_is_noticed_and_works_again_when_plugged_in() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let servers = SERVERS.map(|address| udp(bed.server(), address));
    let clients = CLIENTS.map(|address| udp(bed.client(), address));
    let seen = exchange(&clients[0], &servers[0]);
    bed.unplug(0).unwrap();
    servers[0].send_to(b"late", seen).unwrap();
    wait_until(|| bed.path(0).counters().refused == 1);
    exchange(&clients[1], &servers[1]);
    bed.plug(0).unwrap();
    exchange(&clients[0], &servers[0]);
}

#[test]
fn rebinding_changes_the_port_and_renumbering_the_address_that_the_server_sees() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let (client, server) = (udp(bed.client(), CLIENTS[1]), udp(bed.server(), SERVERS[1]));
    let first = exchange(&client, &server);
    bed.path(1).rebind();
    let second = exchange(&client, &server);
    assert_eq!(first.ip(), second.ip());
    assert_ne!(first.port(), second.port());
    let moved = Ipv4Addr::new(198, 51, 100, 9);
    bed.path(1).renumber(moved);
    assert_eq!(bed.path(1).public_address(), IpAddr::V4(moved));
    assert_eq!(exchange(&client, &server).ip(), IpAddr::V4(moved));
    server.send_to(b"to the old address", second).unwrap();
    wait_until(|| bed.path(1).counters().nat_dropped == 1);
}

#[test]
fn random_loss_takes_its_share_and_full_queues_drop() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let (path, client) = (bed.path(0), udp(bed.client(), CLIENTS[0]));
    path.set_loss(Loss::Bernoulli(0.3));
    path.set_rate(None);
    // In small batches, because the device's own queue holds no more than 500 packets.
    let mut sent = 0;
    let mut send = |packets, size| {
        for _ in 0..packets / 100 {
            for _ in 0..100 {
                client.send_to(&vec![1; size], SERVERS[0]).unwrap();
            }
            sent += 100;
            wait_until(|| path.counters().up.packets_in == sent);
        }
    };
    send(2000, 100);
    let lost = path.counters().up.dropped_loss;
    assert!((500..700).contains(&lost), "{lost} of 2000");
    path.set_loss(Loss::None);
    path.set_rate(Some(Rate::from_mbit(1)));
    let queue = 50_000_000 / 8 / 10; // of the first rate; it survives the time without one
    send(1000, 1400);
    let counters = path.counters().up;
    assert!(counters.dropped_queue > 0);
    assert!(counters.queue_peak <= queue);
}

/// Downloads over the first path for two seconds and returns the goodput in bit/s.
fn download(bed: &Bed) -> f64 {
    let server = bed.path(0).server_address();
    let listener = bed
        .server()
        .enter(|| TcpListener::bind((server, 5009)))
        .unwrap()
        .unwrap();
    let mut client = bed
        .client()
        .enter(|| TcpStream::connect((server, 5009)))
        .unwrap()
        .unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let sender = thread::spawn(move || while stream.write_all(&[0x5a; 16_384]).is_ok() {});
    let mut buffer = vec![0; 1 << 16];
    let mut read_for = |time| {
        let (start, mut bytes) = (Instant::now(), 0);
        while start.elapsed() < time {
            bytes += client.read(&mut buffer).unwrap();
        }
        bytes as f64 * 8.0 / start.elapsed().as_secs_f64()
    };
    read_for(Duration::from_secs(1)); // slow start
    let goodput = read_for(Duration::from_secs(2));
    drop(client);
    sender.join().unwrap();
    goodput
}

#[test]
fn tcp_fills_the_link_and_no_checksum_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let captures = Some(directory.path().to_owned());
    let Some((bed, _one)) = build(&BedConfig {
        captures,
        ..BedConfig::default()
    }) else {
        return;
    };
    // A machine that is busy elsewhere may slow TCP down, but nothing may speed it up.
    let tries: Vec<f64> = (0..3)
        .map(|_| download(&bed) / 50e6)
        .inspect(|ratio| assert!(*ratio <= 1.0, "{ratio}"))
        .take_while(|ratio| *ratio < 0.8)
        .collect();
    assert!(tries.len() < 3, "goodput as a share of the rate: {tries:?}");
    let (client, server) = (udp(bed.client(), CLIENTS[1]), udp(bed.server(), SERVERS[1]));
    exchange(&client, &server);
    drop(bed);
    for interface in ["c1", "c2", "s1", "s2"] {
        assert_sound(&directory.path().join(format!("{interface}.pcap")));
    }
}

/// No IP, TCP or UDP checksum in a capture is wrong, and there are packets.
fn assert_sound(capture: &Path) {
    // Linux writes 0xffff where TCP's sum is 0x0000, which means the same; tshark objects.
    let tshark = Command::new("tshark")
        .args([
            "-o",
            "ip.check_checksum:TRUE",
            "-o",
            "tcp.check_checksum:TRUE",
        ])
        .args([
            "-o",
            "udp.check_checksum:TRUE",
            "-o",
            "tcp.desegment_tcp_streams:FALSE",
        ])
        .args([
            "-T",
            "fields",
            "-e",
            "ip.checksum.status",
            "-e",
            "tcp.checksum.status",
        ])
        .args([
            "-e",
            "udp.checksum.status",
            "-Y",
            "ip && !(tcp.checksum == 0xffff)",
            "-r",
        ])
        .arg(capture)
        .output();
    let Ok(output) = tshark else {
        println!("skipped: tshark is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let wrong: Vec<_> = text
        .lines()
        .filter(|line| !["1\t1\t", "1\t\t1"].contains(line))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}: {} wrong: {:?}",
        capture.display(),
        wrong.len(),
        wrong.first()
    );
    assert!(text.lines().count() >= 2, "{}", capture.display());
}

#[test]
fn a_bed_without_nats_shows_the_clients_own_address() {
    let mut config = BedConfig::default();
    config.paths.iter_mut().for_each(|path| path.nat = None);
    let Some((bed, _one)) = build(&config) else {
        return;
    };
    let (client, server) = (udp(bed.client(), CLIENTS[1]), udp(bed.server(), SERVERS[1]));
    assert_eq!(exchange(&client, &server), CLIENTS[1].parse().unwrap());
    assert_eq!(
        exchange(&client, &udp(bed.server(), SERVERS[0])),
        CLIENTS[1].parse().unwrap()
    );
}

#[test]
fn dropping_a_bed_ends_its_programs_and_their_children() {
    let Some((bed, _one)) = build(&BedConfig::default()) else {
        return;
    };
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "sleep 1000 & echo $!; wait"])
        .stdout(Stdio::piped());
    let mut shell = bed.client().spawn(shell).unwrap();
    let mut grandchild = String::new();
    BufReader::new(shell.stdout.take().unwrap())
        .read_line(&mut grandchild)
        .unwrap();
    let grandchild = Path::new("/proc").join(grandchild.trim()).join("ns/net");
    assert!(grandchild.exists() && shell.try_wait().unwrap().is_none());
    drop(bed);
    assert!(!shell.wait().unwrap().success());
    wait_until(|| !grandchild.exists()); // a process that has ended has no namespace
}

#[test]
fn impossible_numbers_of_paths_are_refused() {
    for count in [0, 4] {
        let path = BedConfig::default().paths[0].clone();
        let config = BedConfig {
            paths: vec![path; count],
            ..BedConfig::default()
        };
        assert!(Bed::build(&config).is_err());
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never happens");
        thread::sleep(Duration::from_millis(1));
    }
}
