//! When a path that does not answer is used no more (RFC 7829, RFC 9260 section 8.2).

use crate::config::TransportConfig;

/// Consecutive timeouts, of data or heartbeats, after which a path changes. Beyond a threshold
/// means more timeouts than it says.
///
/// ```
/// use manyway_proto::PathThresholds;
///
/// let thresholds = PathThresholds::default();
/// assert_eq!((thresholds.potentially_failed, thresholds.failed), (0, 5));
/// assert_eq!(thresholds.primary_switchover, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathThresholds {
    /// Beyond it the path is [`crate::PathState::Suspect`]: no data while another path works
    /// (RFC 7829 `PotentiallyFailed.Max.Retrans`, PFMR). If it is not below `failed` there is no
    /// such state.
    pub potentially_failed: u32,
    /// Beyond it the path is [`crate::PathState::Failed`] (RFC 9260 `Path.Max.Retrans`, PMR).
    pub failed: u32,
    /// Beyond it another path is the primary for good, if somebody had chosen this one (RFC 7829
    /// `Primary.Switchover.Max.Retrans`, PSMR); at least `potentially_failed`. `None`: the chosen
    /// primary is used again as soon as it works.
    pub primary_switchover: Option<u32>,
}

impl PathThresholds {
    //= https://www.rfc-editor.org/rfc/rfc7829#section-5
    //# For SCTP-PF implementations, the PSMR MUST be set greater than or equal to the PFMR value.
    pub(crate) fn is_valid(self) -> bool {
        self.primary_switchover
            .is_none_or(|limit| limit >= self.potentially_failed)
    }

    /// Those of new paths.
    pub(crate) fn of(config: &TransportConfig) -> Self {
        let potentially_failed = config.pf_max_retransmits;
        let switchover = config.primary_switchover_max_retransmits;
        Self {
            potentially_failed,
            failed: config.path_max_retransmits,
            primary_switchover: switchover.map(|limit| limit.max(potentially_failed)),
        }
    }
}

impl Default for PathThresholds {
    fn default() -> Self {
        Self::of(&TransportConfig::default())
    }
}
