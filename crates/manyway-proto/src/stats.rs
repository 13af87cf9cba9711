//! Counters of an association.

use crate::send::AbandonedMessages;

/// Counters since the association began. Bytes are user data unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AssocStats {
    /// Messages accepted for sending.
    pub messages_sent: u64,
    /// Messages given to the application.
    pub messages_received: u64,
    /// Bytes given to the network for the first time.
    pub bytes_sent: u64,
    /// Bytes that the peer acknowledged.
    pub bytes_acknowledged: u64,
    /// Bytes received for the first time.
    pub bytes_received: u64,
    /// Bytes sent again.
    pub retransmitted_bytes: u64,
    /// DATA chunks that arrived more than once.
    pub duplicate_chunks: u64,
    /// Those of them that no SACK reported, because one reports
    /// [`crate::TransportConfig::max_duplicates_reported`] at most and what fits its packet.
    pub unreported_duplicates: u64,
    /// DATA chunks dropped because the receive buffer was full.
    pub receive_buffer_drops: u64,
    /// Messages that this side gave up (RFC 7496, section 4.4).
    pub abandoned: AbandonedMessages,
    /// FORWARD-TSN and I-FORWARD-TSN chunks sent.
    pub forward_tsns_sent: u64,
    /// TSNs that the peer gave up on before they arrived.
    pub skipped_tsns: u64,
    /// Messages of which a part was given to the application before they were complete.
    pub partial_messages: u64,
    /// Fragments dropped because the peer had given up their message.
    pub stale_fragments: u64,
    /// Bytes dropped of messages that had arrived in part when the peer gave up the rest of them, or
    /// began the numbers of their stream anew.
    pub given_up_bytes: u64,
    /// Retransmission timeouts.
    pub timeouts: u64,
    /// SACKs sent.
    pub sacks_sent: u64,
    /// SACKs received.
    pub sacks_received: u64,
    /// SACKs of those received that were older than one received before, and were dropped
    /// (RFC 9260, section 6.2.1).
    pub stale_sacks: u64,
    /// Gap blocks of the peer that were not taken in: more than
    /// [`crate::TransportConfig::max_gap_blocks_taken`] in one SACK, or without meaning.
    pub ignored_gap_blocks: u64,
    /// Chunks that the peer acknowledged by gap blocks and took back; they were sent again.
    pub reneged_chunks: u64,
    /// TSNs that the peer reported to have received more than once.
    pub duplicates_reported: u64,
    /// Packets dropped: malformed chunk, wrong tag for its chunk, or not allowed in the state.
    pub dropped_packets: u64,
    /// ASCONF chunks of the peer dropped: with a serial number that is neither the next one nor
    /// answered already, unauthenticated, or not allowed in the state.
    pub dropped_asconfs: u64,
    /// Requests about addresses and paths that were not made because
    /// [`crate::TransportConfig::max_queued_asconfs`] waited.
    pub refused_asconfs: u64,
    /// Chunks dropped because they came without the AUTH chunk that their type needs (RFC 4895,
    /// section 6.3).
    pub unauthenticated_chunks: u64,
    /// AUTH chunks that proved nothing: a wrong HMAC, an unknown key or hash function, or a second
    /// one in a packet.
    pub failed_authentications: u64,
    /// Packets of those dropped whose checksum was wrong; a zero that was not agreed on is.
    pub bad_checksums: u64,
    /// Error causes that the peer reported in ERROR chunks.
    pub errors_received: u64,
    /// Of those, causes that [`crate::Event::PeerError`] did not tell of, because too many events
    /// waited.
    pub unreported_errors: u64,
    /// DATA chunks dropped because their TSN is too far ahead
    /// ([`crate::TransportConfig::max_tsn_distance`]), or would open more gaps than are remembered
    /// ([`crate::TransportConfig::max_gaps`]).
    pub out_of_range_chunks: u64,
    /// Answers that were not sent because too many waited, or because they would be too large.
    pub dropped_answers: u64,
    /// Packets with data that arrived with a congestion mark (RFC 3168).
    pub congestion_marks: u64,
    /// Reductions of a window because of marks that the peer echoed.
    pub congestion_reductions: u64,
    /// Re-configuration requests of the peer that were not carried out: denied, for streams that do
    /// not exist, or out of turn (RFC 6525).
    pub reconfig_refused: u64,
    /// Packets that ended nothing though they said that the peer has no association (ABORT or
    /// SHUTDOWN-COMPLETE with the T bit): from an address where only a candidate, or nothing that
    /// answers, is known to be.
    pub ignored_reflections: u64,
    /// Changes of address of the peer that were refused because there were too many.
    pub refused_candidates: u64,
}
