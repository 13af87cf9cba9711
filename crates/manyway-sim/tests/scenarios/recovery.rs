//! Loss recovery: tails, reordering, timeouts in error, slow acknowledgements, buffers.

use std::time::Duration;

use bytes::Bytes;
use manyway_proto::{EndpointConfig, Extension, Extensions, Message};
use manyway_sim::network::{Action, Direction, Sent, Verdict};
use manyway_sim::{Loss, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, chunk_types, has_chunk, link, one_path};

const DATA: u8 = 0;

/// Sends `count` messages of 1,200 bytes at once and waits for them; how long that took.
fn burst(pair: &mut Pair, count: u64) -> Duration {
    let (from, to) = (pair.client, pair.server);
    let before = pair.received(to).messages;
    pair.command(from, |_, assoc| {
        for _ in 0..count {
            let sent = assoc.send(Message::new(0, vec![3; 1200]));
            sent.expect("there is room");
        }
    });
    pair.wait("the burst arrives", 3 * SECOND, |pair| {
        pair.received(to).messages >= before + count
    })
}

/// A hook that drops the DATA packets of these numbers, counted from now on.
fn drop_data(pair: &mut Pair, numbers: &'static [usize]) {
    let mut seen = 0;
    pair.scene.network.set_hook(move |sent| {
        if !has_chunk(sent, DATA) {
            return Verdict::Pass;
        }
        seen += 1;
        match numbers.contains(&(seen - 1)) {
            true => Verdict::Drop,
            false => Verdict::Pass,
        }
    });
}

/// One path of 40 ms of round trip whose estimate has settled.
fn settled(seed: u64) -> Pair {
    let mut pair = Pair::establish(Scene::new(&[ScenePath::direct(link(50, 20 * MS))], seed));
    for _ in 0..20 {
        burst(&mut pair, 2);
        pair.run(20 * MS);
    }
    pair
}

//= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
//= type=test
//# the sender SHOULD retransmit the highest-sequence segment sent so far
#[test]
fn a_lost_tail_is_repaired_by_a_probe_and_not_by_a_timeout() {
    // The last packet, the last three, all but the first, the only one, and the last one twice.
    let cases: [(u64, &'static [usize]); 4] =
        [(10, &[9]), (10, &[7, 8, 9]), (4, &[1, 2, 3]), (1, &[0])];
    for (count, lost) in cases {
        let mut pair = settled(81);
        let before = pair.paths(pair.client)[0];
        drop_data(&mut pair, lost);
        let took = burst(&mut pair, count);
        let path = pair.paths(pair.client)[0];
        // The last answer, which is delayed; a round trip until the probe and one for its answer;
        // one and a half for two packets that are lost besides.
        let most = 21 * MS + 41 * MS + 44 * MS + 41 * MS + 41 * MS + 21 * MS;
        assert!(took <= most, "{lost:?}: {took:?}\n{}", pair.describe());
        assert_eq!(path.timeouts, 0, "{lost:?}\n{}", pair.describe());
        assert_eq!(path.tail_probes, before.tail_probes + 1, "{lost:?}");
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
        //= type=test
        //# The sender then SHOULD invoke a congestion control response equivalent to a fast recovery
        pair.run(200 * MS);
        let path = pair.paths(pair.client)[0];
        assert!(path.cwnd < before.cwnd, "{lost:?}: {path:?}");
        assert_eq!(path.undone_reductions, 0, "{lost:?}");
    }
}

#[test]
fn a_probe_in_vain_changes_no_window() {
    let mut pair = settled(82);
    let before = pair.paths(pair.client)[0];
    // The answers are late, nothing is lost.
    let server = pair.server.0;
    let mut first = true;
    pair.scene.network.set_hook(move |sent| {
        let late = sent.from.host == server && std::mem::take(&mut first);
        match late {
            true => Verdict::Delay(55 * MS),
            false => Verdict::Pass,
        }
    });
    burst(&mut pair, 1);
    pair.run(SECOND);
    let path = pair.paths(pair.client)[0];
    assert_eq!(path.tail_probes, before.tail_probes + 1, "{path:?}");
    assert_eq!(path.cwnd, before.cwnd, "{path:?}");
    assert_eq!(path.timeouts, 0);
}

#[test]
fn reordering_by_three_packets_or_ten_milliseconds_costs_no_window() {
    for (seed, delay) in [(83, 10 * MS), (84, 700 * MS / 1000), (85, 2 * MS)] {
        let run = |reorder: bool| {
            let mut pair = settled(seed);
            let mut dice = seed as u32;
            if reorder {
                pair.scene.network.set_hook(move |sent: &Sent<'_>| {
                    dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    match has_chunk(sent, DATA) && (dice >> 8).is_multiple_of(20) {
                        true => Verdict::Delay(delay),
                        false => Verdict::Pass,
                    }
                });
            }
            let ids = pair.ids();
            let report = pair.scene.upload(ids, 8_000_000, 60 * SECOND);
            assert!(report.complete && report.corrupt == 0, "{report:?}");
            (report.goodput(), pair.paths(pair.client)[0])
        };
        let (plain, _) = run(false);

        let (reordered, path) = run(true);

        assert!(
            reordered > 0.93 * plain,
            "{delay:?}: {reordered:.0} of {plain:.0} bit/s: {path:?}"
        );
        assert_eq!(path.timeouts, 0, "{delay:?}: {path:?}");
        // Overflows of the queue are real; once the window of RACK has adapted nothing else is lost.
        let (wrong, undone) = (path.spurious_losses, path.undone_reductions);
        assert!(wrong < 30, "{delay:?}: {path:?}");
        assert!(wrong == 0 || undone > 0, "{delay:?}: {path:?}");
    }
}

/// RFC 5682: a delay that suddenly grows fires the timer though nothing was lost.
#[test]
fn a_timeout_in_error_is_undone_and_sends_little_again() {
    let mut pair = Pair::establish(one_path(86));
    let from = pair.client;
    pair.scene
        .network
        .with_node(from.0, |s| s.send_bulk(from.1, None, 1400));
    pair.run(SECOND);
    let before = pair.paths(from)[0];
    let interface = pair.scene.paths[0].client;
    let longer = Action::SetDelay(interface, Direction::Both, 300 * MS);
    pair.scene.network.apply(longer);
    pair.run(2 * SECOND);
    let path = pair.paths(from)[0];
    assert!(path.timeouts > before.timeouts, "{path:?}");
    assert_eq!(path.undone_reductions, before.undone_reductions + 1);
    assert!(path.cwnd >= before.cwnd, "{before:?}\n{path:?}");
    let again = path.retransmitted_bytes - before.retransmitted_bytes;
    assert!(again < 10 * 1472, "{again} bytes sent again");
}

/// Clears the bit that asks for an immediate acknowledgement, as a receiver without RFC 7053.
fn without_immediate_bit(payload: &Bytes) -> Bytes {
    let mut bytes = payload.to_vec();
    let mut at = 12;
    while at + 4 <= bytes.len() {
        let len = usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]])).max(4);
        if bytes[at] == DATA {
            bytes[at + 1] &= !0x08;
        }
        at += len.next_multiple_of(4);
    }
    bytes[8..12].fill(0);
    let sum = manyway_wire::crc32c(&[&bytes]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes.into()
}

//= https://www.rfc-editor.org/rfc/rfc9260#section-6.2
//= type=test
//# an acknowledgement SHOULD be generated for at least every second packet (not every second DATA chunk) received, and SHOULD be generated within 200 ms of the arrival of any unacknowledged DATA chunk
#[test]
fn acknowledgements_delayed_by_200_ms_cause_no_timeout_and_no_retransmission() {
    for round_trip in [1, 20, 150] {
        let client = EndpointConfig::default();
        let mut server = EndpointConfig::default();
        server.transport.extensions = Extensions::NONE.with(Extension::Pad);
        server.transport.sack_delay = 200 * MS;
        let path = ScenePath::direct(link(50, round_trip * MS / 2));
        let mut pair = Pair::establish(Scene::with_engines(&[path], client, server, 87));
        pair.scene
            .network
            .set_hook(|sent| match has_chunk(sent, DATA) {
                true => Verdict::Replace(without_immediate_bit(sent.payload)),
                false => Verdict::Pass,
            });
        for count in [1, 3, 1, 7, 2, 1, 1] {
            for _ in 0..8 {
                burst(&mut pair, count);
                pair.run(130 * MS);
            }
        }
        let path = pair.paths(pair.client)[0];
        assert_eq!(path.timeouts, 0, "{round_trip} ms: {path:?}");
        assert_eq!(path.retransmitted_bytes, 0, "{round_trip} ms: {path:?}");
    }
}

#[test]
fn a_lossy_path_beside_a_clean_one_takes_nothing_from_it() {
    let clean = || ScenePath::direct(link(50, 10 * MS));
    let run = |paths: &[ScenePath], loss: f64, seed| {
        let mut pair = Pair::establish(Scene::new(paths, seed));
        let lossy = pair.scene.paths[paths.len() - 1].client;
        let model = Loss::Bernoulli(loss);
        pair.scene
            .network
            .apply(Action::SetLoss(lossy, Direction::Both, model));
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 15_000_000, 60 * SECOND);
        assert!(report.complete, "{report:?}\n{}", pair.describe());
        report.goodput()
    };
    let alone = run(&[clean()], 0.0, 88);
    for (percent, least) in [(1.0, 1.1), (5.0, 1.03), (30.0, 0.98)] {
        for seed in 88..92 {
            let both = run(&[clean(), clean()], percent / 100.0, seed);
            assert!(
                both >= least * alone,
                "{percent} %, seed {seed}: {both:.0} of {alone:.0} bit/s"
            );
        }
    }
}

#[test]
fn a_slow_path_does_not_block_a_fast_one_through_small_buffers() {
    let run = |paths: &[ScenePath], kib: usize| {
        let mut config = EndpointConfig::default();
        config.transport.receive_buffer = kib << 10;
        config.transport.send_buffer = kib << 10;
        let mut pair = Pair::establish(Scene::with_engines(paths, config.clone(), config, 3));
        pair.run(SECOND);
        let ids = pair.ids();
        let report = pair.scene.upload(ids, 10_000_000, 60 * SECOND);
        assert!(report.complete, "{report:?}");
        report.goodput()
    };
    let fast = ScenePath::direct(link(50, 10 * MS));
    for kib in [64, 128, 256] {
        let alone = run(std::slice::from_ref(&fast), kib);
        for (mbit, delay) in [(10, 10), (10, 50), (5, 100)] {
            let slow = ScenePath::direct(link(mbit, delay * MS));
            let both = run(&[fast.clone(), slow], kib);
            assert!(
                both >= 0.92 * alone,
                "{kib} KiB beside {mbit} Mbit/s, {delay} ms: {both:.0} of {alone:.0} bit/s"
            );
        }
    }
}

#[test]
fn what_hangs_on_a_path_that_died_goes_out_on_the_other_before_its_timeout() {
    let mut pair = Pair::establish(Scene::reference(90));
    let (from, to) = (pair.client, pair.server);
    for _ in 0..20 {
        burst(&mut pair, 30);
        pair.run(20 * MS);
    }
    let slower = pair.path_over(from, 1);
    // Data packets of the second path vanish, its heartbeats pass.
    let second = pair.scene.paths[1].client;
    pair.scene.network.set_hook(move |sent| {
        let dropped = sent.from == second && chunk_types(sent.payload).contains(&DATA);
        match dropped {
            true => Verdict::Drop,
            false => Verdict::Pass,
        }
    });
    let before = pair.received(to).messages;
    let took = burst(&mut pair, 30);
    assert_eq!(pair.received(to).messages, before + 30);
    let path = pair.path(from, slower);
    assert!(took < 110 * MS, "{took:?}: {path:?}\n{}", pair.describe());
}
