//! FORWARD-TSN and I-FORWARD-TSN out: the peer is told what was given up (RFC 3758, section 3.5;
//! RFC 8260, section 2.3.1).

use manyway_wire::{
    COMMON_HEADER_LEN, ForwardTsn, IForwardTsn, PacketWriter, SkippedMessage, SkippedMessages,
    SkippedStreams, Tsn,
};

use super::Association;
use crate::path::{Path, PathId, PathState};
use crate::stream::Place;
use crate::time::Instant;

/// Bytes of FORWARD-TSN and I-FORWARD-TSN without their lists, and of an entry of each.
const FORWARD_TSN_LEN: usize = 8;
const SKIPPED_STREAM_LEN: usize = 4;
const SKIPPED_MESSAGE_LEN: usize = 8;

impl Association {
    /// Moves Advanced.Peer.Ack.Point on, as far as one packet can tell.
    pub(super) fn advance_peer(&mut self) {
        if !self.sender.outstanding.has_abandoned() {
            return self.sender.forward.on_point(None);
        }
        let size = self.paths.smallest_packet();
        let size = size.unwrap_or(self.config.base_packet_size);
        let entry = match self.interleaves_with_forward_tsn() {
            true => SKIPPED_MESSAGE_LEN,
            false => SKIPPED_STREAM_LEN,
        };
        let limit = (size - COMMON_HEADER_LEN - FORWARD_TSN_LEN) / entry;
        self.sender.outstanding.advance_peer(limit);
        let point = self.sender.outstanding.advanced_peer_ack_point();
        self.sender.forward.on_point(point);
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# Whenever the data sender receives a SACK from the data receiver, it MUST first process the SACK using the normal procedures as defined in Section 6.2.1 of RFC 2960 [2].
    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# The data sender MUST then perform the following additional steps:
    /// An acknowledgement was taken in.
    pub(super) fn advance_peer_after_sack(&mut self, now: Instant) {
        self.advance_peer();
        let paths = &self.paths;
        self.sender.forward.on_sack(now, |id| {
            let path = paths.get(id);
            path.map_or(self.config.rto_initial, |p| {
                p.rtt.srtt().unwrap_or_else(|| p.rtt.rto())
            })
        });
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# It is an implementation decision as to which destination address it is to be sent to, the only restriction being that the address MUST be one that is CONFIRMED.
    /// The path for a FORWARD-TSN that is due.
    pub(super) fn forward_tsn_path(&self) -> Option<PathId> {
        if !self.sender.forward.due || !self.state.sends_data() {
            return None;
        }
        let best = self.paths.get(self.paths.best()?)?;
        is_confirmed(best).then_some(best.id)
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# The data sender SHOULD always attempt to bundle an outgoing FORWARD TSN with outbound DATA chunks for efficiency.
    /// Adds a FORWARD-TSN that is due to a packet that leaves on a path that works.
    pub(super) fn bundle_forward_tsn(
        &mut self,
        now: Instant,
        id: PathId,
        writer: &mut PacketWriter<'_>,
    ) {
        let Some(best) = self.forward_tsn_path() else {
            return;
        };
        let path = self.paths.get(id).filter(|path| is_confirmed(path));
        let Some(path) = path.filter(|p| id == best || p.state == PathState::Active) else {
            return;
        };
        let timeout = path.rtt.rto();
        let Some(point) = self.sender.outstanding.advanced_peer_ack_point() else {
            return;
        };
        if self.push_forward_tsn(point, writer) {
            self.sender.forward.on_sent(now, point, id, timeout);
            self.stats.forward_tsns_sent += 1;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
    //# The FORWARD-TSN chunk MUST be used in combination with the DATA chunk and MUST NOT be used in combination with the I-DATA chunk. The I-FORWARD-TSN chunk MUST be used in combination with the I-DATA chunk and MUST NOT be used in combination with the DATA chunk.
    //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
    //# When the SCTP extension defined in [RFC3758] is used in combination with the user message interleaving extension, the new I-FORWARD-TSN chunk MUST be used instead of the FORWARD-TSN chunk.
    fn push_forward_tsn(&mut self, point: Tsn, writer: &mut PacketWriter<'_>) -> bool {
        let (mut streams, mut messages) = (Vec::new(), Vec::new());
        for ((stream, unordered), place) in self.sender.outstanding.skipped() {
            match place {
                Place::Plain(ssn) => streams.push((stream, ssn)),
                Place::Interleaved { mid, .. } => messages.push(SkippedMessage {
                    stream,
                    unordered,
                    mid,
                }),
            }
        }
        if self.interleaves_with_forward_tsn() {
            return writer.push(&IForwardTsn {
                new_cumulative_tsn: point,
                skipped: SkippedMessages::new(&messages),
            });
        }
        writer.push(&ForwardTsn {
            new_cumulative_tsn: point,
            skipped: SkippedStreams::new(&streams),
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# Any time the T3-rtx timer expires, on any destination, the sender SHOULD try to advance the "Advanced.Peer.Ack.Point" by following the procedures outlined in C2 - C5.
    /// A FORWARD-TSN was not answered in time: it is sent again, and the path pays as for DATA,
    /// unless it has some in flight whose own timer sees to that.
    pub(super) fn on_forward_tsn_timeout(&mut self, now: Instant) {
        let Some(id) = self.sender.forward.on_timeout(now) else {
            return;
        };
        let idle = self.paths.get_mut(id).filter(|path| path.in_flight == 0);
        if let Some(path) = idle {
            path.rtt.back_off();
            self.on_path_error(now, id);
        }
    }
}

fn is_confirmed(path: &Path) -> bool {
    !path.candidate && path.state != PathState::Unconfirmed
}
