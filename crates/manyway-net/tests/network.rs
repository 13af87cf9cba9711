//! Namespaces, links, routes, watching and TUN devices, in namespaces that the tests make.
#![allow(
    dead_code,
    reason = "not every test file uses everything that they share"
)]

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::panic::AssertUnwindSafe;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use manyway_net::interfaces::watch::{AddressWatcher, Change};
use manyway_net::interfaces::{self, AddressScope, route};
use manyway_net::link::{self, Network, Route, Rule};
use manyway_net::namespace::{Namespace, NamespaceError, NamespaceOptions};
use manyway_net::tun::{Tun, TunError, TunOptions};

use common::{PATIENCE, in_namespace, is_root, net, v4};

fn output(namespace: &Namespace, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::piped());
    let output = namespace
        .spawn(command)
        .expect("the program exists")
        .wait_with_output()
        .expect("its output can be read");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("the output is text")
}

fn set_up_end(namespace: &Namespace, name: &str, address: Network) {
    namespace
        .enter(|| {
            link::set_up(name)?;
            link::add_address(name, address)
        })
        .expect("root may enter")
        .expect("the link exists");
}

/// Waits for something that the kernel does in the background.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn two_namespaces_joined_by_a_veth_pair_talk_by_udp() {
    if !is_root() {
        return;
    }
    let (a, b) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    a.enter(|| link::create_veth("toward-b", "toward-a", Some(b.as_fd())))
        .unwrap()
        .unwrap();
    set_up_end(&a, "toward-b", net(10, 9, 0, 1, 24));
    set_up_end(&b, "toward-a", net(10, 9, 0, 2, 24));

    let ping = a.enter(|| UdpSocket::bind("10.9.0.1:0").unwrap()).unwrap();
    let pong = b.enter(|| UdpSocket::bind("10.9.0.2:0").unwrap()).unwrap();
    for socket in [&ping, &pong] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let mut buffer = [0; 16];
    ping.send_to(b"ping", pong.local_addr().unwrap()).unwrap();
    let (len, from) = pong.recv_from(&mut buffer).unwrap();
    assert_eq!(
        (&buffer[..len], from),
        (&b"ping"[..], ping.local_addr().unwrap())
    );
    pong.send_to(b"pong", from).unwrap();
    let (len, from) = ping.recv_from(&mut buffer).unwrap();
    assert_eq!(
        (&buffer[..len], from),
        (&b"pong"[..], pong.local_addr().unwrap())
    );
}

#[test]
fn a_namespace_goes_away_with_its_last_handle() {
    if !is_root() {
        return;
    }
    let (here, other) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    let clone = other.clone();
    here.enter(|| link::create_veth("here", "there", Some(other.as_fd())))
        .unwrap()
        .unwrap();
    drop(other);
    here.enter(|| link::index_of("here"))
        .unwrap()
        .expect("a handle is left");
    drop(clone);
    // The veth pair goes with either end's namespace.
    eventually("the namespace is still there", || {
        here.enter(|| link::index_of("here")).unwrap().is_err()
    });
}

#[test]
fn programs_run_inside_and_die_with_the_namespace() {
    if !is_root() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let devices = output(&namespace, "cat", &["/proc/self/net/dev"]);
    let names: Vec<&str> = devices
        .lines()
        .skip(2)
        .filter_map(|l| l.split(':').next())
        .collect();
    assert_eq!(
        names.iter().map(|name| name.trim()).collect::<Vec<_>>(),
        ["lo"]
    );

    let mut command = Command::new("sleep");
    command.arg("1000");
    let mut child = namespace.spawn(command).unwrap();
    drop(namespace);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    if !is_root() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let error = namespace
        .spawn(Command::new("/no/such/program"))
        .unwrap_err();
    assert!(matches!(error, NamespaceError::Spawn { .. }));
    assert!(error.to_string().contains("/no/such/program"), "{error}");
}

#[test]
fn programs_see_their_own_run_and_sys_when_asked_for() {
    if !is_root() {
        return;
    }
    let options = NamespaceOptions {
        private_run: true,
        own_sysfs: true,
    };
    let namespace = Namespace::with_options(options).unwrap();
    assert_eq!(output(&namespace, "ls", &["-A", "/run"]), "");
    assert_eq!(output(&namespace, "ls", &["/sys/class/net"]), "lo\n");
    namespace
        .enter(|| std::fs::write("/run/inside", "").unwrap())
        .unwrap();
    assert_eq!(output(&namespace, "ls", &["-A", "/run"]), "inside\n");
    assert!(!std::fs::exists("/run/inside").unwrap());
}

#[test]
fn the_current_namespace_is_that_of_the_thread() {
    if !is_root() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    namespace
        .enter(|| link::create_veth("mark", "peer", None))
        .unwrap()
        .unwrap();
    let same = namespace.enter(Namespace::current).unwrap().unwrap();
    drop(namespace);
    same.enter(|| link::index_of("mark")).unwrap().unwrap();
    assert!(output(&same, "cat", &["/proc/self/net/dev"]).contains("mark"));
}

#[test]
fn a_panic_inside_continues_outside() {
    if !is_root() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| namespace.enter(|| panic!("inside"))));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"inside"));
}

#[test]
fn refused_changes_name_the_operation() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let error = link::set_up("missing").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot bring missing up: No such device (os error 19)"
        );
        link::add_address("lo", net(10, 9, 0, 1, 32)).unwrap();
        let error = link::add_address("lo", net(10, 9, 0, 1, 32)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot add 10.9.0.1/32 to lo: "),
            "{error}"
        );
        assert_eq!(error.io().kind(), std::io::ErrorKind::AlreadyExists);
    });
}

#[test]
fn routes_follow_rules_by_source_address() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let target = v4(192, 0, 2, 1);
        assert!(route::to(target, None).is_err());
        for n in [1, 2] {
            let (name, peer) = (format!("c{n}"), format!("p{n}"));
            link::create_veth(&name, &peer, None).unwrap();
            link::set_mtu(&name, 1_400 + u32::from(n)).unwrap();
            link::set_up(&name).unwrap();
            link::set_up(&peer).unwrap();
            link::add_address(&name, net(10, n, 0, 2, 24)).unwrap();
            let mut default = Route::new(net(0, 0, 0, 0, 0));
            default.gateway = Some(v4(10, n, 0, 1));
            default.table = Some(1_000 + u32::from(n));
            link::add_route(&default).unwrap();
            let from = net(10, n, 0, 2, 32);
            link::add_rule(&Rule {
                from,
                table: 1_000 + u32::from(n),
                priority: None,
            })
            .unwrap();
        }
        for n in [1, 2] {
            let info = route::to(target, Some(v4(10, n, 0, 2))).unwrap();
            assert_eq!(info.interface, format!("c{n}"));
            assert_eq!(info.index, link::index_of(&info.interface).unwrap());
            assert_eq!(info.gateway, Some(v4(10, n, 0, 1)));
            assert_eq!(info.source, v4(10, n, 0, 2));
            assert_eq!(info.mtu, 1_400 + u32::from(n));
            assert_eq!(interfaces::mtu(info.index).unwrap(), info.mtu);
        }
        let main = route::to(target, None);
        assert_eq!(
            main.unwrap_err().kind(),
            std::io::ErrorKind::NetworkUnreachable
        );

        let mut default = Route::new(net(0, 0, 0, 0, 0));
        default.gateway = Some(v4(10, 2, 0, 1));
        default.metric = Some(50);
        link::add_route(&default).unwrap();
        assert_eq!(route::to(target, None).unwrap().source, v4(10, 2, 0, 2));
        link::remove_route(&default).unwrap();
        assert!(route::to(target, None).is_err());
        let c1 = link::index_of("c1").unwrap();
        let near = route::through(v4(10, 1, 0, 9), None, c1).unwrap();
        assert_eq!((near.source, near.gateway), (v4(10, 1, 0, 2), None));
    });
}

#[test]
fn only_global_addresses_of_interfaces_that_are_up_are_usable() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        assert!(interfaces::usable_addresses().unwrap().is_empty());
        let addresses = interfaces::addresses().unwrap();
        let loopback = addresses
            .iter()
            .find(|a| a.address == v4(127, 0, 0, 1))
            .unwrap();
        assert!(loopback.loopback && loopback.up);
        assert_eq!(loopback.scope, AddressScope::Host);

        link::create_veth("c1", "p1", None).unwrap();
        link::add_address("c1", net(10, 1, 0, 2, 24)).unwrap();
        assert!(interfaces::usable_addresses().unwrap().is_empty());
        link::set_up("c1").unwrap();
        assert!(
            interfaces::usable_addresses().unwrap().is_empty(),
            "there is no carrier"
        );
        link::set_up("p1").unwrap();
        let v6 = Network::new("fd00::2".parse().unwrap(), 64);
        link::add_address("c1", v6).unwrap();
        let usable = interfaces::usable_addresses().unwrap();
        let found: Vec<_> = usable
            .iter()
            .map(|a| (a.interface.as_str(), a.address))
            .collect();
        assert_eq!(found, [("c1", v4(10, 1, 0, 2)), ("c1", v6.address)]);
        assert!(interfaces::mtu(4_711).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound));
    });
}

async fn expect(watcher: &mut AddressWatcher, wanted: Change) {
    while watcher.next().await.expect("the watcher works") != wanted {}
}

#[test]
fn the_watcher_sees_addresses_links_and_routes_change() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        link::create_veth("c1", "p1", None).unwrap();
        let index = link::index_of("c1").unwrap();
        let mut watcher = AddressWatcher::new().unwrap();
        link::set_up("c1").unwrap();
        link::set_up("p1").unwrap();
        expect(
            &mut watcher,
            Change::Link {
                index,
                name: "c1".to_owned(),
                up: true,
            },
        )
        .await;
        for network in [
            net(10, 1, 0, 2, 24),
            Network::new("fd00::2".parse().unwrap(), 64),
        ] {
            let address = network.address;
            link::add_address("c1", network).unwrap();
            expect(&mut watcher, Change::AddressAvailable { index, address }).await;
            link::remove_address("c1", network).unwrap();
            expect(&mut watcher, Change::AddressGone { index, address }).await;
        }
        expect(&mut watcher, Change::Routes).await;
        link::delete("c1").unwrap();
        expect(&mut watcher, Change::LinkGone { index }).await;
    });
}

#[test]
fn a_watcher_that_was_overrun_asks_for_a_resync() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let mut watcher = AddressWatcher::new().unwrap();
        // Each address makes several messages, and the kernel charges each at least 768 bytes.
        for n in 0..4_000_u16 {
            let [high, low] = n.to_be_bytes();
            link::add_address("lo", net(10, 3, high, low, 32)).unwrap();
        }
        expect(&mut watcher, Change::Resync).await;
        assert!(interfaces::addresses().unwrap().len() > 4_000);
    });
}

#[test]
fn a_tun_device_carries_packets_both_ways() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let tun = match Tun::open(
            "mw0",
            &TunOptions {
                mtu: Some(1_300),
                up: true,
            },
        ) {
            Err(error @ TunError::NoDriver) => panic!("cannot test: {error}"),
            result => result.unwrap(),
        };
        link::add_address("mw0", net(10, 7, 0, 1, 24)).unwrap();
        assert_eq!(
            interfaces::mtu(link::index_of(tun.name()).unwrap()).unwrap(),
            1_300
        );
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();

        socket.send_to(b"outward", "10.7.0.2:7").unwrap();
        let mut packet = [0; 1_300];
        let len = loop {
            let len = tun.read(&mut packet).unwrap();
            // The kernel also sends IPv6 router solicitations of its own.
            if packet[0] >> 4 == 4 && packet[9] == 17 {
                break len;
            }
        };
        assert_eq!(&packet[28..len], b"outward");
        assert_eq!(packet[16..20], [10, 7, 0, 2]);

        tun.write(&udp_packet([10, 7, 0, 2], [10, 7, 0, 1], port, b"inward"))
            .unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let (len, from) = socket.recv_from(&mut packet).unwrap();
        assert_eq!(&packet[..len], b"inward");
        assert_eq!(from, SocketAddr::from(([10, 7, 0, 2], 7)));

        let busy = Tun::open("mw0", &TunOptions::default()).unwrap_err();
        assert!(matches!(busy, TunError::InUse { .. }), "{busy}");
        drop(tun);
        assert!(link::index_of("mw0").is_err());
    });
}

fn udp_packet(from: [u8; 4], to: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let total = u16::try_from(28 + payload.len()).expect("the payload is short");
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend_from_slice(&from);
    packet.extend_from_slice(&to);
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    let sum: u32 = packet
        .chunks(2)
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !(((folded & 0xffff) + (folded >> 16)) as u16);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend_from_slice(&7_u16.to_be_bytes());
    packet.extend_from_slice(&port.to_be_bytes());
    packet.extend_from_slice(&(total - 20).to_be_bytes());
    // Zero says that there is no UDP checksum (RFC 768).
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(payload);
    packet
}
