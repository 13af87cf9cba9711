use super::*;

const FLOW: FlowView = FlowView {
    waiting: 100_000,
    room: 1_000_000,
};

fn view(id: u32, srtt_ms: u64) -> PathView {
    PathView {
        srtt: Some(Duration::from_millis(srtt_ms)),
        ..PathView::new(PathId::new(id))
    }
}

fn busy(path: PathView) -> PathView {
    PathView {
        ready: false,
        in_flight: path.window,
        ..path
    }
}

fn chosen(path: PathView) -> PathView {
    PathView {
        primary: true,
        ..path
    }
}

fn select(scheduler: &mut dyn Scheduler, paths: &[PathView]) -> Option<u32> {
    scheduler.select(paths, FLOW).map(PathId::number)
}

/// The paths that `count` packets take.
fn turns(scheduler: &mut dyn Scheduler, paths: &[PathView], count: usize) -> Vec<u32> {
    let mut turns = Vec::new();
    for _ in 0..count {
        let path = scheduler.select(paths, FLOW).expect("some path is ready");
        scheduler.on_sent(path, 1000);
        turns.push(path.number());
    }
    turns
}

#[test]
fn lowest_rtt_prefers_the_chosen_primary_then_the_fastest_that_is_ready() {
    assert_eq!(select(&mut LowestRtt, &[view(1, 30), view(2, 10)]), Some(2));
    assert_eq!(
        select(&mut LowestRtt, &[chosen(view(1, 30)), view(2, 10)]),
        Some(1)
    );
    assert_eq!(
        select(&mut LowestRtt, &[view(1, 30), busy(view(2, 10))]),
        Some(1)
    );
    let unknown = PathView::new(PathId::new(2));
    assert_eq!(select(&mut LowestRtt, &[view(1, 30), unknown]), Some(1));
    assert_eq!(select(&mut LowestRtt, &[]), None);
}

#[test]
fn round_robin_takes_turns_and_passes_over_who_is_not_ready() {
    let mut scheduler = RoundRobin::default();
    let paths = [view(1, 10), view(2, 90), view(5, 20)];
    assert_eq!(turns(&mut scheduler, &paths, 5), [1, 2, 5, 1, 2]);
    let paths = [view(1, 10), view(2, 90), busy(view(5, 20))];
    assert_eq!(turns(&mut scheduler, &paths, 3), [1, 2, 1]);
}

#[test]
fn weighted_keeps_its_shares_and_waits_for_who_is_behind() {
    let mut scheduler = Weighted::new([1, 2]);
    let paths = [view(1, 10), view(2, 90)];
    let sent = turns(&mut scheduler, &paths, 3000);
    assert_eq!(sent.iter().filter(|n| **n == 2).count(), 2000);
    // The first cannot keep up: the second may run ahead a little and then waits.
    let paths = [busy(view(1, 10)), view(2, 90)];
    let mut ahead = 0;
    while let Some(path) = scheduler.select(&paths, FLOW) {
        scheduler.on_sent(path, 1472);
        ahead += 1;
        assert!(ahead < 100);
    }
    assert!((16..=18).contains(&ahead), "{ahead}");
}

#[test]
fn weighted_does_not_make_a_new_path_catch_up_and_keeps_one_of_weight_0_for_emergencies() {
    let mut scheduler = Weighted::new([1, 1, 0]);
    turns(&mut scheduler, &[view(1, 10)], 1000);
    let sent = turns(&mut scheduler, &[view(1, 10), view(2, 10)], 100);
    assert_eq!(sent.iter().filter(|n| **n == 2).count(), 50);
    let sent = turns(&mut scheduler, &[view(1, 10), view(3, 10)], 100);
    assert_eq!(sent, [1; 100]);
    assert_eq!(turns(&mut scheduler, &[view(3, 10)], 2), [3, 3]);
}

#[test]
fn primary_waits_for_its_path_and_overflow_goes_on() {
    let paths = [view(1, 50), view(2, 10)];
    assert_eq!(select(&mut Primary, &paths), Some(1));
    assert_eq!(select(&mut Overflow, &paths), Some(1));
    let paths = [busy(view(1, 50)), view(2, 10)];
    assert_eq!(select(&mut Primary, &paths), Some(1), "which is to wait");
    assert_eq!(select(&mut Overflow, &paths), Some(2));
    let paths = [view(1, 50), chosen(view(2, 10))];
    assert_eq!(select(&mut Primary, &paths), Some(2));
    assert_eq!(select(&mut Overflow, &paths), Some(2));
}

#[test]
fn ecf_waits_for_the_fast_path_with_the_last_bytes_only() {
    let paths = [busy(view(1, 10)), view(2, 100)];
    let flow = |waiting| FlowView { waiting, ..FLOW };
    let mut ecf = Ecf::default();
    // Two rounds of the fast path are sooner than one of the slow one …
    assert_eq!(ecf.select(&paths, flow(14_720)), None);
    // … and so are ten and a half now that it waits, but not twenty.
    assert_eq!(ecf.select(&paths, flow(140_000)), None);
    assert_eq!(ecf.select(&paths, flow(300_000)), Some(PathId::new(2)));
    assert_eq!(ecf.select(&paths, flow(140_000)), Some(PathId::new(2)));
    // Paths of about the same speed are both used.
    let alike = [busy(view(1, 10)), view(2, 12)];
    assert_eq!(ecf.select(&alike, flow(1000)), Some(PathId::new(2)));
}

#[test]
fn blest_leaves_the_slow_path_when_the_buffers_would_stop_the_fast_one() {
    let paths = [busy(view(1, 10)), view(2, 100)];
    let mut blest = Blest::default();
    let roomy = FlowView {
        room: 1_000_000,
        ..FLOW
    };
    assert_eq!(blest.select(&paths, roomy), Some(PathId::new(2)));
    let tight = FlowView {
        room: 60_000,
        ..FLOW
    };
    assert_eq!(blest.select(&paths, tight), None);
    let free = [view(1, 10), view(2, 100)];
    assert_eq!(blest.select(&free, tight), Some(PathId::new(1)));
}

#[test]
fn deadline_stays_on_the_preferred_path_while_that_is_in_time() {
    let mut deadline = Deadline::new(Duration::from_millis(40));
    let rate = Some(8_000_000);
    let slow = PathView {
        delivery_rate: rate,
        ..view(1, 50)
    };
    let fast = PathView {
        delivery_rate: rate,
        ..view(2, 10)
    };
    assert_eq!(select(&mut deadline, &[slow, fast]), Some(1));
    // 100 kB at 8 Mbit/s are 100 ms.
    let queued = PathView {
        in_flight: 150_000,
        window: 200_000,
        ..slow
    };
    assert_eq!(select(&mut deadline, &[queued, fast]), Some(2));
    assert_eq!(select(&mut deadline, &[busy(slow), fast]), Some(2));
    let late = PathView {
        in_flight: 100_000,
        window: 200_000,
        ..fast
    };
    assert_eq!(
        select(&mut deadline, &[queued, late]),
        Some(2),
        "the first to arrive"
    );
}

#[test]
fn each_kind_is_read_as_it_is_written_and_builds_what_it_names() {
    let kinds = [
        SchedulerKind::LowestRtt,
        SchedulerKind::RoundRobin,
        SchedulerKind::Weighted(vec![5, 0, 1]),
        SchedulerKind::Redundant { percent: 30 },
        SchedulerKind::Ecf,
        SchedulerKind::Blest,
        SchedulerKind::Primary,
        SchedulerKind::Overflow,
        SchedulerKind::Deadline(Duration::from_millis(50)),
    ];
    assert_eq!(kinds.len(), SchedulerKind::SYNTAX.len());
    for kind in kinds {
        let text = kind.to_string();
        assert!(text.starts_with(kind.build().name()), "{text}");
        assert_eq!(text.parse(), Ok(kind));
    }
    assert_eq!(
        "redundant".parse(),
        Ok(SchedulerKind::Redundant { percent: 100 })
    );
}

#[test]
fn what_names_no_scheduler_is_refused_with_the_names_there_are() {
    for text in [
        "",
        "lowest",
        "ecf:",
        "ecf:3",
        "weighted",
        "weighted:",
        "weighted:0,0",
        "weighted:-1",
        "weighted:1,,2",
        "redundant:101",
        "redundant:",
        "deadline",
        "deadline:-5",
        "primary ",
    ] {
        let error = text.parse::<SchedulerKind>().expect_err(text);
        assert!(error.to_string().contains("round-robin"), "{error}");
    }
    let many = format!("weighted:{}", vec!["1"; MANY].join(","));
    assert!(many.parse::<SchedulerKind>().is_err());
}

const MANY: usize = 65;
