//! What subscribers are told on request.

use super::Association;

impl Association {
    /// Whether subscribers are told when every message has been acknowledged by the peer or given
    /// up ([`crate::Event::SenderDry`]; RFC 6458, section 6.1.9). They are not from the beginning.
    /// If that is so already they are told at once.
    ///
    /// ```
    /// # use manyway::Association;
    /// use manyway::Event;
    ///
    /// # async fn example(association: Association) {
    /// let mut events = association.events();
    /// association.report_sender_dry(true);
    /// while let Some(event) = events.next().await {
    ///     if event == Event::SenderDry {
    ///         break; // The peer has everything.
    ///     }
    /// }
    /// # }
    /// ```
    pub fn report_sender_dry(&self, report: bool) {
        // An association that is gone sends nothing.
        let _ = self.command((), |assoc, _| {
            assoc.report_sender_dry(report);
            Ok(())
        });
    }
}
