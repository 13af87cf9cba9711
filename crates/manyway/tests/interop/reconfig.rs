//! Streams that begin anew, and more of them (RFC 6525), asked for by either side.

use manyway::{
    Event, Events, ReconfigFailure, ReconfigPolicy, ReconfigRequest, StreamDirection, StreamId,
};
use manyway_bed::Loss;

use crate::capture::{Crossed, chunk, parameter};
use crate::network::{Pair, Side, World, soon};
use crate::peer::Stack;
use crate::rows::{self, ALL, BOTH, Row, USRSCTP};
use crate::streams::{Load, exchange_load};
use crate::transfer::{check_arrival, exchange, receive, send, their_send};

const STREAM: &[StreamId] = &[StreamId(0)];

/// Waits for an event, whatever comes before it.
pub(crate) async fn wait_for(events: &mut Events, wanted: &Event) {
    soon(&format!("{wanted:?}"), async {
        while events.next().await.expect("not the end") != *wanted {}
    })
    .await;
}

fn reset(direction: StreamDirection, streams: &[StreamId]) -> Event {
    Event::StreamsReset {
        direction,
        streams: streams.to_vec(),
    }
}

fn added(direction: StreamDirection, count: u16) -> Event {
    Event::StreamsAdded { direction, count }
}

/// The peer carries out and makes all kinds of requests.
fn allow(world: &mut World<'_>) {
    world.prepare.push("set allow-resets 7");
}

fn allow_interleaved(world: &mut World<'_>) {
    rows::interleave(world);
    allow(world);
}

/// What is sent before the reset arrives before what is sent after it.
async fn we_reset(pair: &mut Pair) {
    let mut events = pair.ours.events();
    send(&pair.ours, 50, 1000).await;
    pair.ours.reset_streams(STREAM).unwrap();
    send(&pair.ours, 50, 1000).await;
    check_arrival(&mut pair.peer, 50, 1000).await;
    check_arrival(&mut pair.peer, 50, 1000).await;
    wait_for(&mut events, &reset(StreamDirection::Outgoing, STREAM)).await;
    pair.peer.event("reset in 0").await;
    exchange(pair, 20, 5000).await;
}

async fn we_reset_all(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.ours.reset_streams(&[]).unwrap();
    wait_for(&mut events, &reset(StreamDirection::Outgoing, &[])).await;
    pair.peer.event("reset in").await;
    exchange(pair, 20, 5000).await;
}

async fn we_ask_for_a_reset(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.ours.request_stream_reset(STREAM).unwrap();
    wait_for(&mut events, &reset(StreamDirection::Incoming, STREAM)).await;
    pair.peer.event("reset out 0").await;
    exchange(pair, 20, 5000).await;
}

async fn they_reset(pair: &mut Pair) {
    let mut events = pair.ours.events();
    let line = their_send(50, 1000);
    pair.peer.begin(&line);
    receive(&pair.ours, 50, 1000).await;
    pair.peer.done(&line).await;
    pair.peer.insist("reset out 0").await;
    wait_for(&mut events, &reset(StreamDirection::Incoming, STREAM)).await;
    pair.peer.event("reset out 0").await;
    exchange(pair, 20, 5000).await;
}

async fn they_ask_for_a_reset(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.peer.insist("reset in 0").await;
    wait_for(&mut events, &reset(StreamDirection::Outgoing, STREAM)).await;
    pair.peer.event("reset in 0").await;
    exchange(pair, 20, 5000).await;
}

async fn we_reset_the_association(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.ours.reset_association().unwrap();
    wait_for(&mut events, &Event::AssociationReset).await;
    pair.peer.event("reset-tsn done").await;
    exchange(pair, 20, 5000).await;
}

/// usrsctp takes its new TSN and forgets what it compares acknowledgements with: it sets that to the
/// TSNs of the other direction. By chance it then heeds no acknowledgement any more; so it sends
/// nothing.
async fn they_reset_the_association(world: &World<'_>, pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.peer.insist("reset-tsn").await;
    wait_for(&mut events, &Event::AssociationReset).await;
    pair.peer.event("reset-tsn done").await;
    match world.stack {
        Stack::Linux => exchange(pair, 20, 5000).await,
        Stack::Usrsctp => {
            send(&pair.ours, 20, 5000).await;
            check_arrival(&mut pair.peer, 20, 5000).await;
        }
    }
}

/// On all that there are of 20 streams of ours and 68 of theirs.
async fn use_added(pair: &mut Pair) {
    let load = Load {
        streams: 20,
        count: 3,
        length: 2000,
        mixed: true,
    };
    exchange_load(pair, load).await;
    pair.peer.command("send 67 o 3000 1 5").await;
    let message = soon("a message", pair.ours.recv()).await.unwrap().unwrap();
    assert_eq!(message.stream, StreamId(67));
}

async fn we_add(pair: &mut Pair) {
    // In either order.
    let (mut outgoing, mut incoming) = (pair.ours.events(), pair.ours.events());
    exchange(pair, 20, 1000).await;
    pair.ours.add_streams(4, 4).unwrap();
    wait_for(&mut outgoing, &added(StreamDirection::Outgoing, 4)).await;
    wait_for(&mut incoming, &added(StreamDirection::Incoming, 4)).await;
    use_added(pair).await;
}

async fn they_add(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.peer.insist("add-streams 4 0").await;
    wait_for(&mut events, &added(StreamDirection::Incoming, 4)).await;
    pair.peer.event("streams done").await;
    pair.peer.insist("add-streams 0 4").await;
    wait_for(&mut events, &added(StreamDirection::Outgoing, 4)).await;
    pair.peer.event("streams done").await;
    use_added(pair).await;
}

async fn they_deny(pair: &mut Pair) {
    let mut events = pair.ours.events();
    exchange(pair, 20, 1000).await;
    pair.ours.reset_streams(STREAM).unwrap();
    let denied = Event::ReconfigFailed {
        request: ReconfigRequest::ResetOutgoing(STREAM.to_vec()),
        failure: ReconfigFailure::Denied,
    };
    wait_for(&mut events, &denied).await;
    exchange(pair, 20, 1000).await;
}

async fn we_deny(pair: &mut Pair) {
    exchange(pair, 20, 1000).await;
    pair.peer.insist("reset out 0").await;
    pair.peer.event("reset denied").await;
    exchange(pair, 20, 1000).await;
}

async fn under_loss(world: &World<'_>, pair: &mut Pair) {
    world.bed.path(0).set_loss(Loss::Bernoulli(0.05));
    for _ in 0..3 {
        we_reset(pair).await;
        they_reset(pair).await;
    }
    world.bed.path(0).set_loss(Loss::None);
}

/// Whose stream 0 began again, and what the two sides asked for.
fn began_again(crossed: &Crossed, whose: &[Side], ours: &[u16], theirs: &[u16]) {
    crossed.from(Side::We).had_parameters(ours);
    crossed.from(Side::They).had_parameters(theirs);
    for &side in whose {
        crossed.from(side).had(&[chunk::RE_CONFIG]).began_again(0);
    }
}

const OUT: u16 = parameter::OUTGOING_RESET;
const IN: u16 = parameter::INCOMING_RESET;
const TSN: u16 = parameter::TSN_RESET;
const ANSWER: u16 = parameter::RECONFIG_RESPONSE;

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "we reset a stream",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(we_reset(pair)),
        crossed: |crossed| began_again(crossed, &[Side::We], &[OUT], &[ANSWER]),
    },
    Row {
        name: "we reset all streams",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(we_reset_all(pair)),
        crossed: |crossed| began_again(crossed, &[Side::We], &[OUT], &[ANSWER]),
    },
    Row {
        name: "we ask for the reset of a stream",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(we_ask_for_a_reset(pair)),
        crossed: |crossed| began_again(crossed, &[Side::They], &[IN, ANSWER], &[OUT]),
    },
    Row {
        name: "they reset a stream",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(they_reset(pair)),
        crossed: |crossed| began_again(crossed, &[Side::They], &[ANSWER], &[OUT]),
    },
    Row {
        name: "they ask for the reset of a stream",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(they_ask_for_a_reset(pair)),
        crossed: |crossed| began_again(crossed, &[Side::We], &[OUT], &[IN, ANSWER]),
    },
    Row {
        name: "we reset the association",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(we_reset_the_association(pair)),
        crossed: |crossed| began_again(crossed, BOTH, &[TSN], &[ANSWER]),
    },
    Row {
        name: "they reset the association",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |world, pair| Box::pin(they_reset_the_association(world, pair)),
        crossed: |crossed| began_again(crossed, &[Side::We], &[ANSWER], &[TSN]),
    },
    Row {
        name: "we add streams",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(we_add(pair)),
        crossed: |crossed| {
            let ours = [parameter::ADD_OUTGOING, parameter::ADD_INCOMING];
            crossed.from(Side::We).had_parameters(&ours);
        },
    },
    Row {
        name: "they add streams",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |_, pair| Box::pin(they_add(pair)),
        crossed: |crossed| {
            let theirs = [parameter::ADD_OUTGOING, parameter::ADD_INCOMING];
            crossed.from(Side::They).had_parameters(&theirs);
        },
    },
    Row {
        name: "they deny a reset",
        stacks: ALL,
        initiators: &[Side::We],
        prepare: |world| world.prepare.push("set allow-resets 0"),
        play: |_, pair| Box::pin(they_deny(pair)),
        crossed: |crossed| {
            crossed.from(Side::We).had_parameters(&[OUT]);
        },
    },
    Row {
        name: "we deny a reset",
        stacks: ALL,
        initiators: &[Side::They],
        prepare: |world| {
            allow(world);
            world.config.transport.reconfig = ReconfigPolicy::DENY_ALL;
        },
        play: |_, pair| Box::pin(we_deny(pair)),
        crossed: |crossed| {
            crossed.from(Side::They).had_parameters(&[OUT]);
        },
    },
    Row {
        name: "streams are reset with I-DATA",
        stacks: USRSCTP,
        initiators: BOTH,
        prepare: allow_interleaved,
        play: |_, pair| {
            Box::pin(async {
                we_reset(pair).await;
                they_reset(pair).await;
            })
        },
        crossed: |crossed| began_again(crossed, BOTH, &[OUT], &[OUT]),
    },
    Row {
        name: "streams are reset under loss",
        stacks: ALL,
        initiators: BOTH,
        prepare: allow,
        play: |world, pair| Box::pin(under_loss(world, pair)),
        crossed: |crossed| began_again(crossed, &[], &[OUT], &[OUT]),
    },
];

#[test]
fn reconfiguration() {
    rows::play_on_usrsctp(ROWS);
}
