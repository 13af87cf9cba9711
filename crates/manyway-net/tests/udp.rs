//! UDP sockets on real interfaces.
#![allow(
    dead_code,
    reason = "not every test file uses everything that they share"
)]

mod common;

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::os::fd::AsFd;
use std::task::Poll;

use bytes::Bytes;
use manyway_net::link::{self, Network, Route};
use manyway_net::namespace::Namespace;
use manyway_net::udp::{
    BindError, Datagrams, Ecn, IcmpErrorKind, Quote, Received, RecvBatch, UdpOptions, UdpSocket,
};

use common::{block_on, in_namespace, is_root, net, v4};

fn bind(address: impl Into<IpAddr>) -> UdpSocket {
    UdpSocket::bind(&UdpOptions::new((address.into(), 0).into())).expect("the address is local")
}

fn one(destination: SocketAddr, contents: &[u8]) -> Datagrams<'_> {
    Datagrams {
        destination,
        source: None,
        ecn: None,
        segment_size: None,
        contents,
    }
}

async fn recv(socket: &UdpSocket, batch: &mut RecvBatch) -> Vec<Received> {
    poll_fn(|cx| socket.poll_recv(cx, batch))
        .await
        .expect("receiving works");
    batch.drain().collect()
}

async fn recv_datagrams(socket: &UdpSocket, count: usize) -> (Vec<Bytes>, usize) {
    let mut batch = RecvBatch::default();
    let mut datagrams = Vec::new();
    let mut receives = 0;
    while datagrams.len() < count {
        for received in recv(socket, &mut batch).await {
            receives += 1;
            datagrams.extend(received.segments);
        }
    }
    (datagrams, receives)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_gso_batch_arrives_coalesced_and_is_split_into_the_datagrams_that_were_sent() {
    block_on(async {
        for address in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let (sender, receiver) = (bind(address), bind(address));
            let contents = pattern(40 * 1_200 + 17);
            let batch = Datagrams {
                segment_size: Some(1_200),
                ..one(receiver.local_addr(), &contents)
            };
            sender.try_send(&batch).unwrap();
            let (datagrams, receives) = recv_datagrams(&receiver, 41).await;
            assert!(datagrams.iter().map(|d| &d[..]).eq(contents.chunks(1_200)));
            assert!(receives < 41, "nothing was coalesced");
        }
    });
}

#[test]
fn a_batch_larger_than_the_kernel_takes_at_once_is_divided() {
    block_on(async {
        let (sender, receiver) = (bind(Ipv4Addr::LOCALHOST), bind(Ipv4Addr::LOCALHOST));
        for (segment, count) in [(100, 200), (1_400, 100)] {
            let contents = pattern(segment * count);
            let batch = Datagrams {
                segment_size: Some(segment),
                ..one(receiver.local_addr(), &contents)
            };
            sender.try_send(&batch).unwrap();
            let (datagrams, _) = recv_datagrams(&receiver, count).await;
            assert!(
                datagrams
                    .iter()
                    .map(|d| &d[..])
                    .eq(contents.chunks(segment))
            );
        }
        assert_eq!(sender.send_drops(), 0);
    });
}

#[test]
fn ecn_marks_and_local_addresses_are_carried() {
    block_on(async {
        let mut batch = RecvBatch::new(1);
        for address in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let (sender, receiver) = (bind(address), bind(address));
            for ecn in [None, Some(Ecn::Ect0), Some(Ecn::Ect1), Some(Ecn::Ce)] {
                for segment_size in [None, Some(10)] {
                    let contents = pattern(100);
                    let datagrams = Datagrams {
                        ecn,
                        segment_size,
                        ..one(receiver.local_addr(), &contents)
                    };
                    sender.try_send(&datagrams).unwrap();
                    let received = recv(&receiver, &mut batch).await.remove(0);
                    assert_eq!(received.ecn, ecn);
                    assert_eq!(received.destination_ip, Some(address));
                    assert_eq!(received.source, sender.local_addr());
                    assert_eq!(received.segments.len(), segment_size.unwrap_or(1));
                }
            }
        }
    });
}

#[test]
fn a_socket_bound_to_the_wildcard_sends_from_the_address_it_is_told() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let v6 = |text: &str| IpAddr::V6(text.parse().unwrap());
        let families = [
            (
                v4(0, 0, 0, 0),
                v4(127, 0, 0, 1),
                [v4(10, 9, 0, 1), v4(10, 9, 0, 2)],
            ),
            (v6("::"), v6("::1"), [v6("fd00::1"), v6("fd00::2")]),
        ];
        for (wildcard, loopback, sources) in families {
            let (sender, receiver) = (bind(wildcard), bind(loopback));
            let mut batch = RecvBatch::default();
            for source in sources {
                link::add_address("lo", Network::from(source)).unwrap();
                let datagram = Datagrams {
                    source: Some(source),
                    ..one(receiver.local_addr(), b"from here")
                };
                sender.try_send(&datagram).unwrap();
                assert_eq!(recv(&receiver, &mut batch).await[0].source.ip(), source);
            }
        }
    });
}

#[test]
fn a_vanished_source_address_fails_the_send_and_leaves_segmentation_and_ecn_alone() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        let (sender, receiver) = (bind(Ipv4Addr::UNSPECIFIED), bind(Ipv4Addr::LOCALHOST));
        let segments = sender.max_gso_segments();
        assert!(segments > 1, "this kernel has no UDP segmentation offload");
        let contents = pattern(4_000);
        let batch = Datagrams {
            segment_size: Some(1_000),
            ecn: Some(Ecn::Ect0),
            ..one(receiver.local_addr(), &contents)
        };
        let vanished = Datagrams {
            source: Some(v4(10, 9, 0, 1)),
            ..batch
        };
        let error = sender.try_send(&vanished).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(sender.max_gso_segments(), segments);
        sender.try_send(&batch).unwrap();
        let received = recv(&receiver, &mut RecvBatch::default()).await.remove(0);
        assert_eq!(received.ecn, Some(Ecn::Ect0));
        assert_eq!(received.segments.len(), 4);
    });
}

#[test]
fn a_port_in_use_names_its_holder() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let holder = std::net::UdpSocket::bind(address).unwrap();
        let address = holder.local_addr().unwrap();
        let error = block_on(async {
            UdpSocket::bind(&UdpOptions::new(address))
                .map(drop)
                .unwrap_err()
        });
        let BindError::PortInUse {
            holder: Some(name), ..
        } = &error
        else {
            panic!("unexpected: {error}");
        };
        assert!(
            name.contains(&format!("(pid {})", std::process::id())),
            "{name}"
        );
        assert!(error.to_string().contains(&address.port().to_string()));
    }
}

#[test]
fn addresses_and_interfaces_that_do_not_exist_are_told_apart() {
    block_on(async {
        let address = "192.0.2.77:0".parse().unwrap();
        let error = UdpSocket::bind(&UdpOptions::new(address)).unwrap_err();
        assert!(
            matches!(error, BindError::AddressNotAvailable { .. }),
            "{error}"
        );
        let mut options = UdpOptions::new("127.0.0.1:0".parse().unwrap());
        options.interface = Some("no-such-if".to_owned());
        let error = UdpSocket::bind(&options).unwrap_err();
        assert!(matches!(error, BindError::NoInterface { .. }), "{error}");
    });
}

#[test]
fn binding_outside_a_runtime_is_an_error_and_no_panic() {
    let error = UdpSocket::bind(&UdpOptions::new("127.0.0.1:0".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("runtime"), "{error}");
}

#[test]
fn an_unreachable_port_is_reported_and_disturbs_no_other_traffic() {
    block_on(async {
        for address in [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ] {
            let closed = bind(address).local_addr();
            let (sender, receiver) = (bind(address), bind(address));
            sender.try_send(&one(closed, b"anyone?")).unwrap();
            // The pending error would fail the next call if it were not cleared.
            for _ in 0..3 {
                sender
                    .try_send(&one(receiver.local_addr(), b"hello"))
                    .unwrap();
                sender.try_send(&one(closed, b"anyone?")).unwrap();
            }
            let (datagrams, _) = recv_datagrams(&receiver, 3).await;
            assert!(datagrams.iter().all(|datagram| datagram == "hello"));
            receiver
                .try_send(&one(sender.local_addr(), b"and back"))
                .unwrap();
            let (datagrams, _) = recv_datagrams(&sender, 1).await;
            assert_eq!(datagrams[0], "and back");
            for _ in 0..4 {
                let error = poll_fn(|cx| sender.poll_error(cx)).await.unwrap();
                assert_eq!(error.destination, closed);
                assert_eq!(error.source_ip, Some(sender.local_addr().ip()));
                assert_eq!(error.quote.as_bytes(), b"anyone?");
                assert_eq!(error.kind, IcmpErrorKind::PortUnreachable);
            }
            assert!(sender.take_errors().is_empty());
        }
    });
}

#[test]
fn a_task_that_waits_for_errors_is_woken_by_each() {
    block_on(async {
        let closed = bind(Ipv4Addr::LOCALHOST).local_addr();
        let sender = bind(Ipv4Addr::LOCALHOST);
        for _ in 0..3 {
            let mut sent = false;
            let error = poll_fn(|cx| {
                let result = sender.poll_error(cx);
                if !sent {
                    assert!(result.is_pending());
                    sender.try_send(&one(closed, b"anyone?")).unwrap();
                    sent = true;
                }
                result
            });
            assert_eq!(error.await.unwrap().destination, closed);
        }
    });
}

#[test]
fn errors_that_nobody_takes_are_bounded() {
    block_on(async {
        let closed = bind(Ipv4Addr::LOCALHOST).local_addr();
        let sender = bind(Ipv4Addr::LOCALHOST);
        for _ in 0..500 {
            sender.try_send(&one(closed, b"anyone?")).unwrap();
        }
        let taken = sender.take_errors().len();
        assert!((1..=64).contains(&taken), "{taken}");
    });
}

#[test]
fn a_datagram_larger_than_the_interface_is_refused_with_emsgsize() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        link::set_mtu("lo", 1_400).unwrap();
        let (sender, receiver) = (bind(Ipv4Addr::LOCALHOST), bind(Ipv4Addr::LOCALHOST));
        let error = sender
            .try_send(&one(receiver.local_addr(), &[0; 1_373]))
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(90));
        sender
            .try_send(&one(receiver.local_addr(), &[0; 1_372]))
            .unwrap();
        assert!(sender.take_errors().is_empty());
    });
}

#[test]
fn a_router_with_a_smaller_link_ahead_reports_its_mtu() {
    if !is_root() {
        return;
    }
    let router = Namespace::new().unwrap();
    let end = |name: &'static str, third: u8| {
        let host = Namespace::new().unwrap();
        router
            .enter(|| link::create_veth(name, "eth0", Some(host.as_fd())))
            .unwrap()
            .unwrap();
        for (namespace, name, last) in [(&router, name, 1), (&host, "eth0", 2)] {
            let set_up = || {
                link::set_up(name)?;
                link::add_address(name, net(10, 9, third, last, 24))
            };
            namespace.enter(set_up).unwrap().unwrap();
        }
        host
    };
    let (near, _far) = (end("near", 1), end("far", 2));
    let narrow = || {
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        link::set_mtu("far", 1_300).unwrap();
    };
    router.enter(narrow).unwrap();
    let send = || {
        let mut default = Route::new(net(0, 0, 0, 0, 0));
        default.gateway = Some(v4(10, 9, 1, 1));
        link::add_route(&default).unwrap();
        block_on(async {
            let mut large = [0; 1_400];
            large[..Quote::MAX_LEN].copy_from_slice(b"how the packet began");
            let destination = (v4(10, 9, 2, 2), 9).into();
            let wildcard = bind(Ipv4Addr::UNSPECIFIED);
            let socket = bind(v4(10, 9, 1, 2));
            for socket in [&wildcard, &socket] {
                socket.try_send(&one(destination, &large)).unwrap();
                let error = poll_fn(|cx| socket.poll_error(cx)).await.unwrap();
                assert_eq!(error.destination, destination);
                assert_eq!(error.source_ip, Some(v4(10, 9, 1, 2)));
                assert_eq!(error.kind, IcmpErrorKind::MessageTooLong { mtu: 1_300 });
                assert_eq!(error.quote.as_bytes(), b"how the packet began");
            }
            // Finding the MTU is left to the caller, so the kernel still lets this out.
            socket.try_send(&one(destination, &[0; 1_400])).unwrap();
        });
    };
    near.enter(send).unwrap();
}

#[test]
fn datagrams_of_a_shared_port_follow_their_verification_tag() {
    block_on(async {
        let mut options = UdpOptions::new("127.0.0.1:0".parse().unwrap());
        options.reuse_port = true;
        let first = UdpSocket::bind(&options).unwrap();
        options.local = first.local_addr();
        let workers = [first, UdpSocket::bind(&options).unwrap()];
        workers[0]
            .steer_by_tag(NonZeroU16::new(2).unwrap())
            .unwrap();
        for tag in 1..20_u32 {
            // Each time another source, as after a move.
            let sender = bind(Ipv4Addr::LOCALHOST);
            let mut packet = [0; 12];
            packet[4..8].copy_from_slice(&tag.to_be_bytes());
            sender.try_send(&one(options.local, &packet)).unwrap();
            let worker = &workers[usize::try_from(tag % 2).unwrap()];
            let (datagrams, _) = recv_datagrams(worker, 1).await;
            assert_eq!(datagrams[0], packet[..]);
        }
        // INITs, and what is too short for SCTP, are not lost.
        let sender = bind(Ipv4Addr::LOCALHOST);
        for packet in [&[0; 12][..], &[0; 3]] {
            sender.try_send(&one(options.local, packet)).unwrap();
            let mut batch = RecvBatch::new(1);
            let received = poll_fn(|cx| {
                let polls = workers
                    .each_ref()
                    .map(|worker| worker.poll_recv(cx, &mut batch));
                polls
                    .into_iter()
                    .find(Poll::is_ready)
                    .unwrap_or(Poll::Pending)
            });
            assert_eq!(received.await.unwrap(), 1);
        }
    });
}

#[test]
fn a_socket_can_be_shared_among_threads() {
    fn check<T: Send + Sync>() {}
    check::<UdpSocket>();
    check::<RecvBatch>();
}

/// Datagrams to a neighbour that does not answer stay in the send buffer until the kernel gives up
/// on it; then errors about them arrive, so that waiting for room and errors coincide.
#[test]
fn waiting_for_room_sleeps_while_the_buffer_is_full_even_after_errors() {
    if !is_root() {
        return;
    }
    in_namespace(async || {
        link::create_veth("a", "b", None).unwrap();
        link::set_up("a").unwrap();
        link::set_up("b").unwrap();
        link::add_address("a", net(10, 9, 0, 1, 24)).unwrap();
        let closed = bind(Ipv4Addr::LOCALHOST).local_addr();
        let mut options = UdpOptions::new("0.0.0.0:0".parse().unwrap());
        options.send_buffer = 8_192;
        let sender = UdpSocket::bind(&options).unwrap();
        sender.try_send(&one(closed, b"anyone?")).unwrap();
        sender.writable().await.unwrap();

        let silent = SocketAddr::from((v4(10, 9, 0, 77), 9));
        let full = loop {
            if let Err(error) = sender.try_send(&one(silent, &[0; 1_000])) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            let result = sender.poll_send_ready(cx);
            assert!(
                polls > 1 || matches!(result, Poll::Pending),
                "the buffer is full"
            );
            result
        })
        .await
        .unwrap();
        assert!(polls < 20, "woken {polls} times");
        let error = poll_fn(|cx| match sender.poll_error(cx) {
            Poll::Ready(Ok(error)) if error.destination == closed => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        });
        let error = error.await.unwrap();
        assert_eq!(
            (error.destination, error.kind),
            (silent, IcmpErrorKind::HostUnreachable)
        );
    });
}
