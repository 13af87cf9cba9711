//! What the application reads.

use super::Association;
use crate::event::{Message, MessagePart, PartStatus};
use crate::recv::ReceiveGrant;

impl Association {
    /// The next message for the application, if one is complete.
    ///
    /// With [`crate::TransportConfig::partial_delivery_point`] read by [`Association::recv_part`]
    /// instead: a message that comes in parts is not given out here, nor is what comes after it.
    pub fn recv(&mut self) -> Option<Message> {
        let message = self.receiver.inbound.pop_whole()?;
        self.stats.messages_received += 1;
        self.on_read();
        Some(message)
    }

    /// The next message, or the next part of one, for the application.
    ///
    /// Messages come in parts if [`crate::TransportConfig::partial_delivery_point`] says so: those
    /// that reach that size before they are complete, and what there is of smaller ones when the
    /// receive buffer is full.
    pub fn recv_part(&mut self) -> Option<MessagePart> {
        let part = self.receiver.inbound.pop()?;
        self.stats.messages_received += u64::from(part.status == PartStatus::Complete);
        self.on_read();
        Some(part)
    }

    /// Memory that is held for what was received, bytes.
    pub(crate) fn received_cost(&self) -> usize {
        self.receiver.inbound.cost()
    }

    /// The endpoint's memory grew short, or is there again.
    pub(crate) fn set_receive_grant(&mut self, grant: ReceiveGrant) {
        self.receiver.grant = grant;
    }

    /// A sender that was told of a small window waits for news.
    fn on_read(&mut self) {
        let capacity = self.receiver.grant.bytes;
        let window = self.receiver.window(capacity);
        let opens = self.receiver.advertised < capacity as u64 / 4 && window >= capacity as u64 / 2;
        if opens && self.state.receives_data() {
            self.receiver.sack.make_due();
        }
    }
}
