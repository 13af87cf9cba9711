//! Dynamic addresses (RFC 5061), in two forms.
//!
//! With another Manyway endpoint ([`Extension::DynamicPaths`]) requests are about *paths*: they
//! carry the wildcard address and are sent from the address that is meant, so that the receiver
//! takes address and UDP port of that very packet. That passes NATs, and needs no AUTH.
//!
//! With everybody else ([`Extension::Asconf`]) requests are about *addresses*, in the RFC's own
//! form and always authenticated. They leave on any path that works.
//!
//! | file | what |
//! |---|---|
//! | `ask` | one chunk at a time: sending, repeating, what the answer means |
//! | `paths` | asking in the form of paths |
//! | `addresses` | asking in the form of addresses |
//! | `sharing` | several requests in one chunk |
//! | `locals` | this side's addresses as the peer knows them |
//! | `commands` | the application's side |
//! | `answer` | the peer's requests: serial numbers, answers |
//! | `answer_paths`, `answer_addresses` | what the peer's requests do, in either form |

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use manyway_wire::{AsconfSerial, ChunkType, Packet, Tsn};

use super::{Association, Extension};
use crate::path::{FourTuple, PathId, Wish};
use crate::time::Instant;

mod addresses;
mod answer;
mod answer_addresses;
mod answer_paths;
mod ask;
mod commands;
mod locals;
mod paths;
mod sharing;

use answer::Answers;
pub use commands::{AddressChange, AddressError, AddressForm, AddressRefusal};
use locals::Locals;

/// Pairs remembered as left on purpose.
const MAX_LEFT: usize = 8;

/// What to tell a Manyway peer about a path, by a packet on that path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Add,
    SetPrimary,
    Wish(Wish),
    Remove,
}

/// One request in either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Path(Request, PathId),
    Address(AddressChange),
}

impl Ask {
    /// The path it is about.
    fn path(&self) -> Option<PathId> {
        match self {
            Self::Path(_, id) => Some(*id),
            Self::Address(_) => None,
        }
    }
}

/// A request that waits for its turn, or for a path that it can leave on.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ask: Ask,
    attempts: u32,
}

#[derive(Debug)]
struct InFlight {
    serial: AsconfSerial,
    what: Waiting,
    /// Further requests about addresses in the same chunk.
    more: Vec<AddressChange>,
    /// Where it was sent last.
    on: PathId,
    chunk: Bytes,
}

impl InFlight {
    /// What the chunk asks for, in order.
    fn asks(&self) -> impl Iterator<Item = Ask> + '_ {
        let more = self.more.iter().map(|change| Ask::Address(*change));
        std::iter::once(self.what.ask).chain(more)
    }
}

/// Both directions of the ASCONF dialogue.
#[derive(Debug)]
pub(super) struct Asconf {
    next_serial: AsconfSerial,
    queue: VecDeque<Waiting>,
    in_flight: Option<InFlight>,
    /// T4-rto.
    pub(super) deadline: Option<Instant>,
    answers: Answers,
    /// Pairs whose path was removed on purpose: late packets from there revive nothing.
    left: VecDeque<FourTuple>,
    /// Pairs that did not answer since the local addresses last changed.
    pub(super) tried: Vec<FourTuple>,
    pub(super) locals: Locals,
    /// Addresses that the peer has deleted: what comes from there is nobody's.
    deleted_by_peer: VecDeque<IpAddr>,
}

impl Asconf {
    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1
    //# The Sequence Number MUST be initialized at the start of the association to the same value as the Initial Transmission Sequence Number (TSN) and every time a new ASCONF Chunk is created, it MUST be incremented by one after assigning the Sequence Number to the newly created chunk.
    pub(super) fn new(initial: Tsn) -> Self {
        Self {
            next_serial: AsconfSerial(initial.0),
            queue: VecDeque::new(),
            in_flight: None,
            deadline: None,
            answers: Answers::default(),
            left: VecDeque::new(),
            tried: Vec::new(),
            locals: Locals::default(),
            deleted_by_peer: VecDeque::new(),
        }
    }

    /// The peer's first serial number is its initial TSN.
    pub(super) fn expect_peer_serial(&mut self, initial: Tsn) {
        self.answers.expect(AsconfSerial(initial.0));
    }

    /// Requests about the path that were not sent are pointless.
    pub(super) fn drop_waiting(&mut self, id: PathId) {
        self.queue.retain(|waiting| waiting.ask.path() != Some(id));
    }

    pub(super) fn forget_path(&mut self, id: PathId) {
        self.drop_waiting(id);
        let is_about = |f: &InFlight| f.what.ask.path() == Some(id);
        if self.in_flight.as_ref().is_some_and(is_about) {
            self.in_flight = None;
            self.deadline = None;
        }
    }

    fn asked(&self) -> impl Iterator<Item = Ask> + '_ {
        let in_flight = self.in_flight.iter().flat_map(InFlight::asks);
        self.queue.iter().map(|w| w.ask).chain(in_flight)
    }

    /// Whether the peer is being told that the path ends.
    pub(super) fn is_leaving(&self, id: PathId) -> bool {
        self.asked()
            .any(|ask| ask == Ask::Path(Request::Remove, id))
    }

    /// A path over this pair was removed on purpose.
    pub(super) fn leave(&mut self, pair: FourTuple) {
        push_bounded(&mut self.left, pair);
    }

    /// Whether a path over this pair was removed on purpose.
    pub(super) fn has_left(&self, pair: &FourTuple) -> bool {
        self.left.contains(pair)
    }

    /// The pair may be used again.
    pub(super) fn welcome(&mut self, pair: &FourTuple) {
        self.left.retain(|left| left != pair);
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3
    //# It MUST NOT send SCTP packets for the association to that address and it MUST treat subsequent packets received from that address as Out Of The Blue.
    // Out of the blue without the ABORT, which would end the association for a late packet.
    /// Whether one of the pair's addresses was deleted, so that what comes by it is dropped.
    pub(super) fn is_deleted(&self, pair: &FourTuple) -> bool {
        let theirs = self.deleted_by_peer.contains(&pair.remote.ip());
        theirs || self.locals.is_deleted(pair.local.ip())
    }

    /// The peer deleted one of its addresses.
    fn on_deleted_by_peer(&mut self, ip: IpAddr) {
        self.deleted_by_peer.retain(|known| *known != ip);
        push_bounded(&mut self.deleted_by_peer, ip);
    }
}

fn push_bounded<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == MAX_LEFT {
        list.pop_front();
    }
    list.push_back(item);
}

/// An address as ASCONF means the source of its packet.
fn wildcard(local: SocketAddr) -> IpAddr {
    use std::net::{Ipv4Addr, Ipv6Addr};
    match local.is_ipv4() {
        true => Ipv4Addr::UNSPECIFIED.into(),
        false => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl Association {
    /// Whether the peer takes requests in Manyway's form.
    pub(super) fn asks_by_path(&self) -> bool {
        self.has(Extension::DynamicPaths)
    }

    /// Whether the peer takes requests in the RFC's form.
    pub(super) fn asks_by_address(&self) -> bool {
        self.has(Extension::Asconf) && !self.asks_by_path()
    }

    /// Whether ASCONF means anything to both ends.
    pub(super) fn speaks_asconf(&self) -> bool {
        self.asks_by_path() || self.asks_by_address()
    }

    /// Whether a packet comes by an address that was deleted, and does not bring it back.
    pub(super) fn is_from_deleted(&self, tuple: FourTuple, packet: &Packet<'_>) -> bool {
        let mut kinds = packet.chunks().flatten().map(|raw| raw.kind);
        self.asconf.is_deleted(&tuple) && !kinds.any(|kind| kind == ChunkType::ASCONF)
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.3.1
    //# For this case, during the deletion of an IP address, an Abort MUST be ignored if the destination address of the Abort message is that of a destination being deleted.
    pub(crate) fn ignores_abort(&self, tuple: FourTuple) -> bool {
        self.asconf.locals.is_deleting(tuple.local.ip())
    }

    //= https://www.rfc-editor.org/rfc/rfc5061#section-5.1.1
    //# Both ASCONF and ASCONF-ACK Chunks MUST NOT be sent in any SCTP state except ESTABLISHED, SHUTDOWN-PENDING, SHUTDOWN-RECEIVED, and SHUTDOWN-SENT.
    fn may_speak_asconf(&self) -> bool {
        use super::AssocState::{Established, ShutdownPending, ShutdownReceived, ShutdownSent};
        matches!(
            self.state,
            Established | ShutdownPending | ShutdownReceived | ShutdownSent
        )
    }
}
