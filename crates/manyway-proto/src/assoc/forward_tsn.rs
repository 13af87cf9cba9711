//! FORWARD-TSN in: the peer gives up on messages (RFC 3758, section 3.6).

use manyway_wire::ForwardTsn;

use super::Association;
use super::input::PacketContext;
use crate::event::Event;
use crate::recv::{Skip, Urgency};

impl Association {
    pub(super) fn handle_forward_tsn(
        &mut self,
        ctx: &mut PacketContext<'_>,
        forward: &ForwardTsn<'_>,
    ) {
        if !self.state.receives_data() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# Any time a FORWARD TSN chunk arrives, for the purposes of sending a SACK, the receiver MUST follow the same rules as if a DATA chunk had been received
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# The receiver SHOULD send a SACK to its peer (the sender of the FORWARD TSN) since such a duplicate may indicate the previous SACK was lost in the network.
        // Old or new, it is answered at once: as DATA it would repeat what was received, or fill a
        // gap.
        ctx.data = Some(Urgency::Immediate);
        //= https://www.rfc-editor.org/rfc/rfc3758#section-3.6
        //# if the "New Cumulative TSN" value carried in the arrived FORWARD TSN chunk is found to be behind or at the current cumulative TSN point, the data receiver MUST treat this FORWARD TSN as out-of-date and MUST NOT update its Cumulative TSN
        let skip = self.receiver.tsns.skip_to(forward.new_cumulative_tsn);
        let (bound, advance) = match skip {
            Skip::Old => return,
            Skip::OutOfRange => {
                self.stats.dropped_packets += 1;
                return;
            }
            Skip::Forward {
                bound,
                advance,
                missing,
            } => {
                self.stats.skipped_tsns += missing;
                (bound, advance)
            }
        };
        let inbound = &mut self.receiver.inbound;
        let had_ready = inbound.has_ready();
        inbound.skip_to(bound);
        for (stream, last) in forward.skipped.iter() {
            if stream.0 < self.peer.outbound_streams {
                inbound.skip_messages(stream, last, advance);
            }
        }
        if !had_ready && inbound.has_ready() {
            self.events.push_back(Event::Readable);
        }
    }
}
