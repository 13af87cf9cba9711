use super::*;

fn size() -> PacketSize {
    PacketSize::new(&TransportConfig::default(), false)
}

/// Runs the discovery on a path that carries `real` bytes, until it rests; the probes sent.
fn discover(size: &mut PacketSize, real: usize) -> usize {
    let mut probes = 0;
    while let Some(probe) = size.probe() {
        probes += 1;
        match probe <= real {
            true => drop(size.on_probe_answered(probe)),
            false => size.on_probe_timeout(),
        }
        if size.state() == State::Error {
            break;
        }
    }
    probes
}

#[test]
fn one_probe_is_enough_where_the_largest_size_passes() {
    let mut size = size();
    assert_eq!(size.current(), 1232);
    assert_eq!(size.probe(), Some(1472));
    assert!(!size.wants_probe(), "one at a time");
    assert!(size.on_probe_answered(1472));
    assert_eq!(
        (size.current(), size.state()),
        (1472, State::SearchComplete)
    );
    assert_eq!(
        size.wait(&TransportConfig::default(), LEAST_PROBE_TIMER),
        None
    );
}

#[test]
fn what_passes_is_found_below_what_does_not() {
    let mut size = size();
    let probes = discover(&mut size, 1400);
    assert_eq!(
        (size.current(), size.state()),
        (1392, State::SearchComplete)
    );
    assert!(probes <= 16, "{probes}");
    let raise = TransportConfig::default().pmtu_raise_interval;
    assert_eq!(
        size.wait(&TransportConfig::default(), LEAST_PROBE_TIMER),
        Some(raise)
    );
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# The PL is REQUIRED to be robust in the case where probe packets are lost due to other reasons (including link transmission error, congestion)
#[test]
fn a_lost_probe_decides_nothing() {
    let mut size = size();
    for lost in 0..3 {
        assert!(size.probe().is_some(), "{lost}");
        size.on_probe_timeout();
    }
    discover(&mut size, 1472);
    assert_eq!(size.current(), 1472);
}

#[test]
fn the_raise_timer_searches_anew() {
    let mut size = size();
    discover(&mut size, 1400);
    size.on_raise_timer();
    assert_eq!(size.state(), State::Searching);
    discover(&mut size, 1472);
    assert_eq!(size.current(), 1472);
    assert!(!size.wants_probe());
}

#[test]
fn two_timeouts_in_a_row_are_a_black_hole() {
    let mut size = size();
    discover(&mut size, 1472);
    assert!(!size.on_timeout(1));
    assert!(size.on_timeout(2));
    assert_eq!((size.current(), size.state()), (1232, State::Base));
    discover(&mut size, 1400);
    assert_eq!(size.current(), 1392);
}

#[test]
fn recoveries_that_lose_every_large_packet_are_a_black_hole() {
    let mut size = size();
    discover(&mut size, 1472);
    assert!(!size.on_recovery(1472) && !size.on_recovery(1472));
    size.on_delivered(1472);
    assert!(!size.on_recovery(1472) && !size.on_recovery(1472));
    size.on_delivered(900);
    assert!(size.on_recovery(1472));
    assert_eq!(size.current(), 1232);
}

#[test]
fn a_path_that_does_not_carry_the_base_falls_to_the_minimum_and_recovers() {
    let mut size = size();
    discover(&mut size, 1000);
    assert_eq!((size.current(), size.state()), (548, State::Error));
    let pause = size.wait(&TransportConfig::default(), LEAST_PROBE_TIMER);
    assert_eq!(pause, Some(ERROR_PAUSE));
    assert_eq!(size.probe(), Some(1232));
    assert!(size.on_probe_answered(1232));
    assert_eq!(size.state(), State::Searching);
    discover(&mut size, 1472);
    assert_eq!(size.current(), 1472);
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# A PTB message MUST NOT be used to increase the PLPMTU [RFC8201] but could trigger a probe to test for a larger PLPMTU
#[test]
fn what_a_router_says_is_only_a_hint() {
    let mut size = size();
    assert_eq!(size.probe(), Some(1472));
    assert!(!size.on_too_big(1392));
    assert_eq!((size.current(), size.probe()), (1232, Some(1392)));
    assert!(!size.on_too_big(1400), "larger than what was probed");
    assert!(!size.on_too_big(40), "smaller than any path");
    assert!(size.on_probe_answered(1392));
    assert_eq!(
        (size.current(), size.state()),
        (1392, State::SearchComplete)
    );
    assert!(size.on_too_big(1352), "the path became narrower");
    assert_eq!((size.current(), size.state()), (1232, State::Base));
    assert_eq!(size.probe(), Some(1352));
    assert!(size.on_probe_answered(1352));
    assert_eq!(
        (size.current(), size.state()),
        (1352, State::SearchComplete)
    );
    assert!(size.on_too_big(600));
    assert_eq!((size.current(), size.state()), (548, State::Error));
}

#[test]
fn a_late_answer_from_before_the_black_hole_proves_nothing() {
    let mut size = size();
    discover(&mut size, 1472);
    assert!(size.on_timeout(2));
    assert!(!size.on_probe_answered(1472));
    assert_eq!(size.current(), 1232);
}

#[test]
fn jumbo_packets_are_found_where_they_are_allowed() {
    let config = TransportConfig {
        max_packet_size: 65_507,
        ..TransportConfig::default()
    };
    for (ipv6, real) in [
        (false, 65_507),
        (true, 65_487),
        (false, 8972),
        (false, 1472),
    ] {
        let mut size = PacketSize::new(&config, ipv6);
        discover(&mut size, real);
        assert!(
            size.current() * 33 / 32 + 32 >= real,
            "{real}: {}",
            size.current()
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
//= type=test
//# This value MUST NOT be smaller than 1 second and SHOULD be larger than 15 seconds.
#[test]
fn a_probe_is_waited_for_at_least_a_second_and_two_timeouts() {
    let config = TransportConfig {
        pmtu_probe_timeout: Duration::ZERO,
        ..TransportConfig::default()
    };
    let size = PacketSize::new(&config, false);
    for (rto, wait) in [(10, 1000), (499, 1000), (700, 1400)] {
        let rto = Duration::from_millis(rto);
        assert_eq!(size.wait(&config, rto), Some(Duration::from_millis(wait)));
    }
}
