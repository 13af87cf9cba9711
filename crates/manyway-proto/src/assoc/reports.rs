//! What the application is told of on request or by the peer: nothing left to send, errors.

use manyway_wire::Cause;

use super::Association;
use crate::event::Event;
use crate::send::DryReports;

/// Events that may wait when an error of the peer is to join them: as fast as a peer may report
/// errors, the application's queue does not grow by it.
const MAX_WAITING_EVENTS: usize = 64;

impl Association {
    /// Whether [`Event::SenderDry`] tells when every message has been acknowledged or given up
    /// (RFC 6458, section 6.1.9, `SCTP_SENDER_DRY_EVENT`). It does not from the beginning. If that
    /// is so already the event follows at once.
    ///
    /// ```
    /// # use manyway_proto::Association;
    /// # fn example(association: &mut Association) {
    /// association.report_sender_dry(true);
    /// # }
    /// ```
    pub fn report_sender_dry(&mut self, report: bool) {
        self.sender.dry_reports = match report {
            true => DryReports::Armed,
            false => DryReports::Off,
        };
        self.tell_sender_dry();
    }

    /// Whether there is nothing to send and nothing that waits for an acknowledgement.
    pub fn is_sender_dry(&self) -> bool {
        self.sender.is_drained()
    }

    /// A message was taken for sending.
    pub(super) fn on_message_taken(&mut self) {
        if self.sender.dry_reports == DryReports::Told {
            self.sender.dry_reports = DryReports::Armed;
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6458#section-6.1.9
    //# When the SCTP stack has no more user data to send or retransmit, this notification is given to the user.  Also, at the time when a user app subscribes to this event, if there is no data to be sent or retransmit, the stack will immediately send up this notification.
    pub(super) fn tell_sender_dry(&mut self) {
        if self.sender.dry_reports == DryReports::Armed && self.sender.is_drained() {
            self.sender.dry_reports = DryReports::Told;
            self.events.push_back(Event::SenderDry);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc6458#section-6.1.3
    //# A remote peer may send an Operation Error message to its peer.  This message indicates a variety of error conditions on an association.
    pub(super) fn tell_peer_error(&mut self, cause: &Cause<'_>) {
        if self.events.len() >= MAX_WAITING_EVENTS {
            self.stats.unreported_errors += 1;
            return;
        }
        self.events.push_back(Event::PeerError {
            code: cause.code(),
            description: cause.to_string(),
        });
    }
}
