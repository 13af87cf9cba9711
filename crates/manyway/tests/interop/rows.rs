//! The rows of the matrix of features and stacks: each plays on a new association that either side
//! opened, against every stack that it names, and says what has to have crossed the network. A row
//! whose association is still alive in the end has it shut down by whoever opened it, so that
//! every feature sees the end as well.
//!
//! With MANYWAY_ROW in the environment only rows with these words in their title play.

use std::pin::Pin;
use std::time::SystemTime;

use manyway::{AssocState, CloseReason, Extensions};

use crate::capture::Crossed;
use crate::linux;
use crate::network::{self, Pair, Side, World, soon};
use crate::peer::{Peer, Stack};

/// Both ends.
pub(crate) const BOTH: &[Side] = &[Side::We, Side::They];
/// Both stacks.
pub(crate) const ALL: &[Stack] = &[Stack::Usrsctp, Stack::Linux];

pub(crate) const USRSCTP: &[Stack] = &[Stack::Usrsctp];
pub(crate) const LINUX: &[Stack] = &[Stack::Linux];

/// What a row does.
pub(crate) type Playing<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// A row of the matrix.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) stacks: &'static [Stack],
    /// Who opens the association.
    pub(crate) initiators: &'static [Side],
    /// Before there is an association.
    pub(crate) prepare: fn(&mut World<'_>),
    /// On the association.
    pub(crate) play: for<'a> fn(&'a World<'_>, &'a mut Pair) -> Playing<'a>,
    /// What crossed.
    pub(crate) crossed: fn(&Crossed),
}

/// Words in the titles of the rows that shall play, if not all.
pub(crate) fn wanted() -> Option<String> {
    std::env::var("MANYWAY_ROW").ok()
}

impl Row {
    fn is_for(&self, stack: Stack) -> bool {
        self.stacks.contains(&stack)
    }

    /// Who opens the association, of those that the environment asks for.
    fn chosen(&self, stack: Stack) -> impl Iterator<Item = Side> {
        let fits = move |side: &Side| match wanted() {
            Some(words) => self.title(stack, *side).contains(&words),
            None => true,
        };
        self.initiators.iter().copied().filter(fits)
    }

    fn title(&self, stack: Stack, initiator: Side) -> String {
        format!("{}: {stack:?}, opened by {initiator:?}", self.name)
    }
}

/// Plays rows against usrsctp, each in a network of its own.
pub(crate) fn play_on_usrsctp(rows: &[Row]) {
    for row in rows.iter().filter(|row| row.is_for(Stack::Usrsctp)) {
        for initiator in row.chosen(Stack::Usrsctp) {
            println!("{}", row.title(Stack::Usrsctp, initiator));
            let begin = SystemTime::now();
            let crossed = network::run(async |mut world| {
                (row.prepare)(&mut world);
                let mut pair = world.associate(initiator).await;
                (row.play)(&world, &mut pair).await;
                finish(&mut pair, initiator).await;
            });
            println!("took {:?}", begin.elapsed().unwrap_or_default());
            (row.crossed)(&crossed);
        }
    }
}

/// What is left to look at when a machine's test is over.
pub(crate) struct Played {
    title: String,
    begin: SystemTime,
    end: SystemTime,
    crossed: fn(&Crossed),
}

impl Played {
    /// Checks what crossed while the row was played.
    pub(crate) fn check(&self, crossed: &Crossed) {
        println!("what crossed in {}", self.title);
        (self.crossed)(&crossed.between(self.begin, self.end));
    }
}

/// Plays rows against the Linux kernel of a machine that runs.
pub(crate) async fn play_on_linux(
    world: &mut World<'_>,
    mut peer: Peer,
    rows: &[Row],
    played: &mut Vec<Played>,
) -> Peer {
    for row in rows.iter().filter(|row| row.is_for(Stack::Linux)) {
        for initiator in row.chosen(Stack::Linux) {
            let title = row.title(Stack::Linux, initiator);
            println!("{title}");
            let before = (world.config.clone(), world.bound);
            (row.prepare)(world);
            let begin = SystemTime::now();
            let mut pair = linux::associate(world, peer, initiator).await;
            (row.play)(world, &mut pair).await;
            finish(&mut pair, initiator).await;
            peer = linux::reset(pair).await;
            let end = SystemTime::now();
            println!("took {:?}", end.duration_since(begin).unwrap_or_default());
            (world.config, world.bound) = before;
            world.options.clear();
            world.prepare.clear();
            played.push(Played {
                title,
                begin,
                end,
                crossed: row.crossed,
            });
        }
    }
    peer
}

/// Nothing more has arrived; an association that is still alive is shut down.
async fn finish(pair: &mut Pair, initiator: Side) {
    assert!(!pair.peer.has_said("remote-error"));
    if pair.ours.state() != AssocState::Established {
        return;
    }
    match initiator {
        Side::We => {
            soon("shutdown", pair.ours.shutdown()).await.unwrap();
            pair.peer.event("end").await;
        }
        Side::They => {
            pair.peer.command("shutdown").await;
            assert_eq!(soon("end of data", pair.ours.recv()).await, Ok(None));
            let reason = soon("end", pair.ours.closed()).await;
            assert_eq!(reason, CloseReason::Graceful);
        }
    }
    assert!(pair.ours.try_recv().is_none(), "a message too many");
    assert!(!pair.peer.has_said("message"), "a message too many");
}

/// This side offers everything, and the peer interleaves messages.
pub(crate) fn interleave(world: &mut World<'_>) {
    world.config.transport.extensions = Extensions::ALL;
    let settings = ["set fragment-interleave 2", "set interleaving 1"];
    world.prepare.extend(settings);
}
