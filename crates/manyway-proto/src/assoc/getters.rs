//! What can be seen of an association.

use std::net::SocketAddr;

use manyway_wire::{COMMON_HEADER_LEN, Port};

use super::{AssocId, AssocState, Association, Extensions, Identity};
use crate::path::PathInfo;
use crate::recv::Receiver;
use crate::stats::AssocStats;

impl Association {
    /// Its name within the endpoint.
    pub fn id(&self) -> AssocId {
        self.id
    }

    /// Its state.
    pub fn state(&self) -> AssocState {
        self.state
    }

    /// Whether the handshake is over and the association has not ended.
    pub fn is_established(&self) -> bool {
        self.state.is_open()
    }

    /// Whether this side opened it.
    pub fn is_initiator(&self) -> bool {
        self.initiator
    }

    /// This side's SCTP port.
    pub fn local_port(&self) -> Port {
        self.identity.local_port
    }

    /// The peer's SCTP port.
    pub fn peer_port(&self) -> Port {
        self.identity.peer_port
    }

    /// Outgoing streams: messages can be sent on those below this number. During set-up it is what
    /// this side asks for.
    pub fn outgoing_streams(&self) -> u16 {
        self.outbound_streams()
    }

    /// Streams on which the peer may send; 0 before it has answered.
    pub fn incoming_streams(&self) -> u16 {
        self.peer.outbound_streams
    }

    /// The extensions that are in use: both ends offered them. None before the peer has answered.
    pub fn extensions(&self) -> Extensions {
        self.peer.extensions
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Snapshots of its paths.
    pub fn paths(&self) -> impl Iterator<Item = PathInfo> + '_ {
        self.paths.infos()
    }

    /// The peer's addresses as far as they are known.
    pub fn peer_addresses(&self) -> &[SocketAddr] {
        &self.peer.addresses
    }

    /// Whether packets go to this address of the peer.
    pub(crate) fn sends_to(&self, remote: SocketAddr) -> bool {
        self.paths.iter().any(|p| p.tuple.remote == remote)
    }

    /// Its counters.
    pub fn stats(&self) -> AssocStats {
        AssocStats {
            dropped_answers: self.outbox.dropped,
            partial_messages: self.receiver.inbound.partial_messages,
            stale_fragments: self.receiver.inbound.stale_fragments,
            unreported_duplicates: self.receiver.tsns.unreported,
            given_up_bytes: self.receiver.inbound.given_up_bytes,
            abandoned: self.sender.expendable.total,
            ..self.stats
        }
    }

    /// Name of the scheduler in use.
    pub fn scheduler(&self) -> &'static str {
        self.scheduler.name()
    }

    /// Bytes that a message may have to fit one packet on every path that works.
    pub fn max_message_payload(&self) -> usize {
        let size = self
            .paths
            .smallest_packet()
            .unwrap_or(self.config.base_packet_size);
        let headers = COMMON_HEADER_LEN + self.auth_overhead() + self.sender.queue.header_len();
        (size - headers) & !3
    }

    /// Bytes accepted for sending and not yet acknowledged.
    pub fn send_backlog(&self) -> usize {
        self.sender.buffered()
    }

    /// Bytes that [`Association::send`] would take now.
    pub fn send_room(&self) -> usize {
        self.config
            .send_buffer
            .saturating_sub(self.sender.buffered())
    }

    /// Checks what must hold at any time: each path's bytes in flight equal the sum of the chunks
    /// in flight on it, and what is unacknowledged, kept and lost agrees with the chunks. For tests and fuzzers.
    ///
    /// # Errors
    ///
    /// Says what does not hold.
    #[doc(hidden)]
    pub fn check_invariants(&self) -> Result<(), String> {
        for path in self.paths.iter() {
            let copied = self.sender.copies.bytes_on(path.id);
            if copied != path.copied {
                return Err(format!(
                    "path {}: {copied} bytes of copies in flight, {} noted",
                    path.id, path.copied
                ));
            }
            let counted = self.sender.outstanding.flight_bytes_on(path.id);
            if counted != path.in_flight {
                return Err(format!(
                    "path {}: {counted} bytes in flight, {} noted",
                    path.id, path.in_flight
                ));
            }
        }
        self.sender.outstanding.check()?;
        let (capacity, message) = (self.config.receive_buffer, self.config.max_message_size);
        if self.receiver.inbound.cost() > Receiver::bound(capacity, message) + (1 << 16) {
            return Err(format!(
                "receive buffer holds {} bytes",
                self.receiver.inbound.cost()
            ));
        }
        Ok(())
    }

    /// Whether the handshake is under way.
    pub(crate) fn is_setting_up(&self) -> bool {
        matches!(
            self.state,
            AssocState::CookieWait | AssocState::CookieEchoed
        )
    }

    /// Whether it is ending, by this side's or the peer's wish.
    pub fn is_shutting_down(&self) -> bool {
        !self.state.takes_messages() || self.teardown.wanted
    }

    /// Whether an acknowledgement or answer is due; new messages aside.
    pub fn wants_to_send(&self) -> bool {
        let resets = self.reconfig.as_deref().is_some_and(|r| r.is_resetting());
        self.receiver.sack.is_due() || self.outbox.next_path().is_some() || resets
    }

    /// Whether a message, or a part of one, can be read.
    pub fn has_message(&self) -> bool {
        self.receiver.inbound.has_ready()
    }
}
