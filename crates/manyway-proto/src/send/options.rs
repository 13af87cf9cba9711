//! How one message is sent.

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
}

impl SendOptions {
    /// The options with [`SendOptions::immediate`] set to `immediate`.
    #[must_use]
    pub const fn with_immediate(mut self, immediate: bool) -> Self {
        self.immediate = immediate;
        self
    }
}
