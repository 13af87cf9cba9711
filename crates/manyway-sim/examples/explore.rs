#![allow(missing_docs, clippy::all)]
use manyway_sim::{network::*, *};
use std::time::Duration;
use manyway_proto::*;
fn show(label: &str, seed: u64, f: impl FnOnce(&mut Scene, (AssocId, AssocId))) {
    let mut scene = Scene::reference(seed);
    let pair = scene.establish(Duration::from_secs(5)).unwrap();
    f(&mut scene, pair);
    let r = scene.download(pair, 64 << 20, Duration::from_secs(60));
    println!(
        "{label}: complete {} corrupt {} {:.2} Mbit/s in {:?} gap {:?} paths {:?}",
        r.complete,
        r.corrupt,
        r.goodput() / 1e6,
        r.elapsed,
        r.longest_gap,
        r.path_bytes
    );
    for (n, h, id) in [
        ("client", scene.client, pair.0),
        ("server", scene.server, pair.1),
    ] {
        let st = scene.network.node(h);
        if let Some(a) = st.endpoint.association(id) {
            println!("  {n} {:?}", a.stats());
            a.check_invariants().unwrap();
            for p in a.paths() {
                println!(
                    "    {} {:?} {:?} srtt {:?} rto {:?} cwnd {} fl {} mtu {} lost {} rtx {} to {} sent {} recv {}",
                    p.id,
                    p.four_tuple,
                    p.state,
                    p.srtt,
                    p.rto,
                    p.cwnd,
                    p.in_flight,
                    p.mtu,
                    p.lost_packets,
                    p.retransmitted_bytes,
                    p.timeouts,
                    p.bytes_sent,
                    p.bytes_received
                );
            }
        }
        for (t, _, e) in &st.events {
            let s = format!("{e:?}");
            if s.contains("Path") || s.contains("Closed") || s.contains("Prim") {
                println!("      {t:?} {s}");
            }
        }
    }
}
fn main() {
    let s = |x: f64| Duration::from_secs_f64(x);
    show("plain", 1, |_, _| {});
    show("cut0", 1, |sc, pair| {
        let now = sc.network.now();
        let i = sc.paths[0].client;
        sc.network
            .schedule(now + s(3.0), Action::Cut(i, Direction::Both));
        sc.network
            .schedule(now + s(6.0), Action::Restore(i, Direction::Both));
    });
    show("rebind0", 1, |sc, pair| {
        let now = sc.network.now();
        let n = sc.paths[0].nat.unwrap();
        sc.network.schedule(now + s(3.0), Action::Rebind(n)); series(sc, pair, 2.9, 3.6, 0.02);
    });
    show("renumber0", 1, |sc, pair| {
        let now = sc.network.now();
        let n = sc.paths[0].nat.unwrap();
        sc.network.schedule(
            now + s(3.0),
            Action::Renumber(n, "192.0.2.77".parse().unwrap()),
        );
    });
}
pub fn series(sc: &mut Scene, pair: (AssocId, AssocId), from: f64, to: f64, step: f64) {
    let now = sc.network.now(); let srv = sc.server;
    let mut t = from;
    while t < to { sc.network.schedule_with(now + Duration::from_secs_f64(t), move |n| {
        let st = n.node(srv); if let Some(a) = st.endpoint.association(pair.1) { let mut l = format!("{:.2}", n.now().as_nanos() as f64/1e9); for p in a.paths() { l += &format!(" | {} cwnd {} fl {} srtt {:?} lost {} sent {}", p.id, p.cwnd, p.in_flight, p.srtt.unwrap_or_default(), p.lost_packets, p.bytes_sent); } println!("{l} backlog {}", a.send_backlog()); }
    }); t += step; }
}
