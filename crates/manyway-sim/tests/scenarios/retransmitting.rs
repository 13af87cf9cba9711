//! Where lost data are sent again, by the five policies.

use manyway_proto::RetransmissionPolicy;
use manyway_sim::{Loss, QueueLimit, Scene, ScenePath};

use crate::support::{MS, Pair, SECOND, link};

/// Two paths behind NATs, 20 Mbit/s and 30 ms of round trip each, with these losses.
fn lossy(losses: [f64; 2], seed: u64) -> Pair {
    let paths = losses.map(|loss| {
        let mut link = link(20, 15 * MS);
        link.loss = Loss::Bernoulli(loss);
        // Nothing is lost but by chance.
        link.queue = QueueLimit::from_bytes(8 << 20);
        ScenePath::behind_nat(link)
    });
    Pair::establish(Scene::new(&paths, seed))
}

fn upload(pair: &mut Pair, policy: RetransmissionPolicy, bytes: u64) {
    let (client, ids) = (pair.client, pair.ids());
    pair.command(client, |_, assoc| assoc.set_retransmission_policy(policy));
    let report = pair.scene.upload(ids, bytes, 120 * SECOND);
    assert!(
        report.complete && report.corrupt == 0,
        "{policy}: {report:?}"
    );
    pair.check();
}

/// Bytes sent again over each path.
fn sent_again(pair: &Pair) -> [u64; 2] {
    [0, 1].map(|index| {
        let id = pair.path_over(pair.client, index);
        pair.path(pair.client, id).retransmitted_bytes
    })
}

#[test]
fn every_policy_delivers_everything_at_1_5_and_10_percent_of_loss() {
    for policy in RetransmissionPolicy::ALL {
        for (seed, loss) in [(71, 0.01), (72, 0.05), (73, 0.10)] {
            upload(&mut lossy([loss, loss], seed), policy, 1_000_000);
        }
    }
}

#[test]
fn what_is_lost_on_one_path_goes_out_there_again_by_same_and_elsewhere_by_lossrate() {
    for (policy, elsewhere) in [
        (RetransmissionPolicy::Same, false),
        (RetransmissionPolicy::LossRate, true),
    ] {
        let mut pair = lossy([0.01, 0.0], 74);
        upload(&mut pair, policy, 8_000_000);
        let [here, there] = sent_again(&pair);
        assert!(here + there > 20_000, "{policy}: {here} and {there} bytes");
        let share = there as f64 / (here + there) as f64;
        let expected = if elsewhere { share > 0.8 } else { share < 0.2 };
        assert!(expected, "{policy}: {here} and {there} bytes sent again");
    }
}

#[test]
fn the_loss_rate_of_a_path_is_what_its_link_loses() {
    let mut pair = lossy([0.05, 0.0], 75);
    upload(&mut pair, RetransmissionPolicy::Cwnd, 8_000_000);
    let rate = |index| {
        pair.path(pair.client, pair.path_over(pair.client, index))
            .loss_rate
    };
    let (lossy, clean) = (rate(0), rate(1));
    assert!((0.02..0.1).contains(&lossy), "{lossy}\n{}", pair.describe());
    assert!(clean < 0.02, "{clean}\n{}", pair.describe());
}

#[test]
fn policies_change_while_data_flow() {
    let mut pair = lossy([0.05, 0.05], 76);
    let (host, id) = pair.client;
    let start = pair.scene.network.now();
    for turn in 0..40_usize {
        let policy = RetransmissionPolicy::ALL[turn % 5];
        let at = start + 50 * MS * turn as u32;
        pair.scene.network.schedule_with(at, move |network| {
            let now = network.now();
            network.with_node(host, |station| {
                if let Some(assoc) = station.endpoint.association_mut(now, id) {
                    assoc.set_retransmission_policy(policy);
                }
            });
        });
    }
    let ids = pair.ids();
    let report = pair.scene.upload(ids, 2_000_000, 60 * SECOND);
    assert!(report.complete && report.corrupt == 0, "{report:?}");
    pair.check();
}
