//! How one message is sent.

use super::Reliability;

/// How [`crate::Association::send_with`] treats a message, beyond what the message itself says.
///
/// ```
/// use manyway_proto::SendOptions;
///
/// let options = SendOptions::default().with_immediate(true);
/// assert!(options.immediate);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendOptions {
    /// The peer shall acknowledge the message without delay (the I bit, RFC 9260 section 3.3.1).
    pub immediate: bool,
    /// When the message is given up; without it the stream's default counts
    /// ([`crate::Association::set_default_reliability`]).
    pub reliability: Option<Reliability>,
    /// Comes back in [`crate::Event::Abandoned`]; the engine does not look at it.
    pub context: u64,
}

impl SendOptions {
    /// The options with [`SendOptions::immediate`] set to `immediate`.
    #[must_use]
    pub const fn with_immediate(mut self, immediate: bool) -> Self {
        self.immediate = immediate;
        self
    }

    /// The options with [`SendOptions::reliability`] set to `reliability`.
    #[must_use]
    pub const fn with_reliability(mut self, reliability: Reliability) -> Self {
        self.reliability = Some(reliability);
        self
    }

    /// The options with [`SendOptions::context`] set to `context`.
    #[must_use]
    pub const fn with_context(mut self, context: u64) -> Self {
        self.context = context;
        self
    }
}
