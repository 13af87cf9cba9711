use super::*;

const MS: Duration = Duration::from_millis(1);

fn at(link: &mut Link, now: Instant, len: usize) -> Option<Instant> {
    match link.enqueue(now, len) {
        Outcome::Deliver { at, .. } => Some(at),
        Outcome::Dropped(_) => None,
    }
}

fn wide_queue() -> QueueLimit {
    QueueLimit {
        bytes: usize::MAX,
        packets: usize::MAX,
    }
}

#[test]
fn the_rate_is_exact_even_where_a_packet_takes_no_whole_number_of_nanoseconds() {
    // 7 Mbit/s and 1499 bytes: 1713142.857... ns each; 7000 packets are exactly 11.992 s.
    let config = LinkConfig {
        queue: wide_queue(),
        ..LinkConfig::new(Rate::from_mbit(7), 3 * MS)
    };
    let mut link = Link::new(config, 1);
    let last = (0..7000)
        .map(|_| at(&mut link, Instant::ZERO, 1499).unwrap())
        .last()
        .unwrap();
    assert_eq!(last - Instant::ZERO, Duration::from_millis(11_992) + 3 * MS);
}

#[test]
fn an_idle_link_delays_by_serialization_and_propagation_only() {
    let mut link = Link::new(LinkConfig::new(Rate::from_mbit(12), 10 * MS), 1);
    let now = Instant::ZERO + 70 * MS;
    assert_eq!(at(&mut link, now, 1500), Some(now + 11 * MS));
    assert_eq!(at(&mut link, now + 50 * MS, 1500), Some(now + 61 * MS));
}

#[test]
fn the_queue_is_bounded_in_bytes_and_the_delay_line_does_not_count() {
    let queue = QueueLimit::from_bytes(15_000);
    let config = LinkConfig {
        queue,
        ..LinkConfig::new(Rate::from_mbit(12), 1000 * MS)
    };
    let mut link = Link::new(config, 1);
    let accepted = (0..20)
        .filter(|_| at(&mut link, Instant::ZERO, 1500).is_some())
        .count();
    assert_eq!(accepted, 10);
    assert_eq!(link.counters().dropped_queue, 10);
    assert_eq!(link.counters().queue_peak, 15_000);
    // One packet leaves per millisecond, though none has arrived yet.
    assert_eq!(link.queued_bytes(Instant::ZERO + 3 * MS), 10_500);
    let accepted = (0..20)
        .filter(|_| at(&mut link, Instant::ZERO + 3 * MS, 1500).is_some())
        .count();
    assert_eq!(accepted, 3);
}

#[test]
fn the_queue_is_bounded_in_packets() {
    let queue = QueueLimit {
        bytes: usize::MAX,
        packets: 4,
    };
    let config = LinkConfig {
        queue,
        ..LinkConfig::new(Rate::from_mbit(1), MS)
    };
    let mut link = Link::new(config, 1);
    assert_eq!(
        (0..9)
            .filter(|_| at(&mut link, Instant::ZERO, 100).is_some())
            .count(),
        4
    );
}

#[test]
fn a_packet_larger_than_the_queue_passes_an_idle_link() {
    let config = LinkConfig {
        queue: QueueLimit::from_bytes(100),
        ..LinkConfig::new(Rate::from_mbit(1), MS)
    };
    let mut link = Link::new(config, 1);
    assert!(at(&mut link, Instant::ZERO, 1500).is_some());
    assert_eq!(
        link.enqueue(Instant::ZERO, 1),
        Outcome::Dropped(LinkDrop::QueueFull)
    );
}

fn losses(loss: Loss, seed: u64, packets: usize) -> Vec<bool> {
    let mut link = Link::new(
        LinkConfig {
            loss,
            ..LinkConfig::default()
        },
        seed,
    );
    (0..packets)
        .map(|_| at(&mut link, Instant::ZERO, 100).is_none())
        .collect()
}

#[test]
fn bernoulli_loss_takes_its_share_and_follows_from_the_seed() {
    let lost = losses(Loss::Bernoulli(0.3), 7, 100_000);
    let share = lost.iter().filter(|lost| **lost).count() as f64 / 100_000.0;
    assert!((0.295..0.305).contains(&share), "{share}");
    assert_eq!(lost, losses(Loss::Bernoulli(0.3), 7, 100_000));
    assert_ne!(lost, losses(Loss::Bernoulli(0.3), 8, 100_000));
}

#[test]
fn gilbert_elliott_loss_takes_its_share_in_bursts() {
    let model = Loss::GilbertElliott {
        to_bad: 0.01,
        to_good: 0.2,
        good: 0.0,
        bad: 1.0,
    };
    let lost = losses(model, 3, 200_000);
    let count = lost.iter().filter(|lost| **lost).count() as f64;
    assert!(
        (count / 200_000.0 / model.mean() - 1.0).abs() < 0.1,
        "{count}"
    );
    let bursts = lost.windows(2).filter(|pair| pair[1] && !pair[0]).count() as f64;
    let mean_burst = count / bursts; // geometric with mean 1 / to_good
    assert!((4.5..5.5).contains(&mean_burst), "{mean_burst}");
}

#[test]
fn jitter_stays_within_its_bound_and_keeps_the_order() {
    let config = LinkConfig {
        delay: 5 * MS,
        jitter: 4 * MS,
        ..LinkConfig::default()
    };
    let mut link = Link::new(config, 1);
    let mut last = Instant::ZERO;
    let mut spread = Duration::ZERO;
    for i in 0..1000 {
        let now = Instant::ZERO + i * MS;
        let due = at(&mut link, now, 100).unwrap();
        assert!(due >= last && due >= now + 5 * MS && due <= now + 9 * MS);
        spread = spread.max(due - (now + 5 * MS));
        last = due;
    }
    assert!(spread > 3 * MS, "{spread:?}");
}

#[test]
fn a_cut_swallows_what_is_sent_and_what_is_on_its_way() {
    let mut link = Link::new(LinkConfig::default(), 1);
    assert!(at(&mut link, Instant::ZERO, 100).is_some());
    link.set_cut(true);
    assert_eq!(
        link.enqueue(Instant::ZERO, 100),
        Outcome::Dropped(LinkDrop::Cut)
    );
    assert!(!link.arrive(100));
    link.set_cut(false);
    assert!(at(&mut link, Instant::ZERO, 100).is_some());
    assert!(link.arrive(100));
    assert_eq!(
        (
            link.counters().dropped_cut,
            link.counters().delivered_packets
        ),
        (2, 1)
    );
}

#[test]
fn changes_at_run_time_count_for_the_next_packet_and_never_reorder() {
    let mut link = Link::new(LinkConfig::new(Rate::from_mbit(12), 100 * MS), 1);
    assert_eq!(link.config().queue.bytes, 150_000);
    let first = at(&mut link, Instant::ZERO, 1500).unwrap();
    link.set_delay(MS);
    link.set_rate(Some(Rate::from_mbit(24)));
    assert_eq!(link.config().queue.bytes, 300_000);
    assert_eq!(at(&mut link, Instant::ZERO, 1500), Some(first));
    let later = Instant::ZERO + 500 * MS;
    assert_eq!(at(&mut link, later, 3000 / 2), Some(later + MS + MS / 2));
}

#[test]
fn giants_are_dropped_and_marks_follow_the_queue() {
    let config = LinkConfig {
        mtu: 1280,
        ecn_threshold: Some(3000),
        ..LinkConfig::new(Rate::from_mbit(1), MS)
    };
    let mut link = Link::new(config, 1);
    assert_eq!(
        link.enqueue(Instant::ZERO, 1281),
        Outcome::Dropped(LinkDrop::TooBig)
    );
    let marks: Vec<bool> = (0..4)
        .map(|_| {
            matches!(
                link.enqueue(Instant::ZERO, 1000),
                Outcome::Deliver { mark: true, .. }
            )
        })
        .collect();
    assert_eq!(marks, [false, false, true, true]);
}
