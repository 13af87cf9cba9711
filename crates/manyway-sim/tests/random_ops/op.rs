//! What may happen to an association.

use std::time::Duration;

use manyway_proto::{ControllerKind, Reliability, RetransmissionPolicy, StreamSchedulerKind};
use proptest::prelude::*;

/// The path schedulers that are tried.
pub(crate) const SCHEDULERS: [&str; 9] = [
    "lowest-rtt",
    "round-robin",
    "weighted:1,3",
    "redundant:60",
    "ecf",
    "blest",
    "primary",
    "overflow",
    "deadline:30",
];

/// Streams that are sent on.
pub(crate) const STREAMS: u16 = 4;
/// Keys that both ends have from the start, with the identifiers below this.
pub(crate) const KEYS: u16 = 3;

/// What is done to the `nth` packet from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meddling {
    Drop,
    Duplicate,
    Corrupt,
    Delay,
}

/// Of 256 packets, how many meet what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) seed: u32,
    pub(crate) lost: u8,
    pub(crate) doubled: u8,
    pub(crate) damaged: u8,
    pub(crate) late: u8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Send {
        side: usize,
        stream: u16,
        len: usize,
        unordered: bool,
    },
    /// A message that may be given up.
    SendLimited {
        side: usize,
        stream: u16,
        len: usize,
        unordered: bool,
        limits: Reliability,
    },
    Read {
        side: usize,
    },
    Schedule {
        side: usize,
        kind: usize,
    },
    /// Another path scheduler.
    SchedulePaths {
        side: usize,
        kind: usize,
    },
    /// Lost data are sent again elsewhere.
    Retransmit {
        side: usize,
        policy: usize,
    },
    /// Another congestion control.
    Control {
        side: usize,
        kind: usize,
    },
    Prefer {
        side: usize,
        stream: u16,
        value: u16,
    },
    Advance {
        ms: u64,
    },
    Cut {
        path: usize,
        direction: u8,
    },
    Restore {
        path: usize,
    },
    Rebind {
        path: usize,
    },
    Renumber {
        path: usize,
        last: u8,
    },
    SetAddress {
        path: usize,
        last: u8,
    },
    SetUp {
        path: usize,
        up: bool,
    },
    Meddle {
        what: Meddling,
        nth: u64,
    },
    /// What every packet meets from now on.
    Weather(Weather),
    SetPrimary {
        side: usize,
        path: u32,
    },
    SetWish {
        side: usize,
        path: u32,
        backup: bool,
    },
    AddPath {
        path: usize,
    },
    RemovePath {
        side: usize,
        path: u32,
    },
    /// The streams in `mask`, all if it is 0.
    ResetStreams {
        side: usize,
        mask: u8,
        incoming: bool,
    },
    ResetAssociation {
        side: usize,
    },
    AddStreams {
        side: usize,
        outgoing: u16,
        incoming: u16,
    },
    /// A key that both ends know, or with another secret than the other end's.
    SetKey {
        side: usize,
        key: u16,
        right: bool,
    },
    ActivateKey {
        side: usize,
        key: u16,
    },
    DeactivateKey {
        side: usize,
        key: u16,
    },
    DeleteKey {
        side: usize,
        key: u16,
    },
    /// The address of this side's interface on the path.
    AddAddress {
        side: usize,
        path: usize,
    },
    DeleteAddress {
        side: usize,
        path: usize,
    },
    DeleteOtherAddresses {
        side: usize,
        path: usize,
    },
    SetPeerPrimary {
        side: usize,
        path: usize,
    },
    Shutdown {
        side: usize,
    },
    Abort {
        side: usize,
    },
}

fn limits() -> impl Strategy<Value = Reliability> {
    let times = || (0..3_u16).prop_map(|n| Reliability::RELIABLE.with_max_retransmissions(n));
    let lifetime = || (0..2000_u64).prop_map(Duration::from_millis);
    prop_oneof![
        times(),
        lifetime().prop_map(|time| Reliability::RELIABLE.with_lifetime(time)),
        (times(), lifetime()).prop_map(|(limits, time)| limits.with_lifetime(time)),
        (times(), 0..3_u32).prop_map(|(limits, rank)| limits.with_priority(rank)),
        (0..3_u32).prop_map(|rank| Reliability::RELIABLE.with_priority(rank)),
    ]
}

fn send() -> impl Strategy<Value = Op> {
    let len = prop_oneof![8 => 8..3000_usize, 2 => 3000..100_000_usize];
    let limited_len = prop_oneof![6 => 8..3000_usize, 4 => 3000..100_000_usize];
    let plain = (0..2_usize, 0..STREAMS, len, any::<bool>());
    let limited = (0..2_usize, 0..STREAMS, limited_len, any::<bool>(), limits());
    prop_oneof![
        2 => plain.prop_map(|(side, stream, len, unordered)| Op::Send {
            side,
            stream,
            len,
            unordered
        }),
        1 => limited.prop_map(|(side, stream, len, unordered, limits)| Op::SendLimited {
            side,
            stream,
            len,
            unordered,
            limits
        }),
    ]
}

/// What happens to packets and to the places where they go.
fn network() -> impl Strategy<Value = Op> {
    let path = || 0..2_usize;
    let meddling = prop_oneof![
        Just(Meddling::Drop),
        Just(Meddling::Duplicate),
        Just(Meddling::Corrupt),
        Just(Meddling::Delay)
    ];
    let weather = (any::<u32>(), 0..90_u8, 0..60_u8, 0..40_u8, 0..90_u8);
    let weather = weather.prop_map(|(seed, lost, doubled, damaged, late)| Weather {
        seed,
        lost,
        doubled,
        damaged,
        late,
    });
    prop_oneof![
        3 => (path(), 0..3_u8).prop_map(|(path, direction)| Op::Cut { path, direction }),
        3 => path().prop_map(|path| Op::Restore { path }),
        2 => path().prop_map(|path| Op::Rebind { path }),
        1 => (path(), 20..30_u8).prop_map(|(path, last)| Op::Renumber { path, last }),
        1 => (path(), 20..30_u8).prop_map(|(path, last)| Op::SetAddress { path, last }),
        2 => (path(), any::<bool>()).prop_map(|(path, up)| Op::SetUp { path, up }),
        5 => (meddling, 0..20_u64).prop_map(|(what, nth)| Op::Meddle { what, nth }),
        2 => weather.prop_map(Op::Weather),
    ]
}

fn paths() -> impl Strategy<Value = Op> {
    let (side, path, id) = (|| 0..2_usize, || 0..2_usize, || 1..6_u32);
    prop_oneof![
        2 => (side(), id()).prop_map(|(side, path)| Op::SetPrimary { side, path }),
        2 => (side(), id(), any::<bool>())
            .prop_map(|(side, path, backup)| Op::SetWish { side, path, backup }),
        1 => path().prop_map(|path| Op::AddPath { path }),
        1 => (side(), id()).prop_map(|(side, path)| Op::RemovePath { side, path }),
    ]
}

fn addresses() -> impl Strategy<Value = Op> {
    let place = || (0..2_usize, 0..2_usize);
    prop_oneof![
        place().prop_map(|(side, path)| Op::AddAddress { side, path }),
        place().prop_map(|(side, path)| Op::DeleteAddress { side, path }),
        place().prop_map(|(side, path)| Op::DeleteOtherAddresses { side, path }),
        place().prop_map(|(side, path)| Op::SetPeerPrimary { side, path }),
    ]
}

fn keys() -> impl Strategy<Value = Op> {
    let key = || (0..2_usize, 0..KEYS + 1);
    let right = prop::bool::weighted(0.8);
    prop_oneof![
        2 => (key(), right).prop_map(|((side, key), right)| Op::SetKey { side, key, right }),
        2 => key().prop_map(|(side, key)| Op::ActivateKey { side, key }),
        1 => key().prop_map(|(side, key)| Op::DeactivateKey { side, key }),
        1 => key().prop_map(|(side, key)| Op::DeleteKey { side, key }),
    ]
}

fn streams() -> impl Strategy<Value = Op> {
    let side = || 0..2_usize;
    prop_oneof![
        2 => (side(), 0..StreamSchedulerKind::ALL.len())
            .prop_map(|(side, kind)| Op::Schedule { side, kind }),
        2 => (side(), 0..SCHEDULERS.len())
            .prop_map(|(side, kind)| Op::SchedulePaths { side, kind }),
        1 => (side(), 0..RetransmissionPolicy::ALL.len())
            .prop_map(|(side, policy)| Op::Retransmit { side, policy }),
        2 => (side(), 0..ControllerKind::ALL.len())
            .prop_map(|(side, kind)| Op::Control { side, kind }),
        1 => (side(), 0..STREAMS, 1..9_u16)
            .prop_map(|(side, stream, value)| Op::Prefer { side, stream, value }),
        4 => (side(), 0..16_u8, any::<bool>())
            .prop_map(|(side, mask, incoming)| Op::ResetStreams { side, mask, incoming }),
        1 => side().prop_map(|side| Op::ResetAssociation { side }),
        1 => (side(), 0..4_u16, 0..4_u16)
            .prop_map(|(side, outgoing, incoming)| Op::AddStreams { side, outgoing, incoming }),
    ]
}

/// One operation. `special` is how often keys and addresses change.
pub(crate) fn op(special: u32) -> impl Strategy<Value = Op> {
    let side = || 0..2_usize;
    prop_oneof![
        54 => send(),
        12 => side().prop_map(|side| Op::Read { side }),
        24 => (1..800_u64).prop_map(|ms| Op::Advance { ms }),
        54 => network(),
        18 => paths(),
        27 => streams(),
        special => addresses(),
        special => keys(),
        2 => side().prop_map(|side| Op::Shutdown { side }),
        1 => side().prop_map(|side| Op::Abort { side }),
    ]
}
