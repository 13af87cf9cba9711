//! What the random lists of operations have found, as literal tests.

use std::time::Duration;

use manyway_proto::Reliability;

use crate::op::{Meddling, Op};
use crate::world::Kind;

fn run(seed: u64, ops: &[Op]) {
    crate::run(Kind::Nats, seed, ops);
}

#[test]
fn a_lost_end_of_shutdown_is_answered_also_after_a_move() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::SetAddress { path: 0, last: 20 },
            Op::Advance { ms: 61 },
            Op::Shutdown { side: 0 },
            Op::Meddle {
                what: Meddling::Corrupt,
                nth: 1,
            },
            Op::Advance { ms: 21 },
        ],
    );
}

#[test]
fn a_peer_that_has_finished_and_forgotten_is_no_failure() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 19265,
                unordered: false,
            },
            Op::Advance { ms: 194 },
            Op::Cut {
                path: 1,
                direction: 0,
            },
            Op::Meddle {
                what: Meddling::Corrupt,
                nth: 11,
            },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::Advance { ms: 300 },
            Op::Shutdown { side: 0 },
            Op::SetAddress { path: 1, last: 20 },
            Op::Advance { ms: 21 },
        ],
    );
}

#[test]
fn a_shutdown_goes_on_when_both_paths_have_moved() {
    run(
        0,
        &[
            Op::Advance { ms: 51 },
            Op::Rebind { path: 0 },
            Op::Renumber { path: 1, last: 20 },
            Op::Shutdown { side: 1 },
        ],
    );
}

#[test]
fn paths_added_twice_and_removed_leave_one_that_works() {
    run(
        0,
        &[
            Op::SetAddress { path: 1, last: 20 },
            Op::AddPath { path: 0 },
            Op::RemovePath { side: 0, path: 1 },
            Op::AddPath { path: 1 },
            Op::RemovePath { side: 0, path: 3 },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_peer_that_finished_and_cannot_be_reached_any_more_is_no_failure() {
    run(
        0,
        &[
            Op::Advance { ms: 31 },
            Op::Cut {
                path: 0,
                direction: 1,
            },
            Op::Shutdown { side: 0 },
            Op::Cut {
                path: 1,
                direction: 0,
            },
            Op::Advance { ms: 121 },
            Op::Renumber { path: 1, last: 20 },
            Op::Rebind { path: 0 },
        ],
    );
}

#[test]
fn a_request_that_the_peer_waits_for_goes_before_one_that_waits_for_the_peer() {
    run(
        0,
        &[
            Op::Send {
                side: 0,
                stream: 2,
                len: 8,
                unordered: false,
            },
            Op::ResetStreams {
                side: 0,
                mask: 1,
                incoming: false,
            },
            Op::Advance { ms: 21 },
            Op::ResetStreams {
                side: 1,
                mask: 4,
                incoming: true,
            },
            Op::ResetStreams {
                side: 0,
                mask: 0,
                incoming: true,
            },
            Op::Send {
                side: 1,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_reset_of_the_association_is_over_before_a_shutdown_goes_on() {
    run(
        0,
        &[
            Op::ResetAssociation { side: 1 },
            Op::Shutdown { side: 1 },
            Op::Renumber { path: 0, last: 20 },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_reset_of_one_stream_leaves_the_messages_of_others_alone_that_are_on_their_way() {
    run(
        52,
        &[
            Op::Send {
                side: 1,
                stream: 1,
                len: 32769,
                unordered: false,
            },
            Op::ResetStreams {
                side: 1,
                mask: 1,
                incoming: false,
            },
        ],
    );
}

#[test]
fn what_is_given_up_after_a_reset_is_not_a_message_from_before() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    run(
        805,
        &[
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
            Op::Send {
                side: 1,
                stream: 0,
                len: 33709,
                unordered: false,
            },
            Op::ResetStreams {
                side: 1,
                mask: 0,
                incoming: true,
            },
            Op::ResetAssociation { side: 0 },
            Op::Advance { ms: 34 },
            Op::SendLimited {
                side: 1,
                stream: 0,
                len: 8,
                unordered: false,
                limits,
            },
            Op::SetAddress { path: 0, last: 20 },
            Op::Cut {
                path: 0,
                direction: 0,
            },
        ],
    );
}

#[test]
fn a_reset_behind_a_message_that_is_given_up_is_carried_out() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    run(
        479,
        &[
            Op::SendLimited {
                side: 0,
                stream: 0,
                len: 8401,
                unordered: false,
                limits,
            },
            Op::ResetStreams {
                side: 0,
                mask: 0,
                incoming: false,
            },
            Op::Advance { ms: 142 },
        ],
    );
}

#[test]
fn what_is_given_up_during_a_reset_is_skipped_in_its_turn() {
    let limits = Reliability::RELIABLE.with_max_retransmissions(0);
    let message = |side, stream| Op::Send {
        side,
        stream,
        len: 8,
        unordered: false,
    };
    run(
        156,
        &[
            message(0, 0),
            message(0, 0),
            Op::Advance { ms: 11 },
            Op::Rebind { path: 0 },
            Op::SendLimited {
                side: 1,
                stream: 2,
                len: 8,
                unordered: false,
                limits,
            },
            Op::Cut {
                path: 0,
                direction: 0,
            },
            message(1, 2),
            Op::ResetAssociation { side: 0 },
        ],
    );
}

#[test]
fn a_reset_that_the_peer_waits_for_is_denied_when_the_end_has_begun() {
    let message = |side, stream| Op::Send {
        side,
        stream,
        len: 8,
        unordered: false,
    };
    let reset = |side, mask, incoming| Op::ResetStreams {
        side,
        mask,
        incoming,
    };
    run(
        0,
        &[
            Op::Advance { ms: 31 },
            message(0, 0),
            reset(1, 3, true),
            reset(0, 1, false),
            reset(1, 0, false),
            Op::SetAddress { path: 1, last: 20 },
            message(0, 1),
            Op::Advance { ms: 111 },
            Op::Shutdown { side: 0 },
            message(1, 0),
        ],
    );
}

#[test]
fn a_host_that_moves_during_set_up_connects_from_where_it_is_then() {
    crate::run(
        Kind::Opening,
        0,
        &[
            Op::SetAddress { path: 0, last: 20 },
            Op::SetAddress { path: 1, last: 20 },
            Op::Send {
                side: 0,
                stream: 0,
                len: 8,
                unordered: false,
            },
        ],
    );
}

#[test]
fn a_message_that_waits_to_begin_is_not_forgotten_when_another_goes_in_one_packet() {
    let message = |stream, len| Op::Send {
        side: 1,
        stream,
        len,
        unordered: false,
    };
    run(
        344,
        &[
            Op::Schedule { side: 1, kind: 1 },
            message(0, 8641),
            message(1, 1025),
            message(2, 3072),
        ],
    );
}

#[test]
fn nothing_waits_for_ever_behind_a_small_message_that_was_about_to_begin() {
    let message = |stream, len| Op::Send {
        side: 0,
        stream,
        len,
        unordered: false,
    };
    run(
        44,
        &[
            message(0, 8),
            message(0, 8401),
            Op::SendLimited {
                side: 0,
                stream: 2,
                len: 1025,
                unordered: false,
                limits: Reliability::RELIABLE.with_max_retransmissions(0),
            },
            Op::Schedule { side: 0, kind: 1 },
            message(1, 3072),
        ],
    );
}

#[test]
fn a_message_given_up_before_a_reset_of_tsns_leaves_its_number_free() {
    let limited = |stream, limits| Op::SendLimited {
        side: 1,
        stream,
        len: 8,
        unordered: false,
        limits,
    };
    let message = |side, stream| Op::Send {
        side,
        stream,
        len: 8,
        unordered: false,
    };
    let brief = Reliability::RELIABLE.with_lifetime(Duration::from_millis(1));
    run(
        877,
        &[
            message(1, 0),
            Op::SetUp { path: 0, up: false },
            limited(3, brief),
            Op::Rebind { path: 0 },
            Op::ResetAssociation { side: 0 },
            Op::Cut {
                path: 1,
                direction: 2,
            },
            message(1, 3),
            message(0, 0),
            Op::Advance { ms: 340 },
            Op::Advance { ms: 260 },
            limited(0, Reliability::RELIABLE.with_max_retransmissions(0)),
        ],
    );
}
