//! The states of an association and the events that change them (RFC 9260, section 4).

use std::fmt;

/// The states of RFC 9260, section 4. `Closed` is final here: an endpoint without an association
/// has no object for it.
///
/// ```text
///   CookieWait, CookieEchoed ──cookie_echo of a peer that opens too──▶ Established
///   CookieWait ──init_ack──▶ CookieEchoed ──cookie_ack──▶ Established ◀── (COOKIE-ECHO accepted)
///   Established ──shutdown requested──▶ ShutdownPending ──drained──▶ ShutdownSent
///   Established, ShutdownPending ──SHUTDOWN──▶ ShutdownReceived ──drained──▶ ShutdownAckSent
///   ShutdownSent ──SHUTDOWN──▶ ShutdownAckSent
///   ShutdownSent ──SHUTDOWN-ACK──▶ Closed;  ShutdownAckSent ──SHUTDOWN-COMPLETE──▶ Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssocState {
    /// INIT was sent.
    CookieWait,
    /// COOKIE-ECHO was sent.
    CookieEchoed,
    /// Data flow both ways.
    Established,
    /// This side wants to end; data are still to be acknowledged.
    ShutdownPending,
    /// SHUTDOWN was sent.
    ShutdownSent,
    /// SHUTDOWN arrived; data of this side are still to be acknowledged.
    ShutdownReceived,
    /// SHUTDOWN-ACK was sent.
    ShutdownAckSent,
    /// Over.
    Closed,
}

/// The event does not apply in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotNow;

/// Generates one method per event from a table of `from => to` arrows.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident: $($from:ident)|+ => $to:ident;)+) => {
        impl AssocState {
            $(
                $(#[$doc])*
                pub(crate) fn $name(&mut self) -> Result<(), NotNow> {
                    match self {
                        $(Self::$from)|+ => { *self = Self::$to; Ok(()) }
                        _ => Err(NotNow),
                    }
                }
            )+

            /// Every event with its name, for the table test.
            #[cfg(test)]
            const EVENTS: &'static [(&'static str, fn(&mut Self) -> Result<(), NotNow>)] =
                &[$((stringify!($name), Self::$name)),+];
        }
    };
}

events! {
    on_init_ack: CookieWait => CookieEchoed;
    on_cookie_ack: CookieEchoed => Established;
    on_cookie_echo: CookieWait | CookieEchoed => Established;
    on_shutdown_requested: Established => ShutdownPending;
    on_drained_after_request: ShutdownPending => ShutdownSent;
    on_shutdown: Established | ShutdownPending => ShutdownReceived;
    on_drained_after_shutdown: ShutdownReceived => ShutdownAckSent;
    on_shutdowns_crossed: ShutdownSent => ShutdownAckSent;
}

impl AssocState {
    /// Whether the peer is known and data may flow in some direction.
    pub(crate) fn is_open(self) -> bool {
        !matches!(self, Self::CookieWait | Self::CookieEchoed | Self::Closed)
    }

    /// Whether the application may hand over new messages. During set-up they wait.
    pub(crate) fn takes_messages(self) -> bool {
        matches!(
            self,
            Self::CookieWait | Self::CookieEchoed | Self::Established
        )
    }

    /// Whether DATA chunks may leave in packets of their own.
    pub(crate) fn sends_data(self) -> bool {
        use AssocState::{Established, ShutdownPending, ShutdownReceived};
        matches!(self, Established | ShutdownPending | ShutdownReceived)
    }

    //= https://www.rfc-editor.org/rfc/rfc9260#section-9.2
    //# While in the SHUTDOWN-SENT state, the SHUTDOWN chunk sender MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk
    pub(crate) fn receives_data(self) -> bool {
        use AssocState::{Established, ShutdownPending, ShutdownSent};
        matches!(self, Established | ShutdownPending | ShutdownSent)
    }
}

impl fmt::Display for AssocState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CookieWait => "cookie-wait",
            Self::CookieEchoed => "cookie-echoed",
            Self::Established => "established",
            Self::ShutdownPending => "shutdown-pending",
            Self::ShutdownSent => "shutdown-sent",
            Self::ShutdownReceived => "shutdown-received",
            Self::ShutdownAckSent => "shutdown-ack-sent",
            Self::Closed => "closed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_transitions_is_the_rfcs() {
        use AssocState::*;
        let states = [
            CookieWait,
            CookieEchoed,
            Established,
            ShutdownPending,
            ShutdownSent,
            ShutdownReceived,
            ShutdownAckSent,
            Closed,
        ];
        let mut table = String::new();
        for (name, event) in AssocState::EVENTS {
            for from in states {
                let mut to = from;
                if event(&mut to).is_ok() {
                    table.push_str(&format!("{from} --{name}--> {to}\n"));
                } else {
                    assert_eq!(from, to, "a refused event changes nothing");
                }
            }
        }
        assert_eq!(
            table,
            "cookie-wait --on_init_ack--> cookie-echoed\n\
             cookie-echoed --on_cookie_ack--> established\n\
             cookie-wait --on_cookie_echo--> established\n\
             cookie-echoed --on_cookie_echo--> established\n\
             established --on_shutdown_requested--> shutdown-pending\n\
             shutdown-pending --on_drained_after_request--> shutdown-sent\n\
             established --on_shutdown--> shutdown-received\n\
             shutdown-pending --on_shutdown--> shutdown-received\n\
             shutdown-received --on_drained_after_shutdown--> shutdown-ack-sent\n\
             shutdown-sent --on_shutdowns_crossed--> shutdown-ack-sent\n"
        );
    }
}
