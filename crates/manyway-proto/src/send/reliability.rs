//! How hard the engine tries to deliver a message.

use std::time::Duration;

/// Until when and how often a message is sent before it is given up (RFC 3758 and RFC 7496). The
/// limits combine: the first one that is reached counts. Without any the message is reliable.
///
/// A message of which nothing was sent yet can be given up with any peer. One that was begun can
/// be given up only if the peer knows FORWARD-TSN ([`crate::Extension::PartialReliability`], or
/// [`crate::Association::can_abandon_sent`]); with other peers it goes on as a reliable one.
///
/// That a message was given up says that this side has stopped trying: it may have arrived all the
/// same, its acknowledgement being late or lost. A message in flight is not given up before it
/// counts as lost.
///
/// ```
/// use std::time::Duration;
/// use manyway_proto::Reliability;
///
/// // Like a datagram that nobody wants late.
/// let datagram = Reliability::RELIABLE
///     .with_max_retransmissions(0)
///     .with_lifetime(Duration::from_millis(250));
/// assert!(!datagram.is_reliable());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reliability {
    /// How long after it was handed over the message may be sent or sent again ("timed
    /// reliability", RFC 3758 section 4.1).
    pub lifetime: Option<Duration>,
    /// How often each of its chunks may be sent again (RFC 7496 section 3.1).
    pub max_retransmissions: Option<u16>,
    /// Its priority in a full send buffer (RFC 7496 section 3.2): 0 is the highest, and messages
    /// without a priority rank above all with one. As long as nothing of it was sent the message
    /// makes room for one that ranks higher.
    pub priority: Option<u32>,
}

impl Reliability {
    /// Sent until it is acknowledged or the association ends.
    pub const RELIABLE: Self = Self {
        lifetime: None,
        max_retransmissions: None,
        priority: None,
    };

    /// Given up when `lifetime` has passed.
    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Given up instead of being sent again once more than `count` times.
    #[must_use]
    pub const fn with_max_retransmissions(mut self, count: u16) -> Self {
        self.max_retransmissions = Some(count);
        self
    }

    /// Given up for messages of a higher priority, that is a lower number.
    #[must_use]
    pub const fn with_priority(mut self, priority: u32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Whether the message is never given up.
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        self.lifetime.is_none() && self.max_retransmissions.is_none() && self.priority.is_none()
    }
}

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AbandonReason {
    /// [`Reliability::lifetime`] has passed.
    Lifetime,
    /// A chunk was lost that was sent [`Reliability::max_retransmissions`] times again already.
    Retransmissions,
    /// A message that ranks higher needed its room.
    Priority,
}

/// Messages that were given up (RFC 7496, sections 4.3 and 4.4). Each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AbandonedMessages {
    /// Before any part of them was sent.
    pub unsent: u64,
    /// After a part of them or all was sent.
    pub sent: u64,
}
