//! FORWARD-TSN and I-FORWARD-TSN in: the peer gives up on messages (RFC 3758, section 3.6;
//! RFC 8260, section 2.3.1).

use manyway_wire::{ForwardTsn, IForwardTsn, Tsn};

use super::Association;
use super::input::PacketContext;
use crate::event::Event;
use crate::recv::{Skip, Urgency};
use crate::stream::{GivenUp, LastGivenUp, Reach};
use crate::time::Instant;

impl Association {
    pub(super) fn handle_forward_tsn(
        &mut self,
        now: Instant,
        ctx: &mut PacketContext<'_>,
        forward: &ForwardTsn<'_>,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc8260#section-2.3.1
        //# If I-FORWARD-TSN support has been negotiated for an association, the reception of a FORWARD-TSN chunk is a violation of the above rules and therefore the receiver of the FORWARD-TSN chunk MUST abort the association by sending an ABORT chunk.
        if self.interleaves_with_forward_tsn() {
            return self.violate(now, "FORWARD-TSN where I-FORWARD-TSN was negotiated");
        }
        let streams = self.peer.outbound_streams;
        let Some(reach) = self.move_forward(ctx, forward.new_cumulative_tsn) else {
            return;
        };
        let inbound = &mut self.receiver.inbound;
        if inbound.must_wait(reach.bound) {
            let plain = forward.skipped.iter().filter(|(id, _)| id.0 < streams);
            let last = LastGivenUp::Plain(plain.collect());
            return inbound.give_up_later(GivenUp { reach, last });
        }
        let had_ready = inbound.has_ready();
        let reach = inbound.skip_to(reach);
        for (stream, last) in forward.skipped.iter().filter(|(id, _)| id.0 < streams) {
            inbound.skip_messages(stream, last, reach);
        }
        if !had_ready && inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
    }

    pub(super) fn handle_i_forward_tsn(
        &mut self,
        ctx: &mut PacketContext<'_>,
        forward: &IForwardTsn<'_>,
    ) {
        let streams = self.peer.outbound_streams;
        let Some(reach) = self.move_forward(ctx, forward.new_cumulative_tsn) else {
            return;
        };
        let inbound = &mut self.receiver.inbound;
        if inbound.must_wait(reach.bound) {
            let interleaved = forward.skipped.iter().filter(|s| s.stream.0 < streams);
            let last = LastGivenUp::Interleaved(interleaved.collect());
            return inbound.give_up_later(GivenUp { reach, last });
        }
        let had_ready = inbound.has_ready();
        for skipped in forward.skipped.iter().filter(|s| s.stream.0 < streams) {
            inbound.skip_mids(skipped.stream, skipped.unordered, skipped.mid, reach.bound);
        }
        if !had_ready && inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
    }

    /// Takes everything up to and with `cumulative` as received, and says how far that reaches;
    /// `None` if it is of no interest any more or absurdly far ahead.
    ///
    /// A chunk that passes by nothing is of interest still. All of a message that was sent may have
    /// arrived before the peer gave up the rest: then its number is the only news, and without it
    /// the messages after it would wait for ever. Linux sends such chunks.
    fn move_forward(&mut self, ctx: &mut PacketContext<'_>, cumulative: Tsn) -> Option<Reach> {
        if !self.state.receives_data() {
            return None;
        }
        if !self.receiver.inbound.has_room_to_wait() {
            self.stats.dropped_packets += 1;
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# Any time a FORWARD TSN chunk arrives, for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been received
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# The receiver SHOULD send a SACK to its peer (the sender of the FORWARD TSN) since such a duplicate may indicate the previous SACK was lost in the network.
        // Old or new, it is answered at once: as DATA it would repeat what was received, or fill a
        // gap.
        ctx.data = Some(Urgency::Immediate);
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# if the "New Cumulative TSN" value carried in the arrived FORWARD TSN chunk is found to be behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN
        match self.receiver.tsns.skip_to(cumulative) {
            Skip::Old => None,
            Skip::Behind { bound } => Some(self.reach(bound, 0)),
            Skip::OutOfRange => {
                self.stats.dropped_packets += 1;
                None
            }
            Skip::Forward {
                bound,
                advance,
                missing,
            } => {
                self.stats.skipped_tsns += missing;
                Some(self.reach(bound, advance))
            }
        }
    }

    fn reach(&self, bound: u64, advance: u64) -> Reach {
        Reach {
            bound,
            advance,
            span: self.receiver.tsns.span(),
        }
    }
}
