//! When FORWARD-TSN chunks are sent (RFC 3758, section 3.5, C3 to C5 and F1 to F5).

use std::time::Duration;

use manyway_wire::Tsn;

use crate::path::PathId;
use crate::time::Instant;

/// What the peer was told last, and until when it must have answered.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    /// A FORWARD-TSN shall leave with the next packet.
    pub(crate) due: bool,
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    point: Tsn,
    at: Instant,
    path: PathId,
    deadline: Instant,
}

impl Forward {
    /// Advanced.Peer.Ack.Point is `point`, or no further than the cumulative point.
    pub(crate) fn on_point(&mut self, point: Option<Tsn>) {
        match point {
            //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
            //# the data sender MUST send the data receiver a FORWARD TSN chunk containing the latest value of the "Advanced.Peer.Ack.Point"
            //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
            //# In other words, an implementation MAY lower this value below 500ms but MUST NOT raise it above 500ms.
            // It is not delayed at all.
            Some(point) => self.due |= self.told.is_none_or(|told| told.point != point),
            None => *self = Self::default(),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# An implementation may wish to limit the number of duplicate FORWARD TSN chunks it sends by either only sending a duplicate FORWARD TSN every other SACK or waiting a full RTT before sending a duplicate FORWARD TSN.
    /// A SACK arrived that the last FORWARD-TSN should have changed, had it arrived within `rtt`.
    pub(crate) fn on_sack(&mut self, now: Instant, rtt: impl Fn(PathId) -> Duration) {
        if let Some(told) = self.told {
            self.due |= now - told.at > rtt(told.path);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc3758#section-3.5
    //# If a FORWARD TSN is sent, the sender MUST assure that at least one T3-rtx timer is running.
    /// A FORWARD-TSN left on `path`; its answer is awaited for `timeout`.
    pub(crate) fn on_sent(&mut self, now: Instant, point: Tsn, path: PathId, timeout: Duration) {
        self.due = false;
        self.told = Some(Told {
            point,
            at: now,
            path,
            deadline: now + timeout,
        });
    }

    /// When the FORWARD-TSN must have been answered.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.told.filter(|_| !self.due).map(|told| told.deadline)
    }

    /// The path of a FORWARD-TSN that was not answered in time; it is due again.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<PathId> {
        self.deadline().filter(|at| *at <= now)?;
        self.due = true;
        self.told.map(|told| told.path)
    }
}
