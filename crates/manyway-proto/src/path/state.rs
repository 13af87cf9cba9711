//! The states of a path.

use std::fmt;

/// Whether a path works. What the two ends *wish* of it is kept apart ([`crate::Wish`]).
///
/// ```text
/// Unconfirmed ──on_confirmed──▶ Active ──on_timeout──▶ Suspect ──on_exhausted──▶ Failed
///                                  ▲                      │                        │
///                                  └──────on_answered─────┴────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathState {
    /// Nothing has shown that the peer answers from there (RFC 9260, section 5.4).
    Unconfirmed,
    /// Works.
    Active,
    /// RFC 7829's potentially failed: a timeout happened; only probes are sent.
    Suspect,
    /// Did not answer for long; probed slowly.
    Failed,
}

impl PathState {
    /// The peer proved that it receives and answers there; true if that is news.
    pub(crate) fn on_answered(&mut self) -> bool {
        let news = *self != Self::Active;
        *self = Self::Active;
        news
    }

    /// Data or a heartbeat were not answered in time; true if the path stops being used.
    pub(crate) fn on_timeout(&mut self) -> bool {
        let news = *self == Self::Active;
        if news {
            *self = Self::Suspect;
        }
        news
    }

    /// Too many timeouts in a row; true if that is news.
    pub(crate) fn on_exhausted(&mut self) -> bool {
        let news = *self != Self::Failed;
        *self = Self::Failed;
        news
    }
}

impl fmt::Display for PathState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Active => "active",
            Self::Suspect => "suspect",
            Self::Failed => "failed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_makes_an_active_path_suspect_once() {
        let mut state = PathState::Active;
        assert!(state.on_timeout());
        assert!(!state.on_timeout());
        assert_eq!(state, PathState::Suspect);
    }

    #[test]
    fn an_unconfirmed_path_does_not_become_suspect_but_can_fail() {
        let mut state = PathState::Unconfirmed;
        assert!(!state.on_timeout());
        assert!(state.on_exhausted());
        assert!(state.on_answered(), "an answer revives even a failed path");
    }
}
