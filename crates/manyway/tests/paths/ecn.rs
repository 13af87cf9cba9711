//! Congestion told by marks (RFC 3168; RFC 4960, appendix A), on real sockets: the IP header's
//! field is set and read, queues mark, and middleboxes spoil it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::Duration;

use manyway::{Association, Carrier, Message, UDP_PORT};
use manyway_bed::{Bed, BedConfig, LinkConfig, QueueLimit, Rate, ScenePath};
use tempfile::TempDir;

use crate::world::{Addresses, ONE, PATIENCE, V4, V6, between, config, is_root};

const ECNE: u8 = 12;
const CWR: u8 = 13;

/// One path whose queues mark from `threshold` bytes on and are long enough for anything.
fn network(threshold: Option<usize>, captures: Option<&Path>) -> BedConfig {
    let link = LinkConfig {
        queue: QueueLimit::from_bytes(10 << 20),
        ecn_threshold: threshold,
        ..LinkConfig::new(Rate::from_mbit(20), Duration::from_millis(10))
    };
    BedConfig {
        paths: vec![ScenePath::direct(link)],
        ipv6: true,
        captures: captures.map(Path::to_owned),
        ..BedConfig::default()
    }
}

fn run(bed: &Bed, addresses: Addresses, test: impl AsyncFnOnce(&Association) + Send) {
    let configs = [addresses.client, addresses.server].map(|own| {
        let mut config = config(&own[..1], Carrier::Udp);
        // Nothing but losses shall look like one on a busy machine.
        config.transport.rto_min = Duration::from_millis(500);
        config
    });
    let hosts = [bed.client(), bed.server()];
    between(hosts, configs, async |_, peer| test(peer).await);
}

/// Sends so much, and receives it again, that windows open.
async fn echo(peer: &Association, count: usize) {
    const LEN: usize = 1_400;
    let send = async {
        for _ in 0..count {
            peer.send(Message::new(0, vec![7; LEN])).await.unwrap();
        }
    };
    let receive = async {
        for _ in 0..count {
            let message = tokio::time::timeout(PATIENCE, peer.recv()).await.unwrap();
            assert_eq!(message.unwrap().unwrap().payload.len(), LEN);
        }
    };
    tokio::join!(send, receive);
}

/// The IP header's two bits and the chunk types of each packet from or to the server's port.
fn packets(capture: &Path) -> Vec<(u8, Vec<u8>)> {
    let file = std::fs::read(capture).unwrap();
    let (mut rest, mut all) = (&file[24..], Vec::new());
    while let Some((header, more)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
        let (packet, more) = more.split_at(len);
        rest = more;
        let (ecn, protocol, header_len) = match packet[0] >> 4 {
            4 => (packet[1] & 3, packet[9], usize::from(packet[0] & 15) * 4),
            _ => (packet[1] >> 4 & 3, packet[6], 40),
        };
        if protocol == 17 {
            let udp = &packet[header_len..];
            let ports = [&udp[0..2], &udp[2..4]];
            assert!(ports.contains(&&UDP_PORT.to_be_bytes()[..]));
            all.push((ecn, chunk_types(&udp[8 + 12..])));
        }
    }
    all
}

fn chunk_types(mut chunks: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [kind, _, high, low, ..] = *chunks {
        types.push(kind);
        let len = usize::from(u16::from_be_bytes([high, low]));
        chunks = &chunks[len.next_multiple_of(4).min(chunks.len())..];
    }
    types
}

/// Marks of a queue are seen, echoed and answered, and keep the queue short without any loss.
fn marks_slow_the_sender_down(addresses: Addresses) {
    if !is_root() {
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let captures = TempDir::new().unwrap();
    let bed = Bed::build(&network(Some(30_000), Some(captures.path()))).unwrap();
    run(&bed, addresses, async |peer| {
        echo(peer, 4_000).await;
        let stats = peer.stats();
        assert!(stats.congestion_marks > 0, "{stats:?}");
        assert!(stats.congestion_reductions > 0, "{stats:?}");
        assert_eq!(stats.retransmitted_bytes, 0, "{stats:?}");
        assert!(peer.paths().iter().all(|path| !path.ecn_failed));
    });
    for direction in [bed.path(0).counters().up, bed.path(0).counters().down] {
        // Without marks it would be the buffers of both ends, megabytes.
        assert!(direction.queue_peak < 600_000, "{direction:?}");
        assert_eq!(direction.dropped_queue + direction.dropped_loss, 0);
    }
    drop(bed);
    // What the client sees: packets of the server with its marks, and both sides' chunks.
    let packets = packets(&captures.path().join("c1.pcap"));
    let has = |kind: u8| packets.iter().any(|(_, kinds)| kinds.contains(&kind));
    assert!(has(ECNE), "no echo");
    assert!(has(CWR), "no answer");
    for (mark, kinds) in &packets {
        let data = kinds.iter().any(|kind| matches!(kind, 0 | 64));
        // ECT(0) and CE; acknowledgements carry no mark.
        assert!(matches!(mark, 0 | 2 | 3), "{mark} {kinds:?}");
        assert!(data || *mark == 0, "{mark} {kinds:?}");
    }
    for wanted in [2, 3] {
        assert!(packets.iter().any(|(mark, _)| *mark == wanted), "{wanted}");
    }
}

#[test]
fn marks_slow_the_sender_down_over_ipv4() {
    marks_slow_the_sender_down(V4);
}

#[test]
fn marks_slow_the_sender_down_over_ipv6() {
    marks_slow_the_sender_down(V6);
}

/// Lets the server's host do `rule` to every packet that comes in, and runs `test`.
fn behind(rule: &str, addresses: Addresses, test: impl AsyncFnOnce(&Association) + Send) {
    if !is_root() {
        return;
    }
    if Command::new("nft").arg("--version").output().is_err() {
        println!("skipped: not installed: nft");
        return;
    }
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let bed = Bed::build(&network(None, None)).unwrap();
    let rules = format!(
        "table inet spoil {{
            chain arriving {{
                type filter hook prerouting priority -300; policy accept;
                {rule}
            }}
        }}"
    );
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]).stdin(Stdio::piped());
    let mut nft = bed.server().spawn(nft).unwrap();
    let mut input = nft.stdin.take().unwrap();
    input.write_all(rules.as_bytes()).unwrap();
    drop(input);
    assert!(nft.wait().unwrap().success(), "{rules}");
    run(&bed, addresses, test);
}

#[test]
fn a_mark_that_another_stack_sets_is_understood() {
    let rules = [
        (V4, "ip ecn ect0 ip ecn set ce"),
        (V6, "ip6 ecn ect0 ip6 ecn set ce"),
    ];
    for (addresses, rule) in rules {
        behind(rule, addresses, async |peer| {
            echo(peer, 500).await;
            let stats = peer.stats();
            assert!(stats.congestion_reductions > 1, "{stats:?}");
            assert_eq!(stats.retransmitted_bytes, 0, "{stats:?}");
            assert_eq!(stats.congestion_marks, 0, "{stats:?}");
        });
    }
}

#[test]
fn a_network_that_bleaches_marks_does_no_harm() {
    behind("ip ecn set not-ect", V4, async |peer| {
        echo(peer, 500).await;
        let stats = peer.stats();
        assert_eq!(stats.congestion_reductions, 0, "{stats:?}");
        assert_eq!(stats.retransmitted_bytes, 0, "{stats:?}");
    });
}

#[test]
fn a_network_that_drops_what_is_marked_is_found_out() {
    behind("ip ecn ect0 drop", V4, async |peer| {
        echo(peer, 2_000).await;
        assert!(peer.paths().iter().any(|path| path.ecn_failed));
        let before = peer.stats();
        echo(peer, 500).await;
        assert_eq!(peer.stats().timeouts, before.timeouts);
    });
}
